"""What an engine is made of, as its runs use it."""

from __future__ import annotations

import asyncio
import dataclasses
import random
import time
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any

from cascade_nb.control.manager import ConstraintManager
from cascade_nb.engine.dispatch.attempt import Attempt
from cascade_nb.engine.dispatch.resources import ResourceDesk
from cascade_nb.engine.dispatch.workers import Workers
from cascade_nb.engine.loops.loop_portal import Door
from cascade_nb.events.bus import MessageBus
from cascade_nb.protocols import Clock, Connector, Executor, Solver, StateBackend

if TYPE_CHECKING:
    from cascade_nb.engine.runs.flow import Flow


class SystemClock:
    """The machine's own time."""

    # Not wrapped: they are asked several times for each node.
    now = staticmethod(time.monotonic)
    wall = staticmethod(time.time)

    def call_later(self, delay: float, callback: Callable[[], object]) -> Callable[[], object]:
        """Call back on the running loop."""
        return asyncio.get_running_loop().call_later(delay, callback).cancel


@dataclasses.dataclass(frozen=True)
class Adapters:
    """The exchangeable parts of an engine."""

    solver: Solver
    executor: Executor
    bus: MessageBus
    connector: Connector | None
    state: StateBackend
    clock: Clock


@dataclasses.dataclass(frozen=True)
class Parts:
    """What a run at work reaches for.

    Attributes:
        door: to the loop that the engine works on.
        coroutines: to the loop of async tasks and async resources; another one where their user's
            loop may be held up.
        overrides: what stands for a resource in this engine, for tests.
    """

    solver: Solver
    bus: MessageBus
    clock: Clock
    manager: ConstraintManager
    workers: Workers
    door: Door
    coroutines: Door
    overrides: dict[Any, Any]
    nested: list[Workers] = dataclasses.field(default_factory=list)
    tasks: set[asyncio.Task[Any]] = dataclasses.field(default_factory=set)
    rng: random.Random = dataclasses.field(default_factory=random.Random)

    @property
    def are_apart(self) -> bool:
        """Whether coroutines run on another loop than everything else."""
        return self.coroutines is not self.door

    @property
    def are_gone(self) -> bool:
        """Whether a loop is closed that these need."""
        return self.door.loop.is_closed() or self.coroutines.loop.is_closed()

    def workers_at(self, depth: int) -> Workers:
        """The places in threads of runs that so many others have started, one inside the other.

        Each depth has as many as the executor says: tasks that wait for runs of their own, however
        many, never take the places that those runs need.
        """
        while len(self.nested) < depth:
            self.nested.append(Workers(self.workers.executor))
        return self.nested[depth - 1] if depth else self.workers

    def desk_for(self, flow: Flow) -> ResourceDesk:
        """Where the tasks of a run borrow."""
        return ResourceDesk(flow, self.overrides)

    def timer(
        self, delay: float, callback: Callable[[], object], attempt: Attempt | None = None
    ) -> None:
        """Call back on the loop, without the lock, after `delay` seconds, from whatever thread this
        is.

        With an attempt, its `timer` becomes what cancels the call.
        """
        due = self.clock.now() + delay  # counted from now on, however busy the loop is
        cancelled = False
        cancel: Callable[[], object] | None = None

        def stop() -> None:
            nonlocal cancelled
            cancelled = True
            if cancel is not None:
                self.door.call(cancel)

        def arm() -> None:
            nonlocal cancel
            if not cancelled:
                wait = max(0.0, due - self.clock.now())
                cancel = self.clock.call_later(wait, lambda: None if cancelled else callback())

        if attempt is not None:
            attempt.timer = stop
        self.door.call(arm)

    def spawn(self, work: Coroutine[Any, Any, Any]) -> None:
        """Run a coroutine on the loop, from whatever thread this is; it is kept until it is
        done.
        """

        def begin() -> None:
            task = self.door.loop.create_task(work)
            self.tasks.add(task)
            task.add_done_callback(self.tasks.discard)

        self.door.call(begin)
