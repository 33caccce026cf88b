"""How what stands in the place of a function, such as a task, is pickled."""

from __future__ import annotations

import copyreg
import importlib
import sys
from typing import Any


def reduced(thing: Any, fn: Any) -> tuple[Any, ...]:
    """For `__reduce__` of `thing`, which was made of the function `fn`.

    What stands in a module is found there again by its name, wherever it is unpickled; what was
    made in a notebook or inside a function travels whole.
    """
    module, path = getattr(fn, "__module__", None), getattr(fn, "__qualname__", "")
    if module != "__main__" and _standing(sys.modules.get(module or ""), path) is thing:
        return _imported, (module, path)
    # The state comes after the object is made, since a task's function may name the task itself.
    return copyreg.__newobj__, (type(thing),), thing.__dict__  # type: ignore[attr-defined]


def _imported(module: str, path: str) -> Any:
    return _standing(importlib.import_module(module), path)


def _standing(value: Any, path: str) -> Any:
    for name in path.split("."):
        value = getattr(value, name, None)
    return value
