"""Runs task bodies in worker threads of this process."""

from __future__ import annotations

import contextlib
import os
import queue
import threading
from typing import Final

from cascade_nb.errors import UsageError
from cascade_nb.forking import forget_after_fork
from cascade_nb.protocols.execution import Job
from cascade_nb.text import quoted

LINGER: Final = 0.5  # seconds that an idle worker waits for more before it ends


class LocalExecutor:
    """Runs the bodies of sync tasks in threads, made when needed and ended when idle.

    They are daemons, so that a task that cannot be stopped does not hold up the end of the process
    or the restart of a kernel.

    Args:
        max_threads: how many bodies may run at once; default is like that of the standard library's
            pool, the number of processors plus four, at most 32.

    Raises:
        UsageError: `max_threads` is below one.
    """

    def __init__(self, max_threads: int | None = None) -> None:
        if max_threads is not None and not (isinstance(max_threads, int) and max_threads >= 1):
            raise UsageError(f"max_threads must be at least 1, not {quoted(max_threads)}")
        self._most = max_threads or min(32, (os.cpu_count() or 1) + 4)
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._lock = threading.RLock()
        self._idle = 0  # workers that wait, less the jobs that lie in the queue for them
        self._made = 0
        self._alive = 0  # workers that have begun
        forget_after_fork(self)

    @property
    def capacity(self) -> int:
        """How many bodies may run at once."""
        return self._most

    def submit(self, job: Job) -> None:
        """Give `job` to an idle worker, or to a new one; where this process may have no more
        threads, to the next that is free.

        Raises:
            RuntimeError: it may have none at all.
        """
        with self._lock:
            # Through the queue for a new worker too: an argument of a thread lives as long as it.
            self._jobs.put(job)
            if self._idle > 0:
                self._idle -= 1
                return
            self._made += 1
            name = f"cascade-worker-{self._made}"
        try:
            threading.Thread(target=self._work, name=name, daemon=True).start()
        except RuntimeError:
            with self._lock:
                if self._alive <= 0 and self._withdrawn(job):
                    raise
                self._idle -= 1

    def forget(self) -> None:
        """In a child process: the threads are the parent's."""
        self._jobs = queue.SimpleQueue()
        self._lock = threading.RLock()
        self._idle = self._alive = 0

    def close(self) -> None:
        """Let idle workers end now; a busy one ends after its job."""
        with self._lock:
            waiting = max(0, self._idle)
            for _ in range(waiting):
                self._jobs.put(None)
            self._idle -= waiting
            self._alive -= waiting

    def _withdrawn(self, job: Job) -> bool:
        """Take back a job for which there is nobody; False where somebody has just taken it. Not
        simply the first: of two that found no thread at one moment each takes back its own.
        """
        others: list[Job | None] = []
        with contextlib.suppress(queue.Empty):
            while True:
                others.append(self._jobs.get_nowait())
        for other in others:
            if other is not job:
                self._jobs.put(other)
        return job in others

    def _work(self) -> None:
        with self._lock:
            self._alive += 1
        job = self._next()
        while job is not None:
            job = go_on(job)
            if job is None:
                with self._lock:
                    self._idle += 1
                job = self._next()

    def _next(self) -> Job | None:
        while True:
            try:
                return self._jobs.get(timeout=LINGER)
            except queue.Empty:
                with self._lock:
                    # A job may have been put for this worker since the time was up; whoever put it
                    # has counted the worker as taken, so then it must not leave.
                    if self._jobs.empty():
                        self._idle -= 1
                        self._alive -= 1
                        return None


def go_on(job: Job) -> Job | None:
    """Do one job. It is a function of its own so that nothing of the job outlives it in a worker's
    frame.
    """
    call = job.begin()
    if call is None:
        return None
    result = error = None
    try:
        result = call()
    except BaseException as raised:
        error = raised
    try:
        return job.end(result, error)
    finally:
        del result, error, call
