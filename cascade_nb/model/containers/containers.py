"""Tells which kind of container a value is, and whether something stands anywhere inside it."""

from __future__ import annotations

import functools
import gc
import types
import weakref
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable
from itertools import chain, compress
from typing import Any, Final

from cascade_nb.model.containers.arrays import array_kind, there_may_be_arrays
from cascade_nb.model.containers.attributes import attributes, lazy_attributes
from cascade_nb.model.containers.kinds import (
    ARRAY,
    CLASS,
    FRAME,
    FUNCTION,
    METHOD,
    NAMESPACE,
    OUT_OF_REACH,
    PARTIAL,
    PLAIN_OBJECT,
    PROXY,
    SLICE,
    WITH_ATTRIBUTES,
    ContainerKind,
    dict_kind,
    dict_spread,
    fixed_kind,
    items_kind,
)

_HAS_GC: Final = 1 << 14
_TOOLS: Final = frozenset(
    {"IPython", "ipykernel", "ipywidgets", "traitlets", "logging", "threading", "asyncio",
     "concurrent", "multiprocessing", "cascade_nb"}
)  # fmt: skip
_OWN: Final = "PartialTask"  # the only class of this library that holds what the user gave it
_LEAVES: Final = (str, bytes, bytearray, int, float, complex, range)


# Of these Python itself keeps apart those that hold nothing but what its collector has no interest
# in: plain values, and arrays.
_SPARSE: Final = frozenset({tuple, dict})
_EMPTY: Final = frozenset({int, float, bool, str, bytes, type(None)})
_KINDS: Final[weakref.WeakKeyDictionary[type, ContainerKind | None]] = weakref.WeakKeyDictionary()


def container_kind(cls: type) -> ContainerKind | None:
    """How values of `cls` are taken apart; None for what has nothing inside."""
    try:
        return _KINDS[cls]
    except KeyError:
        kind = _KINDS[cls] = _find_kind(cls)
        return kind


def holds(value: Any, marker: type) -> bool:
    """Whether an instance of `marker` stands anywhere inside `value`, or is it.

    It goes by levels and asks for the types of all that stands on one at once, so that a list of
    millions of rows takes a hundredth of a second per million objects.
    """
    if issubclass(type(value), marker):
        return True
    level: dict[type, list[Any]] = {type(value): [value]}
    seen: set[int] = set()
    while level:
        below: dict[type, list[Any]] = {}
        for cls, group in level.items():
            kind = container_kind(cls)
            if kind is None:
                continue
            spread = kind.spread or functools.partial(_spread, kind.parts)
            inside = set(map(type, spread(group)))
            alike = len(inside) == 1
            if kind is PLAIN_OBJECT:
                inside.discard(type)  # each object knows its class
                of_class = lazy_attributes(cls)
                if of_class and not all(of_class.keys() <= attributes(one).keys() for one in group):
                    return True
            if any(issubclass(one, marker) for one in inside):
                return True
            open_ones = [
                one for one in inside if one not in _EMPTY and container_kind(one) is not None
            ]
            if not open_ones:
                continue
            fresh = [one for one in group if id(one) not in seen]  # what holds itself ends here
            seen.update(map(id, fresh))
            for one in open_ones:
                parts: Iterable[Any] = spread(fresh)
                if one in _SPARSE and not there_may_be_arrays():
                    parts = compress(parts, map(gc.is_tracked, spread(fresh)))
                if not alike:
                    parts = [part for part in parts if type(part) is one]
                below.setdefault(one, []).extend(parts)
        level = below
    return False


def _spread(parts: Callable[[Any], list[Any]], values: Iterable[Any]) -> Iterable[Any]:
    return chain.from_iterable(map(parts, values))


def _find_kind(cls: type) -> ContainerKind | None:
    if cls in _EXACT:
        return _EXACT[cls]
    module = str(getattr(cls, "__module__", "")).partition(".")[0]
    if module in _TOOLS and cls.__name__ != _OWN:
        return None
    if issubclass(cls, type):
        return CLASS
    if issubclass(cls, types.ModuleType) or hasattr(cls, "_member_map_"):  # enumerations
        return None
    for base, make_kind in _BASES.items():
        if issubclass(cls, base):
            return make_kind(base)
    special = array_kind(cls)
    if special == "frame":
        return FRAME
    if special is not None:
        return None if special == "none" else ARRAY
    if issubclass(cls, _LEAVES):
        return WITH_ATTRIBUTES if _has_attributes(cls) else None
    if _can_be_made_bare(cls):
        return PLAIN_OBJECT
    if not cls.__flags__ & _HAS_GC:
        return None
    return OUT_OF_REACH


def _has_attributes(cls: type) -> bool:
    return bool(cls.__dictoffset__) or any("__slots__" in vars(base) for base in cls.__mro__[:-1])


def _can_be_made_bare(cls: type) -> bool:
    """Whether all that an instance is made of are attributes that Python can list."""
    if hasattr(cls, "__del__") or not _has_attributes(cls):
        return False  # what cleans up after itself must not do so twice
    try:
        object.__new__(cls)
    except TypeError:  # a class with memory of its own
        return False
    return True


_BASES: Final[dict[type, Callable[[Any], ContainerKind]]] = {
    list: items_kind,
    tuple: fixed_kind,
    OrderedDict: dict_kind,
    dict: dict_kind,
    set: items_kind,
    frozenset: fixed_kind,
    deque: items_kind,
    types.SimpleNamespace: lambda base: NAMESPACE,
    functools.partial: lambda base: PARTIAL,
}
_EXACT: Final[dict[type, ContainerKind | None]] = {
    **dict.fromkeys(
        (*_LEAVES, types.ModuleType, type(None), bool, type(len), type(Ellipsis)), None
    ),
    **dict.fromkeys((types.CodeType, types.FrameType, types.TracebackType), None),
    list: items_kind(list)._replace(spread=chain.from_iterable),
    tuple: fixed_kind(tuple)._replace(spread=chain.from_iterable),
    set: items_kind(set)._replace(spread=chain.from_iterable),
    frozenset: fixed_kind(frozenset)._replace(spread=chain.from_iterable),
    dict: dict_kind(dict)._replace(spread=dict_spread),
    types.FunctionType: FUNCTION,
    types.MethodType: METHOD,
    slice: SLICE,
    types.MappingProxyType: PROXY,
}
