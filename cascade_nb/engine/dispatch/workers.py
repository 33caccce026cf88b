"""Counts the free places of an executor, and gives them to the runs that have work for them.

Beside what `protocols.Executor` says, an executor may have

- `remote`: True where its bodies run in other processes; then it is a `RunsInProcesses`;
- `cluster`: True where those are of a cluster, whose results may stay there; then it is a
  `RunsOnCluster`;
- `fixed`: True where its workers are not its own: there are never more of them than its capacity,
  and each is given back after each body;
- `inner`: the executor for runs that its own bodies start, and wait for;
- `place`: the name by which tasks ask for it;
- `noun`: what one of its workers is called, "thread" where it says nothing.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Final, Protocol

from cascade_nb.engine.core.driven_run import InFlight
from cascade_nb.engine.core.priorities import most_urgent
from cascade_nb.engine.dispatch.attempt import ThreadAttempt
from cascade_nb.engine.dispatch.dispatched_run import Started
from cascade_nb.protocols.execution import Executor

LOST: Final = 64  # threads that may be replaced at least, while they do not end


class HasWork(Protocol):
    """The ready nodes of one run; see `ready_queues`."""

    def heap_of(self, workers: Workers, /) -> Sequence[int]:
        """Those for these places."""

    def take(self, workers: Workers, at_once: bool, last: int, /) -> ThreadAttempt | None:
        """The first of them that is allowed to start; see `Workers.next_job`."""


class Workers:
    """An executor's free places, and the runs that have work for them, served in turn.

    Args:
        executor: whose places.
        attempt: what an attempt is there.
    """

    def __init__(self, executor: Executor, attempt: type[ThreadAttempt]) -> None:
        self.executor = executor
        self.attempt = attempt
        self.fixed: bool = getattr(executor, "fixed", False)
        self.cluster: bool = getattr(executor, "cluster", False)
        self.free = executor.capacity
        self.runs_with_work: deque[HasWork] = deque()
        self.lost = 0  # threads that may never end; others have taken their places

    def next_job(self, at_once: bool = False) -> ThreadAttempt | None:
        """The next attempt that may start here: of the highest priority there is, and among runs
        that have such of the one that waited longest.

        Args:
            at_once: whether to begin it too, since the worker that will run it is the one that
                asks.
        """
        runs_with_work = self.runs_with_work
        while runs_with_work and self.free >= 0:  # below that there are fewer than there were
            place = last = 0
            if len(runs_with_work) > 1:
                place, last = most_urgent([one.heap_of(self)[:1] for one in runs_with_work])
            queues = runs_with_work[place]
            runs_with_work.remove(queues)
            heap = queues.heap_of(self)
            job = queues.take(self, at_once, last)
            # What was looked at for as long as one may comes again with the loop, not from here.
            goes_on = heap and (job is not None or 0 != last < heap[0])
            if goes_on and queues not in runs_with_work:
                runs_with_work.append(queues)
            if job is not None:
                return job
        return None

    def next_after(self, attempt: Started) -> ThreadAttempt | None:
        """What the worker of an attempt that is over goes straight on with; else it is free."""
        if attempt.replaced:
            self.lost -= 1  # another has its place
            return None
        job = None
        # Others may wait for a fixed one; one of a cluster begins when there is room.
        if not self.fixed and not self.cluster:
            try:
                job = self.next_job(at_once=True)
            except BaseException as broken:
                attempt.driver.break_off(broken)
        if job is None:
            self.free += 1
        else:
            job.workers = self
        self.pump()
        return job

    def give_back(self) -> None:
        """A worker has nothing to do after all: another run may have work for it."""
        self.free += 1
        self.pump()

    def replace(self, attempt: InFlight) -> None:
        """The thread of an attempt may never end: another takes its place, within bounds."""
        if attempt.started is None or attempt.replaced or self.fixed:
            return
        if self.lost < max(LOST, 4 * self.executor.capacity):
            attempt.replaced = True
            self.lost += 1
            self.free += 1

    def pump(self) -> None:
        """Give every free worker something to do, while there is something."""
        while self.free > 0 and self.runs_with_work and (job := self.next_job()) is not None:
            self.give(job)

    def give(self, job: ThreadAttempt) -> None:
        """Have an attempt begin in a free place."""
        job.workers = self
        self.free -= 1
        try:
            self.executor.submit(job)
        except BaseException:
            self.free += 1
            raise
