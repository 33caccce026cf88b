"""Asks an exception that a task raised what it is, without running code of the user's: whoever asks
may hold a lock, and a class may answer with whatever it likes, or never.
"""

from __future__ import annotations

import types
from typing import Any, Final

_NAME: Final[Any] = type.__dict__["__name__"]
_ARGS: Final[Any] = BaseException.__dict__["args"]
_TRACEBACK: Final[Any] = BaseException.__dict__["__traceback__"]


def is_raised_as(error: BaseException, kinds: tuple[type[BaseException], ...]) -> bool:
    """Whether ``except kinds`` would take it."""
    return any(type.__subclasscheck__(kind, type(error)) for kind in kinds)


def class_name(error: BaseException) -> str:
    """The name of its class."""
    return str(_NAME.__get__(type(error)))


def args_of(error: BaseException) -> tuple[Any, ...]:
    """What it was made of."""
    found: tuple[Any, ...] = _ARGS.__get__(error)
    return found


def traceback_of(error: BaseException) -> types.TracebackType | None:
    """Where it was raised."""
    found: types.TracebackType | None = _TRACEBACK.__get__(error)
    return found


def is_told_by_python(error: BaseException) -> bool:
    """Whether code of Python's own makes its text."""
    return isinstance(type.__getattribute__(type(error), "__str__"), types.WrapperDescriptorType)


def is_asked_by_python(kind: type) -> bool:
    """Whether attributes of a class, and of its values, are looked up without the user's code."""
    return all(
        isinstance(type.__getattribute__(one, "__getattribute__"), types.WrapperDescriptorType)
        for one in (kind, type(kind))
    )
