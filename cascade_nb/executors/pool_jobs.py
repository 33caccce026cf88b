"""Stands for attempts in a pool of threads: one that begins there, and one that never will."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from cascade_nb.executors.local import go_on
from cascade_nb.protocols.execution import Job


class ThreadJob:
    """A job that was handed to a pool of threads.

    Args:
        job: it.
    """

    def __init__(self, job: Job) -> None:
        self.job = job
        self._taking = threading.Lock()
        self._taken = False

    def work(self) -> None:
        """Do it, in a thread of the pool; it looks first whether it may begin."""
        job: Job | None = self.job if self.give_up() else None
        while job is not None:
            job = go_on(job)

    def give_up(self) -> bool:
        """Have it for oneself; False where somebody has it already."""
        with self._taking:
            first, self._taken = not self._taken, True
            return first


class RefusedJob:
    """A job that its pool did not take: it begins, and has failed.

    Args:
        job: it.
        error: why.
    """

    def __init__(self, job: Job, error: BaseException) -> None:
        self._job = job
        self._error = error

    def begin(self) -> Callable[[], Any] | None:
        """Look whether it may begin, which a pause decides also here."""
        return None if self._job.begin() is None else self._fail

    def end(self, result: Any, error: BaseException | None) -> Job | None:
        """Hand in that it failed."""
        return self._job.end(result, error)

    def _fail(self) -> None:
        raise self._error


class Errand:
    """Something to be done in a thread, which is no attempt at anything.

    Args:
        what: to be called.
    """

    def __init__(self, what: Callable[[], object]) -> None:
        self._what = what

    def begin(self) -> None:
        """Do it; there is no call to make after that."""
        self._what()

    def end(self, result: Any, error: BaseException | None) -> None:
        """It never comes to this."""
