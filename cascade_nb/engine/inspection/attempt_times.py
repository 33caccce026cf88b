"""Remembers when attempts at nodes began and how long they took, for who looks at one node."""

from __future__ import annotations

from typing import Final, NamedTuple

from cascade_nb.engine.dispatch.dispatched_run import Started

ROOM: Final = 20_000  # nodes and items; those that ended last stay


class AttemptTime(NamedTuple):
    """When an attempt began on the engine's clock, how long it took, and the how manieth it was."""

    started: float
    took: float
    number: int


class AttemptTimes:
    """The last attempt at each node of a run that is over, by index. Under the engine's lock.

    What runs in slices on the loop leaves nothing here: it takes microseconds, and so would this.
    """

    def __init__(self) -> None:
        self.of: dict[int, AttemptTime] = {}

    def note(self, attempt: Started, took: float) -> None:
        """An attempt that has begun is over, after so many seconds."""
        of, started = self.of, attempt.started
        if started is None:
            return
        of[attempt.index] = AttemptTime(started, took, attempt.number)
        if len(of) > ROOM:
            del of[next(iter(of))]
