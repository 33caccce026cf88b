"""Tells which classes nobody can change the values of, and which are only data."""

from __future__ import annotations

import dataclasses
import datetime as dt
import decimal
import fractions
import pathlib
import re
import types
import uuid
from typing import Any, Final

from cascade_nb.model.copying.library_classes import is_of_a_library

FROZEN: Final[frozenset[type]] = frozenset(
    {
        int, float, complex, bool, str, bytes, range, type, type(None), type(Ellipsis),
        type(NotImplemented), types.BuiltinFunctionType, types.ModuleType,
        dt.date, dt.datetime, dt.time, dt.timedelta, dt.timezone,
        decimal.Decimal, fractions.Fraction, uuid.UUID, type(re.compile("")),
        pathlib.PosixPath, pathlib.WindowsPath, pathlib.PurePosixPath, pathlib.PureWindowsPath,
    }
)  # fmt: skip
"""Classes whose values hold nothing that anybody could change."""

_OWN_WAYS: Final = ("__deepcopy__", "__copy__", "__reduce__", "__reduce_ex__", "__getnewargs_ex__")
_STANDARD: Final = frozenset({"collections", "types", "argparse", "string"})


def is_data(cls: type) -> bool:
    """Whether an object of `cls` is nothing but its attributes, so that a copy of them is a copy of
    it: a dataclass, an attrs class, a class of the user's own that has no say in how it is copied.

    Objects of other people's classes may stand for more than they hold.
    """
    if dataclasses.is_dataclass(cls) or hasattr(cls, "__attrs_attrs__"):
        return not hasattr(cls, "__deepcopy__")
    if cls.__module__ in _STANDARD:
        return True
    ways = any(getattr(cls, way, None) is not getattr(object, way, None) for way in _OWN_WAYS)
    return not ways and not is_of_a_library(cls)


def is_frozen_data(cls: type) -> bool:
    """Whether the attributes of an object of `cls` cannot be set."""
    made: Any = getattr(cls, "__dataclass_params__", None)
    return bool(made is not None and made.frozen)
