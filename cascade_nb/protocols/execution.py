"""The protocols of what runs tasks: a clock, an order of preference, and where bodies execute."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol


class Clock(Protocol):
    """Where time comes from, so that a test can bring its own."""

    def now(self) -> float:
        """Seconds on a clock that never goes back; only differences mean anything."""
        ...

    def wall(self) -> float:
        """Seconds since the epoch, for what people and other machines read."""
        ...

    def call_later(self, delay: float, callback: Callable[[], object]) -> Callable[[], object]:
        """Call `callback` on the running loop after `delay` seconds; returns what cancels that."""
        ...


class Solver(Protocol):
    """Gives the order of preference among nodes that could start at the same moment."""

    def ranks(
        self, inputs: Sequence[Sequence[int]], seconds: Callable[[int], float | None] | None
    ) -> Sequence[int]:
        """A rank for each node; the lower starts first, and no two are equal.

        For a large graph it is asked in a thread beside the loop.

        Args:
            inputs: by node, the indexes of the nodes before it, all lower than its own.
            seconds: by node, how long it took in earlier runs, where known.
        """
        ...


class Job(Protocol):
    """One attempt of one node, as an executor sees it."""

    def begin(self) -> Callable[[], Any] | None:
        """Look a last time whether it may start. None: not now, forget it.

        Otherwise the call to make. Until this moment a pause still holds it.
        """
        ...

    def end(self, result: Any, error: BaseException | None) -> Job | None:
        """Hand in the outcome. A job that comes back is for this worker to go straight on with."""
        ...


class Executor(Protocol):
    """Where bodies of sync tasks execute; `engine.dispatch.workers` says what else it may have."""

    @property
    def capacity(self) -> int:
        """How many jobs can be under way at once, not counting those that were given up."""
        ...

    def submit(self, job: Job) -> None:
        """Start `job` in a worker and return at once."""
        ...

    def close(self) -> None:
        """Let idle workers end; those that are busy end after their job."""
        ...
