"""Runs one attempt at one node on a worker of a cluster; no thread here waits for it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, Final, cast

from cascade_nb.concurrency.cluster_protocols import ClusterWork
from cascade_nb.control.gates import Ticket
from cascade_nb.engine.core.priorities import level_of
from cascade_nb.engine.dispatch.attempt import Attempt, ThreadAttempt
from cascade_nb.engine.dispatch.dispatched_run import ClusteredRun, DispatchedRun, RunsOnCluster
from cascade_nb.engine.files.audit_hook import user_here
from cascade_nb.engine.files.opened_files import OpenedFiles
from cascade_nb.engine.files.remote_files import FilesToNote
from cascade_nb.engine.processes.cluster_body import OnCluster
from cascade_nb.engine.processes.told_here import ToldHere
from cascade_nb.errors import ClusterError, RunCancelledError
from cascade_nb.model.arguments.call import Call
from cascade_nb.model.arguments.watched import called_elsewhere

DEATHS: Final = 3  # workers that may be lost with one node before it counts as the cause


class ClusterAttempt(ThreadAttempt):
    """An attempt whose body runs on a cluster.

    Attributes:
        worker: where its body ran, once it is over.
        seconds: how long that took, as the worker says.
    """

    __slots__ = ("seconds", "worker")

    on_cluster = True
    in_thread = False

    driver: ClusteredRun

    def __init__(self, driver: DispatchedRun, index: int, ticket: Ticket, number: int) -> None:
        super().__init__(driver, index, ticket, number)
        self.worker = ""
        self.seconds: float | None = None

    @property
    def can_be_ended(self) -> bool:
        """Nobody waits for it once it was cancelled."""
        return True

    def cancel(self) -> None:
        """Drop it, or have it stop at its next checkpoint; under the lock."""
        self._runner.cancel(self)

    def pause_came(self) -> None:
        """Have it back where it is not to start and its worker has not begun; under the lock."""
        manager = self.driver.services.manager
        if manager.stops_start(self.ticket):
            answered = self._runner.ask_back(self)
            if answered is not None:
                manager.await_word(answered)

    def end(self, result: Any, error: BaseException | None) -> ThreadAttempt | None:
        """Hand in the outcome; gives the attempt to go on with, if any."""
        driver = self.driver
        with driver.lock:
            if self.late:
                result, error = None, driver.timed_out_there(self.index, error)
            elif self.stop and error is not None:
                label = driver.core.label(self.index)
                error = RunCancelledError(f"{label} was cancelled: {error}")
            lost = driver.lost_values.pop(self.index, None) if error is None else None
            if lost is not None:
                lost.become(result)
            return cast("ThreadAttempt | None", super().end(result, error))

    def lost(self, why: str, blame: float = 1.0) -> ThreadAttempt | None:
        """Its worker is gone, or what it was to read: it is begun anew, as the same attempt.

        Args:
            why: in words.
            blame: how likely that is its own doing.
        """
        driver = self.driver
        with driver.lock:
            if self.stop or self.late or self.abandoned:
                return self.end(None, ClusterError(why))
            deaths = driver.deaths.get(self.index, 0.0) + blame
            driver.deaths[self.index] = deaths
            if deaths > DEATHS:
                words = f"{why}, and so it was again and again: it may be its own doing"
                return self.end(None, ClusterError(words))
            driver.begin_anew(self, why)
            return None

    @property
    def _runner(self) -> RunsOnCluster:
        workers: Any = self.workers
        runner: RunsOnCluster = workers.executor
        return runner

    def _work(self, call: Call) -> Callable[[], Any]:
        driver, index, call = self.driver, self.index, call.made()
        kind, options = driver.core.kinds.of[index], driver.core.options_of(index)
        work = ClusterWork(
            run=OnCluster(),
            said=driver.said(self._runner),
            noted=FilesToNote(options.track_files, kind.files, kind.mentions, kind.name),
            fn=call.fn,
            args=call.args,
            kwargs=call.kwargs,
            listener=_Ear(self, call.fn),
            comes_here=driver.comes_here(index),
            name=kind.name,
            priority=level_of(self.ticket.rank),
            resources=driver.core.needs_of(index) or {},
        )
        return cast("Callable[[], Any]", work)  # it is called there


class _Ear:
    """Hears of one body, in the context of its attempt."""

    def __init__(self, attempt: ClusterAttempt, fn: Callable[..., Any]) -> None:
        self._attempt = attempt
        self._fn = fn
        self._context = attempt.driver.context.copy()
        self._context.run(user_here.set, cast("Attempt", attempt))
        self._told = ToldHere(attempt)

    def told(self, kind: str, what: Any) -> None:
        """It wrote, logged or warned, or says how far it is."""
        self._context.run(self._hear, kind, what)

    def packed(self, pack: Callable[[Callable[..., Any]], Any]) -> Any:
        """The pickle of its function, with a look at large arguments around it."""
        return called_elsewhere(self._fn, pack)

    def over(self, seconds: float, made_of: Any, where: str) -> None:
        """It has ended well."""
        attempt = self._attempt
        attempt.worker, attempt.seconds = where, seconds
        attempt.files = OpenedFiles.of(made_of)

    def _hear(self, kind: str, what: Any) -> None:
        if kind == "wrote":
            stream, text = what
            getattr(sys, stream).write(text)
        else:
            self._told.hear(kind, what)
