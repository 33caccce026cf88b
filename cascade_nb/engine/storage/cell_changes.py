"""Tells when a cell changes what tasks change themselves, such as a counter that is set back.

What tasks change is no edit of the run that goes on, and whatever made the change has no mark. So
what stands there is looked at right before and right after a cell, while nothing runs.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from cascade_nb.graph.code.snapshot import CodeSnapshot
from cascade_nb.model.lazy.any_task import AnyTask


class CellChanges:
    """What a run's cells do to what its tasks change.

    Args:
        first: of its tasks, what their code led to when their keys were made.
    """

    def __init__(self, first: Mapping[AnyTask, CodeSnapshot]) -> None:
        self._first = dict(first)
        self._before: dict[AnyTask, list[bytes]] = {}
        self._done = 0

    def cell_begins(self, under_way: Collection[int], done: int) -> None:
        """Look at what tasks changed so far.

        Args:
            under_way: what runs just now, and may change more.
            done: how much was done until now.
        """
        self._done = done
        changed = () if under_way else [t for t, one in self._first.items() if not one.stands()]
        self._before = {task: CodeSnapshot(task).state() for task in changed}

    def changed_by_cell(self, under_way: Collection[int], done: int) -> set[AnyTask]:
        """The tasks of which the cell changed what they had changed before.

        Args:
            under_way: what runs by now: nobody knows who changed it.
            done: how much was done by now.
        """
        before, self._before = self._before, {}
        if under_way or done != self._done:
            return set()
        return {task for task, state in before.items() if CodeSnapshot(task).state() != state}
