"""The doors to runs that were written down, by this kernel or by another."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING

from cascade_nb.control.manager import ConstraintManager
from cascade_nb.engine.log import checked_log
from cascade_nb.engine.orders import Orders
from cascade_nb.engine.recovery import choose, take_up
from cascade_nb.engine.scribe import Scribe
from cascade_nb.errors import UsageError
from cascade_nb.graph.build import Bindings
from cascade_nb.graph.graph import Graph
from cascade_nb.protocols import RunRecord, StateBackend

if TYPE_CHECKING:
    from cascade_nb.engine.run import Run


class Records:
    """What an engine can do with the runs in its state backend.

    Attributes:
        scribe: writes them down; None where the state does not outlive the process.
    """

    constraints: ConstraintManager
    state: StateBackend
    scribe: Scribe | None
    bindings: Bindings | None
    runs: list[Run]
    log: str | None

    begin: Callable[[Graph, Orders, str], Run]

    async def recorded(self) -> list[RunRecord]:
        """The runs that are written down in the state backend, by whatever kernel, latest first.

        Raises:
            UsageError: this engine's state does not outlive its process.
            StateError: the place cannot be reached or read.
        """
        scribe = self._writer()
        await self.state.open()
        return await scribe.journal.runs()

    async def attach(self, run: str | None = None, *, log: str | None = None) -> Run:
        """Go on with a run that another kernel left: nothing that was completed runs again.

        Its constraints are in force again before anything starts, unless one of the same scope and
        type is already.

        Args:
            run: its id, or how it begins; None for the latest that did not succeed.
            log: as for `start`.

        Raises:
            UnknownNameError: there is no such run.
            UsageError: this engine's state does not outlive its process, the run goes on here, or
                it was never written down in full.
            LeaseHeldError: another kernel goes on with it.
            StateError: the place cannot be reached or read.
        """
        scribe = self._writer()
        log = checked_log(log) or self.log
        await self.state.open()
        record = choose(await scribe.journal.runs(), run)
        for live in self.runs:
            if live.id == record.run_id:
                raise UsageError(f"{live!r} goes on in this kernel already")
        graph, orders = await take_up(scribe, record, self.constraints)
        orders = dataclasses.replace(orders, log=log, bindings=self.bindings)
        return self.begin(graph, orders, record.run_id)

    def _writer(self) -> Scribe:
        if self.scribe is None:
            raise UsageError(
                "results and runs are only in this kernel's memory, so there is nothing to take "
                'up; name a place that lasts: state_backend="sqlite:///cascade.db", or '
                "CASCADE_STATE in the environment"
            )
        return self.scribe
