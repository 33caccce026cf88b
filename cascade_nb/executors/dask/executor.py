"""Runs task bodies on a Dask cluster, where their results stay until somebody reads them."""

from __future__ import annotations

import os
import threading
from collections import deque
from contextvars import Context
from typing import Any, Final

from cascade_nb.concurrency.cluster_protocols import ClusterJob, HearsOfCluster
from cascade_nb.errors import ClusterError, UsageError
from cascade_nb.executors.dask.cluster import Cluster, address_of
from cascade_nb.executors.dask.session import Session
from cascade_nb.executors.processes.obstacles import obstacle_in
from cascade_nb.executors.processes.pickles import packed_variables
from cascade_nb.forking import forget_after_fork
from cascade_nb.text import quoted

PATIENCE: Final = 10.0  # seconds in which a scheduler has to answer
AGAIN: Final = 1.0  # seconds between two looks whether a lost scheduler is back


class DaskExecutor:
    """Runs the bodies of sync tasks on a Dask cluster.

    Results stay on it and go from task to task there; what the notebook, a local task or a state
    that lasts reads comes here, once. Each call is handed to a worker that has room, so that a
    pause holds everything but what runs: it takes back what waits there, and is acknowledged when
    the workers have said what they had not begun.

    Args:
        cluster: the address of a scheduler, a `Client`, a `LocalCluster`; None for processes on
            this machine, that start when they are needed and end with this executor.
        workers: how many processes those are; default the number of processors.
        timeout: seconds in which the scheduler has to answer.

    Raises:
        UsageError: it is nothing of these.

    Example:
        >>> from cascade_nb.executors import DaskExecutor
        >>> executor = DaskExecutor(workers=2)  # nothing is started before it is needed
        >>> executor.close()
    """

    remote = True
    cluster = True
    ends = False
    place = "dask"
    noun = "call"

    def __init__(
        self, cluster: Any = None, *, workers: int | None = None, timeout: float = PATIENCE
    ) -> None:
        if cluster is not None and address_of(cluster) is None:
            raise UsageError(
                f"{quoted(cluster)} is no Dask cluster that runs: give its address, a Client or a "
                "LocalCluster"
            )
        if workers is not None and workers < 1:
            raise UsageError(f"workers must be at least 1, not {workers}")
        self._where = cluster
        self._timeout = timeout
        self._workers = workers or _processors()
        self._listeners: list[HearsOfCluster] = []
        self._begin_anew()
        forget_after_fork(self)

    def _begin_anew(self) -> None:
        self._connecting = threading.RLock()
        self._session: Session | None = None
        self._jobs: deque[ClusterJob] = deque()
        self._closed = threading.Event()
        self._returning: threading.Thread | None = None

    @property
    def capacity(self) -> int:
        """How many calls may be handed over at once, just now."""
        return 0 if self._session is None else self._session.flights.capacity

    @property
    def address(self) -> str | None:
        """Where the scheduler is; None before there is one."""
        return None if self._session is None else self._session.cluster.address

    @property
    def dashboard(self) -> str | None:
        """The address of Dask's own page; None where there is none."""
        return None if self._session is None else self._session.cluster.dashboard

    @property
    def lacks(self) -> str | None:
        """What is missing that anything could run, in words; None where nothing is."""
        session = self._session
        if session is None or session.flights.capacity:
            return None
        cluster = session.cluster
        if left := session.flights.left:
            return (
                f"{left[0].work.name} was given up and holds a worker: "
                f"{session.flights.goes_on(left[0])}"
            )
        if cluster.is_own:
            return "no worker of this machine is left; others are being started"
        misfits = "".join(f"; {why}" for why in list(session.misfits.values())[:1])
        return (
            f"no worker of the Dask cluster at {cluster.address} is left; this goes on when one "
            f"comes: `dask worker {cluster.address}`{misfits}"
        )

    def connect(self) -> None:
        """Have a cluster that answers and fits; waits for it, and does nothing where it is there.

        Raises:
            ClusterError: it does not; the message says what to do.
        """
        with self._connecting:
            if self._session is not None and self._session.cluster.is_up:
                return
            self._leave()
            cluster = Cluster(self._where, self._timeout, self._workers)
            self._closed.clear()
            self._session = Session(cluster, self, self._jobs)
            if not self._session.flights.have_workers:
                self._leave()
                raise ClusterError(
                    f"the Dask cluster at {cluster.address} has no workers: start one, "
                    f"`dask worker {cluster.address}`"
                )
            self.resized(self.capacity)  # what it told before it was here, nobody could see
            self._session.wake()

    def listen(self, listener: HearsOfCluster) -> None:
        """Have somebody told what happens to the cluster."""
        self._listeners.append(listener)

    def submit(self, job: Any) -> None:
        """Hand a job over when a worker has room; it is begun at that moment."""
        self._jobs.append(job)
        if (session := self._session) is not None:
            session.wake()

    def cancel(self, job: ClusterJob) -> None:
        """Drop a job that its worker has not begun; one that has begun is told at its next
        checkpoint, and nobody waits for it any more.
        """
        if (session := self._session) is not None:
            session.take_back(job, unwanted=True)

    def ask_back(self, job: ClusterJob) -> threading.Event | None:
        """Have a job back that its worker has not begun. Gives what is set when its worker has
        answered; None where nobody has to.
        """
        session = self._session
        return None if session is None else session.take_back(job, unwanted=False)

    def obstacle(self, value: Any, name: str) -> str | None:
        """What in a value cannot go to a cluster, in words; None where all of it can."""
        found = obstacle_in(value, name)
        return None if found is None else found.text

    def variables(self, context: Context) -> list[bytes]:
        """Pickles of the variables of a context, and their values, that can go there."""
        return packed_variables(context)

    def gather(self, future: Any) -> Any:
        """The value of a future, here; it waits.

        Raises:
            ClusterError: it is gone.
        """
        session = self._session
        if session is None:
            raise ClusterError("its cluster was left")
        return session.cluster.gather(future)

    def restart_worker(self, address: str) -> None:
        """End the process of a worker with all that it runs; another takes its place.

        Args:
            address: of the worker, as `run.why` and the failure of a task that took too long say.

        Raises:
            ClusterError: it cannot be restarted; the message says why.
        """
        session = self._session
        if session is None or address not in {one.address for one in session.cluster.workers()}:
            raise ClusterError(f"no worker {quoted(address, 80)} is there")
        session.cluster.restart(address)

    def attach(self, cluster: Any) -> None:
        """Go on with another cluster.

        Args:
            cluster: as for the constructor.

        Raises:
            ClusterError: it does not answer, or does not fit.
        """
        with self._connecting:
            self._where = cluster
            self._leave()
            self.connect()
        self._tell_back()

    def close(self) -> None:
        """Leave the cluster, and end it where it is this executor's own."""
        self._closed.set()
        if (returning := self._returning) is not None:
            returning.join()
        with self._connecting:
            self._leave()

    def forget(self) -> None:
        """In a child process: the connection is the parent's."""
        self._begin_anew()

    # What a session tells.

    def resized(self, more: int) -> None:
        """So many more calls may be under way, or fewer."""
        for listener in list(self._listeners):
            listener.resized(more)

    def values_lost(self) -> None:
        """Results may be lost."""
        for listener in list(self._listeners):
            listener.values_lost()

    def went(self, session: Session, why: str) -> None:
        """Nobody answers any more: look again and again until somebody does."""
        for listener in list(self._listeners):
            listener.cluster_lost(why)
            listener.values_lost()
        thread = threading.Thread(target=self._come_back, name="cascade-dask-back", daemon=True)
        self._returning = thread
        thread.start()

    def _come_back(self) -> None:
        while not self._closed.wait(AGAIN):
            try:
                self.connect()
            except ClusterError:
                continue
            self._tell_back()
            return

    def _tell_back(self) -> None:
        for listener in list(self._listeners):
            listener.cluster_back()

    def _leave(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            session.close()


def _processors() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
