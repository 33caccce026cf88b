"""Lazy values of calls: of a task, or of a task for each item of collections."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any, Generic, TypeVar

from cascade_nb.model.lazy.any_task import AnyTask
from cascade_nb.model.lazy.lazy import PLAIN, Lazy, Options
from cascade_nb.model.lazy.operators import unpacked
from cascade_nb.model.lazy.refusals import refuse_change

T_co = TypeVar("T_co", covariant=True)


class CallFields(Lazy):
    """The fields of a `LazyResult` while it is being filled; see `lazy_call`."""

    __slots__ = ("args", "kwargs", "nested", "task")

    def __init__(
        self,
        task: AnyTask,
        args: tuple[Any, ...],
        kwargs: Mapping[str, Any],
        inputs: tuple[Lazy, ...],
        nested: bool,
        options: Options,
    ) -> None:
        self.identity = object()
        self.task = task
        self.args = args
        self.kwargs = kwargs
        self.inputs = inputs
        self.nested = nested
        self.options = options


class LazyResult(CallFields, Generic[T_co]):
    """A planned call of a task, not run yet; immutable. ``cs.run(x)`` gives its value.

    `.named`, `.tagged`, `.after`, `.run_if`, `.with_retry`, `.with_timeout`, `.with_cache`,
    `.with_priority`, `.with_constraints` and `.pause_before` each give a new one that is run so.
    ``x[0]``, ``x["c"]``, ``x + 1`` and the like are planned too; `.value` is the result that
    stands, without running anything.

    Attributes:
        task: what was called.
        args, kwargs: with what; lazy values stand where their results will.
        nested: whether a lazy value is inside a container among the arguments, or a resource
            injected.

    Example:
        >>> x = fetch(3)
        >>> x
        <lazy fetch>
        >>> cs.run(x.with_retry(3, delay=1, backoff=2))
        [0, 1, 2]
    """

    __slots__ = ()
    __setattr__ = refuse_change
    __delattr__ = refuse_change

    @property
    def label(self) -> str:
        """Its name, or its task's; an operator as it would be written."""
        return self.options.name or self.task.label_of(self.args)

    def __iter__(self) -> Iterator[LazyResult[Any]]:
        """One lazy value for each output of its task, where it says how many it has."""
        count = self.task.outputs
        return super().__iter__() if count is None else iter(unpacked(self, count))

    def _with(self, options: Options) -> LazyResult[T_co]:
        return lazy_call(self.task, self.args, self.kwargs, self.inputs, self.nested, options)


class MapFields(Lazy):
    """The fields of a `MappedLazyResult` while it is being filled."""

    __slots__ = ("collections", "fixed", "how", "nested", "task")

    def __init__(
        self,
        task: AnyTask,
        collections: Mapping[str, Any],
        fixed: Mapping[str, Any],
        inputs: tuple[Lazy, ...],
        nested: bool,
        options: Options,
        how: str,
    ) -> None:
        self.identity = object()
        self.task = task
        self.how = how
        self.collections = collections
        self.fixed = fixed
        self.inputs = inputs
        self.nested = nested
        self.options = options


class MappedLazyResult(MapFields, Generic[T_co]):
    """A task mapped over collections: one call for each item; its value is the list of results.

    What is the same for every item is given by `.partial` before. It can be run and asked as a
    `LazyResult` can; retries, timeouts and kept results are each item's own.

    Attributes:
        task: what is called for each item.
        collections: by parameter, what is gone through; lazy ones expand when they are known.
        fixed: by parameter, what is the same for every item.
        how: "zip" where the collections are gone through side by side, "product" where each item of
            one meets each of the others.

    Example:
        >>> sizes = fetch.map(n=[1, 2])
        >>> cs.run(sizes)
        [[0], [0, 1]]
    """

    __slots__ = ()
    __setattr__ = refuse_change
    __delattr__ = refuse_change

    @property
    def label(self) -> str:
        """How messages call it: its name, or `map(<task>)`."""
        return self.options.name or f"map({self.task.name})"

    def _with(self, options: Options) -> MappedLazyResult[T_co]:
        given = self.collections, self.fixed, self.inputs, self.nested, options, self.how
        return lazy_map(self.task, *given)


def lazy_call(
    task: AnyTask,
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
    inputs: tuple[Lazy, ...],
    nested: bool,
    options: Options = PLAIN,
) -> LazyResult[Any]:
    """A `LazyResult` of these fields.

    It is filled as a plain object and then given its immutable class: a third of the time that
    calls of `object.__setattr__` take, and graphs have many nodes. (Once there is an audit hook,
    which a run brings, Python tells it of that, and it is no slower than the calls would be.)
    """
    draft = CallFields(task, args, kwargs, inputs, nested, options)
    draft.__class__ = LazyResult
    return draft  # type: ignore[return-value]


def lazy_map(
    task: AnyTask,
    collections: Mapping[str, Any],
    fixed: Mapping[str, Any],
    inputs: tuple[Lazy, ...],
    nested: bool,
    options: Options,
    how: str = "zip",
) -> MappedLazyResult[Any]:
    """A `MappedLazyResult` of these fields."""
    draft = MapFields(task, collections, fixed, inputs, nested, options, how)
    draft.__class__ = MappedLazyResult
    return draft  # type: ignore[return-value]


def length_of(lazy: MappedLazyResult[Any]) -> int | None:
    """How many items a map will have, where its collections tell it before they are known."""
    lengths = [len(c) for c in lazy.collections.values() if not isinstance(c, Lazy)]
    if lazy.how == "zip":
        return lengths[0] if lengths else None
    return math.prod(lengths) if len(lengths) == len(lazy.collections) or 0 in lengths else None
