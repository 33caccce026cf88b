"""Functions and classes of cells in whose bodies tasks are plain functions."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from types import CodeType, FunctionType
from typing import Any

from cascade_nb.model.body import is_plain_code, tasks_are_plain_in


def plain_inside(made: Any) -> Any:
    """`made`, a function or a class, in whose bodies tasks are plain functions from now on."""
    tasks_are_plain_in(_codes_of(made))
    return made


def is_left_plain(value: Any) -> bool:
    """Whether `value` is a function that a cell has left plain, or a class with such methods."""
    return isinstance(value, (type, FunctionType)) and any(map(is_plain_code, _codes_of(value)))


def _codes_of(made: Any) -> Iterator[CodeType]:
    members = vars(made).values() if isinstance(made, type) else [made]
    for member in members:
        for part in ("__func__", "fget", "fset", "fdel", "func"):  # of methods and properties
            inner = inspect.unwrap(getattr(member, part, None) or member)
            if isinstance(inner, FunctionType):
                yield inner.__code__
