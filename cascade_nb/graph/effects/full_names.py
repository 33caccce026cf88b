"""Finds what the names in code stand for, and how the tables of this folder call that."""

from __future__ import annotations

import os
import random
import sys
import types
from collections.abc import Iterator, Mapping
from itertools import chain
from typing import Any, Final

from cascade_nb.graph.code.origin import is_followed
from cascade_nb.graph.effects.doubts import BY_CHANCE
from cascade_nb.graph.effects.unseen import BUILTINS, texts_of_code
from cascade_nb.graph.uses.uses import (
    OF_CHANCE,
    OF_PATHS,
    OF_READERS,
    PATH_METHOD,
    SOME_OBJECT,
    Use,
    uses_of,
)

_MISSING: Final = object()

KNOWN: Final = {"os.environ": os.environ, "sys.path": sys.path, "sys.argv": sys.argv}
"""What the process has once, by its full name, however code calls it."""

GENERATOR: Final = "a generator: "
"""How the full name of a generator of random numbers begins."""


def resolved(use: Use, space: Mapping[str, Any]) -> tuple[str, tuple[Any, ...]]:
    """The full name of what is used, where it has one, and what of it is to be looked at."""
    if use.module is not None:
        value, name = _imported(*use.module)
    else:
        value = space.get(use.names[0], _MISSING)
        name = "" if value is _MISSING else full_name(value, use.names[0])
        if value is _MISSING and use.names[0] in BUILTINS:
            name = f"builtins.{use.names[0]}"
    leads_to: list[Any] = [] if value is _MISSING else [value]
    for n, attribute in enumerate(use.names[1:], 2):
        if name.startswith(GENERATOR):
            break
        stored = use.how == "=" and n == len(use.names)
        value = _MISSING if stored else _attribute(value, attribute)
        inner = full_name(value, attribute) if is_of(value, types.ModuleType) else ""
        if is_of(value, types.ClassMethodDescriptorType):
            inner = full_name(value, attribute)
        if not inner and (said := full_name(value, attribute)).startswith(GENERATOR):
            inner = said
        name = inner or (f"{name}.{attribute}" if name else "")
        leads_to = [*leads_to[:1], *leads_to[1:][-1:], value]
    if use.names[0] == SOME_OBJECT and use.names[-1] in OF_CHANCE:
        name = BY_CHANCE
    if not name and len(use.names) > 1 and use.names[-1] in (OF_PATHS | OF_READERS):
        name = f"{PATH_METHOD}.{use.names[-1]}"
    things = [one for one in leads_to if not is_of(one, types.ModuleType)]
    kinds = [type(one) for one in things if not is_of(one, (type, types.FunctionType))]
    return name, (*things, *kinds)


def looked_up(code: types.CodeType, space: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The full names of what a body may look up by a text: ``getattr(time, "time")``.

    Which text is asked of which object is not followed: each counts that is a name in a module or a
    class of a library that the body uses.
    """
    uses = uses_of(code)
    if _LOOKING_UP.isdisjoint(chain.from_iterable(use.names for use in uses)):
        return
    texts = set(texts_of_code(code))
    for use in uses:
        value = (
            space.get(use.names[0], _MISSING) if use.module is None else _imported(*use.module)[0]
        )
        for attribute in (*use.names[1:], ""):
            if is_of(value, (types.ModuleType, type)):
                for text in sorted(texts & vars(value).keys()):
                    yield full_name(_attribute(value, text), text), ""
            value = _attribute(value, attribute)


def reads_namespace(use: Use, space: Mapping[str, Any]) -> bool:
    """Whether code takes all names of a module under edit at once."""
    if use.names[-1] in ("__globals__", "f_globals"):
        return True
    if use.names[-1] != "__dict__":
        return False
    value = space.get(use.names[0])
    for name in use.names[1:-1]:
        value = _attribute(value, name)
    return is_of(value, types.ModuleType) and is_followed(vars(value))


def _attribute(value: Any, name: str) -> Any:
    """An attribute, without running code of the user's."""
    if is_of(value, types.ModuleType):
        return vars(value).get(name, _MISSING)
    kind = value if is_of(value, type) else type(value)
    return next((vars(cls)[name] for cls in kind.__mro__ if name in vars(cls)), _MISSING)


def _imported(module: str, part: str) -> tuple[Any, str]:
    """What an import inside a body gives, and its full name; it need not have been done yet."""
    there = sys.modules.get(module, _MISSING)
    if not part or (module.rpartition(".")[2] == part and _attribute(there, part) is _MISSING):
        return there, module
    value = _attribute(there, part)
    if value is _MISSING:
        value = sys.modules.get(f"{module}.{part}", _MISSING)
    return value, full_name(value, part) or f"{module}.{part}"


def full_name(value: Any, called: str) -> str:
    """The name under which the tables know it; "" for what is nobody's.

    Args:
        value: it.
        called: what code calls it.
    """
    if is_of(value, types.ModuleType):
        return str(value.__name__)
    if is_of(value, types.ClassMethodDescriptorType):
        return f"{module_of(value.__objclass__)}.{value.__qualname__}"
    owner: Any = getattr(value, "__self__", None) if is_of(value, _BOUND) else None
    if owner is not None and not is_of(owner, (types.ModuleType, type)):
        kind = type(owner)
        if module_of(kind) == "random":
            return f"random.{value.__name__}"
        if module_of(kind).startswith("numpy.random"):
            return f"numpy.random.{value.__name__}"
    known = next((name for name, one in KNOWN.items() if value is one), "")
    if known:
        return known
    if is_of(value, (type, types.FunctionType, *_BOUND)) or type(value).__name__ in _COMPILED:
        module = module_of(value)
        if not module and is_of(owner, type):
            return _of_a_class(owner, value.__name__)
        module = {"posix": "os", "nt": "os", "_random": "random", "_socket": "socket"}.get(
            module, module
        )
        module = "numpy.random" if module.startswith("numpy.random") else module
        return f"{module}.{value.__qualname__}"
    kind = type(value)
    module = module_of(kind)
    if module.startswith("scipy.stats"):  # a distribution
        return f"scipy.stats.{called}"
    if module.startswith("numpy.random") and kind.__name__ in ("Generator", "RandomState"):
        return f"{GENERATOR}{called} {id(value)}"
    if kind is random.Random:
        return f"{GENERATOR}{called} {id(value)}"
    return f"{module}.{kind.__qualname__}" if module in _CLIENTS else ""


def _of_a_class(owner: type, name: str) -> str:
    """The full name of a method of a class in compiled code, where it was defined."""
    found = next((cls for cls in owner.__mro__ if name in vars(cls)), owner)
    return f"{module_of(found)}.{found.__qualname__}.{name}"


def is_of(value: Any, kinds: Any) -> bool:
    """`isinstance` by the type alone: a proxy may do anything when asked for its class."""
    return issubclass(type(value), kinds)


def module_of(thing: Any) -> str:
    """The name of the module of a function or class; "" where it says something else."""
    said = getattr(thing, "__module__", None)
    return said if type(said) is str else ""


_LOOKING_UP: Final = frozenset(
    {"getattr", "vars", "__dict__", "__getattribute__", "attrgetter", "methodcaller"}
)
_BOUND: Final = (types.BuiltinFunctionType, types.MethodType, types.BuiltinMethodType)
_COMPILED: Final = ("cython_function_or_method", "fused_cython_function")
_CLIENTS: Final = frozenset({"requests.sessions", "httpx", "aiohttp.client", "socket"})
