"""Builds the call that a node makes, with results in the place of lazy values."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from cascade_nb.errors import MapError
from cascade_nb.graph.graph import Node
from cascade_nb.model.arguments.call import Call, came_too_late
from cascade_nb.model.arguments.collections import Axis, equal_lengths, items_of, product_of
from cascade_nb.model.arguments.inputs import replace, scan
from cascade_nb.model.arguments.watched import guarded, is_watched, records_of
from cascade_nb.model.lazy.any_task import AnyTask
from cascade_nb.model.lazy.calls import LazyResult, MappedLazyResult
from cascade_nb.model.lazy.lazy import Lazy
from cascade_nb.model.options.checks import NOTHING
from cascade_nb.model.params.param import Param
from cascade_nb.model.resources import Injected
from cascade_nb.model.routing import Router

_COLLECTIONS: Final = frozenset({list, tuple, set, frozenset, dict, range, str, bytes})
LAZIES: Final[frozenset[Any]] = frozenset({LazyResult, MappedLazyResult, Param, Router})


class _Absent:
    """Stands for the result of a node that was skipped."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "<skipped>"


ABSENT: Final = _Absent()


class Expansion:
    """The items that a mapped node grew into. One object serves them all, told apart by their
    index.

    Attributes:
        node: the mapped node.
        first: index of its first item.
        count: how many there are.
        fn: what each calls.
        injects: whether each needs resources.
    """

    __slots__ = (
        "_axes",
        "_columns",
        "_fixed",
        "_id",
        "_names",
        "_single",
        "count",
        "first",
        "fn",
        "injects",
        "node",
    )

    def __init__(
        self, node: Node, first: int, columns: Mapping[str, list[Any]], fixed: Mapping[str, Any]
    ) -> None:
        assert node.task is not None
        self.node = node
        self.fn = _fn_of(node)
        self._id = node.id
        self.first = first
        self.count = len(next(iter(columns.values())))
        self._names = tuple(columns)
        self._columns = tuple(columns.values())
        self._fixed = fixed
        axes = [(name, axis) for name, axis in columns.items() if isinstance(axis, Axis)]
        self._axes = [(axis.stride, axis.places(name)) for name, axis in axes]
        self._single = self._columns[0] if len(self._columns) == 1 else None
        self.injects = any(type(value) is Injected for value in fixed.values())

    def call_of(self, index: int) -> Call:
        """What the item at `index` calls."""
        return Call(self.fn, (), self.kwargs_of(index), self.injects)

    def kwargs_of(self, index: int) -> dict[str, Any]:
        """What it calls it with."""
        position = index - self.first
        if self._single is not None and not self._fixed:
            return {self._names[0]: self._single[position]}
        kwargs = dict(self._fixed)
        for name, column in zip(self._names, self._columns, strict=True):
            kwargs[name] = column[position]
        return kwargs

    def collected(self, number: int) -> dict[str, Any]:
        """What an item is given of the collections; nothing where they were let go."""
        columns = zip(self._names, self._columns, strict=False)
        return {name: column[number] for name, column in columns}

    def id_of(self, index: int) -> str:
        """The identity of an item in events."""
        return f"{self._id}[{index - self.first}]"

    def place_of(self, number: int) -> str:
        """Where an item is, as a person reads it: `3`, or on the axes of a product `a=0.1, b=2`."""
        told = [told[number // stride % len(told)] for stride, told in self._axes]
        return ", ".join(told) or str(number)

    def number_at(self, place: str) -> int | None:
        """The item at a place: `3`, on the axes of a product also `0, 2` or as `place_of` says."""
        if place.isdecimal():
            return int(place)
        steps = place.replace(" ", "").split(",")
        if len(steps) == len(self._axes) and all(step.isdecimal() for step in steps):
            within = list(zip(map(int, steps), self._axes, strict=True))
            if all(step < len(told) for step, (_, told) in within):
                return sum(step * stride for step, (stride, _) in within)
        every = range(self.count) if self._axes else ()
        return next((n for n in every if self.place_of(n) == place), None)

    @property
    def is_forgotten(self) -> bool:
        """Whether the collections were let go."""
        return not self._columns

    @property
    def goes_through(self) -> tuple[dict[str, list[Any]], Mapping[str, Any]]:
        """What it goes through, by parameter, and what every item gets."""
        return dict(zip(self._names, self._columns, strict=True)), self._fixed

    def forget(self) -> object:
        """Give away the collections; their items are all over."""
        held = self._columns, self._fixed, self._single
        self._columns, self._fixed, self._single = (), NOTHING, None
        return held


class Reader:
    """Looks up results for the nodes that read them.

    Args:
        values: results by index of node, `ABSENT` for a skipped one.
        place: index by identity of a lazy value.
    """

    __slots__ = ("absent", "place", "values")

    def __init__(self, values: list[Any], place: Mapping[object, int]) -> None:
        self.values = values
        self.place = place
        self.absent = (
            False  # whether anything was skipped so far: only then defaults are looked for
        )

    def call_of(self, node: Node) -> Call:
        """What a TASK node calls."""
        lazy = node.lazy
        assert isinstance(lazy, LazyResult)
        assert node.task is not None
        if lazy.nested or self.absent:
            return self._careful_call(lazy, node.task)
        return self._plain_call(lazy, node.task.fn)

    def _plain_call(self, lazy: LazyResult[Any], fn: Callable[..., Any]) -> Call:
        """With lazy values only where they are arguments themselves."""
        if not lazy.inputs:
            return Call(fn, lazy.args, lazy.kwargs)
        values = self.values
        place: Mapping[Any, int] = self.place
        args = [values[place[a.identity]] if type(a) in LAZIES else a for a in lazy.args]
        if not lazy.kwargs:
            return Call(fn, args, NOTHING)
        kwargs = {
            k: values[place[v.identity]] if type(v) in LAZIES else v for k, v in lazy.kwargs.items()
        }
        return Call(fn, args, kwargs)

    def is_plain_map(self, node: Node) -> bool:
        """Whether what a MAP node goes through are Python's own collections, so that `columns_of`
        runs no code of the user's.
        """
        lazy = node.lazy
        assert isinstance(lazy, MappedLazyResult)
        given = map(self.direct, lazy.collections.values())
        return not lazy.nested and all(type(value) in _COLLECTIONS for value in given)

    def columns_of(self, node: Node) -> tuple[dict[str, list[Any]], dict[str, Any]]:
        """What a MAP node goes through, as lists of equal length, and what every item gets.

        Where `is_plain_map` is not true it runs code of the user's: not for who holds a lock.

        Raises:
            MapError: something has no items or no order, or the lengths do not go together.
        """
        lazy = node.lazy
        assert isinstance(lazy, MappedLazyResult)
        where = node.label
        given = {name: self.value_of(value) for name, value in lazy.collections.items()}
        columns = {name: items_of(value, f"{where}: {name}") for name, value in given.items()}
        if lazy.how == "product":
            for name, value in given.items():
                if isinstance(value, (set, frozenset)):  # a reader may see it in another one
                    raise MapError(f"{where}: the set {name} has no order to be an axis; sort it")
            columns = product_of(columns, where)
        else:
            equal_lengths({name: len(column) for name, column in columns.items()}, where)
        fixed = {name: self.value_of(value) for name, value in lazy.fixed.items()}
        return columns, {name: value for name, value in fixed.items() if value is not ABSENT}

    def value_of(self, value: Any) -> Any:
        """`value` with results in the place of lazy values, at any depth.

        What is no lazy value itself may run code of the user's: not for who holds a lock.
        """
        return replace(value, Lazy, self._of)

    def direct(self, value: Any) -> Any:
        """The result of a lazy value; `value` itself where it is none."""
        return self._of(value) if type(value) in LAZIES else value

    def _of(self, lazy: Lazy) -> Any:
        place = self.place.get(lazy.identity)
        if place is None:
            raise came_too_late(lazy)
        return self.values[place]

    def _careful_call(self, lazy: LazyResult[Any], task: AnyTask) -> Call:
        """With skipped inputs left to the defaults of the signature; what belongs inside of
        containers is still to be put there.
        """
        fn = task.fn
        if (records := records_of(lazy.args)) and is_watched(records):
            fn = guarded(fn, task.name, task.signature, records)
            if not lazy.args.deep and not self.absent:  # type: ignore[attr-defined]
                return self._plain_call(lazy, fn)
        args: Any = [self.direct(value) for value in lazy.args]
        kwargs = {name: self.direct(value) for name, value in lazy.kwargs.items()}
        if self.absent and any(v is ABSENT for v in (*args, *kwargs.values())):
            bound = task.signature.bind(*args, **kwargs)
            for name in [n for n, v in bound.arguments.items() if v is ABSENT]:
                del bound.arguments[name]
            bound.apply_defaults()
            args, kwargs = bound.args, bound.kwargs
        injects = any(type(v) is Injected for v in (*args, *kwargs.values()))
        inside = {one.identity: self._of(one) for one in lazy.inputs} if lazy.nested else None
        return Call(fn, args, kwargs, injects, inside)


def _fn_of(node: Node) -> Callable[..., Any]:
    """What each item of a mapped node calls."""
    task, lazy = node.task, node.lazy
    assert task is not None
    assert isinstance(lazy, MappedLazyResult)
    fn, records = task.fn, records_of(lazy.fixed)
    if records and is_watched(records):
        fn = guarded(fn, task.name, task.signature, records)
    return _placing(fn, task) if task.by_place else fn


def _placing(fn: Callable[..., Any], task: AnyTask) -> Callable[..., Any]:
    """`fn`, which takes some parameters by place alone, for who gives all by name."""

    def placing(**named: Any) -> Any:
        args, left = task.placed(named)
        return fn(*args, **left)

    return placing


def optional_inputs(node: Node) -> frozenset[object]:
    """Identities of the lazy arguments of a TASK or MAP node that its function can do without.

    Each is the whole value of parameters with a default of their own, and stands nowhere else.
    """
    lazy, task = node.lazy, node.task
    if task is None or not task.optional:
        return frozenset()
    if isinstance(lazy, MappedLazyResult):
        given, needed = dict(lazy.fixed), [*lazy.collections.values()]
    else:
        assert isinstance(lazy, LazyResult)
        given, needed = dict(task.signature.bind(*lazy.args, **lazy.kwargs).arguments), []
    free = {n: v for n, v in given.items() if n in task.optional and type(v) in LAZIES}
    needed += [value for name, value in given.items() if name not in free]
    needed += lazy.options.needs.values()
    own = {lazy.identity for lazy in free.values()}
    return frozenset(own.difference([lazy.identity for lazy in scan(tuple(needed))[0]]))
