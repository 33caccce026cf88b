"""Whether a value is there already, or made of what is still to be computed."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from itertools import chain
from typing import Any

from cascade_nb.model.body import in_body
from cascade_nb.model.inputs import ATOMS
from cascade_nb.model.lazy import Lazy
from cascade_nb.model.task import PartialTask, Task

_PARTS = (list, tuple, set, frozenset)


class Continued:
    """What a body returned, where lazy values are in it: they are run, and it goes on from there.

    Attributes:
        value: the lazy value, or the containers around some.
    """

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value


def returned(result: Any) -> Any:
    """`result` of a body; as `Continued` where it holds lazy values.

    For a table of millions of rows it takes a fraction of the time that making it took, but too
    long for anybody's lock: call it before.
    """
    if result.__class__ in ATOMS:
        return result
    return Continued(result) if holds_lazy(result) else result


def is_present(target: Any) -> bool:
    """Whether `target` is a value already, so that a run has nothing to do for it.

    A container of plain values is, and in a task's body everything but a lazy value and a task.
    """
    if isinstance(target, (Lazy, Task, PartialTask)) or holds_lazy(target):
        return False
    if not is_container(target):
        return in_body()
    return not any(isinstance(part, (Task, PartialTask)) for part in _inside([target]))


def is_container(value: Any) -> bool:
    """Whether lazy values are looked for in it."""
    return _is_container(type(value))


def holds_lazy(value: Any) -> bool:
    """Whether `value` is lazy, or lists, tuples, dicts, sets and dataclasses around lazy values.

    It goes level by level and asks each level for its classes only, which Python does quickly.
    """
    if not is_container(value):
        return isinstance(value, Lazy)
    level, seen = [value], {id(value)}
    while level:
        containers = []
        for kind in set(map(type, _inside(level))) - ATOMS:
            if issubclass(kind, Lazy):
                return True
            if _is_container(kind):
                containers.append(kind)
        if not containers:
            return False
        kinds = tuple(containers)
        # A list that holds itself must not be walked for ever.
        found = {id(part): part for part in _inside(level) if type(part) in kinds}
        level = [part for key, part in found.items() if key not in seen]
        seen.update(found)
    return False


def _is_container(kind: type) -> bool:
    return issubclass(kind, (*_PARTS, dict)) or dataclasses.is_dataclass(kind)


def _inside(containers: Iterable[Any]) -> Iterable[Any]:
    """All that is directly inside of `containers`."""
    return chain.from_iterable(map(_parts, containers))


def _parts(value: Any) -> Iterable[Any]:
    if isinstance(value, _PARTS):
        return value
    if isinstance(value, dict):
        return chain(value, value.values())
    names = (field.name for field in dataclasses.fields(value))
    return [getattr(value, name) for name in names if hasattr(value, name)]
