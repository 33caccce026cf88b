"""Captures arguments as they are at the call: what is changed afterwards does not change what runs.

What is small is copied, as a result is for each of its readers. What is large stays the user's own
and is watched: if it is changed, the task refuses to run. What says itself how it is copied, or may
stand for more than it holds (a connection, a lock, a function), is handed on as it is.
"""

from __future__ import annotations

import operator
import sys
import weakref
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Iterable, Mapping
from enum import Enum
from itertools import chain
from types import FunctionType
from typing import Any, Final

from cascade_nb.errors import TaskCallError
from cascade_nb.model.arguments.inputs import CALLS
from cascade_nb.model.arguments.watched import Places, WatchedArgument, name_at
from cascade_nb.model.containers.arrays import array_kind
from cascade_nb.model.containers.kinds import ContainerKind, attribute_values
from cascade_nb.model.copying.immutable import FROZEN
from cascade_nb.model.copying.isolation import Copying, way_of
from cascade_nb.model.copying.library_copiers import (
    COPIES_WELL,
    copies_on_write,
    is_buffer,
    library_of,
    own_copier,
)
from cascade_nb.model.copying.read_once import is_read_once
from cascade_nb.model.copying.stamps import content_stamp
from cascade_nb.model.lazy.any_task import AnyTask
from cascade_nb.model.resources import Injected

FEW: Final = 1_000
"""Parts of what is not flat up to which it is copied at the call …"""
ROOM: Final = 1 << 20
"""… and bytes of the arrays and buffers in it."""
SHARED: Final = 50
"""Parts from which on calls share a copy."""
SETTLED: Final = FROZEN | CALLS | {Injected, FunctionType}
"""Classes whose values are taken as they are."""

_shared: Final[weakref.WeakValueDictionary[tuple[int, type], WatchedArgument]] = (
    weakref.WeakValueDictionary()
)
"""By the user's own value, what the last call made of it."""
_private: Final[weakref.WeakValueDictionary[int, WatchedArgument]] = weakref.WeakValueDictionary()
"""By a copy that nobody else has, what is known of it."""


def captured(
    task: AnyTask,
    args: tuple[Any, ...],
    named: Mapping[str, Any],
    ours: Iterable[str] = (),
) -> tuple[tuple[Any, ...], Mapping[str, Any], Places]:
    """Arguments as they are now, by place and by name, and what is known of the large ones.

    What is one thing in the call stays one thing. Flat containers of any size are copied, and calls
    that are given the same unchanged one share a copy, so that it is hashed once.

    Args:
        ours: names of lists that nobody else has, though others may have what is in them.

    Raises:
        TaskCallError: an argument can be gone through only once.
    """
    changeable = [v for v in (*args, *named.values()) if v.__class__ not in SETTLED]
    if not changeable:
        return args, named, ()
    capture = _Capture(task, [named[name] for name in ours], len(changeable) == 1)
    own = [
        value if value.__class__ in SETTLED else capture.own(place, value)
        for place, value in enumerate(args)
    ]
    if named:
        named = {
            name: value if value.__class__ in SETTLED else capture.own(name, value)
            for name, value in named.items()
        }
    return tuple(own), named, tuple(capture.records)


class ReadOnceError(TaskCallError):
    """A task was given what can be gone through only once."""


class _Way(Enum):
    """How values of one class are weighed."""

    NOTHING = 0  # it is handed on, or nothing in it counts
    ONCE = 1
    ARRAY = 2
    FRAME = 3
    BUFFER = 4
    ATTRIBUTES = 5
    KIND = 6


