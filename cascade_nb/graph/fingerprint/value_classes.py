"""Finds the user's classes of which a value holds instances, and tells whether their names still
mean those classes.

A cell that defines a class makes another class when it is run again, as a reload of a module does.
Instances of the one before are no instances of it, equal none, and are found in no dictionary.
"""

from __future__ import annotations

import contextlib
import gc
import sys
import types
import weakref
from collections import deque
from collections.abc import Iterable
from typing import Any, Final

from cascade_nb.graph.code.origin import origin_of_module
from cascade_nb.graph.values.atoms import ATOMS

_PLAIN: Final = frozenset(ATOMS)
_CONTAINERS: Final = (list, tuple, set, frozenset, deque)
_NOT_FOLLOWED: Final = (types.ModuleType, types.FrameType, types.CodeType, weakref.ref)
_MANY: Final = 64  # items from which on their types are looked at first, all at once

_of_the_user: weakref.WeakKeyDictionary[type, bool] = weakref.WeakKeyDictionary()


def user_classes(value: Any) -> frozenset[type]:
    """The classes of the notebook and of modules under edit whose instances a value holds, at any
    depth, and those that it holds themselves.

    What a library's objects hold is seen as far as Python's garbage collector sees it, and in NumPy
    arrays of objects. It takes the longer the more objects the value consists of.
    """
    if type(value) in _PLAIN:
        return frozenset()
    found: set[type] = set()
    seen: set[int] = set()
    stack = [value]
    while stack:
        thing = stack.pop()
        kind = type(thing)
        if kind in _PLAIN or id(thing) in seen:
            continue
        seen.add(id(thing))
        cls = thing if issubclass(kind, type) else kind
        if _is_the_users(cls):
            found.add(cls)
        if cls is not thing:
            stack += _worth_a_look(_parts(thing, kind))
    return frozenset(found)


def superseded(classes: Iterable[type]) -> type | None:
    """The first of these classes whose name means another class by now, None where none does."""
    return next((cls for cls in classes if _is_superseded(cls)), None)


def holds_superseded(value: Any) -> bool:
    """Whether a value holds instances of a class whose name means another class by now."""
    return superseded(user_classes(value)) is not None


def _parts(thing: Any, kind: type) -> list[Any]:
    if kind is dict:
        return [*thing.keys(), *thing.values()]
    if kind in _CONTAINERS:
        return list(thing)
    if issubclass(kind, _NOT_FOLLOWED):
        return []
    if kind is types.FunctionType:  # not its globals, which are the whole notebook
        return [thing.__defaults__, thing.__kwdefaults__, *(thing.__closure__ or ())]
    if kind.__module__ == "numpy" and kind.__name__ == "ndarray":
        return list(thing.flat) if thing.dtype.hasobject else []
    parts = gc.get_referents(thing)
    with contextlib.suppress(AttributeError):  # without the class's own way to look it up
        own = object.__getattribute__(thing, "__dict__")
        if type(own) is dict:  # which the collector may not see
            parts += own.values()
    return [part for part in parts if part is not kind]


def _worth_a_look(parts: list[Any]) -> list[Any]:
    if len(parts) < _MANY:
        return parts
    return [] if _PLAIN.issuperset(map(type, parts)) else parts


def _is_the_users(cls: type) -> bool:
    known = _of_the_user.get(cls)
    if known is None:
        module = cls.__module__
        local = "<locals>" in cls.__qualname__  # each call of its function makes another anyway
        followed = isinstance(module, str) and origin_of_module(module).followed
        known = _of_the_user[cls] = followed and not local
    return known


def _is_superseded(cls: type) -> bool:
    module = sys.modules.get(cls.__module__)
    found: Any = module
    for name in cls.__qualname__.split("."):
        found = getattr(found, name, None)
    if found is cls or module is None:
        return False
    if isinstance(found, type):
        return True
    # It has another name than it says, as a named tuple may have, or none at all.
    named = [one for one in list(vars(module).values()) if isinstance(one, type)]
    same = [one for one in named if one.__qualname__ == cls.__qualname__]
    return bool(same) and all(one is not cls for one in same)
