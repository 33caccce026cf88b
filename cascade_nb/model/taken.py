"""Arguments as they were at the call: a list that is appended to afterwards does not change it."""

from __future__ import annotations

import operator
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Mapping
from typing import Any, Final

from cascade_nb.model.containers import kind_of
from cascade_nb.model.isolation import Copying
from cascade_nb.model.plainness import FROZEN
from cascade_nb.model.policy import NOTHING

FEW: Final = 1_000  # parts of what is not flat up to which it is copied at the call
_REMEMBERED: Final = 16
_recent: Final[dict[int, tuple[Any, Any]]] = {}


def taken(
    args: tuple[Any, ...], named: Mapping[str, Any] = NOTHING
) -> tuple[tuple[Any, ...], Mapping[str, Any]]:
    """Arguments as they are now, by place and by name: lists, dicts and sets that may be changed
    later are copied, and what is one thing in the call stays one thing.

    Flat ones of any size are copied, and calls that are given the same unchanged one share a copy,
    so that it is looked at once. Of what is nested, only what is small is copied.
    """
    if not named and _TAKEN.isdisjoint(map(type, args)):
        return args, named  # nearly always
    wanted = [value for value in (*args, *named.values()) if value.__class__ in _TAKEN]
    if not wanted:
        return args, named
    copying = Copying()
    flat = [value for value in wanted if _is_flat(value)]
    for value in flat:
        copying.keep(value, _flat(value))
    ours = {id(value) for value in flat}
    ours |= {id(value) for value in wanted if id(value) not in ours and _is_small(value)}

    def own(value: Any) -> Any:
        return copying.of(value) if id(value) in ours else value

    return tuple(map(own, args)), {name: own(value) for name, value in named.items()}


def _is_flat(value: Any) -> bool:
    if value.__class__ is bytearray:
        return True
    held = value.values() if isinstance(value, dict) else ()
    return set(map(type, value)) <= FROZEN and set(map(type, held)) <= FROZEN


def _flat(value: Any) -> Any:
    known = _recent.get(id(value))
    if known is not None and known[0] is value and _same(value, known[1]):
        return known[1]
    copy = value.copy()
    if len(_recent) >= _REMEMBERED:
        _recent.clear()
    _recent[id(value)] = value, copy
    return copy


def _same(value: Any, copy: Any) -> bool:
    """Whether nothing was changed since `copy` was made."""
    if len(value) != len(copy):
        return False
    if value.__class__ is bytearray:
        return bool(value == copy)
    if isinstance(value, dict) and not all(map(operator.is_, value.values(), copy.values())):
        return False
    return all(map(operator.is_, value, copy))


def _is_small(value: Any) -> bool:
    """Whether all that stands in `value` are containers, and few parts."""
    stack, count = [value], 0
    while stack:
        one = stack.pop()
        kind = None if one.__class__ in FROZEN else kind_of(type(one))
        if kind is None:
            continue
        if one.__class__ not in _TAKEN and one.__class__ is not tuple:
            return False  # an object: whose changes are meant, or seen when it is keyed
        if _is_flat(one):
            count += 1
            continue
        parts = kind.parts(one)
        count += len(parts)
        if count > FEW:
            return False
        stack += parts
    return True


_TAKEN: Final = frozenset({list, dict, set, deque, defaultdict, OrderedDict, Counter, bytearray})
