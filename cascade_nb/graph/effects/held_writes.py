"""Finds what a function carries along and changes in place: its defaults, and what a partial binds.

All calls of it have one such value, so that two threads lose each other's change, as with a global.
Variables of a function around it and the object of a bound method are not looked at: whoever
writes those has them at hand to look after them, and most of them count or note what goes on.
"""

from __future__ import annotations

import functools
import types
import weakref
from collections.abc import Iterator, Mapping
from typing import Any, Final

from cascade_nb.graph.code.instructions import instructions_of
from cascade_nb.graph.effects.global_writes import (
    CHANGERS,
    DEFAULT,
    WrittenGlobal,
)
from cascade_nb.graph.effects.self_changes import (
    MUTATORS,
    changes_argument,
    changes_named,
    has_a_guard,
    is_container,
    is_plain,
)
from cascade_nb.graph.uses.given import CONSTANT, GLOBAL
from cascade_nb.graph.uses.uses import nested, uses_of

_CONSTANTS: Final = frozenset({type(None), bool, int, float, complex, str, bytes})
_STORES: Final = frozenset({"STORE_FAST", "STORE_DEREF"})

_known: dict[int, tuple[weakref.ref[types.CodeType], Mapping[str, tuple[bool, ...]]]] = {}


def held_written(function: types.FunctionType) -> Iterator[WrittenGlobal]:
    """The defaults that a function changes in place."""
    code = function.__code__
    named = code.co_varnames[: code.co_argcount]
    defaults = function.__defaults__ or ()
    given = dict(zip(named[len(named) - len(defaults) :], defaults, strict=True))
    given.update(function.__kwdefaults__ or {})
    for name, value in given.items():
        if _changes_given(function, name, value):
            yield WrittenGlobal(name, f"{name} {DEFAULT} {id(value)}")


def bound_written(thing: Any) -> Iterator[WrittenGlobal]:
    """What a partial gives its function, which changes it."""
    if isinstance(thing, functools.partial) and isinstance(thing.func, types.FunctionType):
        code = thing.func.__code__
        named: Mapping[str, Any] = {
            **dict(zip(code.co_varnames[: code.co_argcount], thing.args, strict=False)),
            **thing.keywords,
        }
        for name, value in named.items():
            known = name in code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
            if known and _changes_given(thing.func, name, value):
                yield WrittenGlobal(name, f"{name} {DEFAULT} {id(value)}")


def _changes_given(function: types.FunctionType, name: str, value: Any) -> bool:
    """Whether a function changes what its parameter stands for, as long as that is what it was
    given.
    """
    if not is_container(value) and _never_changes(value):
        return False  # most defaults are a number or None, and nobody need read the code
    stores = _stores(function.__code__).get(name, ())
    if not all(stores):
        return False
    return (bool(stores) and is_container(value)) or _changes(function, name, value)


def _changes(function: types.FunctionType, name: str, value: Any) -> bool:
    if _never_changes(value):
        return False
    if changes_named(function, name, value):
        return True
    for use in uses_of(function.__code__):
        for place, given in enumerate(use.given):
            if given.kind in (GLOBAL, CONSTANT) or given.name != name:
                continue
            by_class = len(use.names) == 2 and use.names[1] in MUTATORS
            if (use.names[-1] in CHANGERS or by_class) and not place:
                return True
            called = function.__globals__.get(use.names[0]) if len(use.names) == 1 else None
            if isinstance(called, types.FunctionType) and changes_argument(called, place, value):
                return True
    return False


def _never_changes(value: Any) -> bool:
    return type(value) in _CONSTANTS or is_plain(value) or has_a_guard(value)


def _stores(code: types.CodeType) -> Mapping[str, tuple[bool, ...]]:
    """By name of its own, for each value that a body binds to it whether it is what was there, with
    more in it: ``rows += […]``; worked out once for each object.
    """
    known = _known.get(id(code))
    if known is not None and known[0]() is code:
        return known[1]
    found: dict[str, tuple[bool, ...]] = {}
    for part in nested(code):
        before = ""
        for one in instructions_of(part):
            if one.opname in _STORES:
                found[one.argval] = (*found.get(one.argval, ()), before.endswith("="))
            if one.opname != "CACHE":
                in_place = one.opname.startswith("INPLACE_")
                before = "+=" if in_place else one.argrepr if one.opname == "BINARY_OP" else ""
    key = id(code)
    _known[key] = (weakref.ref(code, lambda _: _known.pop(key, None)), found)
    return found
