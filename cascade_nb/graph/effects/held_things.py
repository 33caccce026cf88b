"""Lists what values hold that code may call: functions in a table, the attributes of an object, the
ways of a generic function, a descriptor's own function.
"""

from __future__ import annotations

import functools
import gc
import sys
import types
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any, Final

from cascade_nb.graph.code.origin import is_followed
from cascade_nb.graph.values.atoms import ATOMS
from cascade_nb.model.containers.attributes import attributes

_MANY: Final = 500
_SEQUENCES: Final = (list, tuple, set, frozenset, deque)
_BOUND: Final = {
    functools.cached_property: "func",
    functools.partialmethod: "func",
    functools.singledispatchmethod: "dispatcher",
}


def held_by(value: Any) -> Iterator[tuple[str, Any]]:
    """What a value holds beside plain data, each after its name in it, where it has one: of
    containers the first some hundred, of objects those of the user's classes. Nothing of these runs
    for it.
    """
    kind = type(value)
    if issubclass(kind, types.MappingProxyType):
        value = gc.get_referents(value)[0]
        kind = type(value)
    parts: Iterable[tuple[object, Any]] = ()
    sequence = next((base for base in _SEQUENCES if issubclass(kind, base)), None)
    if sequence is not None:
        parts = [("", one) for one in list(islice(sequence.__iter__(value), _MANY))]
    elif issubclass(kind, dict):
        parts = list(islice(dict.items(value), _MANY))
    elif bound := next((name for base, name in _BOUND.items() if issubclass(kind, base)), None):
        parts = [("", attributes(value).get(bound))]
    elif issubclass(kind, types.SimpleNamespace) or is_the_users(kind):
        parts = attributes(value).items()
    for name, one in parts:
        called = name if type(name) is str else ""
        if type(one) not in ATOMS and called != "__builtins__":
            yield called, one


def is_the_users(kind: type) -> bool:
    """Whether a class is of a notebook or of a module under edit."""
    said = getattr(kind, "__module__", None)
    module = sys.modules.get(said) if type(said) is str else None
    return issubclass(type(module), types.ModuleType) and is_followed(vars(module))


def has_own(space: Mapping[str, Any], method: str) -> bool:
    """Whether a class of the user's has a method of this name."""
    return any(
        issubclass(type(one), type) and method in vars(one) and is_the_users(one)
        for one in list(space.values())
    )


def is_written_by_attrs(function: types.FunctionType) -> bool:
    """Whether it follows from the fields of a class: its text is none of the user's."""
    return function.__code__.co_filename.startswith("<attrs generated")


def beside(function: types.FunctionType) -> Iterator[Any]:
    """What a function holds that its body may call; of a library's, what its decorators keep."""
    yield from (vars(function).get("__wrapped__"),)
    if is_written_by_attrs(function):  # its globals are factories and converters, and no module's
        yield from (one for name, one in function.__globals__.items() if name.startswith("__attr"))
    held = [*(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values()]
    for cell in function.__closure__ or ():
        try:
            held.append(cell.cell_contents)
        except ValueError:  # not bound yet
            continue
    if is_followed(function.__globals__) or function.__qualname__ == _MADE:
        yield from held
    else:
        kept = (types.FunctionType, types.MethodType, functools.partial, dict)
        yield from (one for one in held if issubclass(type(one), kept))


_MADE: Final = "__create_fn__.<locals>.__init__"  # a dataclass has its factories there
