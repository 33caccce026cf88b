"""Finds the paths that a result is or holds."""

from __future__ import annotations

import dataclasses
import pathlib
import types
from collections.abc import Iterator
from typing import Any, Final

from cascade_nb.graph.values.atoms import ATOMS
from cascade_nb.model.copying.immutable import FROZEN

NO_PATHS: Final = frozenset({*ATOMS, bytearray, types.FunctionType, range, slice})
"""Types of results that point to no file."""

PLAIN: Final = NO_PATHS & FROZEN
"""Types of results of which there is nothing to be noted, and nothing to be copied."""


def paths_in(result: Any) -> Iterator[pathlib.Path]:
    """The paths that a result is or holds, in lists, tuples, sets, mappings and dataclasses."""
    if result.__class__ in NO_PATHS:
        return
    seen: set[int] = set()
    stack = [result]
    while stack:
        value = stack.pop()
        if isinstance(value, pathlib.Path):
            yield value
            continue
        parts = _services(value)
        if parts and id(value) not in seen:
            seen.add(id(value))
            if not NO_PATHS.issuperset(map(type, parts)):
                stack.extend(part for part in parts if part.__class__ not in NO_PATHS)


def _services(value: Any) -> list[Any]:
    if isinstance(value, (list, tuple, set, frozenset)):
        return list(value)
    if isinstance(value, dict):
        return [*value.keys(), *value.values()]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = dataclasses.fields(value)
        return [getattr(value, field.name, None) for field in fields]
    return []
