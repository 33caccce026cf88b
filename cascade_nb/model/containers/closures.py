"""Lists what a function carries with it: what it closes over, its defaults, and the lazy values
among the names of its module that its code reads.
"""

from __future__ import annotations

import dis
import functools
import types
from typing import Any

from cascade_nb.model.lazy.lazy import Lazy


def function_parts(function: types.FunctionType) -> list[Any]:
    """The values that a function carries with it."""
    return list(_parts(function).values())


def function_path(function: types.FunctionType, position: int) -> str:
    """How a message calls the value at this position of `function_parts`."""
    return f" (the function {function.__name__} uses {list(_parts(function))[position]})"


def _parts(function: types.FunctionType) -> dict[str, Any]:
    parts: dict[str, Any] = {}
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        try:
            parts[name] = cell.cell_contents
        except ValueError:  # not bound yet
            continue
    for number, default in enumerate(function.__defaults__ or ()):
        parts[f"default {number + 1}"] = default
    parts.update(function.__kwdefaults__ or {})
    parts.update({f"its attribute {name}": held for name, held in vars(function).items()})
    names = function.__globals__
    parts.update({
        name: names[name]
        for name in _globals_of(function.__code__)
        if isinstance(names.get(name), Lazy)
    })  # fmt: skip
    return parts


@functools.lru_cache(maxsize=4096)
def _globals_of(code: types.CodeType) -> frozenset[str]:
    """The names of its module that a function's code reads, and that of functions inside it."""
    found = {step.argval for step in dis.get_instructions(code) if step.opname == "LOAD_GLOBAL"}
    for held in code.co_consts:
        if isinstance(held, types.CodeType):
            found |= _globals_of(held)
    return frozenset(found)
