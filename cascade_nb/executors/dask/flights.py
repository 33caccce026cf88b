"""Keeps what was handed to the workers of a cluster, and what room they have for more."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from cascade_nb.concurrency.cluster_protocols import ClusterJob, ClusterWork
from cascade_nb.executors.dask.seats import Amounts, Seats, Worker
from cascade_nb.executors.dask.values import ClusterValue


class Flight(NamedTuple):
    """A call that was handed over.

    Attributes:
        job, work: whose it is, and what is to be done.
        key: by which the cluster knows its result.
        worker: the address of the one that has it.
        inputs: what it reads of what is there.
        takes: what it takes of what its worker has.
    """

    job: ClusterJob
    work: ClusterWork
    key: str
    worker: str
    inputs: list[ClusterValue]
    takes: Amounts


class Flights:
    """The calls that are under way on one cluster. Safe from any thread.

    Args:
        resized: called with how many more may be under way, without a lock.

    Attributes:
        futures: by key, Dask's reference.
        unwanted: the keys of those that nobody waits for any more.
    """

    def __init__(self, resized: Callable[[int], object]) -> None:
        self._resized = resized
        self._lock = threading.Lock()
        self._seats = Seats()
        self._flights: dict[str, Flight] = {}
        self._told = 0
        self._gone: set[str] = set()
        self._left: dict[str, Flight] = {}
        self._preparing: dict[ClusterJob, bool | None] = {}
        self.futures: dict[str, Any] = {}
        self.unwanted: set[str] = set()

    @property
    def capacity(self) -> int:
        """How many may be under way at once, as was told last."""
        return self._told

    @property
    def are_many(self) -> bool:
        """Whether all workers have something to do."""
        return len(self._flights) > self._seats.threads

    @property
    def have_room(self) -> bool:
        """Whether some worker can be given one more."""
        with self._lock:
            return self._seats.choose((), {}) is not None

    @property
    def have_workers(self) -> bool:
        """Whether there is any."""
        return bool(self._seats.workers)

    def can_ever(self, resources: Mapping[str, float]) -> bool:
        """Whether some worker has so much of these."""
        with self._lock:
            return self._seats.can_ever(resources)

    def prepare(self, job: ClusterJob) -> None:
        """A job is about to begin, and not handed over yet."""
        with self._lock:
            self._preparing[job] = None

    def prepared(self, job: ClusterJob) -> bool | None:
        """It is handed over, or will not be. Gives None, or where it was taken back meanwhile,
        whether nobody waits for it.
        """
        with self._lock:
            return self._preparing.pop(job, None)

    def take_back(self, job: ClusterJob, unwanted: bool) -> list[Flight]:
        """A job is not to begin any more; gives what its workers have of it."""
        with self._lock:
            found = [flight for flight in self._flights.values() if flight.job is job]
            if unwanted:
                self.unwanted.update(flight.key for flight in found)
            if not found and job in self._preparing:
                self._preparing[job] = unwanted or bool(self._preparing[job])
        return found

    def book(
        self, job: ClusterJob, work: ClusterWork, key: str, inputs: list[ClusterValue]
    ) -> tuple[Flight | None, str]:
        """A call goes to the best worker; gives that worker's name for itself. None: to none, or it
        was taken back.
        """
        with self._lock:
            if self._preparing.get(job) is not None:
                return None, ""
            seat = self._seats.choose(inputs, work.resources)
            if seat is None:
                return None, ""
            takes = self._seats.of_workers(work.resources)
            flight = self._flights[key] = Flight(job, work, key, seat.address, inputs, takes)
            self._seats.take(seat.address, key, takes)
        return flight, seat.ident

    def find(self, key: str) -> Flight | None:
        """A call that is under way."""
        return self._flights.get(key)

    def sent(self, key: str, future: Any) -> None:
        """A call was handed over; what was taken back meanwhile is let go."""
        with self._lock:
            if key in self._flights:
                self.futures[key] = future

    @property
    def left(self) -> list[Flight]:
        """Those that nobody waits for, and that go on where they are."""
        with self._lock:
            return [one for key, one in self._left.items() if key in self._seats.left[one.worker]]

    def take(self, key: str, goes_on: bool = False) -> tuple[Flight | None, Any, bool]:
        """A call is over, or nobody waits for it and it `goes_on`: gives it, its future, and
        whether nobody waits for it.
        """
        with self._lock:
            flight = self._flights.pop(key, None)
            if flight is not None and goes_on and key in self._seats.busy.get(flight.worker, ()):
                # Its worker is not free before it ends: what came behind it would wait there.
                self._left[key] = flight
                self._seats.left[flight.worker].add(key)
            elif flight is not None:
                self._seats.give_back(flight.worker, key, flight.takes)
        unwanted = key in self.unwanted
        self.unwanted.discard(key)
        return flight, self.futures.pop(key, None), unwanted

    def goes_on(self, flight: Flight) -> str:
        """What to say of a call that nobody waits for any more, and that its worker has begun."""
        worker = self._seats.workers.get(flight.worker)
        words = f"worker {flight.worker} goes on with it to its next checkpoint, for nobody"
        if worker is None or worker.threads > 1:  # others run there, too
            return words
        return f"{words}; `executor.restart_worker('{flight.worker}')` ends it with its process"

    def ended_alone(self, key: str) -> bool:
        """Whether a call is one that nobody waited for; it is over now."""
        with self._lock:
            flight = self._left.pop(key, None)
            if flight is not None:
                self._seats.give_back(flight.worker, key, flight.takes)
        return flight is not None

    def took(self, seconds: float) -> None:
        """A body took so long."""
        with self._lock:
            self._seats.took(seconds)
        self.tell()

    def set(self, workers: Iterable[Worker]) -> list[Flight]:
        """These are there now, but those that were told to be gone since somebody looked. Gives
        what is under way on none of them.
        """
        with self._lock:
            self._set(one for one in workers if one.address not in self._gone)
            there = self._seats.workers
            left = [one for one in self._flights.values() if one.worker not in there]
        self.tell()
        return left

    def comes(self, address: str) -> None:
        """A worker is there, where an earlier one may have been."""
        with self._lock:
            self._gone.discard(address)

    def without(self, address: str) -> list[Flight]:
        """A worker is gone: gives what was under way on it."""
        with self._lock:
            self._gone.add(address)
            left = [one for one in self._seats.workers.values() if one.address != address]
            gone = [one for one in self._flights.values() if one.worker == address]
            self._set(left)
        self.tell()
        return gone

    def _set(self, workers: Iterable[Worker]) -> None:
        self._seats.set(workers)
        for key in [key for key, one in self._left.items() if one.worker not in self._seats.left]:
            del self._left[key]  # it ended with its worker

    def all(self) -> list[Flight]:
        """All that are under way."""
        return list(self._flights.values())

    def tell(self) -> None:
        """Say how many more may be under way, or fewer."""
        with self._lock:
            now = self._seats.capacity
            more, self._told = now - self._told, now
        if more:
            self._resized(more)
