"""Keeps the executors of an engine by the keys of their places, each made when first asked for."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any, Protocol
from weakref import WeakValueDictionary

from cascade_nb.engine.core.task_groups import THREADS, Place
from cascade_nb.engine.dispatch.attempt import ThreadAttempt
from cascade_nb.engine.dispatch.dispatched_run import RunsInProcesses
from cascade_nb.engine.dispatch.workers import Workers
from cascade_nb.engine.processes.cluster_places import ClusterPlaces
from cascade_nb.engine.processes.process_attempt import ProcessAttempt
from cascade_nb.errors import UsageError, nearest
from cascade_nb.model.lazy.any_task import AnyTask
from cascade_nb.protocols.execution import Executor
from cascade_nb.text import quoted


class MakesExecutors(Protocol):
    """Knows every kind of executor; see `executors.resolve`."""

    @property
    def names(self) -> Sequence[str]:
        """What `on=` may be by name."""

    def knows(self, name: str) -> bool:
        """Whether a name, or an address, means one."""

    def executor_of(self, given: Any) -> Executor:
        """What a name means, or what is made of an object.

        Raises:
            UsageError: nothing can be.
        """


class Executors:
    """The executors of one engine.

    Args:
        kinds: makes them.
        given: what the engine was given for its tasks; None for threads of its own.

    Attributes:
        default: where sync tasks run that do not say it.
    """

    def __init__(self, kinds: MakesExecutors, given: Any = None) -> None:
        self._kinds = kinds
        self._making = threading.RLock()
        self._made: dict[str, Executor] = {}
        self._of_others: WeakValueDictionary[str, Executor] = WeakValueDictionary()
        self._own: Executor | None = None
        self.default = THREADS
        if given is None:
            return
        self._own = own = kinds.executor_of(given)
        if is_remote(own):
            self.default = Place(getattr(own, "place", None) or _key_of(own), True)
        self._made[self.default.key] = own

    def __call__(self, key: str) -> Executor:
        """The executor of a place."""
        with self._making:
            found = self._made.get(key) or self._of_others.get(key)
            if found is None:
                found = self._made[key] = self._kinds.executor_of(key)
            return found

    def runner(self, key: str) -> RunsInProcesses:
        """The same for a place in other processes."""
        found: Any = self(key)
        return found  # type: ignore[no-any-return]

    def place(self, on: Any) -> Place:
        """Where tasks run that are to run on this.

        Args:
            on: a name, or an executor.

        Raises:
            UsageError: there is no such executor.
        """
        if isinstance(on, str):
            if on == "threads":
                return THREADS
            if not self._kinds.knows(on):
                hint = nearest(on, self._kinds.names)
                raise UsageError(
                    f"on= takes an executor or the name of one: no executor {quoted(on)}{hint}"
                )
            return Place(on, True)
        adopted = self._made.get(_key_of(on))
        if adopted is not None and is_cluster(adopted):
            return Place(_key_of(on), True, on)
        executor = self._kinds.executor_of(on)
        if executor is self._own:
            return self.default
        if is_cluster(executor) and executor is not on:  # a connection of ours to what is given
            self._made[_key_of(on)] = executor
            return Place(_key_of(on), True, on)
        key = _key_of(executor)
        self._of_others[key] = executor
        return Place(key, is_remote(executor), executor)

    def place_of(self, task: AnyTask) -> Place:
        """Where a task runs that says it."""
        given = task.given
        if given is None:
            return Place(task.executor, True) if self._kinds.knows(task.executor) else THREADS
        return self.place(given.resolved)

    def close(self) -> None:
        """Let idle workers end."""
        with self._making:
            made = list(self._made.values())
        for executor in made:
            executor.close()


class WorkersOf:
    """The free places of an engine's executors, while its work is on one loop. Under the lock.

    Args:
        executors: gives these.
        lock: the engine's.
    """

    def __init__(self, executors: Executors, lock: threading.RLock) -> None:
        self._executors = executors
        self._lock = lock
        self._threads: list[Workers] = []
        self._others: WeakValueDictionary[tuple[str, int], Workers] = WeakValueDictionary()

    @property
    def threads(self) -> Workers:
        """The engine's threads, for runs that no task has started."""
        return self.at(0)(THREADS.key)

    def at(self, depth: int) -> Callable[[str], Workers]:
        """Those of runs that so many others have started, one inside the other, by key of place.

        Each depth has as many threads as the executor says: tasks that wait for runs of their own,
        however many, never take the places that those runs need. Where workers are not the
        executor's own there are no more of them; so what is inside runs elsewhere.
        """

        def workers(key: str) -> Workers:
            if key == THREADS.key:
                while len(self._threads) <= depth:
                    self._threads.append(self._new(key, len(self._threads)))
                return self._threads[depth]
            place = key, depth if getattr(self._executors(key), "inner", None) else 0
            found = self._others.get(place)
            if found is None:
                found = self._others[place] = self._new(*place)
            return found

        return workers

    def _new(self, key: str, depth: int) -> Workers:
        executor = self._executors(key)
        if is_cluster(executor):
            return ClusterPlaces(executor, self._lock)
        if depth:
            executor = getattr(executor, "inner", None) or executor
        return Workers(executor, ProcessAttempt if is_remote(executor) else ThreadAttempt)


def is_remote(executor: object) -> bool:
    """Whether bodies run in other processes there."""
    return bool(getattr(executor, "remote", False))


def is_cluster(executor: object) -> bool:
    """Whether those are of a cluster."""
    return bool(getattr(executor, "cluster", False))


def _key_of(executor: object) -> str:
    return f"{type(executor).__name__} {id(executor):x}"
