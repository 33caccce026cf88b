"""Checks the collections that `.map` goes through, and lists their items."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from cascade_nb.errors import MapError
from cascade_nb.model.lazy.lazy import Lazy

_TEXT: Final = (str, bytes, bytearray, memoryview)


def items_of(value: Any, where: str) -> list[Any]:
    """The items of a collection, as a list of its own.

    Raises:
        MapError: `value` has no items one could go through, or is text or a mapping.
    """
    if isinstance(value, _TEXT):
        raise MapError(
            f"{where} goes through the items of a collection, and {value!r:.40} is text; "
            "put it into a list"
        )
    if isinstance(value, Mapping):
        raise MapError(
            f"{where} got a mapping, which has keys and values; say which, for instance "
            "list(….values())"
        )
    try:
        return list(value)
    except TypeError:
        raise MapError(
            f"{where} goes through the items of a collection, and {type(value).__name__} has none; "
            f"give a list, or call the task without .map"
        ) from None


def columns_of(where: str, collections: Mapping[str, Any]) -> dict[str, Any]:
    """What `.map` is to go through: lazy values as they are, the others as lists.

    Raises:
        MapError: there is nothing, one has no items, or the lengths differ.
    """
    if not collections:
        raise MapError(f"{where}() needs at least one collection to go through")
    columns = {
        name: value if isinstance(value, Lazy) else items_of(value, f"{where}({name}=…)")
        for name, value in collections.items()
    }
    known = {name: len(c) for name, c in columns.items() if not isinstance(c, Lazy)}
    equal_lengths(known, f"{where}()")
    return columns


def equal_lengths(lengths: Mapping[str, int], where: str) -> int:
    """The one length of all collections.

    Raises:
        MapError: they differ.
    """
    if len(set(lengths.values())) > 1:
        words = ", ".join(f"{name} has {n}" for name, n in lengths.items())
        raise MapError(
            f"{where} goes through its collections side by side, so they must be equally "
            f"long: {words}"
        )
    return next(iter(lengths.values()), 0)
