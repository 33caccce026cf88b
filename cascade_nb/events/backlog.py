"""Keeps what has still to be sent as telemetry, within a limit."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from cascade_nb.events.events import (
    Event,
    RunFinished,
    RunStarted,
    TaskExecutionFinished,
    TaskProgress,
)
from cascade_nb.events.outside_events import (
    ConstraintApplied,
    ConstraintLifted,
    QuestionAnswered,
    QuestionAsked,
)

LIMIT: Final = 100_000  # events
_LEFT: Final = 0.9  # of the limit is left when it is full, so that a full one costs little an event


class Backlog:
    """Events in order, the oldest first. Above the limit the oldest go: first what tells progress,
    then what tells how tasks go; never that a run began or ended, that a task failed, or what was
    held and let go.

    Args:
        limit: how many events it holds of those that may go.

    Attributes:
        dropped: how many have gone.
    """

    def __init__(self, limit: int = LIMIT) -> None:
        self._limit = self._full_at = limit
        self._events: list[Event] = []
        self._under_way = 0
        self.dropped = 0

    def __len__(self) -> int:
        return len(self._events)

    def add(self, events: Iterable[Event]) -> None:
        """These come last."""
        self._events.extend(events)
        if len(self._events) > self._full_at:
            room = int(self._limit * _LEFT)
            for may_go in (_tells_progress, _tells_how_tasks_go):
                self._drop(may_go, len(self._events) - room)
            # What may not go is not looked at again for each event that comes.
            self._full_at = max(self._limit, len(self._events) + self._limit - room)

    def first(self, count: int) -> list[Event]:
        """The oldest: they are under way from now on, and stay until they are `sent`."""
        found = self._events[:count]
        self._under_way = len(found)
        return found

    def sent(self) -> None:
        """What `first` gave last has gone out."""
        del self._events[: self._under_way]
        self._under_way = 0

    def clear(self) -> None:
        """Begin anew."""
        self._events.clear()
        self._full_at, self._under_way, self.dropped = self._limit, 0, 0

    def _drop(self, may_go: Callable[[Event], bool], count: int) -> None:
        kept = self._events[: self._under_way]
        for event in self._events[self._under_way :]:
            if count > 0 and may_go(event):
                count -= 1
            else:
                kept.append(event)
        self.dropped += len(self._events) - len(kept)
        self._events = kept


_STAY: Final = (
    RunStarted,
    RunFinished,
    ConstraintApplied,
    ConstraintLifted,
    QuestionAsked,
    QuestionAnswered,
)


def _tells_progress(event: Event) -> bool:
    return isinstance(event, TaskProgress)


def _tells_how_tasks_go(event: Event) -> bool:
    if isinstance(event, TaskExecutionFinished):
        return event.status == "completed"
    return not isinstance(event, _STAY)
