"""Finds what the names in code stand for, and how the tables of this folder call that."""

from __future__ import annotations

import os
import random
import sys
import types
from collections.abc import Mapping
from typing import Any, Final

from cascade_nb.graph.code.origin import is_followed
from cascade_nb.graph.effects.unseen import BUILTINS
from cascade_nb.graph.effects.uses import OF_PATHS, OF_READERS, PATH_METHOD, Use

_MISSING: Final = object()

GENERATOR: Final = "a generator: "
"""How the full name of a generator of random numbers begins."""


def resolved(use: Use, space: Mapping[str, Any]) -> tuple[str, tuple[Any, ...]]:
    """The full name of what is used, where it has one, and what of it is to be looked at."""
    if use.module is not None:
        value, name = _imported(*use.module)
    else:
        value = space.get(use.names[0], _MISSING)
        name = "" if value is _MISSING else _full_name(value, use.names[0])
        if value is _MISSING and use.names[0] in BUILTINS:
            name = f"builtins.{use.names[0]}"
    leads_to: list[Any] = [] if value is _MISSING else [value]
    for n, attribute in enumerate(use.names[1:], 2):
        if name.startswith(GENERATOR):
            break
        stored = use.how == "=" and n == len(use.names)
        value = _MISSING if stored else _attribute(value, attribute)
        inner = _full_name(value, "") if is_of(value, types.ModuleType) else ""
        name = inner or (f"{name}.{attribute}" if name else "")
        leads_to = [*leads_to[-1:], value]
    if not name and len(use.names) > 1 and use.names[-1] in (OF_PATHS | OF_READERS):
        name = f"{PATH_METHOD}.{use.names[-1]}"
    things = [one for one in leads_to if not is_of(one, types.ModuleType)]
    kinds = [type(one) for one in things if not is_of(one, (type, types.FunctionType))]
    return name, (*things, *kinds)


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
    return value, _full_name(value, part) or f"{module}.{part}"


def _full_name(value: Any, called: str) -> str:
    """The name under which the tables know it; "" for what is nobody's."""
    if is_of(value, types.ModuleType):
        return str(value.__name__)
    owner = getattr(value, "__self__", None) if is_of(value, _BOUND) else None
    if owner is not None and not is_of(owner, (types.ModuleType, type)):
        kind = type(owner)
        if module_of(kind) == "random":
            return f"random.{value.__name__}"
        if module_of(kind).startswith("numpy.random"):
            return f"numpy.random.{value.__name__}"
    if value is os.environ:
        return "os.environ"
    if is_of(value, (type, types.FunctionType, *_BOUND)) or type(value).__name__ in _COMPILED:
        module = module_of(value)
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


def is_of(value: Any, kinds: Any) -> bool:
    """`isinstance` by the type alone: a proxy may do anything when asked for its class."""
    return issubclass(type(value), kinds)


def module_of(thing: Any) -> str:
    """The name of the module of a function or class; "" where it says something else."""
    said = getattr(thing, "__module__", None)
    return said if type(said) is str else ""


_BOUND: Final = (types.BuiltinFunctionType, types.MethodType, types.BuiltinMethodType)
_COMPILED: Final = ("cython_function_or_method", "fused_cython_function")
_CLIENTS: Final = frozenset({"requests.sessions", "httpx", "aiohttp.client", "socket"})
