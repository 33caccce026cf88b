"""Resolves the names in code to what they stand for: along modules under edit, among what was added
to the built-ins, and out of texts that a library looks up by itself.
"""

from __future__ import annotations

import builtins
import re
import sys
import types
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any, Final, NamedTuple

from cascade_nb.graph.code.origin import (
    is_followed,
    origin_of,
    origin_of_module,
    origin_of_namespace,
)

_MISSING: Final = object()
_AT_NAME: Final = re.compile(r"@([A-Za-z_]\w*)")
_NAME: Final = re.compile(r"[A-Za-z_]\w*")
_TABLE: Final = re.compile(r"\b(?:from|join)\s+([A-Za-z_]\w*)", re.IGNORECASE)
_QUERIES: Final = frozenset({"query", "eval"})
_EVALUATES: Final = frozenset({"eval", "exec"})
_SQL: Final = frozenset({"sql", "query", "execute"})
LOOKING_UP: Final = _QUERIES | _EVALUATES | _SQL
"""Names of what looks names up in a text that it is given."""

SET_BY_PYTHON: Final = frozenset({"__name__", "__builtins__", "__spec__", "__package__"})
"""Names that Python itself sets in each module, and otherwise in a worker process."""

_PLAIN: Final = (int, float, str, bytes, list, dict, tuple, set, frozenset)
_SETTABLE: Final = frozenset({bool, int, float, complex, str, bytes, type(None)})
_OWN: Final = frozenset(vars(builtins))
_LONGEST: Final = 10_000  # characters of a text that is looked through


class Target(NamedTuple):
    """What a name leads to.

    Attributes:
        space: the namespace in which it stands.
        name: its name there.
        value: what it is.
    """

    space: Mapping[str, Any]
    name: str
    value: Any


def target_of(space: Mapping[str, Any], names: tuple[str, ...]) -> Target | None:
    """What ``a.b.c`` leads to, through modules under edit; None where the name is not set, and for
    the built-in names. What a module is called is given as it is in every process.
    """
    found = _led_to(space, names)
    if found is None or found.name not in SET_BY_PYTHON:
        return found
    match found.name:
        case "__builtins__":
            return None
        case "__name__":
            said: Any = origin_of_namespace(found.space).module
        case "__package__":
            said = found.value or ""
        case _:
            said = getattr(found.value, "name", None), getattr(found.value, "origin", None)
    return found._replace(value=said)


def _led_to(space: Mapping[str, Any], names: tuple[str, ...]) -> Target | None:
    value, name = space.get(names[0], _MISSING), names[0]
    if value is _MISSING:
        return _added(name)
    for n, attribute in enumerate(names[1:], 1):
        if not isinstance(value, types.ModuleType):
            break
        inner = vars(value).get(attribute, _MISSING)
        if inner is _MISSING:
            break
        if not origin_of_module(value.__name__).followed:
            return _in_library(value, names[n:]) or Target(space, name, value)
        space, value, name = vars(value), inner, attribute
    return Target(space, name, value)


def _in_library(module: types.ModuleType, names: tuple[str, ...]) -> Target | None:
    """What of a library somebody may have set: a plain value, or a function of the user's."""
    for name in names:
        inner = vars(module).get(name, _MISSING)
        if not isinstance(inner, types.ModuleType):
            is_set = type(inner) in _SETTABLE and module is not sys
            return Target(vars(module), name, inner) if is_set or _is_put_there(inner) else None
        module = inner
    return None


def _added(name: str) -> Target | None:
    """What somebody has put among the built-in names."""
    space = vars(builtins)
    value = space.get(name, _MISSING)
    if isinstance(value, types.FunctionType) and is_followed(value.__globals__):
        return Target(space, name, value)
    return Target(space, name, value) if type(value) in _PLAIN and name not in _OWN else None


def _is_put_there(value: Any) -> bool:
    """Whether what stands in a library's module is the user's, who has put it there."""
    return isinstance(value, types.FunctionType) and origin_of(value).followed


def names_in_texts(names: Collection[str], texts: Iterable[str]) -> Iterator[str]:
    """The global names that libraries look up by themselves, out of the texts in a body: pandas'
    ``query("x > @limit")`` and ``eval``, the tables of an SQL text. That of the module, where a
    body asks for all of them.

    Args:
        names: those that the body uses.
        texts: those in it.
    """
    patterns = [
        pattern
        for pattern, calls in ((_AT_NAME, _QUERIES), (_NAME, _EVALUATES), (_TABLE, _SQL))
        if not calls.isdisjoint(names)
    ]
    found: set[str] = set()
    if patterns:
        for one in texts:
            if len(one) <= _LONGEST:
                for pattern in patterns:
                    found.update(pattern.findall(one))
    yield from found
    if "globals" in found or "globals" in names:
        yield "__name__"


_EXTENDED: Final = (
    ("pandas", "Series"), ("pandas", "DataFrame"), ("pandas", "Index"),
    ("polars", "Series"), ("polars", "DataFrame"), ("polars", "LazyFrame"), ("polars", "Expr"),
    ("xarray", "Dataset"), ("xarray", "DataArray"),
)  # fmt: skip


def put_on_tables(names: Collection[str]) -> Iterator[tuple[str, Any]]:
    """What the user has put on the classes of tables under a name that a body uses: a method, or an
    accessor, as `register_dataframe_accessor` does.

    Args:
        names: those that the body uses.
    """
    for module, name in _EXTENDED:
        kind = getattr(sys.modules.get(module), name, None)
        members = vars(kind) if issubclass(type(kind), type) else {}
        for used in sorted(names & members.keys()):
            held = members[used]
            parts = (held, *getattr(held, "__dict__", {}).values())
            for part in (one.__func__ if hasattr(one, "__func__") else one for one in parts):
                if isinstance(part, (type, types.FunctionType)) and origin_of(part).followed:
                    yield f"{name}.{used}", part
