"""The names of the tasks of this process, for whoever reads a name that may be a task's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from weakref import WeakValueDictionary

if TYPE_CHECKING:
    from cascade_nb.model.tasks.task import Task

_tasks: Final[WeakValueDictionary[int, Task[..., Any]]] = WeakValueDictionary()
"""By their ids: two may have one name, and the name is known as long as either is there."""


def remember(task: Task[..., Any]) -> None:
    """There is a task of this name now; it is not kept alive."""
    _tasks[id(task)] = task


def known_task_names() -> set[str]:
    """The names of the tasks that there are."""
    # a copy made at one go: other threads may make tasks meanwhile
    there = (reference() for reference in _tasks.valuerefs())
    return {task.name for task in there if task is not None}
