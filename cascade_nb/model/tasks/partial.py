"""A task that was given some of its arguments."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from cascade_nb.model.arguments.capture import taken
from cascade_nb.model.arguments.watched import check_held, named_with_records, records_of
from cascade_nb.model.lazy.lazy import LazyResult, MappedLazyResult

if TYPE_CHECKING:
    from cascade_nb.model.tasks.task import Task


class PartialTask:
    """A task with some of its parameters given, as they are now."""

    def __init__(self, task: Task[..., Any], fixed: Mapping[str, Any]) -> None:
        self.task = task
        _, own, records = taken(task, (), fixed)
        self.fixed = named_with_records(own, records)

    def __call__(self, /, *args: Any, **kwargs: Any) -> LazyResult[Any]:
        """One call with the given and these arguments; the later word counts. As `Task.__call__`.

        Raises:
            TaskCallError: the function does not take them together.
        """
        return self.task(*args, **{**self._given(), **kwargs})

    def lazy(self, /, *args: Any, **kwargs: Any) -> LazyResult[Any]:
        """The same call as a lazy value, also in the body of a task; see `Task.lazy`.

        Raises:
            TaskCallError: the function does not take them together.
        """
        return self.task.lazy(*args, **{**self._given(), **kwargs})

    def map(self, /, **collections: Any) -> MappedLazyResult[Any]:
        """`Task.map` over the parameters that are not given yet.

        Raises:
            MapError, TaskCallError: as `Task.map`.
        """
        return self.task._mapped(collections, self._given())

    def partial(self, /, **fixed: Any) -> PartialTask:
        """The same with more parameters given.

        Raises:
            TaskCallError: the function has no such parameter.
        """
        return self.task.partial(**{**self._given(), **fixed})

    def _given(self) -> Mapping[str, Any]:
        """What was given, as it was then.

        Raises:
            TaskCallError: something too large to be copied was changed since.
        """
        check_held(self.task.name, self.task.signature, records_of(self.fixed))
        return self.fixed

    def __repr__(self) -> str:
        given = ", ".join(f"{name}=…" for name in self.fixed)
        return f"<task {self.task.name} with {given}>"
