"""The results of a map over a product, with the axes by which they are found."""

from __future__ import annotations

import dataclasses
import importlib
import math
from collections.abc import Iterator, Mapping
from typing import Any

from cascade_nb.errors import MapError, UsageError, nearest
from cascade_nb.model.arguments.collections import items_of
from cascade_nb.model.lazy.calls import LazyResult, MappedLazyResult
from cascade_nb.model.tasks.decorator import task
from cascade_nb.text import quoted, readable


@dataclasses.dataclass(frozen=True)
class Grid:
    """What a map over a product gave, by its axes; `cs.grid` gives one.

    Attributes:
        axes: by name, the labels on each axis, in the order of the map.
        values: the results, the last axis fastest.

    Example:
        >>> @cs.task
        ... def power(base, exponent):
        ...     return base ** exponent
        >>> powers = cs.run(cs.grid(power.map(base=[2, 3], exponent=[1, 2, 3], how="product")))
        >>> powers
        <grid of base (2), exponent (3)>
        >>> powers.at(base=3, exponent=2), powers[1, 1], powers.at(base=2).values
        (9, 9, [2, 4, 8])
        >>> powers.nested()
        [[2, 4, 8], [3, 9, 27]]
    """

    axes: Mapping[str, list[Any]]
    values: list[Any]

    @property
    def shape(self) -> tuple[int, ...]:
        """How many labels are on each axis.

        Example:
            >>> cs.Grid({"a": [1, 2], "b": ["x"]}, [10, 20]).shape
            (2, 1)
        """
        return tuple(len(labels) for labels in self.axes.values())

    def at(self, **labels: Any) -> Any:
        """The result at a label of each axis, or the grid that is left where some are not given.

        Args:
            labels: by axis, a label on it.

        Returns:
            A result, or a `Grid` of the other axes.

        Raises:
            UsageError: there is no such axis, or no such label on it.

        Example:
            >>> cs.Grid({"a": [1, 2], "b": ["x", "y"]}, [10, 20, 30, 40]).at(a=2, b="x")
            30
        """
        for name in labels:
            if name not in self.axes:
                known = ", ".join(self.axes)
                raise UsageError(
                    f"the grid has no axis {quoted(name)}, only {known}{nearest(name, self.axes)}"
                )
        there = {name: _place(name, self.axes[name], label) for name, label in labels.items()}
        places = [0]
        for name, along in self.axes.items():
            chosen = [there[name]] if name in there else range(len(along))
            places = [place * len(along) + one for place in places for one in chosen]
        values = [self.values[place] for place in places]
        left = {name: along for name, along in self.axes.items() if name not in labels}
        return Grid(left, values) if left else values[0]

    def __getitem__(self, places: int | tuple[int, ...]) -> Any:
        """The result at a position on each axis, counted from 0, from the end if negative."""
        steps = places if isinstance(places, tuple) else (places,)
        if len(steps) != len(self.axes) or not all(isinstance(step, int) for step in steps):
            raise UsageError(
                f"a place in this grid is {len(self.axes)} whole numbers, one on each of "
                f"{', '.join(self.axes)}; .at({next(iter(self.axes), 'x')}=…) finds by label"
            )
        at = 0
        for step, (name, along) in zip(steps, self.axes.items(), strict=True):
            if not -len(along) <= step < len(along):
                raise IndexError(f"{name} has {len(along)} labels, and {step} is none of them")
            at = at * len(along) + step % len(along)
        return self.values[at]

    def items(self) -> Iterator[tuple[dict[str, Any], Any]]:
        """Each result with its labels.

        Example:
            >>> list(cs.Grid({"a": [1, 2]}, [10, 20]).items())
            [({'a': 1}, 10), ({'a': 2}, 20)]
        """
        shape = self.shape
        for number, value in enumerate(self.values):
            stride, labels = len(self.values), {}
            for (name, along), length in zip(self.axes.items(), shape, strict=True):
                stride //= length
                labels[name] = along[number // stride % length]
            yield labels, value

    def nested(self) -> list[Any]:
        """The results as lists in lists, one level for each axis.

        Example:
            >>> cs.Grid({"a": [1, 2], "b": [1, 2]}, [10, 20, 30, 40]).nested()
            [[10, 20], [30, 40]]
        """
        made = list(self.values)
        shape = self.shape
        for depth in range(len(shape) - 1, 0, -1):
            length, count = shape[depth], math.prod(shape[:depth])
            made = [made[n * length : (n + 1) * length] for n in range(count)]
        return made

    def frame(self, value: str = "value") -> Any:
        """The results as a `pandas.DataFrame`: a row for each, a column for each axis.

        Args:
            value: the name of the column of results.

        Raises:
            UsageError: pandas is not there, or an axis has that name.

        Example:
            >>> print(cs.Grid({"a": [1, 2]}, [10, 20]).frame())
               a  value
            0  1     10
            1  2     20
        """
        if value in self.axes:
            raise UsageError(f"{quoted(value)} is an axis; give the results another name")
        try:
            pandas = importlib.import_module("pandas")
        except ImportError:
            raise UsageError(
                "a frame needs pandas, which is not installed here; .nested() and .items() do not"
            ) from None
        every = [labels for labels, _ in self.items()]
        columns = {name: [labels[name] for labels in every] for name in self.axes}
        return pandas.DataFrame({**columns, value: list(self.values)})

    def __len__(self) -> int:
        return len(self.values)

    def __iter__(self) -> Iterator[Any]:
        return iter(self.values)

    def __repr__(self) -> str:
        axes = ", ".join(f"{readable(name)} ({len(along)})" for name, along in self.axes.items())
        return f"<grid of {axes}>"


def grid(mapped: MappedLazyResult[Any]) -> LazyResult[Grid]:
    """The results of a map over a product as a `Grid`, which knows its axes and their labels.

    Args:
        mapped: what ``.map(…, how="product")`` gives, or a map over one collection.

    Returns:
        A lazy value of a `Grid`; another task can read it.

    Raises:
        MapError: it is no such map.

    Example:
        >>> @cs.task
        ... def score(rate, depth):
        ...     return rate * depth
        >>> scores = score.map(rate=[0.1, 0.5], depth=[2, 4], how="product")
        >>> cs.run(cs.grid(scores)).at(rate=0.5, depth=4)
        2.0
    """
    if not isinstance(mapped, MappedLazyResult):
        raise MapError(
            f"cs.grid takes what .map(…, how='product') gives, not {type(mapped).__name__} "
            f"{quoted(mapped)}"
        )
    if mapped.how == "zip" and len(mapped.collections) > 1:
        raise MapError(
            f"{mapped.task.name}.map goes through {' and '.join(mapped.collections)} side by side, "
            "so its results have no axes; how='product' has each meet each"
        )
    return grid_of.lazy(mapped, dict(mapped.collections))


@task
def grid_of(values: list[Any], axes: dict[str, Any]) -> Grid:
    """Results of a product, put on its axes."""
    labels = {name: items_of(along, f"the axis {name}") for name, along in axes.items()}
    return Grid(labels, values)


def _place(name: str, along: list[Any], label: Any) -> int:
    """Where a label is on its axis.

    Raises:
        UsageError: it is not there.
    """
    for place, known in enumerate(along):
        if known is label or _equal(known, label):
            return place
    told = ", ".join(quoted(known, 24) for known in along[:5]) + (", …" if len(along) > 5 else "")
    raise UsageError(f"there is no {quoted(label)} on the axis {name}, which has {told}")


def _equal(one: Any, other: Any) -> bool:
    try:
        same = one == other
        return same if isinstance(same, bool) else bool(same)
    except ValueError:  # of arrays each element is told, where they have the same shape
        return getattr(one, "shape", 0) == getattr(other, "shape", 1) and bool((one == other).all())
