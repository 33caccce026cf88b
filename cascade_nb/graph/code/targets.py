"""Resolves the names in code to what they stand for: along modules under edit, among what was added
to the built-ins, and out of texts that a library looks up by itself.
"""

from __future__ import annotations

import builtins
import re
import sys
import types
from collections.abc import Collection, Iterator, Mapping
from typing import Any, Final, NamedTuple

from cascade_nb.graph.code.classes import registered_with
from cascade_nb.graph.code.environment import texts_in
from cascade_nb.graph.code.modules import IMPORTERS
from cascade_nb.graph.code.origin import (
    is_followed,
    origin_of,
    origin_of_module,
    origin_of_namespace,
)
from cascade_nb.graph.code.source import Facts, carried
from cascade_nb.graph.values.code_objects import put_beside, put_into

_MISSING: Final = object()
_AT_NAME: Final = re.compile(r"@([A-Za-z_]\w*)")
_NAME: Final = re.compile(r"[A-Za-z_]\w*")
_TABLE: Final = re.compile(r"\b(?:from|join)\s+([A-Za-z_]\w*)", re.IGNORECASE)
_QUERIES: Final = frozenset({"query", "eval"})
_EVALUATES: Final = frozenset({"eval", "exec"})
_SQL: Final = frozenset({"sql", "query", "execute"})
_OWN: Final = frozenset({"globals", "__globals__", "f_globals", "user_ns", "user_global_ns"})
_MODULES_BY_NAME: Final = IMPORTERS | {"modules"}
_OF_MODULES: Final = _MODULES_BY_NAME | {
    "getattr", "attrgetter", "hasattr", "vars", "__dict__", "__getattribute__", "getmodule"
}  # fmt: skip
LOOKING_UP: Final = _QUERIES | _EVALUATES | _SQL | _OWN | _OF_MODULES
"""Names of what looks names up in a text that it is given."""

SET_BY_PYTHON: Final = frozenset({"__name__", "__builtins__", "__spec__", "__package__"})
"""Names that Python itself sets in each module, and otherwise in a worker process."""

_PLAIN: Final = (int, float, str, bytes, list, dict, tuple, set, frozenset)
_SETTABLE: Final = frozenset({bool, int, float, complex, str, bytes, type(None)})
_OF_PYTHON: Final = frozenset(vars(builtins))
_MANY: Final = 300  # names of a module of a library that are looked through
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
    return Target(space, name, value) if type(value) in _PLAIN and name not in _OF_PYTHON else None


def _is_put_there(value: Any) -> bool:
    """Whether what stands in a library's module is the user's, who has put it there."""
    return isinstance(value, types.FunctionType) and origin_of(value).followed


def reads_of(
    facts: Facts, space: Mapping[str, Any]
) -> Iterator[tuple[Mapping[str, Any], tuple[str, ...]]]:
    """The global names that a body reads, each after the namespace in which it stands."""
    yield from ((space, names) for names in facts.references)
    yield from ((where, (name,)) for where, name in _looked_up(facts, space))


