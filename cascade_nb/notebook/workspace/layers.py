"""Keeps what each name was bound to, cell over cell.

Every name has a `Chain` of layers. A layer is one cell's hand on the name: what that cell bound it
to when it ran last. A cell that runs ``x = f(x)`` lays a layer on top of the one that it read, and
both stay.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping
from gc import get_referents, is_tracked
from typing import Any, Final, NamedTuple
from weakref import ref

from cascade_nb.model.lazy.any_task import AnyTask
from cascade_nb.model.lazy.calls import LazyResult
from cascade_nb.model.lazy.lazy import Lazy
from cascade_nb.model.tasks.task import Task

Path = tuple[Any, ...]

WHOLE: Final[Path] = ()
_CONTAINERS: Final = (list, tuple, dict)
_AT_ONCE: Final = 10_000


class Cell(NamedTuple):
    """A cell: the same when its key is.

    Attributes:
        key: what the frontend calls it, or something that nothing else equals.
        label: how messages call it, such as ``In[3]``.
    """

    key: Hashable
    label: str


class Meaning(NamedTuple):
    """What a name was bound to.

    Attributes:
        shown: what the user's namespace has under the name.
        whole: what stands for it where it is read: itself if lazy, else a node that gives it.
        parts: lazy values without a name of their own inside it, by their place in it; `WHOLE` is
            not among the places.
        shape: the places.
    """

    shown: Any
    whole: Lazy
    parts: Mapping[Path, Lazy]
    shape: frozenset[Path]

    @property
    def is_node(self) -> bool:
        """Whether the name is that of a node, not of a plain value or a container."""
        return self.shown is self.whole

    @property
    def lazies(self) -> list[Lazy]:
        """What to compute for it: itself, or what is lazy inside it; nothing for a plain value."""
        if self.is_node:
            return [self.whole]
        return list(self.parts.values()) or list(self.whole.inputs)


class Layer:
    """One cell's hand on one name.

    Attributes:
        name: the name.
        cell: who bound it.
        meaning: to what, when the cell ran last; None since it no longer does.
        gone: why there is no meaning, as the end of a sentence that begins with the name.
        heir: the layer that took the place of this one, when another cell bound the name anew.
        shape: of its last meaning.
    """

    __slots__ = ("cell", "gone", "heir", "meaning", "name", "shape")

    def __init__(self, name: str, cell: Cell, meaning: Meaning) -> None:
        self.name = name
        self.cell = cell
        self.meaning: Meaning | None = meaning
        self.shape = meaning.shape
        self.gone = ""
        self.heir: Layer | None = None

    @property
    def last(self) -> Layer:
        """Itself, or what took its place in the end."""
        layer = self
        while layer.heir is not None:
            layer = layer.heir
        return layer

    def binds(self, cell: Cell, meaning: Meaning) -> None:
        """It is this cell's now, and this is what it means."""
        self.cell, self.meaning, self.shape, self.gone = cell, meaning, meaning.shape, ""

    def loses(self, reason: str) -> None:
        """It means nothing any more."""
        if self.meaning is not None:
            self.meaning, self.gone = None, reason


class Place(NamedTuple):
    """Where a lazy value stood when a cell bound it.

    Attributes:
        layer: in which layer.
        path: where in it; `WHOLE`, or the place in a container.
        shape: the places of all parts of that container then.
    """

    layer: Layer
    path: Path
    shape: frozenset[Path]

    def now(self, layer: Layer) -> Lazy | None:
        """What stands there in `layer` today; None when the container has another shape now."""
        meaning = layer.meaning
        if meaning is None:
            return None
        if self.path == WHOLE:
            return meaning.whole
        # `Chain.fitted` makes equal shapes one, or each of many parts would compare them all.
        same = meaning.shape is self.shape or meaning.shape == self.shape
        return meaning.parts[self.path] if same else None


NOTHING: Final = object()


class Under:
    """The plain value that a name had before its first layer, not kept alive if it may be large."""

    def __init__(self, value: Any) -> None:
        try:
            self._held: Callable[[], Any] = ref(value)
        except TypeError:  # a number, a list
            self._held = lambda: value

    @property
    def value(self) -> Any:
        """The value; `NOTHING` where nobody else has it any more."""
        held = self._held()
        return NOTHING if held is None and isinstance(self._held, ref) else held


