"""Pickles what stands in the place of a function, such as a task, and what a call holds."""

from __future__ import annotations

import copyreg
import importlib
import sys
from collections.abc import Callable, Iterable
from typing import Any, Final

#: They write functions of the main module whole, since another process has another main module.
_BY_VALUE: Final = ("cloudpickle", "dill")


def reduced(thing: Any, fn: Any) -> tuple[Any, ...]:
    """For `__reduce__` of `thing`, which was made of the function `fn`.

    What stands in a module is found there again by its name, wherever it is unpickled, as the
    function itself would be; what was made inside a function travels whole, and so does what was
    made in a script or a notebook, with a pickler that takes it there.
    """
    module, path = getattr(fn, "__module__", None), getattr(fn, "__qualname__", "")
    found = _standing(sys.modules.get(module or ""), path) is thing
    if found and (module != "__main__" or not _by_value()):
        return _imported, (module, path)
    # The state comes after the object is made, since a task's function may name the task itself.
    return copyreg.__newobj__, (type(thing),), thing.__dict__  # type: ignore[attr-defined]


def use_packing(packed: Callable[[Any], tuple[Any, ...]]) -> None:
    """Say how a lazy value is pickled, which those know who know all kinds of them."""
    global _packed  # noqa: PLW0603 - said once, by `model`
    _packed = packed


_packed: Callable[[Any], tuple[Any, ...]]


def reduced_lazy(lazy: Any) -> tuple[Any, ...]:
    """For `__reduce__` of a lazy value."""
    return _packed(lazy)


def with_sets(value: Any, marker: type) -> Any:
    """`value`, with what is made into a set here, and not by whoever unpickles it, in the place of
    every set with a `marker` in it: lazy values have a hash for this package alone.
    """
    cls = value.__class__
    if cls in (set, frozenset):
        return _Set(cls, value) if any(isinstance(one, marker) for one in value) else value
    if cls in (list, tuple):
        own = [with_sets(one, marker) for one in value]
        return cls(own) if any(a is not b for a, b in zip(own, value, strict=True)) else value
    if cls is dict:
        named = {key: with_sets(one, marker) for key, one in value.items()}
        return named if any(named[key] is not value[key] for key in value) else value
    return value


class _Set:
    def __init__(self, cls: type, items: Iterable[Any]) -> None:
        self._parts = cls, list(items)

    def __reduce__(self) -> tuple[Any, ...]:
        return _set_of, self._parts


def _set_of(cls: Any, items: list[Any]) -> Any:
    return cls(items)


def _by_value() -> bool:
    """Whether the pickler that asks writes functions of the main module whole."""
    # Its `dump` is the first frame below `__reduce__`: what is between them is written in C.
    asks = sys._getframe(3)
    name: str = asks.f_globals.get("__name__", "")
    return name.partition(".")[0] in _BY_VALUE


def _imported(module: str, path: str) -> Any:
    found = _standing(importlib.import_module(module), path)
    if found is None:
        raise AttributeError(f"there is no {path!r} in the module {module!r} here")
    return found


def _standing(value: Any, path: str) -> Any:
    for name in path.split("."):
        value = getattr(value, name, None)
    return value