def _looked_up(facts: Facts, space: Mapping[str, Any]) -> Iterator[tuple[Mapping[str, Any], str]]:
    """The names that a body looks up by a text, each after the namespace in which it stands.

    Which text is the name of one is not followed through the code, as with environment variables:
    where a body asks for names at all, all texts in it and in what it reads count that are some.

    - libraries do so by themselves: pandas' ``query("x > @limit")`` and ``eval``, the tables of an
      SQL text;
    - a body does in its own namespace: ``globals()["N"]``, and of each module under edit that it
      has: ``getattr(module, "N")``, ``sys.modules[__name__].N``.
    """
    names = facts.names
    in_main = any(one.module == "__main__" for one in facts.imports)
    if (LOOKING_UP.isdisjoint(names) and not in_main) or carried.get():
        return  # what is only found by a text a pickle leaves behind
    texts = [one for one in _texts_of(facts, space) if len(one) <= _LONGEST]
    words = {word for one in texts for word in _NAME.findall(one)}
    own: set[str] = set()
    for pattern, calls in ((_AT_NAME, _QUERIES), (_TABLE, _SQL)):
        if not calls.isdisjoint(names):
            own.update(word for one in facts.texts for word in pattern.findall(one))
    if not (_EVALUATES | _OWN).isdisjoint(names):
        own |= words
    if "globals" in names or "globals" in own:
        own.add("__name__")
    yield from ((space, name) for name in sorted(own & space.keys()))
    if _OF_MODULES.isdisjoint(names) and not in_main:
        return
    by_name = not _MODULES_BY_NAME.isdisjoint(names)
    asked = words | names if by_name or in_main else words
    for module in _modules_of(facts, space, texts, by_name):
        held = vars(module)
        yield from ((held, name) for name in sorted(asked & held.keys() - SET_BY_PYTHON))


def _texts_of(facts: Facts, space: Mapping[str, Any]) -> Iterator[str]:
    """The texts in a body, and those that it reads."""
    yield from facts.texts
    for names in facts.references:
        if (found := _led_to(space, names)) is not None:
            yield from texts_in(found.value)


def _modules_of(
    facts: Facts, space: Mapping[str, Any], texts: Collection[str], by_name: bool
) -> Iterator[types.ModuleType]:
    """The modules under edit that a body has: by a name of its own, by an import, by a text."""
    found = [target.value for n in facts.references if (target := _led_to(space, n)) is not None]
    # Of others that it imports the file counts, whether they are there yet or not.
    called = {one.module for one in facts.imports if one.module == "__main__"}
    if by_name:
        called.update(one for one in texts if one == "__main__" or "modules" in facts.names)
        called.update((str(space.get("__name__")),) if "__name__" in facts.names else ())
    found += [sys.modules.get(name) for name in sorted(called)]
    seen: set[int] = set()
    for module in found:
        if isinstance(module, types.ModuleType) and id(module) not in seen:
            seen.add(id(module))
            if is_followed(vars(module)):
                yield module


_EXTENDED: Final = (
    ("pandas", "Series"), ("pandas", "DataFrame"), ("pandas", "Index"),
    ("polars", "Series"), ("polars", "DataFrame"), ("polars", "LazyFrame"), ("polars", "Expr"),
    ("xarray", "Dataset"), ("xarray", "DataArray"),
)  # fmt: skip


_OF_TABLES: Final = frozenset(package for package, _ in _EXTENDED)


def _put_on_tables(names: Collection[str]) -> Iterator[tuple[str, Any]]:
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


def put_on_classes(facts: Facts, space: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """The functions of the user's that stand in the classes of libraries which a body names, in the
    place of theirs or beside them: ``pathlib.Path.shown = shown``; and those that it may use of
    tables, which seldom are named; and those in the module of a library's function that it names,
    or in classes there, by which that may work. Also the classes of the user's that are registered
    with those.
    """
    yield from _put_on_tables(facts.names)
    for names in sorted(facts.references):
        kind: Any = space.get(names[0], _MISSING)
        for name in names[1:]:
            if issubclass(type(kind), types.ModuleType):
                kind = vars(kind).get(name, _MISSING)
        if type(kind) is types.FunctionType and not is_followed(kind.__globals__):
            yield from put_beside(kind.__globals__) if len(kind.__globals__) <= _MANY else ()
        for base in kind.__mro__ if issubclass(type(kind), type) else ():
            if not origin_of(base).followed:  # of others this is a part
                for held in registered_with(base):
                    if origin_of(held).followed:
                        yield f"{base.__qualname__} register", held
        if issubclass(type(kind), type) and not _is_of_tables(kind):
            yield from put_into(kind)


def _is_of_tables(kind: type) -> bool:
    return str(kind.__module__).partition(".")[0] in _OF_TABLES
