"""Counts the free places on a cluster, of which there are more or fewer from moment to moment."""

from __future__ import annotations

import threading
import weakref
from typing import Any

from cascade_nb.engine.dispatch.workers import Workers
from cascade_nb.engine.processes.cluster_attempt import ClusterAttempt


class ClusterPlaces(Workers):
    """The free places on a cluster, and the runs that have work for them.

    Args:
        executor: runs the bodies there.
        lock: the engine's.
    """

    def __init__(self, executor: Any, lock: threading.RLock) -> None:
        self._lock = lock
        self._runs: weakref.WeakSet[Any] = weakref.WeakSet()
        executor.listen(self)
        super().__init__(executor, ClusterAttempt)
        self._known = self.free

    def watched_by(self, run: Any) -> None:
        """Have a run told what is lost."""
        self._runs.add(run)

    def resized(self, more: int) -> None:
        """There are so many more places, or fewer."""
        with self._lock:
            now = self.executor.capacity  # another may have told of the same
            self.free += now - self._known
            self._known = now
            self.pump()

    def values_lost(self) -> None:
        """Results that were there may be no longer."""
        for run in list(self._runs):
            run.values_lost()

    def cluster_lost(self, why: str) -> None:
        """Nobody answers any more."""
        for run in list(self._runs):
            run.cluster_lost(why)

    def cluster_back(self) -> None:
        """It answers again, or another does."""
        for run in list(self._runs):
            run.cluster_back()
