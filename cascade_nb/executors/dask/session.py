"""Keeps one connection to a Dask cluster: what is under way, and what comes back."""

from __future__ import annotations

import queue
import threading
import weakref
from collections import deque
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, Final, Protocol

from cascade_nb.concurrency.cluster_protocols import ClusterJob
from cascade_nb.errors import ClusterError, RunCancelledError, TransferError
from cascade_nb.executors.dask.asking import Asking
from cascade_nb.executors.dask.cluster import Cluster
from cascade_nb.executors.dask.flights import Flight, Flights
from cascade_nb.executors.dask.sender import Sender, given_back
from cascade_nb.executors.dask.values import ClusterValue, Gathers
from cascade_nb.executors.dask.worker import End
from cascade_nb.executors.processes.carried_errors import raised_here
from cascade_nb.executors.processes.pickles import unpacked

_WAITING: Final = 4  # threads that may wait for the cluster at once
_LEAST_BLAME: Final = 0.25  # so that what ends worker after worker is found out in any company


class Owner(Gathers, Protocol):
    """Whose connection it is."""

    def resized(self, more: int) -> None:
        """So many more calls may be under way, or fewer."""
        ...

    def values_lost(self) -> None:
        """Results may be lost."""
        ...

    def went(self, session: Session, why: str) -> None:
        """Nobody answers any more."""
        ...


