"""Remembers the names of all tasks of this process, for checks of names that may be a task's."""

from __future__ import annotations

from typing import Final
from weakref import WeakValueDictionary

from cascade_nb.model.lazy.any_task import AnyTask

_HOUSE: Final = __name__.partition(".")[0]
_tasks: Final[WeakValueDictionary[int, AnyTask]] = WeakValueDictionary()
"""By their ids: two may have one name, and the name is known as long as either is there."""


def remember(task: AnyTask) -> None:
    """There is a task of this name now; it is not kept alive."""
    _tasks[id(task)] = task


def known_task_names() -> set[str]:
    """The names of the tasks that there are."""
    return {task.name for task in _there()}


def own_task_names() -> set[str]:
    """Those of tasks that users have made: `cs.ask` and operators are tasks, too."""
    modules = ((task.name, getattr(task.fn, "__module__", None)) for task in _there())
    return {name for name, module in modules if str(module).partition(".")[0] != _HOUSE}


def _there() -> list[AnyTask]:
    # a copy made at one go: other threads may make tasks meanwhile
    there = (reference() for reference in _tasks.valuerefs())
    return [task for task in there if task is not None]
