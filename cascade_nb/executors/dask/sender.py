"""Hands calls to the workers of a Dask cluster, many at a time, when these have room."""

from __future__ import annotations

import itertools
import threading
import uuid
from collections import deque
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final, TypeAlias

from cascade_nb.concurrency.cluster_protocols import ClusterJob, ClusterWork
from cascade_nb.errors import ClusterError, RunCancelledError, TransferError, UsageError
from cascade_nb.executors.dask.cluster import Cluster, size_of
from cascade_nb.executors.dask.flights import Flight, Flights
from cascade_nb.executors.dask.packing import LARGE, packed_call
from cascade_nb.executors.dask.seats import Amounts
from cascade_nb.executors.dask.values import ClusterValue, Kept
from cascade_nb.executors.dask.worker import serve
from cascade_nb.executors.remote_calls import unsendable

TOGETHER: Final = 0.004  # seconds in which calls gather before they go, while all workers are busy
_SENT_ONCE: Final = 16  # large arguments of which it is remembered that they are there
_DROPPED: Final = "its worker had not begun it"
_Group: TypeAlias = tuple[str, int, Amounts]  # a worker, a priority, what is taken of the worker
_Groups: TypeAlias = dict[_Group, list[tuple[Flight, tuple[Any, ...]]]]


class Sender:
    """What leaves for a cluster, in a thread of its own.

    Args:
        cluster: which.
        owner: whose values lie there.
        jobs: what waits to be handed over.
        flights: what is handed over.
        go_on: called with the job to go on with, or None.
        note: called with a key and what became of its future, from a thread of Dask's.
    """

    def __init__(
        self,
        cluster: Cluster,
        owner: Any,
        jobs: deque[ClusterJob],
        flights: Flights,
        go_on: Callable[[ClusterJob | None], object],
        note: Callable[[str, Any], object],
    ) -> None:
        self._cluster = cluster
        self._owner = owner
        self._jobs = jobs
        self._flights = flights
        self._go_on = go_on
        self._note = note
        self._sent: dict[int, tuple[Any, ClusterValue]] = {}
        self._wake = threading.Event()
        self._numbers = itertools.count()
        self._name = uuid.uuid4().hex[:8]
        self._closing = False
        self._thread = threading.Thread(target=self._main, name="cascade-dask-send", daemon=True)
        self._thread.start()

    def wake(self) -> None:
        """There is something to hand over, or room for it."""
        self._wake.set()

    def close(self) -> None:
        """Hand over nothing more."""
        self._closing = True
        self._wake.set()
        if self._thread is not threading.current_thread():
            self._thread.join()

    def _main(self) -> None:
        while not self._closing:
            self._wake.wait()
            self._wake.clear()
            if self._flights.are_many:
                threading.Event().wait(TOGETHER)
            if not self._closing:
                self._send_what_may()

    def _send_what_may(self) -> None:
        groups: _Groups = {}
        functions: dict[int, tuple[Any, bytes]] = {}
        while self._jobs and self._flights.have_room:
            try:
                job = self._jobs.popleft()
            except IndexError:
                break
            self._flights.prepare(job)
            work = job.begin()
            if work is not None:
                self._prepare(job, work, functions, groups)
            self._flights.prepared(job)
        for group, together in groups.items():
            self._hand_over(*group, together)

    def _prepare(
        self,
        job: ClusterJob,
        work: ClusterWork,
        functions: dict[int, tuple[Any, bytes]],
        groups: _Groups,
    ) -> None:
        def pack(fn: Callable[..., Any]) -> tuple[bytes, bytes, list[ClusterValue]]:
            known = functions.get(id(fn))
            if known is None:
                known = functions[id(fn)] = fn, packed_whole_call(work.run, fn)
            call = work.said, work.noted, list(work.args), dict(work.kwargs)
            return known[1], *packed_call(call, self._reference)

        try:
            function, call, inputs = work.listener.packed(pack)
        except ClusterError as error:
            self._go_on(job.lost(str(error)))
            return
        except BaseException as error:
            known = isinstance(error, (UsageError, TransferError))
            wrong = error if known else unsendable(error, (work.args, dict(work.kwargs)))
            if wrong is not error:
                wrong.__cause__ = error
            self._go_on(job.end(None, wrong))
            return
        key = f"{work.name}-{self._name}-{next(self._numbers)}"
        flight, ident = self._flights.book(job, work, key, inputs)
        if flight is None:
            unwanted = self._flights.prepared(job)
            if unwanted is not None:
                self._go_on(given_back(job, unwanted))
            elif self._flights.can_ever(work.resources):
                self._go_on(job.lost("its worker went before it began", blame=0.0))
            else:
                self._go_on(job.end(None, _too_much(work.resources)))
            return
        header = (key, ident, self._cluster.topic)
        groups.setdefault((flight.worker, work.priority, flight.takes), []).append(
            (flight, (header, function, call))
        )

    def _hand_over(
        self,
        worker: str,
        priority: int,
        takes: Amounts,
        together: list[tuple[Flight, tuple[Any, ...]]],
    ) -> None:
        together = [one for one in together if self._flights.find(one[0].key) is not None]
        keys = [flight.key for flight, _ in together]
        try:
            futures = self._cluster.submit(
                serve,
                keys,
                [call for _, call in together],
                [[one.future for one in flight.inputs] for flight, _ in together],
                worker,
                priority,
                dict(takes),
            )
        except Exception as error:  # its client was closed, or a future is another client's
            for key in keys:
                self._note(key, f"{type(error).__name__}: {error}")
            return
        for key, future in zip(keys, futures, strict=True):
            self._flights.sent(key, future)
            future.add_done_callback(partial(self._note, key))

    def _reference(self, value: Any) -> ClusterValue | None:
        """What refers to a value that is on the cluster, or that goes there by itself."""
        if value.__class__ is ClusterValue:
            if value.cluster is self._owner and not value.is_lost and value.future is not None:
                return value
            if value.cluster is self._owner and value.is_lost:
                raise ClusterError(f"the result of {value.name} was lost with {value.worker}")
            value = value.fetch()
            return self._sent_once(value, size_of(value))
        size = getattr(value, "nbytes", 0)
        if not isinstance(size, int) or size < LARGE:
            return None
        return self._sent_once(value, size)

    def _sent_once(self, value: Any, size: int) -> ClusterValue:
        known = self._sent.get(id(value))
        if known is not None and not known[1].is_lost:
            return known[1]
        future = self._cluster.scatter(Kept(value, size))
        made = ClusterValue(self._owner, future, "an argument", "", size)
        while len(self._sent) >= _SENT_ONCE:
            self._sent.pop(next(iter(self._sent)))
        self._sent[id(value)] = value, made
        return made


def given_back(job: ClusterJob, unwanted: bool, why: str = "") -> ClusterJob | None:
    """A job is here again that its worker has not begun, for a reason that is told where it is
    none of ours; gives the one to go on with.
    """
    dropped = RunCancelledError(_DROPPED)
    goes_on: ClusterJob | None = job.end(None, dropped) if unwanted else job.lost(why, blame=0.0)
    return goes_on


def packed_whole_call(run: Callable[..., Any], fn: Callable[..., Any]) -> bytes:
    """What runs on a worker, and what that calls, as bytes."""
    call, _ = packed_call((run, fn), lambda value: None)
    return call


def _too_much(resources: Mapping[str, float]) -> ClusterError:
    asked = ", ".join(f"{name}={amount:g}" for name, amount in resources.items())
    return ClusterError(
        f"no worker of the cluster has {asked}: start one with `dask worker --resources`"
    )
