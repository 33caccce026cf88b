"""Finds the globals that code writes, by binding the name anew or by changing the value in place.

Two threads that do so at once lose each other's change, and what comes out depends on who came
first. An object that guards itself is left alone: a queue, what has a lock.
"""

from __future__ import annotations

import builtins
import types
from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

from cascade_nb.graph.code.origin import is_followed
from cascade_nb.graph.effects.self_changes import (
    MUTATORS,
    changes_argument,
    is_changed_by,
    is_container,
)
from cascade_nb.graph.uses.given import GLOBAL
from cascade_nb.graph.uses.uses import REBOUND, Use
from cascade_nb.model.tasks.task import Task

_MISSING: Final = object()
# Functions that change what they are given first.
CHANGERS: Final = frozenset(
    {"setattr", "delattr", "setitem", "delitem", "next", "shuffle", "insort", "insort_left"}
    | {"insort_right", "heappush", "heappop", "heapify", "heapreplace", "heappushpop"}
    | {"copyto", "putmask", "place", "fill_diagonal", "put_along_axis", "at"}
)
_GLOBAL: Final = "global"
VARIABLE: Final = "variable"
DEFAULT: Final = "default"


class WrittenGlobal(NamedTuple):
    """A global that is written.

    Attributes:
        name: as the code has it.
        kind: how it is told apart from all others of this process; the name comes first.
    """

    name: str
    kind: str


def written_global(use: Use, space: Mapping[str, Any]) -> Iterator[WrittenGlobal]:
    """The global that a use of a name writes, if any."""
    if use.module is not None:
        return
    if use.how == REBOUND:
        yield _written(use.names[0], id(space), use.names[0])
        yield from _contained(use.names[0], space.get(use.names[0]))
        return
    changer = use.names[-1] in CHANGERS or _is_of_a_class(use, space)
    if changer and use.given and use.given[0].kind == GLOBAL:
        given = use.given[0].name
        if given in space:
            yield _written(given, id(space[given]))
        return
    if use.out is not None and use.out.kind == GLOBAL and use.out.name in space:
        yield _written(use.out.name, id(space[use.out.name]))
    yield from _handed_on(use, space)
    value, name = space.get(use.names[0], _MISSING), use.names[0]
    attributes = list(use.names[1:])
    while issubclass(type(value), types.ModuleType) and attributes:
        if not is_followed(vars(value)):
            return  # a library's state, which the table of these knows
        space, name = vars(value), attributes.pop(0)
        value = space.get(name, _MISSING)
        if use.how == "=" and not attributes:
            # Of a module's attribute one cannot tell whether it is bound anew or changed in place.
            yield _written(name, id(space), name)
            yield from _contained(name, value)
            return
    if value is _MISSING or issubclass(type(value), types.ModuleType):
        return
    if use.how == "=" or (attributes and is_changed_by(value, attributes)):
        yield _written(name, id(value))


def _is_of_a_class(use: Use, space: Mapping[str, Any]) -> bool:
    """Whether it is a method of a built-in class, called on what it is given: ``list.append``."""
    if len(use.names) != 2 or use.names[1] not in MUTATORS:
        return False
    return issubclass(type(space.get(use.names[0], vars(builtins).get(use.names[0]))), type)


def _handed_on(use: Use, space: Mapping[str, Any]) -> Iterator[WrittenGlobal]:
    """The globals that a function of the user's is called with, and changes."""
    if not any(one.kind == GLOBAL for one in use.given):
        return
    value: Any = space.get(use.names[0], _MISSING)
    for name in use.names[1:]:
        value = vars(value).get(name) if issubclass(type(value), types.ModuleType) else None
    function = value.fn if issubclass(type(value), Task) else value
    if issubclass(type(function), types.FunctionType) and is_followed(function.__globals__):
        for place, (kind, name) in enumerate(use.given):
            given = space.get(name, _MISSING) if kind == GLOBAL else _MISSING
            if given is not _MISSING and changes_argument(function, place, given):
                yield _written(name, id(given))


def closure_written(function: types.FunctionType, use: Use) -> Iterator[WrittenGlobal]:
    """The variable of an enclosing function that a function binds anew, if it does."""
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        if name == use.names[0]:
            yield WrittenGlobal(name, f"{name} {VARIABLE} {id(cell)}")


def place_of(kind: str) -> str:
    """What of the process a kind of state is: where it is an object, that, by whatever name code
    comes to it.
    """
    _, _, rest = kind.partition(" ")
    what, _, place = rest.partition(" ")
    return place if what in (_GLOBAL, VARIABLE, DEFAULT) else kind


def written_name(kind: str) -> str:
    """The name of the variable that a kind of state is; "" where it is none."""
    return kind.partition(" ")[0] if written_in_words(kind) else ""


def written_in_words(kind: str) -> str:
    """What a kind of state means, where that is a variable that is written: "the global `n`", "the
    default of `rows`"; "" for any other.
    """
    name, _, rest = kind.partition(" ")
    what = rest.partition(" ")[0]
    if what == DEFAULT:
        return f"the {what} of `{name}`"
    return f"the {what} `{name}`" if what in (_GLOBAL, VARIABLE) else ""


def _contained(name: str, value: object) -> Iterator[WrittenGlobal]:
    if is_container(value):
        yield _written(name, id(value))


def _written(name: str, *where: object) -> WrittenGlobal:
    return WrittenGlobal(name, f"{name} {_GLOBAL} {' '.join(map(str, where))}")
