"""Pickles whole what a notebook defines: the only place that knows cloudpickle."""

from __future__ import annotations

import types
from typing import Any, Final

import cloudpickle  # type: ignore[import-untyped]
from cloudpickle import cloudpickle as _inside

PROTOCOL: Final = 5


class WholePickler(cloudpickle.Pickler):  # type: ignore[misc] # untyped
    """A pickler that writes functions and classes of the main module, and those made inside of
    functions, with all that they use.
    """

    def function_by_value(self, function: types.FunctionType) -> tuple[Any, ...]:
        """What `reducer_override` gives for a function that goes whole."""
        reduced: tuple[Any, ...] = self._dynamic_function_reduce(function)
        return reduced


def class_by_value(cls: type) -> tuple[Any, ...]:
    """What `reducer_override` gives for a class that goes whole."""
    reduced: tuple[Any, ...] = _inside._dynamic_class_reduce(cls)
    return reduced


def whole_bytes(value: Any) -> bytes:
    """The pickle of a value.

    Raises:
        BaseException: whatever the value's own methods raise, and `pickle.PicklingError`.
    """
    stream: bytes = cloudpickle.dumps(value, protocol=PROTOCOL)
    return stream


def parts_of_code(code: types.CodeType) -> tuple[Any, tuple[Any, ...]]:
    """What makes a code object again: a function and its arguments. The file is left out."""
    make, args = _inside._code_reduce(code)
    return make, args


def modules_go_whole() -> bool:
    """Whether somebody has asked that what stands in some module goes whole."""
    return bool(_inside._PICKLE_BY_VALUE_MODULES)


def travelled_as(cls: type) -> str | None:
    """The name by which a class went from one process to another, here or there; None for none."""
    known: str | None = _inside._DYNAMIC_CLASS_TRACKER_BY_CLASS.get(cls)
    return known


def class_that_travelled(name: str) -> type | None:
    """The class of this process that has such a name."""
    found: type | None = _inside._DYNAMIC_CLASS_TRACKER_BY_ID.get(name)
    return found
