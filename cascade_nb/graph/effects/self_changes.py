"""Tells which methods change the object that they are called on: a model that is fitted, a counter
of the user's own.

A class of the user's is judged by what its methods store, one of a library by the names of what is
known to. An object with a lock in it looks after itself.
"""

from __future__ import annotations

import array
import io
import queue
import sys
import threading
import types
from collections import Counter, OrderedDict, defaultdict, deque
from typing import Any, Final

from cascade_nb.graph.code.origin import is_followed
from cascade_nb.graph.uses.uses import IN_PLACE, ITEM, uses_of_parameter
from cascade_nb.graph.values.means import LOCKS
from cascade_nb.model.containers.attributes import attributes

_MISSING: Final = object()
_CONTAINERS: Final = (
    list, dict, set, bytearray, deque, defaultdict, OrderedDict, Counter, array.array
)  # fmt: skip
MUTATORS: Final = frozenset(
    {"append", "appendleft", "extend", "extendleft", "insert", "remove", "pop", "popleft"}
    | {"popitem", "clear", "sort", "reverse", "rotate", "update", "setdefault", "add", "discard"}
    | {"subtract", "move_to_end", "difference_update", "intersection_update"}
    | {"symmetric_difference_update", "__setitem__", "__delitem__", IN_PLACE}
)
_OF_STREAMS: Final = frozenset({"seek", "truncate", "read", "readline", "readlines", "readinto"})
_OF_ARRAYS: Final = frozenset({"fill", "sort", "partition", "put", "itemset", "resize", IN_PLACE})
_OF_FRAMES: Final = frozenset({"insert", "pop", "update"})
# By a method that objects of a kind have: which of their methods change them.
_OF_KINDS: Final = {
    "get_params": frozenset(
        {"fit", "fit_transform", "fit_predict", "partial_fit", "fit_resample", "set_params"}
    ),
    "train_on_batch": frozenset({"fit", "train_on_batch", "compile", "load_weights"}),
    "getEffectiveLevel": frozenset(
        {"setLevel", "addHandler", "removeHandler", "addFilter", "removeFilter"}
    ),
    "executescript": frozenset({"execute", "executemany", "executescript", "commit", "rollback"}),
    "zero_grad": frozenset({"zero_grad", "step", "load_state_dict", "train", "eval"}),
}
_GUARDS: Final = (*LOCKS, threading.Event, queue.Queue)


def is_container(value: Any) -> bool:
    """Whether it is a plain container, which can be changed in place."""
    return type(value) in _CONTAINERS


def held_in(value: Any, path: list[str]) -> Any:
    """What attributes of objects lead to, without running code of the user's; a value that nobody
    else has where they lead to nothing that an object holds.
    """
    for name in path:
        value = _MISSING if is_plain(value) else attributes(value).get(name, _MISSING)
    return value


def is_changed_by(value: Any, path: list[str]) -> bool:
    """Whether calling a method of an object or a class, or of what it holds, changes it.

    Args:
        value: what the path begins at.
        path: attributes, the last of which is the method.
    """
    if ITEM in path:  # of which nobody knows what it will be
        return path[-1] in MUTATORS
    inner, method = held_in(value, path[:-1]), path[-1]
    if len(path) > 1 and not is_plain(value) and has_a_guard(value):
        return False
    if type(inner) in _CONTAINERS:
        return method in MUTATORS
    return _is_changed(inner, method, set())


def _is_changed(value: Any, method: str, seen: set[int]) -> bool:
    owner = value if issubclass(type(value), type) else type(value)
    found = next((vars(one)[method] for one in owner.__mro__ if method in vars(one)), None)
    if owner is value:  # a class: only its own methods get it
        found = found.__func__ if isinstance(found, classmethod) else None
    function: Any = found
    if not isinstance(function, types.FunctionType) or not is_followed(function.__globals__):
        return owner is not value and method in _known_to_change(value)
    if id(function) in seen or (owner is not value and has_a_guard(value)):
        return False
    code = function.__code__
    return bool(code.co_argcount) and _changes(function, code.co_varnames[0], value, seen)


def changes_argument(function: types.FunctionType, place: int, value: Any) -> bool:
    """Whether a function of the user's changes what it is given at a place, a container or an
    object.
    """
    code = function.__code__
    if place >= code.co_argcount or is_plain(value) or has_a_guard(value):
        return False
    return _changes(function, code.co_varnames[place], value, set())


def changes_named(function: types.FunctionType, name: str, value: Any) -> bool:
    """Whether a function changes what a name of its own stands for: a parameter, a variable of a
    function around it.
    """
    return _changes(function, name, value, set())


def _changes(function: types.FunctionType, name: str, value: Any, seen: set[int]) -> bool:
    """Whether a body changes what its parameter `name` stands for."""
    seen.add(id(function))
    for use in uses_of_parameter(function.__code__, name):
        path = list(use.names[1:])
        if use.how == "=":
            return True
        if not path:
            continue
        if ITEM in path:
            if path[-1] in MUTATORS:
                return True
            continue
        inner = value if is_plain(value) else held_in(value, path[:-1])
        if type(inner) in _CONTAINERS:
            if path[-1] in MUTATORS:
                return True
        elif inner is not _MISSING and _is_changed(inner, path[-1], seen):
            return True
    return False


def is_plain(value: Any) -> bool:
    """Whether it is code, whose attributes are no state of an object."""
    return issubclass(type(value), (type, types.FunctionType, types.ModuleType))


def _known_to_change(value: Any) -> frozenset[str]:
    kind = type(value)
    if issubclass(kind, io.IOBase):
        return _OF_STREAMS
    for library, names, methods in (
        ("numpy", ("ndarray",), _OF_ARRAYS),
        ("pandas", ("DataFrame", "Series"), _OF_FRAMES),
    ):
        known = sys.modules.get(library)
        if known is not None and any(issubclass(kind, getattr(known, one, ())) for one in names):
            return methods
    return frozenset().union(*(names for mark, names in _OF_KINDS.items() if _has(kind, mark)))


def _has(kind: type, name: str) -> bool:
    return any(name in vars(one) for one in kind.__mro__)


def has_a_guard(value: Any) -> bool:
    """Whether it looks after itself."""
    return any(issubclass(type(one), _GUARDS) for one in attributes(value).values())
