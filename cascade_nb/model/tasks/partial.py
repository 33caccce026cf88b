"""Tasks of which some arguments are given already."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from cascade_nb.model.arguments.capture import captured
from cascade_nb.model.arguments.watched import check_held, named_with_records, records_of
from cascade_nb.model.lazy.any_task import AnyTask
from cascade_nb.model.lazy.calls import LazyResult, MappedLazyResult


class PartlyGiven(AnyTask, Protocol):
    """The task of a partial one, as that calls it."""

    def __call__(self, /, *args: Any, **kwargs: Any) -> LazyResult[Any]:
        """One call, not run yet; in the body of a task the call of the plain function."""

    def lazy(self, /, *args: Any, **kwargs: Any) -> LazyResult[Any]:
        """One call, not run yet, also in the body of a task."""

    def mapped(
        self, collections: Mapping[str, Any], fixed: Mapping[str, Any], how: Any = "zip"
    ) -> MappedLazyResult[Any]:
        """One call for each item of `collections`, which are all given `fixed`."""

    def check_parameter(self, name: str) -> None:
        """Refuse a name that no parameter has."""


class PartialTask:
    """A task with some of its parameters given; `Task.partial` makes one.

    Attributes:
        task: what is called.
        fixed: by parameter name, what was given, as it was then.
    """

    def __init__(self, task: PartlyGiven, fixed: Mapping[str, Any]) -> None:
        self.task = task
        _, own, records = captured(task, (), fixed)
        self.fixed = named_with_records(own, records)

    def __call__(self, /, *args: Any, **kwargs: Any) -> LazyResult[Any]:
        """One call with what was given and these arguments, not run yet; see `Task.__call__`.

        Args:
            args, kwargs: the rest; a parameter that was given before takes the value given here.

        Returns:
            A `LazyResult`; in the body of a task what the function returns.

        Raises:
            TaskCallError: the function does not take them together.

        Example:
            >>> three = fetch.partial(n=3)
            >>> cs.run(three()), cs.run(three(n=2))
            ([0, 1, 2], [0, 1])
        """
        return self.task(*args, **{**self._given(), **kwargs})

    def lazy(self, /, *args: Any, **kwargs: Any) -> LazyResult[Any]:
        """The same call as a lazy value, also in the body of a task; see `Task.lazy`.

        Args:
            args, kwargs: the rest; a parameter that was given before takes the value given here.

        Returns:
            A `LazyResult`, whoever asks.

        Raises:
            TaskCallError: the function does not take them together.

        Example:
            >>> cs.run(fetch.partial(n=2).lazy())
            [0, 1]
        """
        return self.task.lazy(*args, **{**self._given(), **kwargs})

    def map(self, /, *, how: Any = "zip", **collections: Any) -> MappedLazyResult[Any]:
        """One call for each item of the collections, with what was given; see `Task.map`.

        Args:
            how: "zip" or "product"; see `Task.map`.
            collections: by name of a parameter that was not given yet.

        Returns:
            A `MappedLazyResult`, whose value is the list of results in the items' order.

        Raises:
            MapError: a collection is none, or the lengths differ.
            TaskCallError: the function has no such parameter, it was given already, or others miss.

        Example:
            >>> @cs.task
            ... def scaled(value, by):
            ...     return value * by
            >>> cs.run(scaled.partial(by=10).map(value=[1, 2]))
            [10, 20]
        """
        return self.task.mapped(collections, self._given(), how)

    def partial(self, /, **fixed: Any) -> PartialTask:
        """The same with more parameters given.

        Args:
            fixed: by parameter name; what was given before takes the value given here.

        Returns:
            A new `PartialTask`; this one stays as it is.

        Raises:
            TaskCallError: the function has no such parameter.

        Example:
            >>> cs.run(fetch.partial(n=3).partial(n=1)())
            [0]
        """
        for name in fixed:
            self.task.check_parameter(name)
        return PartialTask(self.task, {**self._given(), **fixed})

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
