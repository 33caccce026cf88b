"""Knows which functions and classes another process finds by their names."""

from __future__ import annotations

import functools
import importlib
import sys
from importlib.machinery import PathFinder
from typing import Any, Final

#: What the program itself is called, which no other process finds: multiprocessing gives it the
#: second name, in this process beside the first, in one of its own instead of it.
MAIN: Final = frozenset({"__main__", "__mp_main__"})

_DEEPEST: Final = 10  # decorators around one function


def can_be_imported(module: str | None) -> bool:
    """Whether another process finds a module of this name: what was loaded from a file by its path
    alone, it does not.
    """
    top = (module or "").partition(".")[0]
    return top in sys.stdlib_module_names or _is_found(top, tuple(sys.path))


@functools.lru_cache(maxsize=4_096)
def _is_found(top: str, path: tuple[str, ...]) -> bool:
    try:
        return bool(top) and PathFinder.find_spec(top, list(path)) is not None
    except (ImportError, ValueError):
        return False


def is_inside_of_its_name(function: Any) -> bool:
    """Whether what has a function's name in its module is made around it, as a task is: then it is
    found there, too, and need not go whole.
    """
    value = _standing(sys.modules.get(function.__module__ or ""), function.__qualname__)
    return value is not function and _is_around(value, function)


def is_found_by_name(function: Any) -> bool:
    """Whether another process finds a function by its module and its name, as it stands there or
    inside of what is made around it.
    """
    module = function.__module__
    if module is None or module in MAIN or not can_be_imported(module):
        return False
    return _is_around(_standing(sys.modules.get(module), function.__qualname__), function)


def _is_around(value: Any, function: Any) -> bool:
    for _ in range(_DEEPEST):
        if value is function:
            return True
        if value is None:
            return False
        value = getattr(value, "__wrapped__", None)
    return False


def inside_of(module: str, name: str, code: str) -> Any:
    """The function that `is_inside_of_its_name`, found in this process.

    Raises:
        AttributeError: there is none.
    """
    value = _standing(importlib.import_module(module), name)
    while value is not None:
        value = getattr(value, "__wrapped__", None)
        if getattr(getattr(value, "__code__", None), "co_name", None) == code:
            return value
    raise AttributeError(f"there is no {name!r} in the module {module!r} there")


def _standing(value: Any, path: str) -> Any:
    for part in path.split("."):
        value = getattr(value, part, None)
    return value