class Session:
    """One connection, from its beginning to its end.

    Args:
        cluster: the other side.
        owner: who hears of it.
        jobs: what waits to be handed over; it outlives the session.

    Attributes:
        cluster: the other side.
        flights: what is under way.
        misfits: by the idents of workers that came and do not fit, why.
    """

    def __init__(self, cluster: Cluster, owner: Owner, jobs: deque[ClusterJob]) -> None:
        self.cluster = cluster
        self.flights = Flights(owner.resized)
        self._owner = owner
        self._jobs = jobs
        self._ends: dict[str, End] = {}
        self._missed: dict[str, str] = {}  # of calls that are asked for, what they read is lost
        self._orphans: dict[str, str] = {}  # the same of those that had begun nevertheless
        self.misfits: dict[str, str] = {}
        self._fitting = set(cluster.fitting)
        self._asked: set[str] = set()  # the idents of workers that are asked whether they fit
        self._looking = threading.Lock()
        self._values: weakref.WeakValueDictionary[str, ClusterValue] = weakref.WeakValueDictionary()
        self._heard: queue.SimpleQueue[tuple[str, Any] | None] = queue.SimpleQueue()
        self._is_down = False
        self._pool = ThreadPoolExecutor(_WAITING, thread_name_prefix="cascade-dask")
        self._asking = Asking(
            cluster, lambda key, is_back: self._heard.put(("back", (key, is_back)))
        )
        self._thread = threading.Thread(target=self._hear, name="cascade-dask-hear", daemon=True)
        self._sender = Sender(cluster, owner, jobs, self.flights, self._go_on, self._note)
        self._thread.start()
        cluster.listen(
            lambda message: self._heard.put(("told", message)),
            lambda event: self._heard.put(("cluster", event)),
        )
        self.look_at_workers()

    def wake(self) -> None:
        """There is something to hand over."""
        self._sender.wake()

    def take_back(self, job: ClusterJob, unwanted: bool) -> threading.Event | None:
        """Have what a job has under way back, where its worker has not begun it. Gives what is set
        when its worker has answered; None where there is none to ask.
        """
        flights = self.flights.take_back(job, unwanted)
        return self._asking.ask(flights) if flights and not self._is_down else None

    def look_at_workers(self) -> None:
        """See which there are; it waits for the cluster."""
        # One at a time: an answer that was overtaken by a newer one would take from workers that
        # came since what they were given, and have it run twice.
        with self._looking:
            try:
                there = self.cluster.workers()
            except ClusterError:
                return  # whoever waits for a result notices, and says so
            left = self.flights.set(one for one in there if one.ident in self._fitting)
            for one in there:
                if one.ident not in self._fitting | self._asked:
                    self._asked.add(one.ident)
                    self._asking.about(one, partial(self._looked_at, one.ident))
            idents = {one.ident for one in there}
            for ident in self.misfits.keys() - idents:
                self.misfits.pop(ident)
            self._asked &= idents
            self._fitting &= idents
        for flight in left:
            self._heard.put(("left", flight.key))
        self._sender.wake()

    def _looked_at(self, ident: str, misfit: str | ClusterError | None) -> None:
        """A worker that came has said whether it fits, or nothing; on a thread that asked it."""
        if isinstance(misfit, str):
            self.misfits[ident] = misfit
            return
        if misfit is None:
            self._fitting.add(ident)
        self._asked.discard(ident)  # one that said nothing is asked again by this look
        self.look_at_workers()

    def close(self) -> None:
        """End it: what was handed over is nobody's from now on."""
        self._sender.close()
        self._heard.put(None)
        if self._thread is not threading.current_thread():
            self._thread.join()
        self.cluster.close()
        self._pool.shutdown()
        self._asking.close()
        self.flights.set(())

    def _cancel(self, futures: list[Any]) -> None:
        if futures and not self._is_down:
            self._pool.submit(self.cluster.cancel, futures)

    def _given_back(self, key: str, is_back: bool | None) -> None:
        """A worker has said whether it has begun a call that was asked back; None: it is silent."""
        missed = self._missed.pop(key, "")
        if not is_back and key not in self.flights.unwanted:
            if is_back is None and missed:
                self._left_alone(key, missed)
            elif missed:  # it goes on, and Dask may have forgotten it with what it reads
                self._orphans[key] = missed
                if key in self._ends:
                    self._orphan_ended(key)
            return
        goes_on = is_back is False and self._ends.pop(key, None) is None
        flight, future, unwanted = self.flights.take(key, goes_on)
        if future is not None:
            self._cancel([future])
        if flight is None:
            return
        self.flights.tell()
        if is_back:
            self._go_on(given_back(flight.job, unwanted, missed))
        else:
            self._go_on(flight.job.end(None, RunCancelledError(self.flights.goes_on(flight))))

    def _orphan_ended(self, key: str) -> None:
        """Nobody but its worker may tell of the end of a call."""
        self._left_alone(key, self._orphans.pop(key))

    def _note(self, key: str, future: Any) -> None:
        """Something became of a call; on a thread of Dask's."""
        self._heard.put(("done", (key, future if isinstance(future, str) else future.status)))

    def _hear(self) -> None:
        while (message := self._heard.get()) is not None:
            kind, what = message
            if kind == "told":
                self._told(what)
            elif kind == "done":
                self._done(*what)
            elif kind == "back":
                self._given_back(*what)
            elif kind == "brought":
                flight, result, error = what
                self._go_on(flight.job.end(result, error))
            elif kind == "left":
                self._left_alone(what)
            elif kind == "lost":
                flight, why = what
                self._go_on(flight.job.lost(why, blame=0.0))
            else:
                self._came_or_went(what)

    def _told(self, message: bytes) -> None:
        key, kind, what = unpacked([memoryview(message)])
        flight = self.flights.find(key)
        if flight is None:
            if kind == "end" and self.flights.ended_alone(key):
                self.flights.tell()
                self._sender.wake()
            return
        if kind == "end":
            self._ends[key] = what
            if key in self._orphans:
                self._orphan_ended(key)
        else:
            flight.work.listener.told(kind, what)

    def _done(self, key: str, status: str) -> None:
        end = self._ends.pop(key, None)
        self._orphans.pop(key, None)
        if self.flights.find(key) is None:
            return
        if end is None and status != "error" and not self.cluster.is_up:
            self._went_down()
            return
        flight, future, unwanted = self.flights.take(key)
        assert flight is not None
        if end is not None and (status == "finished" or end.stays is None):
            self._ended(flight, future, end)
        elif end is None and status == "finished":
            # Its worker gave it back, and then met it: that came before the answer that it did.
            self._go_on(given_back(flight.job, unwanted))
        elif unwanted:
            self._go_on(flight.job.end(None, RunCancelledError(self.flights.goes_on(flight))))
        elif status == "error" and (error := _error_of(future)) is not None:
            self._go_on(flight.job.end(None, error))
        else:
            self._go_on(flight.job.lost(f"worker {flight.worker} was lost"))

    def _left_alone(self, key: str, missed: str = "", blame: float = 1.0) -> None:
        """A call was handed to a worker that had just gone, or what it reads was lost."""
        flight, future, unwanted = self.flights.take(key)
        if future is not None:
            self._cancel([future])
        if flight is None:
            return
        end = self._ends.pop(key, None)
        if end is not None and end.stays is None:  # its word came before its end
            self._ended(flight, future, end)
        elif unwanted:
            self._go_on(flight.job.end(None, RunCancelledError(self.flights.goes_on(flight))))
        else:
            why = missed or f"worker {flight.worker} ended"
            self._go_on(flight.job.lost(why, blame=0.0 if missed else blame))

    def _ended(self, flight: Flight, future: Any, end: End) -> None:
        self.flights.took(end.seconds)
        if end.error is not None:
            self._go_on(flight.job.end(None, raised_here(end.error)))
            return
        flight.work.listener.over(end.seconds, end.made_of, end.worker)
        if end.stays is None:
            self._go_on(flight.job.end(end.value, None))
            return
        value = ClusterValue(self._owner, future, flight.work.name, end.worker, end.stays)
        self._values[flight.key] = value
        if flight.work.comes_here:
            self._pool.submit(self._bring, flight, value)
        else:
            self._go_on(flight.job.end(value, None))

    def _bring(self, flight: Flight, value: ClusterValue) -> None:
        """A large result is wanted here; in a thread that may wait."""
        result: Any = None
        error: BaseException | None = None
        try:
            result = value.fetch()
        except ClusterError as lost:
            self._heard.put(("lost", (flight, str(lost))))
            return
        except TransferError as unsendable:
            error = unsendable
        except BaseException as raised:  # whatever its classes do
            error = TransferError(
                "its result came from its worker and cannot be unpickled here: "
                f"{type(raised).__name__}: {raised}"
            )
        self._heard.put(("brought", (flight, result, error)))

    def _go_on(self, job: ClusterJob | None) -> None:
        if job is not None:
            self._jobs.append(job)
        self._sender.wake()

    # Who comes and goes.

    def _came_or_went(self, event: Mapping[str, Any]) -> None:
        action = event.get("action")
        if action == "add-worker":
            self.flights.comes(str(event["worker"]))
        if action == "remove-worker":
            self._worker_went(str(event["worker"]), event)
        if action in {"add-worker", "remove-worker"}:
            self._pool.submit(self.look_at_workers)

    def _worker_went(self, address: str, event: Mapping[str, Any]) -> None:
        """A worker is gone: what it had is made again where somebody still wants it, and what it
        ran begins anew, each when it is allowed to.
        """
        for key in (*event.get("lost-computed-tasks", ()), *event.get("lost-scattered-tasks", ())):
            value = self._values.get(str(key))
            if value is not None:
                value.lose()
        gone = self.flights.without(address)
        waited = [
            one
            for one in self.flights.all()
            if one.worker != address and any(value.is_lost for value in one.inputs)
        ]
        self._owner.values_lost()
        for one in gone:  # which of them ran, and may have ended it, nobody knows
            self._left_alone(one.key, blame=max(1 / len(gone), _LEAST_BLAME))
        # Some may have what they read already, and have begun: only their workers know.
        for one in waited:
            self._missed[one.key] = f"what it reads was lost with worker {address}"
        if waited:
            self._asking.ask(waited)

    def _went_down(self) -> None:
        """The scheduler is gone, and all that was there with it."""
        if self._is_down:
            return
        self._is_down = True
        self.flights.set(())
        why = f"the Dask scheduler at {self.cluster.address} does not answer any more"
        self._owner.went(self, why)
        for one in self.flights.all():
            flight, _, unwanted = self.flights.take(one.key)
            end = self._ends.pop(one.key, None)
            if flight is None:
                continue
            if end is not None and end.stays is None:
                self._ended(flight, None, end)
            elif unwanted:
                self._go_on(flight.job.end(None, RunCancelledError(self.flights.goes_on(flight))))
            else:
                self._go_on(flight.job.lost(why, blame=0.0))


def _error_of(future: Any) -> BaseException | None:
    """What a future failed with, where that is no loss."""
    error = future.exception()
    if type(error).__name__ == "KilledWorker":
        return None
    return error if isinstance(error, BaseException) else None
