"""What a value is worth: a key of its content, or the reason why it has none."""

from __future__ import annotations

import dataclasses
import itertools
import os
import sys
from typing import Any, Final, NewType

from cascade_nb.graph.code.code_key import reference
from cascade_nb.graph.values.arrays import size_of
from cascade_nb.graph.values.atoms import ATOMS, CannotKeyError, kind_of
from cascade_nb.graph.values.encoder import Encoder
from cascade_nb.model.lazy.lazy import Lazy

# Canonical bytes where those are short, else a digest under a tag: at most about 70 bytes.
ContentKey = NewType("ContentKey", bytes)

HEAVY: Final = 1 << 20
_SIZED: Final = (str, bytes, bytearray)
_LOOKED_AT: Final = 128
_SAMPLE: Final = 16
# What a Python object and a place in a collection cost beside a byte of an array, in time.
_OBJECT: Final = 256
_ITEM: Final = 32


@dataclasses.dataclass(frozen=True)
class Unkeyed:
    """A value that has no content which could be compared with another's.

    Attributes:
        what: the value with its article, and what inside it is in the way: "a list with a
            socket in it".
        why: the reason in words.
    """

    what: str
    why: str

    def __str__(self) -> str:
        return f"{self.what} cannot be keyed: {self.why}"


def content_key(value: Any) -> ContentKey | Unkeyed:
    """The key of what `value` says, the same in every process; or why there is none.

    Equal values of equal types have equal keys, with these decisions:

    - types count: ``1``, ``1.0`` and ``True`` differ, so do ``"a"`` and ``b"a"``, ``[1]`` and
      ``(1,)``;
    - floats and arrays count by their bits: ``0.0`` and ``-0.0`` differ, a NaN is like itself;
    - the order of a dict counts, since whoever goes through it sees it; that of a set does not,
      since it may be another in the next process;
    - a path counts by its resolved text and, if it exists, the size and `mtime_ns` of what is there
      (a folder's change when entries come and go, not when a file in it is written); a path given
      as text is text;
    - arrays count by dtype, shape, items, and the order in which they lie in memory, which decides
      what ``ravel("K")`` gives and in which order sums are made; whether they may be written to
      does not count, since a task's results are handed on read-only anyhow;
    - data frames count by labels, dtypes and items: how they lie in memory is the library's affair;
    - functions and classes count by `code_key`, an object by its class and by what pickle would
      keep;
    - locks, context variables and caches of weak references count by their kind.

    Sockets, open files, generators, lazy data frames and lazy values have no key.
    """
    atom = ATOMS.get(type(value))
    if atom is not None:
        return ContentKey(atom(value))
    return key_with(Encoder(reference, _not_computed), value)


def key_with(encoder: Encoder, value: Any) -> ContentKey | Unkeyed:
    """`content_key` by an encoder that may have seen parts of `value` before."""
    try:
        return ContentKey(encoder.encode(value))
    except CannotKeyError as error:
        return Unkeyed(whole(value, error), error.why)


def whole(value: Any, error: CannotKeyError) -> str:
    """`value` with what in it is in the way: "a socket", "a list with a socket in it"."""
    kind = kind_of(value)
    return kind if error.what == kind else f"{kind} with {error.what} in it"


def is_heavy(value: Any, limit: int = HEAVY) -> bool:
    """Whether making the key of `value` may cost more than reading `limit` bytes, or needs a disk.

    It looks at sizes only and at no more than a few hundred objects, so it is cheap for any value.
    A thousand bytes take about a microsecond.
    """
    if type(value) in ATOMS:
        return isinstance(value, _SIZED) and len(value) > limit
    budget: float = limit
    stack: list[tuple[Any, float]] = [(value, 1.0)]
    for _ in range(_LOOKED_AT):
        if not stack:
            break
        item, times = stack.pop()
        if isinstance(item, os.PathLike):
            return True  # its size and time are asked for
        size, inside, many = _size(item)
        budget -= size * times
        if budget < 0:
            return True
        # a few of many stand for all of them: large collections tend to be of one kind
        stack += [(one, times * many / len(inside)) for one in inside]
    return False


def _size(value: Any) -> tuple[int, list[Any], int]:
    """The cost of one object in bytes, some of the objects in it, and how many there are."""
    if type(value) in ATOMS:
        return len(value) if isinstance(value, _SIZED) else _ITEM, [], 0
    size = size_of(value)
    if size is not None:
        objects = getattr(getattr(value, "dtype", None), "hasobject", False)
        return size * (_OBJECT // 8 if objects else 1), [], 0
    held: Any = value
    if not isinstance(value, (list, tuple, set, frozenset, dict)):
        held = getattr(value, "__dict__", None)
        if not isinstance(held, dict) or isinstance(value, type):
            return sys.getsizeof(value, _OBJECT), [], 0
    inside = held.values() if isinstance(held, dict) else held
    some = list(itertools.islice(inside, _SAMPLE))
    return len(held) * _ITEM, some, len(held)


def _not_computed(value: Lazy) -> bytes:
    raise CannotKeyError(f"the lazy value {value.label}", "it is not computed yet")
