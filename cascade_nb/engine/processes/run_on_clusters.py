"""Goes on with a run whose bodies run on clusters, when workers or whole clusters are lost."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Final

from cascade_nb.engine.dispatch.admission import AdmittingRun
from cascade_nb.engine.dispatch.dispatched_run import ClusteredRun, Started
from cascade_nb.engine.dispatch.timeouts import timed_out
from cascade_nb.engine.dispatch.workers import Workers
from cascade_nb.engine.processes.cluster_attempt import DEATHS
from cascade_nb.engine.processes.cluster_places import ClusterPlaces
from cascade_nb.engine.processes.cluster_reads import read_here
from cascade_nb.engine.processes.lost_results import LostResults
from cascade_nb.errors import ClusterError, RunCancelledError

THE_CLUSTER: Final = "the Dask cluster"
"""Who pauses a run whose cluster does not answer."""


class RunOnClusters(AdmittingRun, ClusteredRun):
    """One run, with what it does about clusters."""

    def workers_at(self, workers: Callable[[str], Workers]) -> Callable[[str], Workers]:
        """The places of executors, by key; those of a cluster tell this run of what is lost."""

        def watched(key: str) -> Workers:
            found = workers(key)
            if isinstance(found, ClusterPlaces):
                found.watched_by(self)
            return found

        return watched

    def comes_here(self, index: int) -> bool:
        """Whether the result of a node is wanted here, however large it is."""
        core = self.core
        if index >= core.own or index in self._read_here or index in core.graph.targets:
            return True
        return self.state.journal is not None and index in self.keys.of

    def timed_out_there(self, index: int, error: BaseException | None) -> BaseException:
        """What is raised for a body there that took longer than it may."""
        said = isinstance(error, RunCancelledError)  # what became of it there
        return timed_out(self, index, f"; {error if said else 'its result is dropped'}")

    def begin_anew(self, attempt: Started, why: str) -> None:
        """An attempt was lost with its worker, or given back: its node is ready again."""
        self.in_flight.pop(attempt.ticket, None)
        try:
            if attempt.timer is not None:
                attempt.timer()
            self.last_end = now = self.services.clock.now()
            if why and attempt.started is not None:
                self.times.note(attempt, now, attempt.worked(now), "lost")
            missing = self._lost_results.missing_for(attempt.index)
            self.core.again(attempt.index, missing)
            if why:
                most = DEATHS + 1
                self.tell.retrying(attempt.index, attempt.number, most, 0.0, ClusterError(why))
            assert isinstance(attempt.workers, Workers)
            attempt.workers.free += 1
            let = self.services.manager.passed(attempt.ticket)
            self.services.manager.release(attempt.ticket)
            for gate in let:  # it begins anew as the same attempt
                gate.let(attempt.ticket)
            self.settle()
        except BaseException as broken:
            self.break_off(broken)

    def values_lost(self) -> None:
        """Results that were on a cluster may be there no longer; without the lock."""
        with self.moving():
            if self.is_over:
                return
            for index in self._lost_results.make_again():
                self.lost_values[index] = self.core.results.values[index]

    def cluster_lost(self, why: str) -> None:
        """Its cluster does not answer any more; without the lock."""
        if not self.is_over and self.core.stopping is None:
            self.services.manager.apply(
                f"run:{self.run_id}",
                "pause",
                reason=f"{why}; this goes on by itself when it is back, or give another address",
                by=THE_CLUSTER,
                wait=False,  # this is the thread that hears of clusters
            )

    def cluster_back(self) -> None:
        """It answers again; without the lock."""
        held = self.services.manager.find(f"run:{self.run_id}")
        if held is not None and held.by == THE_CLUSTER:
            self.services.manager.lift(f"run:{self.run_id}", "pause")

    @functools.cached_property
    def _lost_results(self) -> LostResults:
        return LostResults(self.core)

    @functools.cached_property
    def _read_here(self) -> set[int]:
        return read_here(self.core.graph, self.core.kinds.of, self._is_on_cluster)

    def _is_on_cluster(self, queue: str) -> bool:
        return isinstance(self.queues.workers_for(queue), ClusterPlaces)
