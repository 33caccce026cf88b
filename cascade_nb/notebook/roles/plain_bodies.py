"""Marks functions and classes of cells in whose bodies tasks are plain functions."""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Iterator
from importlib import import_module
from timeit import Timer
from types import CodeType, FunctionType
from typing import Any, Final

from cascade_nb.model.tasks.body import (
    is_plain_code,
    tasks_are_nodes_in,
    tasks_are_plain_in,
)

_DOCTEST: Final = re.compile(r"\bdoctest")
_TIMEIT: Final = re.compile(r"(?<!%)\b(timeit|Timer)\b")


def plain_inside(made: Any) -> Any:
    """`made`, a function or a class, in whose bodies tasks are plain functions from now on."""
    tasks_are_plain_in(codes_of(made))
    return made


def is_left_plain(value: Any) -> bool:
    """Whether `value` is a function that a cell has left plain, or a class with such methods."""
    return isinstance(value, (type, FunctionType)) and any(map(is_plain_code, codes_of(value)))


def be_plain_where_others_call(text: str) -> None:
    """Have tasks be plain in what doctest and timeit run for the cell `text`.

    An example of a docstring shows what a function gives, and who times one means its work. Both
    are given the call as text, in which it cannot be seen.
    """
    if _DOCTEST.search(text):
        import_module("doctest")  # the cell does so too
        tasks_are_plain_in(_doctests_own())
    if _TIMEIT.search(text):
        tasks_are_plain_in([Timer.timeit.__code__])


def be_nodes_where_others_call() -> None:
    """Take that back, for who uses doctest or timeit in this process without a notebook."""
    tasks_are_nodes_in([*_doctests_own(), Timer.timeit.__code__])


def _doctests_own() -> list[CodeType]:
    doctest = sys.modules.get("doctest")
    return [] if doctest is None else [doctest.DocTestRunner.run.__code__]


def codes_of(made: Any) -> Iterator[CodeType]:
    """The code of a function, or of all that a class defines."""
    members = vars(made).values() if isinstance(made, type) else [made]
    for member in members:
        for part in ("__func__", "fget", "fset", "fdel", "func"):  # of methods and properties
            inner = getattr(member, part, None)
            inner = inspect.unwrap(member if inner is None else inner, stop=_wraps_nothing)
            if isinstance(inner, FunctionType):
                yield inner.__code__


def _wraps_nothing(one: Any) -> bool:
    """Some objects have any attribute that they are asked for."""
    return "__wrapped__" not in getattr(one, "__dict__", ())
