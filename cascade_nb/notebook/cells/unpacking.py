"""Gives several names to the parts of one lazy value: `a, b = f()`, `a, *rest = f()`."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from typing import Any

from cascade_nb.model.lazy.lazy import Lazy
from cascade_nb.model.lazy.operators import unpacked

#: The place of the starred name among several, or -1, and of each the same again where it is
#: several itself.
Shape = tuple[int, tuple["Shape | None", ...]]


def shape_of(target: ast.expr, *, inside: bool = False) -> Shape | None:
    """How a target takes a value apart; None where it does not, or in a way that is not known."""
    if not isinstance(target, (ast.Tuple, ast.List)) or not target.elts:
        return None
    stars = [i for i, part in enumerate(target.elts) if isinstance(part, ast.Starred)]
    for i in stars:
        part = target.elts[i]
        if inside or not (isinstance(part, ast.Starred) and isinstance(part.value, ast.Name)):
            return None
    return stars[0] if stars else -1, tuple(shape_of(part, inside=True) for part in target.elts)


class _Rest:
    """What a starred name takes of a lazy value, on its way through Python's own unpacking."""

    def __init__(self, lazy: Lazy) -> None:
        self.lazy = lazy


def unpack(value: Any, shape: Shape) -> Any:
    """`value`, or if it is lazy as many lazy values as there are names for it."""
    star, inside = shape
    if isinstance(value, Lazy):
        parts = list(unpacked(value, len(inside), star if star >= 0 else None))
        if star >= 0:
            parts[star] = _Rest(parts[star])
    elif star < 0 and any(inside) and isinstance(value, (list, tuple)):
        if len(value) != len(inside):
            return value
        parts = list(value)
    else:
        return value
    return [
        part if below is None else unpack(part, below)
        for part, below in zip(parts, inside, strict=True)
    ]


def as_rest(value: Any) -> Any:
    """What a starred name is bound to."""
    is_lazy = type(value) is list and len(value) == 1 and type(value[0]) is _Rest
    return value[0].lazy if is_lazy else value


def each(items: Any, shape: Shape) -> Any:
    """What a `for` over several names goes through, lazy items taken apart."""
    if type(items) in (list, tuple) and any(isinstance(item, Lazy) for item in items):
        return _taken_apart(items, shape)
    return items


def _taken_apart(items: Iterable[Any], shape: Shape) -> Iterator[Any]:
    for item in items:
        yield unpack(item, shape)