class Chain(list[Layer]):
    """The layers of one name, each above what it reads.

    Attributes:
        under: what the first of them was laid upon, where that is known and no layer.
    """

    under: Under | None = None

    def top(self) -> Layer | None:
        """The highest that means something: what the name means."""
        if self and self[-1].meaning is not None:
            return self[-1]  # nearly always, and a cell asks for every name several times
        return self.below(len(self))

    def below(self, height: int) -> Layer | None:
        """The highest below `height` that means something."""
        return next((layer for layer in reversed(self[:height]) if layer.meaning is not None), None)

    def of(self, cell: Cell) -> Layer | None:
        """The layer of this cell."""
        return next((layer for layer in self if layer.cell.key == cell.key), None)

    def standing(self, layer: Layer) -> Layer | None:
        """`layer`, or what is read in its place since it means nothing any more."""
        return layer if layer.meaning is not None else self.below(self.index(layer))

    def fitted(self, meaning: Meaning) -> Meaning:
        """`meaning` with the very shape that a layer has already, if there is an equal one."""
        shapes = (layer.shape for layer in self if layer.shape == meaning.shape)
        return meaning._replace(shape=next(shapes, meaning.shape))

    def collapse(self, cell: Cell, meaning: Meaning) -> Layer:
        """Nothing of what was counts any more: all that was read here is `meaning` now."""
        base, self.under = self[0], None
        for layer in self[1:]:
            layer.heir = base
        self[:] = [base]
        base.binds(cell, meaning)
        return base


def _value(value: Any) -> Any:
    return value


_VALUE: Final = Task(_value, name="(value)", executor="inline")


def standing_for(value: Any) -> Lazy:
    """A node that gives `value`, with the results of the lazy values in it."""
    return _VALUE(value)


def meaning_of(value: Any, has_place: Callable[[Lazy], bool]) -> Meaning:
    """What a name means that was bound to `value`.

    Args:
        value: a lazy value, a container of some, or anything else.
        has_place: whether a lazy value belongs to another name; a name for it is then a node of its
            own that reads it, so that either can be bound anew without the other.
    """
    if isinstance(value, Lazy):
        own = standing_for(value) if has_place(value) else value
        return Meaning(own, own, {}, frozenset())
    parts = {path: lazy for path, lazy in lazies_in(value) if not has_place(lazy)}
    return Meaning(value, standing_for(value), parts, frozenset(parts))


def is_second_name(meaning: Meaning) -> bool:
    """Whether a name is bound to what another name has."""
    whole = meaning.whole
    return meaning.is_node and isinstance(whole, LazyResult) and whole.task is _VALUE


def lazies_in(value: Any) -> Iterator[tuple[Path, Lazy]]:
    """The lazy values anywhere inside lists, tuples and dicts, with their places."""
    if not may_hold_lazy(value):
        return
    todo: list[tuple[Path, Any]] = [(WHOLE, value)]
    seen: set[int] = set()
    while todo:
        path, item = todo.pop()
        if isinstance(item, Lazy):
            yield path, item
        elif isinstance(item, _CONTAINERS) and id(item) not in seen:
            seen.add(id(item))
            pairs = item.items() if isinstance(item, dict) else enumerate(item)
            inside = [((*path, key), part) for key, part in pairs if is_tracked(part)]
            todo.extend(reversed(inside))


def may_hold_lazy(value: Any) -> bool:
    """Whether there may be a lazy value inside `value`; False is certain.

    Python's collector does not track what holds nothing that can refer to anything: numbers, text,
    and tuples and dicts of them once it has seen them. A lazy value it always tracks, and so what
    holds one. It is therefore enough to follow what is tracked, and none of the user's code is
    called: two million rows take 0.05 s, a few hundredths of what it took to make them.
    """
    if isinstance(value, Lazy):
        return True
    level = [value] if isinstance(value, _CONTAINERS) else []
    seen: set[int] = set()
    while level:
        below: list[Any] = []
        for start in range(0, len(level), _AT_ONCE):
            tracked = list(filter(is_tracked, get_referents(*level[start : start + _AT_ONCE])))
            if any(issubclass(kind, Lazy) for kind in set(map(type, tracked))):
                return True
            below += [part for part in tracked if isinstance(part, _CONTAINERS)]
        # A list may hold itself, or one list many times.
        seen.update(map(id, level))
        level = [part for key, part in {id(p): p for p in below}.items() if key not in seen]
    return False


class Definition:
    """What a task's name means today.

    Attributes:
        name: the name it is bound to, which need not be the task's own.
        cell: who defined it last.
        task: what calls of it run.
        gone: why no cell defines it any more, as the end of a sentence that begins with its name.
    """

    __slots__ = ("cell", "gone", "name", "task")

    def __init__(self, name: str, cell: Cell, task: AnyTask, gone: str = "") -> None:
        self.name = name
        self.cell = cell
        self.task = task
        self.gone = gone


class Latest(NamedTuple):
    """What the last cell defined, by name, in the order of its lines."""

    cell: Cell | None
    nodes: tuple[str, ...]
    tasks: tuple[str, ...]
