"""Chooses the worker of a cluster that runs a call, and counts what each has."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple, TypeAlias

from cascade_nb.executors.dask.values import ClusterValue

AHEAD: Final = 0.05  # seconds of work that may wait on a worker, so that it never waits for us
MOST_AHEAD: Final = 16  # calls for each thread, however short they are
Amounts: TypeAlias = tuple[tuple[str, float], ...]  # of what workers have, by name
_LOCAL: Final = 1_000_000  # bytes of an input for which a busier worker is better


class Worker(NamedTuple):
    """A worker of a cluster.

    Attributes:
        address: where it is.
        ident: the folder that it has for itself: another process at the same address has another.
        threads: how many bodies it runs at once.
        resources: what it has of what tasks may ask for, by name.
    """

    address: str
    ident: str
    threads: int
    resources: Mapping[str, float]


class Seats:
    """The workers of a cluster, with what is under way on each.

    Attributes:
        workers: by address.
        busy: by address, the keys of the calls that were handed over.
        left: by address, the keys of those of them that nobody waits for and that go on.
    """

    def __init__(self) -> None:
        self.workers: dict[str, Worker] = {}
        self.busy: dict[str, set[str]] = {}
        self.left: dict[str, set[str]] = {}
        self._taken: dict[str, dict[str, float]] = {}
        self._mean: float | None = None

    def set(self, workers: Iterable[Worker]) -> None:
        """These are there now."""
        self.workers = {one.address: one for one in workers}
        self.busy = {address: self.busy.get(address, set()) for address in self.workers}
        self.left = {address: self.left.get(address, set()) for address in self.workers}
        self._taken = {address: self._taken.get(address, {}) for address in self.workers}

    @property
    def threads(self) -> int:
        """How many bodies run at once."""
        return sum(map(self._threads_at, self.workers))

    def _threads_at(self, address: str) -> int:
        return max(0, self.workers[address].threads - len(self.left[address]))

    @property
    def capacity(self) -> int:
        """How many calls may be handed over at once: what runs, and what would run within a moment.

        Long ones do not wait on a worker, since no pause would reach them there.
        """
        return self.threads * (1 + self._ahead)

    @property
    def _ahead(self) -> int:
        if self._mean is None:
            return 0
        return min(MOST_AHEAD, int(AHEAD / max(self._mean, 1e-6)))

    def took(self, seconds: float) -> None:
        """A body took so long."""
        if self._mean is None:
            self._mean = seconds
        else:
            # Slower to believe that they became short: what waits there cannot be held.
            weight = 0.5 if seconds > self._mean else 0.1
            self._mean += weight * (seconds - self._mean)

    def choose(
        self, inputs: Sequence[ClusterValue], resources: Mapping[str, float]
    ) -> Worker | None:
        """The worker for a call: one that has room, nearest to what it reads; None for none now."""
        there: dict[str, int] = {}
        for one in inputs:
            there[one.worker] = there.get(one.worker, 0) + one.size
        best, least = None, 0.0
        asked = self.of_workers(resources)
        for address, worker in self.workers.items():
            threads = self._threads_at(address)
            if not threads or not self._has(worker, asked):
                continue
            load = (len(self.busy[address]) - len(self.left[address])) / threads
            if load >= 1 + self._ahead:
                continue
            load -= min(0.9, there.get(address, 0) / _LOCAL)
            if best is None or load < least:
                best, least = worker, load
        return best

    def can_ever(self, resources: Mapping[str, float]) -> bool:
        """Whether some worker has so much of these."""
        return not self.workers or any(
            all(one.resources.get(name, 0) >= amount for name, amount in self.of_workers(resources))
            for one in self.workers.values()
        )

    def of_workers(self, resources: Mapping[str, float]) -> Amounts:
        """Those that workers have a say in; the others are shared out here alone."""
        if not resources:
            return ()
        known = {name for one in self.workers.values() for name in one.resources}
        return tuple((name, amount) for name, amount in resources.items() if name in known)

    def take(self, address: str, key: str, amounts: Amounts) -> None:
        """A call goes to a worker."""
        self.busy[address].add(key)
        taken = self._taken[address]
        for name, amount in amounts:
            taken[name] = taken.get(name, 0.0) + amount

    def give_back(self, address: str, key: str, amounts: Amounts) -> None:
        """It is over, or its worker is gone."""
        if key in self.busy.get(address, ()):
            self.busy[address].discard(key)
            self.left[address].discard(key)
            for name, amount in amounts:
                self._taken[address][name] -= amount

    def _has(self, worker: Worker, amounts: Amounts) -> bool:
        taken = self._taken[worker.address]
        return all(
            worker.resources.get(name, 0) - taken.get(name, 0.0) >= amount
            for name, amount in amounts
        )
