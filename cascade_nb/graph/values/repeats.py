"""Tells which objects stand more than once in a value: what is done to one is seen at its other
places too, so that ``[[0]] * 2`` and ``[[0], [0]]`` are two values, however equal.

Only what can be changed counts. Whether two equal numbers, texts or dates are one object is an
accident of how they came to be.
"""

from __future__ import annotations

import copyreg
import enum
import functools
import sys
import types
from collections import deque
from collections.abc import Iterable, Sequence
from typing import Any, Final

from cascade_nb.graph.values.arrays import array_handler
from cascade_nb.graph.values.atoms import ATOMS, frame
from cascade_nb.graph.values.code_objects import is_kind_of_code
from cascade_nb.model.containers.attributes import attributes
from cascade_nb.model.lazy.lazy import Lazy

_MANY: Final = 1 << 18
"""Of so many objects the first are told apart; more would take memory like the value's own."""
_FLAT: Final = frozenset(ATOMS) - {bytearray}
_HOSTS: Final = frozenset({"IPython", "ipykernel"})
_FRAMES: Final = frozenset({"DataFrame", "Series"})
_ROWS: Final = frozenset({list, tuple})
_LEAVE: Final = object()


class _Kind(enum.Enum):
    """What there is to see in objects of one type."""

    FLAT = "nothing"
    FROZEN = "what is inside, whose places count; they are not changed themselves"
    OPEN = "what is inside, and they are changed themselves"


def repeats(value: Any) -> bytes:
    """Bytes that say at which places of `value` an object stands again; none where none does."""
    whole: type = type(value)
    if _kind(whole) is _Kind.FLAT or (whole in _ROWS and _FLAT.issuperset(map(type, value))):
        return b""
    places: dict[int, int] = {}  # of what can be changed: its number
    frozen: dict[int, int] = {}  # of what holds such: how many came before it
    found: list[int] = []
    met = 0
    left: list[Any] = [value]
    while left and met < _MANY:
        one = left.pop()
        if one is _LEAVE:
            place = left.pop()
            if frozen[place] == met:  # nothing in it can be changed, so it does not count
                frozen[place] = -1
            continue
        kind: type = type(one)
        sort = _kind(kind)
        if sort is _Kind.FLAT:
            continue
        place = id(one)
        if sort is _Kind.FROZEN:
            if place in frozen:
                if frozen[place] >= 0:
                    found += (met, frozen[place], 1)
                continue
            inside = _inside(one, kind)
            if inside:
                frozen[place] = met
                left += (place, _LEAVE)
                left.extend(reversed(inside))
            continue
        first = places.setdefault(place, met)
        if first != met:
            found += (met, first, 0)
        else:
            left.extend(reversed(_inside(one, kind)))
        met += 1
    return frame(b"&", b",".join(b"%d" % one for one in found)) if found else b""


def repeats_across(values: Iterable[Any]) -> bytes:
    """The same of several values, as the arguments of one call are."""
    several = [one for one in values if _kind(one.__class__) is not _Kind.FLAT]
    return repeats(tuple(several)) if len(several) > 1 else b""


def _inside(value: Any, kind: type) -> Sequence[Any]:
    """What can be seen inside an object, in an order that is the same in every process."""
    inside: Sequence[Any] = ()
    if issubclass(kind, (list, tuple, deque)):
        inside = _unless_flat(value)
    elif issubclass(kind, (dict, types.MappingProxyType)):
        inside = _unless_flat(value.values())  # keys are found by their hash: they do not change
    elif array_handler(kind) is not None:
        known = sys.modules.get("numpy")
        if known is None or kind is not known.ndarray or value.dtype.kind != "O":
            return ()
        return _unless_flat(value.ravel().tolist())
    if kind in _PLAIN:
        return inside
    return [*inside, *_unless_flat(attributes(value).values())]


def _unless_flat(values: Any) -> Sequence[Any]:
    kinds = set(map(type, values))
    flat = kinds <= _FLAT or all(_kind(kind) is _Kind.FLAT for kind in kinds)
    return () if flat else tuple(values)


_PLAIN: Final = frozenset({list, tuple, dict, deque, set, bytearray, types.MappingProxyType})


@functools.lru_cache(maxsize=4096)
def _kind(kind: type) -> _Kind:
    """Judged by its hash, as Python does: what has one by its content is not to be changed."""
    if kind in _FLAT or issubclass(kind, (Lazy, enum.Enum, frozenset)) or is_kind_of_code(kind):
        return _Kind.FLAT
    if issubclass(kind, (tuple, types.MappingProxyType)):
        return _Kind.FROZEN
    if kind.__hash__ is None or (kind.__name__ in _FRAMES and array_handler(kind) is not None):
        return _Kind.OPEN
    holds = bool(kind.__dictoffset__) or any("__slots__" in vars(one) for one in kind.__mro__[:-1])
    if not holds or not _is_made_of_attributes(kind):
        return _Kind.FLAT
    return _Kind.OPEN if kind.__hash__ is object.__hash__ else _Kind.FROZEN


def _is_made_of_attributes(kind: Any) -> bool:
    """Whether pickle would take its attributes, not a name or whatever else it says that it is."""
    if str(kind.__module__).partition(".")[0] in _HOSTS or kind in copyreg.dispatch_table:
        return False
    return kind.__reduce_ex__ is object.__reduce_ex__ and kind.__reduce__ is object.__reduce__
