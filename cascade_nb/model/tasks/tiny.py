"""Tells whether values are so small that an operator on them takes microseconds."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from typing import Any, Final

from cascade_nb.model.containers.arrays import array_kind

PARTS: Final = 256  # items of all containers together
LENGTH: Final = 4_096  # characters of a text, bits of a number, bytes of an array
_BITS: Final = 64
_SINGLE: Final = frozenset(
    {
        float, complex, bool, type(None), type(Ellipsis), range,
        dt.date, dt.datetime, dt.time, dt.timedelta, dt.timezone,
    }
)  # fmt: skip
_FLAT: Final = frozenset({list, tuple, set, frozenset})


def are_tiny(values: Iterable[Any]) -> bool:
    """Whether these are numbers, short texts, small arrays, or small containers of such.

    It looks at no more than `PARTS` of them. An object of any other class is not: what its
    operators do is its own affair.
    """
    left, stack = PARTS, list(values)
    while stack:
        value = stack.pop()
        cls = type(value)
        if cls in _SINGLE:
            continue
        if cls is int:
            if value.bit_length() > LENGTH:
                return False
        elif cls is str or cls is bytes:
            if len(value) > LENGTH:
                return False
        elif cls in _FLAT or cls is dict:
            left -= len(value)
            if left < 0:
                return False
            stack += value
            if cls is dict:
                stack += value.values()
        elif cls is slice:
            stack += (value.start, value.stop, value.step)
        elif not _is_small_array(cls, value):
            return False
    return True


def are_plain_numbers(values: Iterable[Any]) -> bool:
    """Whether these are numbers, whole ones up to 2⁶⁴, or arrays of such."""
    return all(
        type(value) in (float, complex, bool)
        or (type(value) is int and value.bit_length() <= _BITS)
        or array_kind(type(value)) is not None
        for value in values
    )


def _is_small_array(cls: type, value: Any) -> bool:
    if array_kind(cls) == "array":
        return not value.dtype.hasobject and bool(value.nbytes <= LENGTH)
    return cls.__module__ == "numpy" and hasattr(value, "itemsize") and value.itemsize <= LENGTH
