"""Reads and sets the attributes of an instance where Python keeps them: `__dict__` and slots.

What a class does when somebody gets or sets an attribute is left out: frozen dataclasses take them,
properties do not run.
"""

from __future__ import annotations

import contextlib
import types
from collections.abc import Mapping
from typing import Any, Final

from cascade_nb.model.lazy.lazy import Lazy

_BOOKKEEPING: Final = ("__dict__", "__weakref__")
_MISSING: Final = object()


def attributes(value: Any) -> dict[str, Any]:
    """The attributes of `value` that are set, those of slots first."""
    cls = type(value)
    found: dict[str, Any] = {}
    for base in reversed(cls.__mro__[:-1]):
        if "__slots__" in vars(base):
            for name, slot in _slots(base):
                held = _held(slot, value)
                if held is not _MISSING:
                    found[name] = held
    if cls.__dictoffset__:
        # A class written in C, as `asyncio.Future` is one, may have attributes that it does not
        # show.
        with contextlib.suppress(AttributeError):
            found.update(object.__getattribute__(value, "__dict__"))
    return found


def attribute_names(value: Any) -> list[str]:
    """Their names, in the same order."""
    return list(attributes(value))


def set_attributes(value: Any, new: Mapping[str, Any]) -> None:
    """Give an instance that has none yet these attributes."""
    left = dict(new)
    for base in reversed(type(value).__mro__[:-1]):
        if "__slots__" in vars(base):
            for name, slot in _slots(base):
                if name in left:
                    slot.__set__(value, left.pop(name))
    if left:
        object.__getattribute__(value, "__dict__").update(left)


def _slots(base: type) -> list[tuple[str, Any]]:
    return [
        (name, slot)
        for name, slot in vars(base).items()
        if isinstance(slot, types.MemberDescriptorType) and name not in _BOOKKEEPING
    ]


def _held(slot: Any, value: Any) -> Any:
    try:
        return slot.__get__(value)
    except AttributeError:
        return _MISSING


def lazy_attributes(cls: type) -> dict[str, Lazy]:
    """The lazy values among what a class has for all of its instances."""
    return {
        name: held
        for base in reversed(cls.__mro__[:-1])
        for name, held in vars(base).items()
        if isinstance(held, Lazy)
    }
