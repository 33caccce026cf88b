"""What tests of runs share: waiting for a condition, holding tasks, reading the history."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any

from cascade_nb.engine import Run
from cascade_nb.events import (
    Event,
    TaskEvent,
    TaskExecutionFinished,
    TaskExecutionStarted,
    TaskSkipped,
)
from cascade_nb.testing import SpySubscriber, VirtualClock

PATIENCE = 60.0  # seconds, for a machine that is busy with other things


async def until(condition: Callable[[], Any], what: str = "") -> Any:
    """Let the loop go on until `condition` is true; gives what it gave."""
    deadline = time.monotonic() + PATIENCE
    while not (found := condition()):
        assert time.monotonic() < deadline, f"this never came: {what or condition}"
        await asyncio.sleep(0.001)
    return found


def until_blocking(condition: Callable[[], Any], what: str = "") -> Any:
    """The same for a thread without a loop."""
    deadline = time.monotonic() + PATIENCE
    while not (found := condition()):
        assert time.monotonic() < deadline, f"this never came: {what or condition}"
        time.sleep(0.001)
    return found


async def pass_time(clock: VirtualClock, seconds: float, step: float | None = None) -> None:
    """Move the clock and let what it brings about happen, step by step."""
    left = seconds
    await asyncio.sleep(0.002)  # a timer may have been asked for and not be set yet
    while left > 0:
        part = min(step or seconds, left)
        clock.advance(part)
        left -= part
        for _ in range(5):  # one callback leads to the next: a timer, the lane, the attempt
            await asyncio.sleep(0)
            clock.advance(0)  # what was set too late for its time is due at once
    await asyncio.sleep(0.002)


class Hold:
    """Keeps tasks where they are until they are let go; counts who came."""

    def __init__(self) -> None:
        self.came: list[Any] = []
        self._go = threading.Event()

    def let_go(self) -> None:
        self._go.set()

    def wait(self, who: Any = None) -> Any:
        """In a sync task."""
        self.came.append(who)
        assert self._go.wait(PATIENCE), "nobody let go"
        return who

    async def rest(self, who: Any = None) -> Any:
        """In an async task."""
        self.came.append(who)
        await until(self._go.is_set, "somebody who lets go")
        return who


def started(spy: SpySubscriber, name: str | None = None) -> list[str]:
    """Ids of the starts so far, or of those of one task."""
    events = spy.events_of_type(TaskExecutionStarted)
    return [event.task_id for event in events if name in (None, event.task_name)]


def finished(spy: SpySubscriber, status: str = "completed") -> list[str]:
    """Ids of what finished so."""
    events = spy.events_of_type(TaskExecutionFinished)
    return [event.task_id for event in events if event.status == status]


def skips(spy: SpySubscriber) -> dict[str, str]:
    """Reason by id of what was skipped."""
    return {event.task_id: event.reason for event in spy.events_of_type(TaskSkipped)}


def kinds(events: Iterable[Event]) -> list[str]:
    """The events in short: `TaskExecutionStarted load#1`."""
    return [
        f"{type(e).__name__} {e.task_id}" if isinstance(e, TaskEvent) else type(e).__name__
        for e in events
    ]


async def outcome(run: Run) -> BaseException | None:
    """Wait for the end of a run; what it ended with, None where it has its value."""
    await until(run.done, f"the end of {run!r}")
    return run.exception()
