"""Tells whether an error comes of writing to a read-only array, and says to write to a copy."""

from __future__ import annotations

from typing import Any, Final

from cascade_nb.concurrency.raised import is_raised_as
from cascade_nb.model.containers.arrays import array_kind

#: As NumPy says it, and pandas and Cython after it.
_READ_ONLY: Final = ("is read-only", "cannot set WRITEABLE flag", "cannot resize this array")

COPY_FIRST: Final = (
    "a large array that a task returned, or was given, is handed out read-only, since others read "
    "it too: write to a copy of it, x = x.copy()"
)


def is_of_read_only(error: BaseException, text: str) -> bool:
    """Whether an error with this text came of a write to an array that cannot be written to."""
    return is_raised_as(error, (ValueError,)) and any(said in text for said in _READ_ONLY)


def is_read_only(value: Any) -> bool:
    """Whether it is an array that cannot be written to."""
    return array_kind(type(value)) == "array" and not value.flags.writeable