class _Capture:
    """The arguments of one call on their way."""

    def __init__(self, task: AnyTask, ours: list[Any], alone: bool) -> None:
        self._task = task
        self._ours = frozenset(map(id, ours))
        self._alone = alone
        self._copying = Copying(own_arrays=True)
        self._of: dict[int, Places] = {}
        self.records: list[tuple[int | str, WatchedArgument]] = []

    def own(self, where: int | str, value: Any) -> Any:
        """What the call holds in the place of `value`."""
        if _way(type(value)) is _Way.NOTHING:
            return value
        if self._copying.has(value):  # one thing, given twice
            self.records += [(where, record) for _, record in self._of.get(id(value), ())]
            return self._copying.of(value)
        if is_fixed(value):
            return self._flat(where, value)
        if _holds_settled(value):  # such as the lazy values of a fan-in: nothing to look into
            return self._copying.keep(value, value if type(value) is tuple else value.copy())
        large, count = self._large_in(where, value)
        if self._alone and not large and count > SHARED:
            return self._sharing(where, value)
        records: list[tuple[int | str, WatchedArgument]] = []
        for one in large:
            self._copying.keep(one, one)
            records.append((where, self._watched(one)))
        self._of[id(value)] = tuple(records)
        self.records += records
        return self._copying.of(value)

    def _flat(self, where: int | str, value: Any) -> Any:
        ours = id(value) in self._ours or isinstance(value, tuple)
        if len(value) <= SHARED:
            return value if ours else self._copying.of(value)
        record = _private.get(id(value))
        if record is None or record.own is not value:
            record = _shared.get((id(value), type(value)))
            if record is None or not _same(value, record.own):
                record = WatchedArgument(value if ours else value.copy(), watch=False)
                _shared[id(value), type(value)] = _private[id(record.own)] = record
        self.records.append((where, record))
        return self._copying.keep(value, record.own)

    def _watched(self, value: Any) -> WatchedArgument:
        record = _shared.get((id(value), type(value)))
        if record is None or record.own is not value or not record.of_this_moment:
            record = WatchedArgument(value, watch=True, live=array_kind(type(value)) == "array")
            _shared[id(value), type(value)] = record
        return record

    def _sharing(self, where: int | str, value: Any) -> Any:
        """A copy that is shared with other calls that are given the same unchanged one."""
        record = _shared.get((id(value), type(value)))
        stamp = content_stamp(value)
        if record is None or record.of_stamp != stamp:
            record = WatchedArgument(self._copying.of(value), watch=False)
            record.of_stamp = stamp
            _shared[id(value), type(value)] = _private[id(record.own)] = record
        self.records.append((where, record))
        return self._copying.keep(value, record.own)

    def _large_in(self, where: int | str, value: Any) -> tuple[list[Any], int]:
        """What in `value` is too large to be copied, itself, or arrays and buffers inside; and how
        many parts it has.
        """
        stack, seen = [value], set[int]()
        count, room = 0, ROOM
        large: list[Any] = []
        while stack:
            one = stack.pop()
            cls = type(one)
            if cls in SETTLED or id(one) in seen:
                continue
            way = _way(cls)
            if way is _Way.NOTHING:
                continue
            seen.add(id(one))
            if way is _Way.ONCE:
                self._refuse(where, one)
            if way in (_Way.KIND, _Way.ATTRIBUTES):
                if one is not value and is_fixed(one):
                    count += 1
                else:
                    count += len(one) if hasattr(cls, "__len__") and isinstance(one, _SIZED) else 0
                    if count <= FEW:
                        found = way_of(cls)
                        parts = found.parts(one) if isinstance(found, ContainerKind) else None
                        parts = attribute_values(one) if parts is None else parts
                        count += 0 if isinstance(one, _SIZED) else len(parts)
                        stack += parts
                if count > FEW:
                    return [value], count
                continue
            size = _bytes_of(one, way)
            if size > room:
                large.append(one)
                continue
            room -= size
            if way is _Way.ARRAY and one.dtype.hasobject:
                if one.size > FEW:
                    return [value], count
                count += one.size
                stack += one.ravel().tolist()
        return large, count

    def _refuse(self, where: int | str, value: Any) -> None:
        task, kind = self._task, type(value).__name__
        article = "an" if kind[:1].lower() in "aeiou" else "a"
        raise ReadOnceError(
            f"{task.name}(…): argument {name_at(task.signature, where)} is or holds {article} "
            f"{kind}, which can be gone through only once, so that a second attempt or a later "
            "run would find it empty; give a list, or make it in the task"
        )


def is_fixed(value: Any) -> bool:
    """Whether it is a container of Python's own that holds nothing anybody could change."""
    cls = type(value)
    if cls not in _FLAT:
        return False
    return _are_fixed(value) and not (isinstance(value, dict) and not _are_fixed(value.values()))


def are_captured_as_they_are(values: Iterable[Any]) -> bool:
    """Whether `captured` copies each of these values without a look into it, if at all.

    So no list of lazy values, as in a fan-in, needs a snapshot of its own before.
    """
    return all(value.__class__ in SETTLED or _holds_settled(value) for value in values)


def _holds_settled(value: Any) -> bool:
    """Whether it is a container of Python's own whose items are taken as they are."""
    cls = type(value)
    if cls not in _FLAT or not SETTLED.issuperset(map(type, value)):
        return False
    return not isinstance(value, dict) or SETTLED.issuperset(map(type, value.values()))


def _are_fixed(items: Iterable[Any]) -> bool:
    """Whether they are immutable values, and tuples of such."""
    kinds = set(map(type, items))
    while not kinds <= FROZEN:
        if not kinds <= _WITH_TUPLES:
            return False
        # Nothing here is done row by row in Python: there may be millions.
        rows = items if kinds == _TUPLES else [one for one in items if type(one) is tuple]
        kinds = set(map(type, chain.from_iterable(rows)))
        items = list(chain.from_iterable(rows)) if tuple in kinds else ()
    return True


def _same(value: Any, copy: Any) -> bool:
    """Whether nothing was changed since `copy` was made."""
    if len(value) != len(copy):
        return False
    if isinstance(value, dict) and not all(map(operator.is_, value.values(), copy.values())):
        return False
    return all(map(operator.is_, value, copy))


def _way(cls: type) -> _Way:
    try:
        return _ways[cls]
    except KeyError:
        way = _ways[cls] = _find_way(cls)
        return way


def _find_way(cls: type) -> _Way:
    if is_read_once(cls):
        return _Way.ONCE
    way = way_of(cls)
    if way is None:
        return _Way.NOTHING
    if isinstance(way, ContainerKind):
        return _Way.KIND
    kind = array_kind(cls)
    if kind == "array":
        return _Way.ARRAY
    if kind == "frame":
        return _Way.FRAME
    if library_of(cls) in COPIES_WELL or own_copier(cls) is way:
        return _Way.ATTRIBUTES
    return _Way.BUFFER


def _bytes_of(value: Any, way: _Way) -> int:
    """How many bytes a copy would have."""
    if way is _Way.FRAME:
        pandas = sys.modules["pandas"]
        if isinstance(value, pandas.Index) or copies_on_write(pandas):
            return 0
        usage = value.memory_usage()
        return int(usage if isinstance(usage, int) else usage.sum())
    if hasattr(value, "nbytes"):
        return int(value.nbytes)
    return len(value) * getattr(value, "itemsize", 1) if is_buffer(value) else 0


_FLAT: Final = frozenset({list, dict, set, deque, defaultdict, OrderedDict, Counter, tuple})
_TUPLES: Final = frozenset({tuple})
_WITH_TUPLES: Final = FROZEN | _TUPLES
_SIZED: Final = (list, tuple, dict, set, frozenset, deque)
_ways: Final[weakref.WeakKeyDictionary[type, _Way]] = weakref.WeakKeyDictionary()
