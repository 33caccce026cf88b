"""Finds lazy values inside arguments, and puts results in their place.

They may stand anywhere in what a value holds: in containers of the language and the standard
library, in dataclasses and other objects with attributes, in arrays of objects. What holds one is
copied when the task is called, so that a later change of it does not change a call that was made
before. Where a result could not be put in the place of a lazy value, as in a generator, the call is
refused.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from inspect import Parameter, Signature
from typing import Any, Final, TypeVar

from cascade_nb.errors import TaskCallError, UsageError
from cascade_nb.model.containers.containers import container_kind, holds
from cascade_nb.model.containers.kinds import ContainerKind
from cascade_nb.model.lazy.calls import LazyResult, MappedLazyResult
from cascade_nb.model.lazy.lazy import Lazy
from cascade_nb.model.resources import Injected
from cascade_nb.text import quoted

ATOMS: Final[frozenset[type]] = frozenset(
    {int, float, complex, bool, str, bytes, bytearray, type(None), range, type(len)}
)
CALLS: Final[frozenset[type]] = frozenset({LazyResult, MappedLazyResult})
_PLAIN: Final = ATOMS - {bytearray}  # which can be changed after the call
_BY_PLACE: Final = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)
MANY: Final = 32  # parts from which on it is quicker to ask for the types of all of them first
SPLIT: Final = 8  # … those of one in so many, then

Marker = TypeVar("Marker")


class OutOfReachError(TaskCallError):
    """A lazy value stands where its result cannot be put.

    Attributes:
        position: of the value that holds it, among those that were looked at.
        path: the way from there to the lazy value: ``.rows[2].x``.
        held: the lazy value.
        inside: what it is in.
    """

    def __init__(self, position: int, path: str, held: Any, inside: Any) -> None:
        self.position = position
        self.path = path
        self.held = held
        self.inside = type(inside).__name__
        super().__init__(self.told(f"value {position + 1}"))

    def told(self, name: str) -> str:
        """The same in words, for a value of this name."""
        label = self.held.label if isinstance(self.held, Lazy) else quoted(self.held)
        return (
            f"{name}{self.path} holds the lazy value {label}, and nothing can be put in its place "
            f"inside a {self.inside}; hand {label} to the task as an argument of its own, or in a "
            "list, dict or dataclass"
        )

    def in_call(
        self, task: str, signature: Signature, args: tuple[Any, ...], named: Iterable[str] = ()
    ) -> TaskCallError:
        """What to raise for a call whose arguments were looked at, those by place first.

        Args:
            task: its name.
            signature: of its function.
            args: what was given by place.
            named: the names of what was given by name, in the order of the look.
        """
        found = signature.parameters.values()
        places = [one.name for one in found if one.kind in _BY_PLACE][: len(args)]
        rest = [f"*{one.name}" for one in found if one.kind is one.VAR_POSITIONAL]
        names = [*places, *rest * (len(args) - len(places)), *named]
        return TaskCallError(f"{task}(…): {self.told(f'argument {names[self.position]}')}")


def inputs_of_plain(args: tuple[Any, ...]) -> tuple[Lazy, ...] | None:
    """The lazy values among arguments of which all others are numbers, texts and the like; None
    where there are others. It is what `scan` finds for nearly every call, in a shorter way.
    """
    if len(args) == 1:  # the link of a chain, or one of many leaves
        kind = type(args[0])
        return args if kind in CALLS else () if kind in _PLAIN else None
    found: list[Lazy] = []
    for value in args:
        kind = type(value)
        if kind in CALLS:
            found.append(value)
        elif kind not in _PLAIN:
            return None
    if len(found) > 1 and len(set(map(id, found))) < len(found):
        found = list({one.identity: one for one in found}.values())
    # The same tuple serves as arguments and as inputs, where it can: half the memory of a chain.
    return args if len(found) == len(args) else tuple(found)


def scan(values: tuple[Any, ...]) -> tuple[tuple[Lazy, ...], bool]:
    """The lazy values in `values`, each once, and whether something must be put in deeper than
    that.

    The second is true for a lazy value inside a container, and for an injected resource.

    Raises:
        OutOfReachError: a lazy value stands where its result cannot be put.
    """
    found: list[Lazy] = []
    nested = False
    for position, value in enumerate(values):
        kind = type(value)
        if kind in CALLS:
            found.append(value)
        elif kind not in ATOMS:
            if issubclass(kind, Lazy):
                found.append(value)
            elif kind is Injected:
                nested = True
            elif holds(value, Lazy):
                walk = _Walk(Lazy, value)
                walk.refuse_what_is_out_of_reach(position)
                found += walk.found
                nested = nested or bool(walk.found)
    if not found:
        return (), nested
    inputs = tuple({one.identity: one for one in found}.values())
    # The same tuple serves as arguments and as inputs, where it can: half the memory of a chain.
    return (values if len(inputs) == len(values) and not nested else inputs), nested


def replace(value: Any, marker: type[Marker], put: Callable[[Marker], Any]) -> Any:
    """`value` with `put(m)` in the place of every `m` of type `marker` anywhere inside.

    Only what holds one is made anew, each thing once however often it stands there; all else is
    handed on as it is.

    Args:
        value: of any kind; it stays as it is.
        marker: a type, such as `Lazy`.
        put: gives what stands in the place of a marker.

    Raises:
        OutOfReachError: a marker stands where nothing can be put.
        UsageError: a container that cannot hold what is put in, as a set cannot hold a list; or
            containers nested so deeply that Python gives up.
    """
    if not holds(value, marker):
        return value
    walk = _Walk(marker, value)
    walk.refuse_what_is_out_of_reach(0)
    try:
        return walk.made_again(value, put)
    except RecursionError:
        raise UsageError(
            "arguments are nested too deeply to look for lazy values in them"
        ) from None


def snapshot(value: Any) -> Any:
    """A copy of the containers in `value` that hold lazy values, around the same lazy values."""
    return replace(value, Lazy, lambda lazy: lazy)


class _Walk:
    """One look through a value: what it holds, and what has to be made anew.

    Attributes:
        found: the markers, in the order in which one reads them.
    """

    def __init__(self, marker: type, root: Any) -> None:
        self._marker = marker
        self.found: list[Any] = []
        self._values: dict[int, Any] = {}
        self._kinds: dict[int, ContainerKind] = {}
        self._parts: dict[int, list[Any]] = {}
        self._at: dict[int, Sequence[int]] = {}
        self._way: dict[int, tuple[int, int] | None] = {}
        self._above: dict[int, list[int]] = {}
        self._holding: list[int] = []
        self._flat: set[int] = set()  # those that hold markers, and else only what has no inside
        self._look(root)
        self._made_of = self._all_above()
        self._new: dict[int, Any] = {}

    def refuse_what_is_out_of_reach(self, position: int) -> None:
        """Raise where nothing can be put in the place of a marker.

        Raises:
            OutOfReachError: so it is; `position` is that of the value among others.
        """
        for place in self._made_of:
            if not self._kinds[place].within_reach:
                path, held = self._path_through(place)
                raise OutOfReachError(position, path, held, self._values[place])

    def made_again(self, value: Any, put: Callable[[Any], Any]) -> Any:
        """`value` around what is put in for its markers."""
        if issubclass(type(value), self._marker):
            return put(value)
        place = id(value)
        if place not in self._made_of:
            return value
        if place in self._new:
            return self._new[place]
        kind = self._kinds[place]
        try:
            if kind.shell is not None:
                assert kind.fill is not None
                new = self._new[place] = kind.shell(value)  # it may stand inside itself
                kind.fill(new, self._put_into(place, put), value)
                return new
            made = self._put_into(place, put)
            if place not in self._new:  # unless it stands inside itself, and was made there
                assert kind.make is not None
                self._new[place] = kind.make(made, value)
        except (UsageError, RecursionError):
            raise
        except Exception as error:
            raise UsageError(
                f"a {type(value).__name__} with lazy values inside could not be made again with "
                f"their results: {error}"
            ) from error
        return self._new[place]

    def _put_into(self, place: int, put: Callable[[Any], Any]) -> list[Any]:
        parts = list(self._parts[place])
        if place in self._flat:
            positions = self._at[place]
            if len(positions) == len(parts):
                return list(map(put, parts))
            for at in positions:
                parts[at] = put(parts[at])
        else:
            for at in self._at[place]:
                parts[at] = self.made_again(parts[at], put)
        return parts

    def _look(self, root: Any) -> None:
        marker = self._marker
        kinds: dict[type, ContainerKind | None] = {}
        stack: list[tuple[Any, int, int]] = [(root, 0, -1)]
        while stack:
            value, above, position = stack.pop()
            if issubclass(type(value), marker):
                self.found.append(value)
                if position >= 0:
                    self._holding.append(above)
                continue
            cls = type(value)
            if cls in ATOMS:
                continue
            kind = kinds[cls] if cls in kinds else kinds.setdefault(cls, container_kind(cls))
            if kind is None:
                continue
            place = id(value)
            if position >= 0:
                self._above.setdefault(place, []).append(above)
            if place in self._values:
                continue
            self._values[place] = value
            self._way[place] = (above, position) if position >= 0 else None
            parts = kind.parts(value)
            at = self._only_markers(parts)
            flat = at is not None
            if at is None:
                at = self._in_question(parts, 0, len(parts))
            if not at:
                continue
            self._kinds[place], self._parts[place], self._at[place] = kind, parts, at
            if flat:
                self.found += [parts[n] for n in at]
                self._holding.append(place)
                self._flat.add(place)
            else:
                stack.extend((parts[n], place, n) for n in reversed(at))

    def _only_markers(self, parts: list[Any]) -> Sequence[int] | None:
        """The positions of the markers among parts that are else atoms, as in a fan-in's list, so
        that none of them needs a look of its own; None where there are other parts.
        """
        classes = set(map(type, parts))
        markers = {one for one in classes if issubclass(one, self._marker)}
        if not markers and classes <= ATOMS:
            return ()
        if len(markers) == len(classes):
            return range(len(parts))
        if classes - markers <= ATOMS:
            return [n for n, part in enumerate(parts) if type(part) in markers]
        return None

    def _in_question(self, parts: list[Any], first: int, end: int) -> Sequence[int]:
        """The positions of those parts that must be looked into; of many, few are as a rule."""
        if end - first <= MANY:
            return range(first, end)
        step = (end - first) // SPLIT + 1
        found: list[int] = []
        for start in range(first, end, step):
            if holds(parts[start : min(start + step, end)], self._marker):
                found += self._in_question(parts, start, min(start + step, end))
        return found

    def _all_above(self) -> dict[int, None]:
        """Everything that holds a marker, however deep."""
        held: dict[int, None] = {}
        stack = list(reversed(self._holding))
        while stack:
            place = stack.pop()
            if place not in held:
                held[place] = None
                stack.extend(self._above.get(place, ()))
        return held

    def _path_through(self, place: int) -> tuple[str, Any]:
        """How the way over `place` to the first marker behind it is written, and that marker."""
        steps: list[str] = []
        at = place
        while (way := self._way[at]) is not None:
            at, position = way
            steps.append(self._kinds[at].path(self._values[at], position))
        steps.reverse()
        seen: set[int] = set()
        at = place
        while True:
            seen.add(at)
            steps_on = [
                (n, part)
                for n in self._at[at]
                for part in (self._parts[at][n],)
                if issubclass(type(part), self._marker)
                or (id(part) in self._made_of and id(part) not in seen)
            ]
            if not steps_on:  # the way has come round to where it was
                return "".join(steps), self.found[0]
            position, part = steps_on[0]
            steps.append(self._kinds[at].path(self._values[at], position))
            if issubclass(type(part), self._marker):
                return "".join(steps), part
            at = id(part)
