"""Takes a glance at what a value holds, by which a microsecond later tells whether it still does.

It is for what is asked again and again of values that rarely change. What is inside is compared by
identity: what was put there, taken away or exchanged is seen, in containers and objects inside too,
and in small arrays whatever was written. Of what is large its size and a few of its parts count.
Nothing of the user's runs for it.
"""

from __future__ import annotations

import operator
import sys
from collections import deque
from collections.abc import Callable
from functools import partial
from itertools import islice
from typing import Any, Final

from cascade_nb.model.containers.attributes import attributes
from cascade_nb.model.containers.containers import container_kind
from cascade_nb.model.containers.kinds import NAMESPACE, PLAIN_OBJECT
from cascade_nb.model.copying.immutable import FROZEN

MANY: Final = 64
"""Parts up to which all of them are compared, of one container and of a value."""
BYTES: Final = 4_096
"""The same for what an array has in memory."""

# Something to be compared by `==`, and parts to be compared by identity.
_Held = tuple[object, tuple[Any, ...]]


class Glance:
    """What a value held when this was made.

    Args:
        value: it.

    Attributes:
        value: it.

    Example:
        >>> rows = [[1], [2]]
        >>> glance = Glance(rows)
        >>> glance.holds()
        True
        >>> rows[1].append(3)
        >>> glance.holds()
        False
    """

    __slots__ = ("_parts", "value")

    def __init__(self, value: Any) -> None:
        self.value = value
        self._parts: list[tuple[Any, Callable[[Any], _Held], _Held]] = []
        left, todo, seen = MANY, [value], set[int]()
        while todo and left > 0:
            one = todo.pop()
            look = None if type(one) in FROZEN or id(one) in seen else _way(one)
            if look is not None:
                seen.add(id(one))
                held = _held(look, one)
                self._parts.append((one, look, held))
                todo += held[1]
                left -= len(held[1]) + 1

    def holds(self) -> bool:
        """Whether the value holds the same, as far as can be told."""
        for one, look, (size, parts) in self._parts:
            size_now, now = _held(look, one)
            if size_now != size or not all(map(operator.is_, now, parts)):
                return False
        return True


def may_change(value: object) -> bool:
    """Whether it is of a kind of which a glance tells something."""
    return _way(value) is not None


def _held(look: Callable[[Any], _Held], value: Any) -> _Held:
    try:
        return look(value)
    except RuntimeError:  # a dict that grew while it was gone through
        return (object(), ())


def _way(value: object) -> Callable[[Any], _Held] | None:
    kind = type(value)
    known = _WAYS.get(kind)
    if known is not None:
        return known
    for base in _WAYS:
        if issubclass(kind, base):  # what it says itself of what it holds is not asked
            return partial(_of_subclass, base)
    if container_kind(kind) in _OF_ATTRIBUTES:
        return _of_attributes
    numpy = sys.modules.get("numpy")
    return _of_array if numpy is not None and kind is numpy.ndarray else None


def _of_sequence(value: Any) -> _Held:
    many = len(value)
    return many, tuple(value) if many <= MANY else (value[0], value[many // 2], value[-1])


def _of_set(value: Any) -> _Held:
    return len(value), tuple(value) if len(value) <= MANY else ()


def _of_dict(value: dict[Any, Any]) -> _Held:
    many = len(value)
    if many <= MANY:
        return many, (*value, *value.values())
    last = next(reversed(value))
    return many, (last, dict.__getitem__(value, last))


def _of_attributes(value: Any) -> _Held:
    held = attributes(value)
    return len(held), (*held, *held.values())


def _of_subclass(base: Any, value: Any) -> _Held:
    many, parts = base.__len__(value), tuple(islice(base.__iter__(value), MANY))
    if issubclass(base, dict):
        parts += tuple(islice(dict.values(value), MANY))
    return many, (*parts, *attributes(value).values())


def _of_bytes(value: bytearray) -> _Held:
    return (bytes(value) if len(value) <= BYTES else (len(value), value[:8], value[-8:])), ()


def _of_array(value: Any) -> _Held:
    if value.dtype.hasobject:
        return value.shape, tuple(value.flat[:MANY].tolist())
    if value.nbytes <= BYTES:
        return (value.shape, value.tobytes()), ()
    some = value.ravel("K")[:: value.size // MANY] if value.flags.forc else value[:1]
    return (value.shape, some.tobytes()), ()


_WAYS: Final[dict[type, Callable[[Any], _Held]]] = {
    list: _of_sequence,
    tuple: _of_sequence,
    deque: _of_sequence,
    set: _of_set,
    dict: _of_dict,
    bytearray: _of_bytes,
}
_OF_ATTRIBUTES: Final = (PLAIN_OBJECT, NAMESPACE)
