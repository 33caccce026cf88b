"""Holds what every part of a run may reach for: constraints, bus, clock, the way to the loop."""

from __future__ import annotations

import asyncio
import dataclasses
import random
from collections.abc import Callable, Coroutine
from typing import Any, Protocol

from cascade_nb.concurrency.begun_tasks import begin_task
from cascade_nb.concurrency.loop_portal import LoopPortal
from cascade_nb.control.manager import ConstraintManager
from cascade_nb.events.bus import MessageBus
from cascade_nb.protocols.execution import Clock


class HasTimer(Protocol):
    """What is called back later, and can have that cancelled.

    Attributes:
        timer: cancels the call.
    """

    timer: Callable[[], object] | None


@dataclasses.dataclass(frozen=True)
class LoopServices:
    """The services of one engine on one loop.

    Attributes:
        portal: to the loop that the engine works on.
        coroutines: to the loop of async tasks and async resources; another one where their user's
            loop may be held up.
        inline, waiting: of each run, the heap of what runs in slices, and that of its coroutines;
            see `priorities.goes_first`.
    """

    bus: MessageBus
    clock: Clock
    manager: ConstraintManager
    portal: LoopPortal
    coroutines: LoopPortal
    tasks: set[asyncio.Task[Any]] = dataclasses.field(default_factory=set, kw_only=True)
    inline: dict[int, list[int]] = dataclasses.field(default_factory=dict, kw_only=True)
    waiting: dict[int, list[int]] = dataclasses.field(default_factory=dict, kw_only=True)
    rng: random.Random = dataclasses.field(default_factory=random.Random, kw_only=True)

    @property
    def are_apart(self) -> bool:
        """Whether coroutines run on another loop than everything else."""
        return self.coroutines is not self.portal

    @property
    def are_gone(self) -> bool:
        """Whether a loop is closed that these need."""
        return self.portal.loop.is_closed() or self.coroutines.loop.is_closed()

    def timer(
        self, delay: float, callback: Callable[[], object], attempt: HasTimer | None = None
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
                self.portal.call(cancel)

        def arm() -> None:
            nonlocal cancel
            if not cancelled:
                wait = max(0.0, due - self.clock.now())
                cancel = self.clock.call_later(wait, lambda: None if cancelled else callback())

        if attempt is not None:
            attempt.timer = stop
        self.portal.call(arm)

    def spawn(self, work: Coroutine[Any, Any, Any]) -> None:
        """Run a coroutine on the loop, from whatever thread this is; it is kept until it is
        done.
        """

        def begin() -> None:
            task = begin_task(work, self.portal.loop)
            self.tasks.add(task)
            task.add_done_callback(self.tasks.discard)

        self.portal.call(begin)
