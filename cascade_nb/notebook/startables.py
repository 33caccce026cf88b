"""Starts what a notebook's cells have defined, when another program of this user asks for it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from cascade_nb.concurrency.own_loop import on_own_loop
from cascade_nb.engine.planning.plan import Plan
from cascade_nb.engine.runs.loop_binding import on_behalf_of
from cascade_nb.engine.runs.request import new_run_id
from cascade_nb.engine.runs.run import Run
from cascade_nb.model.params.param import Param
from cascade_nb.notebook.kernel.output import route
from cascade_nb.notebook.kernel.task_output import TaskOutput
from cascade_nb.notebook.session import Session


class NamedNodes:
    """The named nodes of a notebook's workspace; see `door.startable.Startable`.

    Args:
        session: of the notebook.
        loop: the kernel's, where its cells run; None where there is none.
    """

    def __init__(self, session: Session, loop: asyncio.AbstractEventLoop | None) -> None:
        self._session = session
        self._loop = loop

    def names(self) -> list[str]:
        """What can be started."""
        meanings = self._session.workspace.meanings()
        return sorted(name for name, one in meanings.items() if not isinstance(one.whole, Param))

    def plan(self, name: str, params: Mapping[str, Any]) -> Plan:
        """What a run of that would do; nothing runs."""
        session = self._session
        _, target = session.targets([name])
        made = session.engine.plan(target, params=params, bindings=session.workspace)
        return on_own_loop(made)

    def start(self, name: str, params: Mapping[str, Any]) -> Run:
        """Start a run of that, and return at once. What its tasks print is not to appear below
        whatever cell runs just now; `%cascade panel` shows the run.
        """
        session, engine = self._session, self._session.engine
        _, target = session.targets([name])
        run_id = new_run_id()
        unroute = route(run_id, TaskOutput())
        try:
            with on_behalf_of(self._loop):
                run = engine.start(target, params=params, bindings=session.workspace, run_id=run_id)
        except BaseException:
            unroute()
            raise
        run.add_done_callback(lambda _: unroute())
        session.notice(run)
        session.latest = run
        return run
