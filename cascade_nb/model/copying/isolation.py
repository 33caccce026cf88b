"""Copies a result for each task, caller and later run that reads it, so that none sees what another
changed.

What a task returns is copied once, by `kept_copy`, and that copy is never handed out: everybody who
reads it is given a `reader_copy`. What cannot be changed is handed on as it is; containers are
copied, and what stands twice in one stands twice in the copy; large arrays are read-only, so that a
change is an error and not somebody else's wrong value; frames are copied on write.
"""

from __future__ import annotations

import weakref
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any, Final, TypeVar

from cascade_nb.concurrency.threads import run_in_thread
from cascade_nb.model.containers.arrays import array_kind
from cascade_nb.model.containers.containers import container_kind
from cascade_nb.model.containers.kinds import PLAIN_OBJECT, ContainerKind
from cascade_nb.model.copying.elsewhere import Elsewhere
from cascade_nb.model.copying.immutable import FROZEN, is_data, is_frozen_data
from cascade_nb.model.copying.library_copiers import Copier, library_copier, own_copier
from cascade_nb.model.copying.read_once import check_readable
from cascade_nb.model.lazy.lazy import Lazy

Place = TypeVar("Place")

_WAYS: Final[weakref.WeakKeyDictionary[type, Copier | ContainerKind | None]] = (
    weakref.WeakKeyDictionary()
)
_FLAT: Final[Mapping[type, Callable[[Any], Any]]] = {
    list: list.copy,
    set: set.copy,
    tuple: lambda value: value,
    frozenset: lambda value: value,
}


_QUICK: Final = 1_000  # parts that are copied in microseconds
_SIZED: Final[tuple[Any, ...]] = (list, tuple, dict, set, frozenset, deque)
_HASHED: Final = (dict, set, frozenset)


def kept_copy(result: Any) -> Any:
    """A copy of a result to keep, since whoever made it may still hold it and change it.

    Raises:
        ResultError: it, or something in it, can be read only once or not at all.
    """
    if type(result) in FROZEN:
        return result
    return Copying(born=True).of(result)


def reader_copy(value: Any) -> Any:
    """A copy of `value` for one reader; `value` itself where nobody can change it."""
    if type(value) in FROZEN:
        return value
    return Copying().of(value)


async def reader_copy_beside(value: Any) -> Any:
    """The same on a loop: a copy that takes longer is made in a thread beside it."""
    if are_quick_to_copy((value,)):
        return reader_copy(value)
    return await run_in_thread(partial(reader_copy, value))


def each_its_own(values: Mapping[Place, Any], places: Iterable[Place]) -> dict[Place, Any]:
    """Copies of those of several results that stand at these places."""
    return {place: reader_copy(values[place]) for place in places}


def come_again(values: Mapping[Place, Any], keys: Mapping[Place, str]) -> list[Place]:
    """The places of those results that could be changed and whose key came before.

    What is kept of equal calls is one object, but each call gives one of its own.
    """
    seen: set[str] = set()
    again = []
    for place, value in values.items():
        if type(value) in FROZEN:
            continue
        if keys[place] in seen:
            again.append(place)
        seen.add(keys[place])
    return again


def copied_call(args: Any, kwargs: Mapping[str, Any]) -> tuple[list[Any], Mapping[str, Any]]:
    """Copies of a call's arguments; what is one thing in a call stays one thing."""
    copying = Copying()
    own = [value if type(value) in FROZEN else copying.of(value) for value in args]
    if not kwargs:
        return own, kwargs
    return own, {
        name: value if type(value) in FROZEN else copying.of(value)
        for name, value in kwargs.items()
    }


def are_quick_to_copy(values: Iterable[Any]) -> bool:
    """Whether copies of these take microseconds, as of numbers, arrays and small containers: others
    are not for the loop, and neither is what asks objects of the user's for their hash.
    """
    left, stack = _QUICK, list(values)
    while stack:
        value = stack.pop()
        if type(value) in FROZEN:
            continue
        way = way_of(type(value))
        if way is None:
            continue
        if not isinstance(way, ContainerKind):
            if array_kind(type(value)) != "array" or value.dtype.hasobject:
                return False
            continue
        base = next((one for one in _SIZED if issubclass(type(value), one)), None)
        left -= 1 if base is None else base.__len__(value)
        if left < 0:
            return False
        if base in _HASHED and not FROZEN.issuperset(map(type, base.__iter__(value))):
            return False
        stack += way.parts(value)
    return True


