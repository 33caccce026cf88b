"""Answers what a `Run` is asked about itself: how nodes stand, what failed, its value so far."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from cascade_nb.engine.dispatch.failures import Failure
from cascade_nb.engine.observing.observer import RunObserver
from cascade_nb.engine.observing.run_view import RunView
from cascade_nb.engine.observing.status import NodeState

T = TypeVar("T")


class Readings:
    """The part of `Run` that tells how it goes.

    Args:
        watch: what looks at the run.
    """

    def __init__(self, watch: RunObserver) -> None:
        self._observer = watch

    def partial(self, name: str | None = None) -> Any:
        """The run's value so far as it is there, also after a failure or a cancel.

        A map that did not come to its end gives the results of its items in order. Where there is
        no result stands a `Missing`, which says why: ``[x for x in run.partial() if not
        isinstance(x, cs.Missing)]`` are the good ones.

        Args:
            name: of a node, such as a map that the run's target reads; default the target.

        Returns:
            The value, or one of its kind with a `Missing` in each place that has none.

        Raises:
            UnknownNameError: the graph has no such node.

        Example:
            >>> run = cs.start(fetch.map(n=[1, 2]))
            >>> value = run.result()
            >>> run.partial()
            [[0], [0, 1]]
        """
        return self._observer.partial(name)

    @property
    def elapsed(self) -> float:
        """Seconds since its start, paused time not counted."""
        return self._observer.elapsed()

    @property
    def failures(self) -> list[Failure]:
        """What failed so far."""
        return self._observer.failures()

    def states(self) -> dict[str, NodeState]:
        """How each node of the graph stands, by id.

        Returns:
            A dict of its own.

        Example:
            >>> run = cs.start(report)
            >>> value = run.result()
            >>> run.states()["size"].value
            'done'
        """
        return self._observer.states()

    def look(self, read: Callable[[RunView, Callable[[int], NodeState]], T]) -> T | None:
        """What `read` makes of the run's machinery, which it is given with what tells how a node of
        the graph stands; under the engine's lock, so be quick. None before there is any.
        """
        return self._observer.look(read)

    def changed_since(self, version: int) -> tuple[int, dict[int, NodeState]]:
        """The nodes of the graph that changed since `version` (an earlier answer's; -1 for all),
        by index, and the new version.
        """
        return self._observer.changed_since(version)

    def progress_of(self, index: int) -> tuple[int, int]:
        """Of a mapped node of the graph, how many items are done and how many there are; of
        another, 0 or 1 of 1.
        """
        return self._observer.progress_of(index)
