"""An executor whose jobs begin and end when a test says so, so that every order can be tried."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cascade_nb.protocols.execution import Job


class StepExecutor:
    """Runs jobs on the test's own thread, one step at a time.

    Args:
        capacity: how many jobs it takes at once.

    Attributes:
        waiting: jobs that were handed in and have not begun.
        working: those that have, with the call that they make.
    """

    def __init__(self, capacity: int = 2) -> None:
        self._capacity = capacity
        self.waiting: list[Job] = []
        self.working: list[tuple[Job, Callable[[], Any]]] = []

    @property
    def capacity(self) -> int:
        """How many jobs it takes at once."""
        return self._capacity

    def submit(self, job: Job) -> None:
        """Have `job` wait for its first step."""
        self.waiting.append(job)
        # Another takes the place of one that was given up, as in an executor of threads.
        busy = sum(not getattr(working, "replaced", False) for working, _ in self.working)
        assert len(self.waiting) + busy <= self._capacity, "more than it can take"

    def begin(self, place: int = 0) -> bool:
        """A waiting job begins. False when it may not after all."""
        job = self.waiting.pop(place)
        call = job.begin()
        if call is not None:
            self.working.append((job, call))
        return call is not None

    def end(self, place: int = 0) -> None:
        """A working job ends, and its worker goes on with what it is given."""
        job, call = self.working.pop(place)
        result, error = None, None
        try:
            result = call()
        except Exception as raised:
            error = raised
        following = job.end(result, error)
        if following is not None:
            self.waiting.append(following)

    def step(self) -> bool:
        """One step of whatever stands first. False when there is nothing to do."""
        if self.waiting:
            self.begin()
        elif self.working:
            self.end()
        else:
            return False
        return True

    def close(self) -> None:
        """Nothing to let go of."""
