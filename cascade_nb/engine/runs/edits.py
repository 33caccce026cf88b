"""Takes up edits of the code and the names that a run was made of, at whatever moment they come.

When a pause is lifted and a cell was run meanwhile, the run is held for another moment, and its
graph is built and keyed anew beside the loop. The same is asked before its machinery starts, for
the first time or after an edit.

A look at a large run takes longer than a small cell, so that cells in a row would have it look for
as long as they come. After a few looks that found nothing the run goes on, and one more look beside
it sees to what came during the last of them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from typing import Any, Final, NamedTuple

from cascade_nb.concurrency.threads import run_in_thread
from cascade_nb.control.manager import ConstraintManager
from cascade_nb.engine.runs.driver import RunDriver
from cascade_nb.engine.runs.request import RunRequest
from cascade_nb.engine.runs.run import Run
from cascade_nb.engine.storage.carry_over import Revision, same_graph
from cascade_nb.errors import CascadeError
from cascade_nb.graph.build import build_graph
from cascade_nb.graph.fingerprint.value_classes import holds_superseded
from cascade_nb.graph.graph import Graph

_LOOK: Final = 0.005  # seconds between two looks whether it is known what a cell changed
_IN_VAIN: Final = 4  # looks that found nothing, while cells came, after which a run goes on


class _Found(NamedTuple):
    """What a look at a run found.

    Attributes:
        revision: the run as it is now.
        stale: whether results of it are of classes that mean others by now.
        trouble: why it cannot be looked at.
    """

    revision: Revision | None = None
    stale: bool = False
    trouble: Exception | None = None

    @property
    def differs(self) -> bool:
        """Whether the run is not as it was."""
        return self.stale or (self.revision is not None and bool(self.revision.edited))

    @property
    def ends_the_look(self) -> bool:
        """Whether it is known what to do, whatever comes meanwhile."""
        return self.differs or self.trouble is not None


class HearsOfEdits:
    """Where an engine is told of edits; every run of it that goes on hears of them."""

    def __init__(self) -> None:
        self._edits: dict[Run, Edits] = {}

    def editing(self) -> None:
        """A cell is about to run, and may edit what runs are made of."""
        for edits in list(self._edits.values()):
            edits.editing()

    def edited(self) -> None:
        """A cell was run: runs that are held look at what it changed before they go on."""
        for edits in list(self._edits.values()):
            edits.edited()


class Edits:
    """What a run knows of the edits of its session.

    It belongs to the run and not to its machinery, which may not be there yet, or be about to be
    made anew, so that no edit is missed.

    Args:
        manager: whose constraints the run goes by.
        run: whose edits they are.
        request: what it was asked for.
        look: gives the run as it is now.

    Attributes:
        looking: whether the run is held for a look at them.
        driver: the machinery, once there is any.
        revision: what the machinery was stopped for.
    """

    def __init__(
        self,
        manager: ConstraintManager,
        run: Run,
        request: RunRequest,
        look: Callable[[], Awaitable[Revision | None]],
    ) -> None:
        self._manager = manager
        self._run = run
        self._request = request
        self._look = look
        self._count = 0  # how often something may have been edited …
        self._seen = 0  # … and how many of these the run's graph and keys know of
        self._in_vain = 0  # looks before a start that found nothing, and were too old by then
        self._version = None if request.bindings is None else request.bindings.version
        self.looking = False
        self.driver: RunDriver | None = None
        self.revision: Revision | None = None

    @property
    def unseen(self) -> bool:
        """Whether something may have been edited that the run does not know of."""
        return self._count != self._seen

    @property
    def to_be_seen(self) -> bool:
        """Whether the run is to wait with its start until it is known what was edited."""
        return self.unseen and self._in_vain < _IN_VAIN

    def editing(self) -> None:
        """A cell is about to run."""
        with self._manager.lock:
            if self.driver is not None and self.driver.code is not None:
                self.driver.code.editing()

    def edited(self) -> None:
        """A cell was run, or something else that may have changed what is to run.

        It is seen to before the run's machinery starts, and when a pause is lifted. Until then
        nothing is kept under a key that does not say any more what was run.
        """
        with self._manager.lock:
            self._count += 1
            if self.driver is not None and self.driver.code is not None:
                self.driver.code.edited()

    def newest_graph(self) -> Graph | None:
        """The graph as it is now, before it is looked at for the first time; None where it is the
        same.

        Most runs begin after the end of the cell that starts them, which counts as an edit. It
        costs no more than the graph, and not even that where no name was bound.
        """
        request = self._request
        if not self.unseen or request.taken_up is not None or request.given.graph is not None:
            return None
        count, graph = self._count, self._run.graph
        if request.bindings is not None and request.bindings.version != self._version:
            try:
                graph = build_graph(graph.shape, request.bindings)
            except CascadeError:
                return None  # what is wrong with it is said when the run would start
        self._seen = count
        return None if same_graph(graph, self._run.graph) else graph

    async def look_before_start(self) -> Revision | None:
        """What the run is to begin with instead, where it was edited while it was got ready.

        Raises:
            GraphError, TaskCallError: what was edited does not fit together any more.
        """
        count = self._count
        revision = await self._look()
        self._seen = count
        found = revision is not None and bool(revision.edited)
        self._in_vain = 0 if found else self._in_vain + self.unseen
        return revision if found else None

    async def look_while_held(self, driver: RunDriver) -> None:
        """On the loop, while the run is held: go on as it was, or stop for another graph."""
        in_vain = 0
        while True:
            count = self._count
            found = await self._found_by(driver)
            with driver.lock:
                looking = driver.code is not None and driver.code.checking
                came = self._count != count
                in_vain += came
                # What differs is taken up, and looked at once more before it starts.
                known = not looking and (found.differs or not came)
                enough = in_vain >= _IN_VAIN or driver.core.stopping is not None
                if known or enough or found.trouble is not None:
                    if found.trouble is None:
                        self._seen = count
                    self._go_on(driver, found)
                    self.looking = False  # last: to let it go is no lift that asks for a look
                    break
            await asyncio.sleep(_LOOK if looking else 0)
        if not found.ends_the_look and self.unseen:
            await self.look_beside(driver)

    async def look_beside(self, driver: RunDriver) -> None:
        """On the loop, where a run goes on although cells came during the last look at it."""
        count = self._count
        found = await self._found_by(driver)
        with driver.lock:
            if self.looking or driver is not self.driver or driver.core.stopping is not None:
                return  # a look of somebody else sees to it
            if found.trouble is None:
                self._seen = count
            if found.ends_the_look:
                self._go_on(driver, found)

    async def _found_by(self, driver: RunDriver) -> _Found:
        """Look at the run as it is now."""
        try:
            revision = await self._look()
            with driver.lock:
                values = list(driver.core.results.values)
            return _Found(revision, await run_in_thread(partial(_any_is_old, values)))
        except Exception as error:
            return _Found(trouble=error)

    def _go_on(self, driver: RunDriver, found: _Found) -> None:
        """Nothing more is waited for; under the lock."""
        manager, code = driver.services.manager, driver.code
        revision, trouble = found.revision, found.trouble
        if driver.core.stopping is None and trouble is not None:
            manager.apply(self._run.scope, reason=cannot_be_taken_up(trouble), wait=False)
        elif driver.core.stopping is None and revision is not None:
            if code is not None:
                code.catch_up()
            if found.differs or (code is not None and code.tainted - code.rewritten):
                self.revision = revision
                self._in_vain = 0  # before it starts with that
                driver.stop_for_edits()
        # Also where it stops: nothing more starts then, and what is under way comes to its end only
        # if it may, be it that it rests at a checkpoint, is suspended, or waits for a nested run.
        manager.let_go(self._run.id)


def cannot_be_taken_up(error: Exception) -> str:
    """Why a run stays held after an edit."""
    return f"what was edited cannot be taken up: {error}"


def _any_is_old(values: Iterable[Any]) -> bool:
    return any(map(holds_superseded, values))
