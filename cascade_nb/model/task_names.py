"""The names of the tasks of this process, for whoever reads a name that may be a task's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from weakref import WeakValueDictionary

if TYPE_CHECKING:
    from cascade_nb.model.task import Task

_named: Final[WeakValueDictionary[str, Task[..., Any]]] = WeakValueDictionary()


def remember(task: Task[..., Any]) -> None:
    """There is a task of this name now; it is not kept alive."""
    _named[task.name] = task


def known_task_names() -> set[str]:
    """The names of the tasks that there are."""
    return set(_named)