class Copying:
    """One copy of a value, or of the arguments of one call.

    Args:
        born: whether the value comes from a body just now.
        own_arrays: whether large arrays are copied, too.
    """

    def __init__(self, born: bool = False, own_arrays: bool = False) -> None:
        self.born = born
        self.own_arrays = own_arrays
        self._made: dict[int, Any] = {}
        self._alive: list[Any] = []  # an id is a name only while its object lives

    def of(self, value: Any) -> Any:
        """`value` itself where nobody can change it, else one like it."""
        try:
            return self.part(value)
        except RecursionError:
            self._made.clear()
            return self._of_deep(value)

    def part(self, value: Any) -> Any:
        """The same for a part of something."""
        cls = type(value)
        if cls in FROZEN:
            return value
        place = id(value)
        if place in self._made:
            return self._made[place]
        flat = _FLAT.get(cls)
        if flat is not None and FROZEN.issuperset(map(type, value)):
            return self.keep(value, flat(value))
        if cls is dict and FROZEN.issuperset(map(type, value.values())) and FROZEN.issuperset(
            map(type, value)
        ):  # fmt: skip
            return self.keep(value, value.copy())
        way = way_of(type(value))
        if way is None:
            return value
        if not isinstance(way, ContainerKind):
            return way(self, value)
        if way.shell is None or is_frozen_data(type(value)):
            return self._fixed(value, way)
        new = self.keep(value, way.shell(value))  # it may stand inside itself
        assert way.fill is not None
        way.fill(new, [self.part(part) for part in way.parts(value)], value)
        return new

    def has(self, value: Any) -> bool:
        """Whether something stands for `value` already."""
        return id(value) in self._made

    def keep(self, value: Any, copy: Any) -> Any:
        """Remember that `copy` stands for `value`."""
        self._made[id(value)] = copy
        self._alive.append(value)
        return copy

    def _fixed(self, value: Any, kind: ContainerKind) -> Any:
        """Of what cannot be changed itself: only around copies of its parts it is made anew."""
        parts = kind.parts(value)
        shell = None if kind.shell is None else self.keep(value, kind.shell(value))
        own = [self.part(part) for part in parts]
        if shell is None and id(value) in self._made:  # it stands inside itself, and is made
            return self._made[id(value)]
        return self.keep(value, self._around(value, kind, parts, own, shell))

    def _around(
        self, value: Any, kind: ContainerKind, parts: list[Any], own: list[Any], shell: Any
    ) -> Any:
        if all(a is b for a, b in zip(parts, own, strict=True)):
            return value
        if shell is None:
            assert kind.make is not None
            return kind.make(own, value)
        assert kind.fill is not None
        kind.fill(shell, own, value)
        return shell

    def _of_deep(self, root: Any) -> Any:
        """The same for what is nested more deeply than Python's stack: first what can be filled
        later, then what has to be made of its parts, innermost first.
        """
        found: dict[int, tuple[Any, ContainerKind, list[Any]]] = {}
        stack = [root]
        while stack:
            value = stack.pop()
            way = None if type(value) in FROZEN else way_of(type(value))
            if way is None or id(value) in found or id(value) in self._made:
                continue
            if not isinstance(way, ContainerKind):
                way(self, value)
                continue
            parts = way.parts(value)
            found[id(value)] = value, way, parts
            stack += parts
            if way.shell is not None:
                self.keep(value, way.shell(value))
        made = self._made
        waiting = [place for place in found if place not in made]
        while waiting:
            value, way, parts = found[waiting[-1]]
            below = [id(p) for p in parts if id(p) in found and id(p) not in made]
            if below:
                waiting += below
                continue
            place = waiting.pop()
            if place not in made:
                own = [made.get(id(part), part) for part in parts]
                self.keep(value, self._around(value, way, parts, own, None))
        for value, way, parts in reversed(found.values()):
            if way.fill is not None:
                way.fill(made[id(value)], [made.get(id(part), part) for part in parts], value)
        return made.get(id(root), root)


def way_of(cls: type) -> Copier | ContainerKind | None:
    """How values of `cls` are copied; None for what is handed on as it is."""
    try:
        return _WAYS[cls]
    except KeyError:
        way = _WAYS[cls] = _find_way(cls)
        return way


def _find_way(cls: type) -> Copier | ContainerKind | None:
    if issubclass(cls, Lazy):
        return None
    if issubclass(cls, Elsewhere):
        return lambda copying, value: copying.part(value.fetch())
    refused = check_readable(cls)
    if refused is not None:
        return lambda copying, value: refused(value) if copying.born else value
    found = library_copier(cls)
    if found is not None:
        return found
    kind = container_kind(cls)
    if kind is None or not kind.within_reach or (kind is PLAIN_OBJECT and not is_data(cls)):
        return own_copier(cls)
    return kind
