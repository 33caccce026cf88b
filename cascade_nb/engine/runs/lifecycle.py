"""Takes one run from its first event to its last, whatever happens in between."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

from cascade_nb.concurrency.begun_tasks import begin_task
from cascade_nb.concurrency.threads import run_in_thread
from cascade_nb.control.gate_kinds.resource_pools import check_against
from cascade_nb.engine.core.arguments import ABSENT, Reader
from cascade_nb.engine.dispatch.failures import error_text, together, unharmed
from cascade_nb.engine.loops.resume_waiter import ResumeWaiter
from cascade_nb.engine.observing.status import Phase
from cascade_nb.engine.runs.driver import RunDriver
from cascade_nb.engine.runs.edits import Edits, cannot_be_taken_up
from cascade_nb.engine.runs.ending import CLOSING, LEAST, as_told, at_last, closed, of_accident
from cascade_nb.engine.runs.preparation import Preparation, Prepared, settled_in, still_given
from cascade_nb.engine.runs.request import RunRequest
from cascade_nb.engine.runs.run import Run
from cascade_nb.engine.runs.services import RunHost, RunServices
from cascade_nb.engine.storage.carry_over import (
    AN_EDIT,
    Revision,
    carried_over,
    left_by,
    named_anew,
    with_classes_of_today,
)
from cascade_nb.errors import DependencyMissingError, LeaseLostError, RunCancelledError
from cascade_nb.events.events import Event, RunFinished, RunStarted
from cascade_nb.model.lazy.lazy import PLAIN
from cascade_nb.model.params.param import check_given


class Execution:
    """What goes on behind a `Run`.

    Args:
        engine: what it uses of its engine.
        run: its handle.
        request: what it was asked for.
        ended: called on the loop when it is over.

    Attributes:
        edits: what of the session's edits it knows.

    Raises:
        ParamError: a parameter is unknown, missing or of the wrong type.
        PolicyError: a node needs more of a resource than there is.
    """

    def __init__(
        self, engine: RunHost, run: Run, request: RunRequest, ended: Callable[[Run], None]
    ) -> None:
        self._engine = engine
        self._run = run
        self._request = request
        self._ended = ended
        self._preparing: asyncio.Task[Prepared] | None = None
        self._driver: RunDriver | None = None
        self._told = False
        self._ready = Preparation(engine, run, request, self._lost)
        self.edits = Edits(engine.constraints, run, request, self._ready.look_for_edits)
        self._services: RunServices
        self._began = engine.clock.wall()
        self._over = asyncio.Event()
        self._cancelled: str | None = None
        self._within = engine.grace
        graph, params = run.graph, request.params
        check_given(params, graph.params())
        self._settled = settled_in(graph, params)
        for node in graph.nodes:
            options = node.lazy.options
            if options is not PLAIN and options.needs:
                known = {n: a for n, a in options.needs.items() if isinstance(a, (int, float))}
                check_against(engine.constraints.pools, known, node.label)

    def cancel(self, reason: str, within: float | None = None) -> None:
        """On the loop: end it. What does not end within the engine's grace is left behind and
        named. Asked again, the grace may have become shorter, as when the kernel is about to end.
        """
        if self._cancelled is not None:
            self._give_up_after_grace(within)
            return
        self._cancelled = f"was cancelled: {reason}" if reason else "was cancelled"
        if self._preparing is not None:
            self._preparing.cancel()
        self._give_up_after_grace(within)
        if self._driver is None:
            return
        words = f"{self._run.graph.title}, which started it, was cancelled"
        self._driver.cancel(words, within)

    async def main(self, services: RunServices) -> None:
        """The whole run. Never raises: what went wrong is the outcome."""
        run = self._run
        self._services = services
        outcome: Any = None
        error: BaseException | None = None
        try:
            self._preparing = begin_task(self._prepare(services), services.portal.loop)
            outcome = await self._drive(services, await self._preparing)
        except BaseException as raised:
            error = raised
        try:
            error = await self._end(error)
        except BaseException as raised:  # the loop is being torn down: say what can still be said
            error = error or raised
        self._engine.constraints.run_over(run.id)
        self._ended(run)
        if not run.done():
            run.end(outcome, error)

    async def _prepare(self, services: RunServices) -> Prepared:
        """Get in touch with connector and state; a task of its own, so that it can be cancelled."""
        engine, run = self._engine, self._run
        if self._cancelled is not None:
            raise asyncio.CancelledError
        engine.constraints.tick()
        await engine.supervisor.join(self._run)
        if (graph := self.edits.newest_graph()) is not None:
            run.take(graph, named_anew(run.graph, graph))
            self._settled = settled_in(graph, self._request.params)
        waiter = self._waiter(services)
        return await unharmed(partial(self._ready.begin, waiter, self._settled))

    async def _drive(self, services: RunServices, prepared: Prepared) -> Any:
        """From the first node to the last, with whatever is edited in between."""
        run, before = self._run, None
        while True:
            if self._cancelled is not None:  # after it was prepared, and before this goes on
                raise asyncio.CancelledError
            if self.edits.to_be_seen:
                prepared = await self._in_a_task(self._up_to_date, services, prepared, before)
                continue
            driver = self._driver_of(services, prepared, before)
            with driver.lock:
                if self.edits.to_be_seen:
                    continue
                self._driver = self.edits.driver = driver
                run.begin(driver, prepared.reuse)
                if not self._told:
                    self._told = True
                    total = len(run.graph) - len(self._settled)
                    self._publish(RunStarted, title=run.graph.title, total=total)
                driver.start()
                driver.services.manager.let_go(run.id)
                if self.edits.unseen:
                    services.spawn(self.edits.look_beside(driver))
            await self._come_to_rest(driver)
            if driver.core.stopping != "edited":
                return self._value(driver)
            before = driver
            with driver.lock:
                self._engine.remember(driver.core.kinds.timings())
            problems, _ = await driver.resources.close()
            for problem in problems:
                raise problem
            self._over.clear()
            revision = self.edits.revision
            assert revision is not None
            prepared = await self._in_a_task(self._revised, services, driver, revision)

    async def _in_a_task(
        self, work: Callable[..., Coroutine[Any, Any, Prepared]], *args: Any
    ) -> Prepared:
        """A task of its own, so that it can be cancelled."""
        self._preparing = begin_task(unharmed(partial(work, *args)), self._services.portal.loop)
        return await self._preparing

    async def _up_to_date(
        self, services: RunServices, prepared: Prepared, before: RunDriver | None
    ) -> Prepared:
        """What was edited while the run was got ready is taken up before anything of it starts."""
        try:
            revision = await self.edits.look_before_start()
        except Exception as error:
            await self._waiter(services).pause(cannot_be_taken_up(error), AN_EDIT)
            return prepared
        return prepared if revision is None else await self._revised(services, before, revision)

    def _driver_of(
        self, services: RunServices, prepared: Prepared, before: RunDriver | None
    ) -> RunDriver:
        engine, run, ready = self._engine, self._run, self._ready
        driver = RunDriver(
            run.id,
            run.graph,
            services,
            engine.state,
            dataclasses.replace(self._request, given=prepared.given),
            prepared.initial,
            reused=prepared.reused,
            pending=prepared.pending,
            keys=ready.keys,
            on_over=lambda: services.portal.call(self._over.set),
            on_lost=self._lost,
            on_edited=lambda: services.spawn(self.edits.look_while_held(driver)),
            edits=self.edits,
            sight=ready.sight,
            files=prepared.files,
            carried=prepared.carried,
            lease=ready.lease,
            journal_writer=engine.journal_writer,
            depth=run.depth,
            means=engine.means,
        )
        if before is not None:
            driver.began, driver.last_end = before.began, before.last_end
            driver.rested = before.rested
            driver.times = before.times.after_edit(driver.core, before.core.shown_id)
        return driver

    async def _come_to_rest(self, driver: RunDriver) -> None:
        try:
            await self._over.wait()
        except asyncio.CancelledError:
            # The loop is ending, or somebody cancels every task there is.
            self.cancel("its event loop ended")
            with driver.lock:
                driver.close()
            raise
        with driver.lock:  # also so that whoever ended it has done with it
            if driver.code is not None:
                driver.code.over()

    async def _revised(
        self, services: RunServices, driver: RunDriver | None, revision: Revision
    ) -> Prepared:
        """What the run goes on with, where nothing of it is under way."""
        run = self._run
        given = self._request.given
        if driver is not None:
            with driver.lock:
                given = left_by(driver, driver.code, driver.sight)
        given = await still_given(given)
        carried = carried_over(await run_in_thread(partial(with_classes_of_today, given)), revision)
        run.take(revision.graph, revision.edited)
        self._settled = settled_in(revision.graph, self._request.params)
        return await self._ready.revise(revision, self._waiter(services), self._settled, carried)

    def _waiter(self, services: RunServices) -> ResumeWaiter:
        return ResumeWaiter(self._engine.constraints, self._run.scope, services.portal)

    def _lost(self, error: LeaseLostError) -> None:
        """Another kernel goes on with this run: end it here, from whatever thread this is."""
        self._services.portal.call(partial(self.cancel, str(error)))

    def _value(self, driver: RunDriver) -> Any:
        """The target's value, of which everybody who asks the run for it is handed a copy.

        Raises:
            RunError, RunFailures: there is none.
        """
        graph = self._run.graph
        title = graph.title
        if driver.accident is not None:
            raise of_accident(driver.accident, title) from driver.accident
        if self._cancelled is not None:
            raise RunCancelledError(f"{title} {self._cancelled}")
        asked = graph.nodes[graph.targets[0]].label if len(graph.targets) == 1 else title
        if driver.failures:
            raise together(driver.failures, asked)
        for index in graph.targets:
            if index in driver.core.skipped:
                why = driver.core.skipped[index][1]
                raise DependencyMissingError(driver.core.label(index), why)
        values = driver.core.results.values
        value = Reader(values, driver.core.results.place).value_of(graph.shape)
        assert value is not ABSENT
        return value

    async def _end(self, error: BaseException | None) -> BaseException | None:
        """Close what is open, tell the end, and leave the connector, in that order."""
        engine, run, driver = self._engine, self._run, self._driver
        within = max(engine.grace, CLOSING) if error is None else self._within
        still: tuple[str, ...] = ()
        if driver is not None:
            try:
                short = self._cancelled is not None
                error, still = await closed(engine, run, driver, error, within, short)
            except BaseException as raised:
                error = error or raised
        error = as_told(error, run.graph.title, self._cancelled)
        run.set_outcome(_phase(error), still)
        engine.history.enter(run.status, self._began, driver, run.grounds)
        self._publish(
            RunFinished,
            status=_phase(error).value,
            duration=run.elapsed,
            error=None if error is None else error_text(error),
            still_running=still,
        )
        title = run.graph.title
        if engine.journal_writer is not None:
            writing = partial(engine.journal_writer.end, run.id, _phase(error).value)
            await at_last(writing, "written down how", title, self._patience)
        if engine.supervisor.is_open:
            leaving = partial(engine.supervisor.leave, self._run)
            await at_last(leaving, "left its connector", title, self._patience)
        return error

    def end_as_lost(self) -> None:
        """The loop that it went on on is closed: nothing of it will ever end by itself."""
        run, driver = self._run, self._driver
        words = f"{run.graph.title} was cancelled: its event loop was closed before it ended"
        if driver is not None:
            with driver.moving():
                driver.core.stop("cancelled")
                driver.close()
        run.set_outcome(Phase.CANCELLED, ())
        self._publish(RunFinished, status="cancelled", duration=run.elapsed, error=words)
        run.end(None, RunCancelledError(words))

    def _publish(self, kind: type[Event], **fields: Any) -> None:
        bus, wall = self._engine.bus, self._engine.clock.wall
        if bus.listening:
            bus.publish(kind(run_id=self._run.id, timestamp=wall(), **fields))

    def _give_up_after_grace(self, within: float | None) -> None:
        grace = self._engine.grace if within is None else min(within, self._engine.grace)
        self._within = min(grace, self._within)
        self._engine.clock.call_later(grace, self._give_up)

    def _patience(self) -> float:
        return CLOSING if self._cancelled is None else max(LEAST, self._within)

    def _give_up(self) -> None:
        driver = self._driver
        if driver is not None:
            with driver.lock:
                driver.close()
            driver.resources.give_up()


def _phase(error: BaseException | None) -> Phase:
    if error is None:
        return Phase.SUCCEEDED
    return Phase.CANCELLED if isinstance(error, RunCancelledError) else Phase.FAILED
