"""Asks the workers of a Dask cluster for what they have not begun; nobody waits for it here."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from cascade_nb.errors import ClusterError
from cascade_nb.executors.dask.cluster import Cluster
from cascade_nb.executors.dask.flights import Flight
from cascade_nb.executors.dask.seats import Worker
from cascade_nb.executors.dask.worker import give_back

AGAIN: Final = 0.5  # seconds from a question that nobody answered to the next
_ASKED: Final = 16  # threads that may wait for workers


class _Round:
    """What is asked at one time, of all workers.

    Attributes:
        by_worker: the keys of calls, by the address of who has them.
        answered: set when all have answered.
    """

    def __init__(self) -> None:
        self.by_worker: dict[str, set[str]] = {}
        self.answered = threading.Event()
        self._left = 0
        self._lock = threading.Lock()

    def begins(self) -> None:
        """All are asked now."""
        self._left = len(self.by_worker)

    def one_answered(self) -> None:
        """One of them has."""
        with self._lock:
            self._left -= 1
            if not self._left:
                self.answered.set()


class Asking:
    """Has calls back from the workers that have not begun them. Safe from any thread.

    Args:
        cluster: whose workers.
        told: called with a key, and whether the call is back, None where nobody answered; from a
            thread of its own.
    """

    def __init__(self, cluster: Cluster, told: Callable[[str, bool | None], object]) -> None:
        self._cluster = cluster
        self._told = told
        self._lock = threading.Lock()
        self._gathering: _Round | None = None
        self._closed = threading.Event()
        # A worker that was just killed does not answer for long, and holds up one of these.
        self._pool = ThreadPoolExecutor(_ASKED, thread_name_prefix="cascade-dask-ask")

    def ask(self, flights: Iterable[Flight]) -> threading.Event | None:
        """Ask for some calls, together with what else is asked for just now. Gives what is set when
        the workers have answered; None where nobody is asked any more.
        """
        with self._lock:
            if self._closed.is_set():
                return None
            made = self._gathering
            if made is None:
                made = self._gathering = _Round()
                self._pool.submit(self._go)
            for one in flights:
                made.by_worker.setdefault(one.worker, set()).add(one.key)
            return made.answered

    def about(self, worker: Worker, told: Callable[[str | ClusterError | None], object]) -> None:
        """Ask a worker that has come whether it fits.

        Args:
            worker: which.
            told: called with what does not, with None, or with why nobody answers; from a thread.
        """

        def ask() -> None:
            found: str | ClusterError | None
            try:
                found = self._cluster.misfit(worker.address)
            except ClusterError as error:  # it is busy, and not to be asked again at once, or gone
                found = error
                if self._closed.wait(AGAIN):
                    return
            told(found)

        with self._lock:
            if not self._closed.is_set():
                self._pool.submit(ask)

    def close(self) -> None:
        """Ask nobody any more."""
        with self._lock:
            self._closed.set()
        self._pool.shutdown()

    def _go(self) -> None:
        with self._lock:
            made, self._gathering = self._gathering, None
            assert made is not None
            made.begins()
            for worker, keys in () if self._closed.is_set() else made.by_worker.items():
                self._pool.submit(self._ask_one, made, worker, sorted(keys))
            if self._closed.is_set():
                made.answered.set()

    def _ask_one(self, made: _Round, worker: str, keys: list[str]) -> None:
        back: set[str] | None = None
        with contextlib.suppress(ClusterError):  # that it is gone is told otherwise
            back = self._cluster.ask_back(give_back, worker, keys)
        made.one_answered()
        for key in keys:
            self._told(key, None if back is None else key in back)
