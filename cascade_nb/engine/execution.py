"""One run from its first event to its last, whatever happens in between."""

from __future__ import annotations

import asyncio
import dataclasses
import math
import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from cascade_nb.control.pools import check_against
from cascade_nb.engine.arguments import ABSENT, Reader
from cascade_nb.engine.failure import error_text, together
from cascade_nb.engine.flow import Flow
from cascade_nb.engine.keeping import THE_STATE
from cascade_nb.engine.keys import Keys
from cascade_nb.engine.orders import Orders
from cascade_nb.engine.recovery import order_of
from cascade_nb.engine.reuse import Reuse, Sight, look_at, look_up
from cascade_nb.engine.standby import Standby
from cascade_nb.engine.status import Phase
from cascade_nb.errors import (
    DependencyMissingError,
    LeaseHeldError,
    LeaseLostError,
    RunCancelledError,
    RunError,
    StateError,
)
from cascade_nb.events.events import Event, RunFinished, RunStarted
from cascade_nb.graph.graph import NodeKind
from cascade_nb.model.param import check_given
from cascade_nb.protocols import Lease

if TYPE_CHECKING:
    from cascade_nb.engine.engine import Engine
    from cascade_nb.engine.parts import Parts
    from cascade_nb.engine.run import Run


class Execution:
    """What goes on behind a `Run`.

    Raises:
        ParamError: a parameter is unknown, missing or of the wrong type.
        PolicyError: a node needs more of a resource than there is.
    """

    def __init__(self, engine: Engine, run: Run, orders: Orders) -> None:
        self._engine = engine
        self._run = run
        self._orders = orders
        self._preparing: asyncio.Task[Reuse] | None = None
        self._flow: Flow | None = None
        self._keys: Keys
        self._lease: Lease | None = None
        self._parts: Parts
        self._over = asyncio.Event()
        self._cancelled: str | None = None
        graph, params = run.graph, orders.params
        check_given(params, graph.params())
        self._settled = {
            node.index: node.lazy.settled(params)
            for node in graph.nodes
            if node.task is None and node.kind is NodeKind.PARAM
        }
        for node in graph.nodes:
            if node.options.needs:
                known = {n: a for n, a in node.options.needs.items() if isinstance(a, (int, float))}
                check_against(engine.constraints.pools, known, node.label)

    def cancel(self, reason: str) -> None:
        """On the loop: end it. What does not end within the engine's grace is left behind and
        named. Asked again, the grace may have become shorter, as when the kernel is about to end.
        """
        if self._cancelled is not None:
            if self._flow is not None:
                self._give_up_after_grace(self._flow)
            return
        self._cancelled = reason or "it was cancelled"
        if self._flow is None:
            if self._preparing is not None:
                self._preparing.cancel()
            return
        flow = self._flow
        with flow.lock:
            flow.stop("cancelled")
            flow.keeping.give_up()
            for attempt in list(flow.flying.values()):
                if attempt.started is not None:
                    attempt.stop = True
                    if attempt.task is not None:
                        attempt.task.cancel()
            flow.wake_resting()
            flow.settle()
        self._give_up_after_grace(flow)

    async def main(self, parts: Parts) -> None:
        """The whole run. Never raises: what went wrong is the outcome."""
        engine, run = self._engine, self._run
        self._parts = parts
        outcome: Any = None
        error: BaseException | None = None
        try:
            self._preparing = parts.door.loop.create_task(self._prepare(parts))
            outcome = await self._drive(parts, await self._preparing)
        except BaseException as raised:
            error = raised
        try:
            error = await self._end(error)
        except BaseException as raised:  # the loop is being torn down: say what can still be said
            error = error or raised
        engine.ended(run)
        run.end(outcome, error)

    async def _prepare(self, parts: Parts) -> Reuse:
        """Get in touch with connector and state; a task of its own, so that it can be cancelled."""
        engine = self._engine
        if self._cancelled is not None:
            raise asyncio.CancelledError
        engine.constraints.tick()
        await engine.link.join(self)
        standby = Standby(engine.constraints, self._run.scope, parts.door)
        while True:
            try:
                return await self._look_up()
            except (LeaseHeldError, LeaseLostError):
                raise
            except StateError as error:
                await standby.pause(str(error), THE_STATE)

    async def _look_up(self) -> Reuse:
        """Which results are there already; from now on the run is written down."""
        engine, orders, run = self._engine, self._orders, self._run
        graph, taken_up, scribe = run.graph, orders.taken_up, engine.scribe
        await engine.state.open()
        since = math.inf if orders.fresh else 0.0 if taken_up is None else taken_up.since
        sight: Sight | None = None
        if engine.reuse and taken_up is None:
            sight = await look_at(graph, orders.params, engine.state.keeps_all, engine.past)
        self._keys = keys = Keys(
            run.id,
            graph,
            {} if sight is None else sight.keys,
            sight.prints if sight is not None and engine.state.keeps_all else None,
            scribe,
            since,
            None if taken_up is None else taken_up.keys,
        )
        if scribe is not None:
            begun = time.time() if orders.fresh else since
            order = {} if taken_up is not None else order_of(graph, orders, keys.of, begun)
            total = len(graph) - len(self._settled)
            lease = None if taken_up is None else taken_up.lease
            title = graph.title
            self._lease = await scribe.begin(run.id, title, total, order, self._lost, lease)
        settled = frozenset(self._settled)
        return await look_up(
            graph, engine.state, keys.of, sight=sight, settled=settled, since=since
        )

    async def _drive(self, parts: Parts, reuse: Reuse) -> Any:
        engine, run, orders = self._engine, self._run, self._orders

        def is_over() -> None:
            parts.door.call(self._over.set)

        flow = self._flow = Flow(
            run.id,
            run.graph,
            parts,
            engine.state,
            orders,
            have={**reuse.values, **orders.given.values, **self._settled},
            reused=(reuse.found | orders.given.values.keys()) - self._settled.keys(),
            keys=self._keys,
            seconds=self._seconds_before(),
            on_over=is_over,
            on_lost=self._lost,
            lease=self._lease,
        )
        run.begin(flow, dataclasses.replace(reuse, values={}))
        with flow.lock:
            total = len(run.graph) - len(self._settled)
            self._publish(RunStarted, title=run.graph.title, total=total)
            flow.start()
        try:
            await self._over.wait()
        except asyncio.CancelledError:
            # The loop is ending, or somebody cancels every task there is.
            self.cancel("its event loop ended")
            with flow.lock:
                flow.close()
            raise
        return self._value(flow, reuse)

    def _lost(self, error: LeaseLostError) -> None:
        """Another kernel goes on with this run: end it here, from whatever thread this is."""
        self._parts.door.call(partial(self.cancel, str(error)))

    def _seconds_before(self) -> Callable[[int], float | None] | None:
        """How long each node's task took on the average in earlier runs."""
        means, nodes = self._engine.means, self._run.graph.nodes
        return (lambda index: means.get(nodes[index].task_name)) if means else None

    def _value(self, flow: Flow, reuse: Reuse) -> Any:
        """The target's value.

        Raises:
            RunError, RunFailures: there is none.
        """
        title = self._run.graph.title
        if flow.accident is not None:
            raise RunError(
                f"{title} was broken off by an error of cascade_nb itself, please report it: "
                f"{error_text(flow.accident)}"
            ) from flow.accident
        if self._cancelled is not None:
            raise RunCancelledError(f"{title} was cancelled: {self._cancelled}")
        target = self._run.graph.nodes[self._run.graph.targets[0]]
        asked = target.label if len(self._run.graph.targets) == 1 else title
        if flow.failures:
            raise together(flow.failures, asked)
        for index in self._run.graph.targets:
            if index in flow.skipped:
                raise DependencyMissingError(flow.label(index), flow.skipped[index][1])
        values = flow.ledger.values
        value = Reader(values, flow.ledger.place).value_of(self._run.graph.shape)
        assert value is not ABSENT
        return value

    async def _end(self, error: BaseException | None) -> BaseException | None:
        """Close what is open, tell the end, and leave the connector, in that order."""
        engine, run, flow = self._engine, self._run, self._flow
        still: tuple[str, ...] = ()
        if flow is not None:
            with flow.lock:
                flow.close()
                still = tuple(map(flow.label, flow.left_behind))
                timings = flow.kinds.timings()
                engine.remember(timings)
                engine.past.enter(run.grounds, flow.scheduler.state, timings)
            problems = await flow.resources.close()
            if problems and error is None:
                error = problems[0]
        if isinstance(error, asyncio.CancelledError):
            error = RunCancelledError(f"{run.graph.title} was cancelled: {self._cancelled}")
        run.settle(_phase(error), still)
        self._publish(
            RunFinished,
            status=_phase(error).value,
            duration=run.elapsed,
            error=None if error is None else error_text(error),
            still_running=still,
        )
        if engine.scribe is not None:
            await engine.scribe.end(run.id, _phase(error).value)
        await engine.link.leave(self)
        return error

    def _publish(self, kind: type[Event], **fields: Any) -> None:
        engine = self._engine
        if engine.bus.listening:
            wall = engine.clock.wall()
            engine.bus.publish(kind(run_id=self._run.id, timestamp=wall, **fields))

    def _give_up_after_grace(self, flow: Flow) -> None:
        self._engine.clock.call_later(self._engine.grace, partial(self._give_up, flow))

    def _give_up(self, flow: Flow) -> None:
        with flow.lock:
            flow.close()


def _phase(error: BaseException | None) -> Phase:
    if error is None:
        return Phase.SUCCEEDED
    return Phase.CANCELLED if isinstance(error, RunCancelledError) else Phase.FAILED
