"""Checks the collections that `.map` goes through, and lists their items."""

from __future__ import annotations

import itertools
import math
from collections.abc import Container, Mapping, Sequence
from typing import Any, Final

from cascade_nb.errors import MapError, nearest
from cascade_nb.model.lazy.lazy import Lazy
from cascade_nb.text import quoted, readable

HOW: Final = ("zip", "product")
_SHOWN_LABELS: Final = (bool, int, float, str, type(None))  # whose `repr` nobody else has written
_LABEL: Final = 24
_MOST: Final = 10_000_000  # items
_TEXT: Final = (str, bytes, bytearray, memoryview)


def items_of(value: Any, where: str) -> list[Any]:
    """The items of a collection, as a list of its own.

    Raises:
        MapError: `value` has no items one could go through, or more than anybody can have meant, or
            is text or a mapping.
    """
    if isinstance(value, _TEXT):
        raise MapError(
            f"{where} goes through the items of a collection, and {quoted(value, 40)} is text; "
            "put it into a list"
        )
    if isinstance(value, Mapping):
        raise MapError(
            f"{where} got a mapping, which has keys and values; say which, for instance "
            "list(….values())"
        )
    try:
        # Before a list of them is made, which memory may have no room for.
        endless = isinstance(value, (itertools.count, itertools.cycle)) or (
            isinstance(value, range) and bool(value[_MOST:])
        )
        found = [] if endless else list(itertools.islice(value, _MOST + 1))
    except TypeError:
        raise MapError(
            f"{where} goes through the items of a collection, and {type(value).__name__} has none; "
            f"give a list, or call the task without .map"
        ) from None
    if endless or len(found) > _MOST:
        raise MapError(
            f"{where} goes through at most {_MOST:,} items, and this {type(value).__name__} has "
            "more, or never ends; give each call a part of them"
        )
    return found


class Axis(list[Any]):
    """An axis of a product, gone through: an entry for each item of the product.

    Attributes:
        labels: what stands on the axis.
        stride: how many items of the product follow each other at the same place of the axis.
    """

    __slots__ = ("labels", "stride")

    def __init__(self, labels: list[Any], stride: int, times: int) -> None:
        super().__init__([label for label in labels for _ in range(stride)] * times)
        self.labels, self.stride = labels, stride

    def place_of(self, number: int) -> int:
        """Where on the axis an item of the product is."""
        return number // self.stride % len(self.labels)

    def places(self, name: str) -> list[str]:
        """What its places are called, by label, where that is a plain number or text."""
        return [_label(name, place, one) for place, one in enumerate(self.labels)]


def _label(name: str, place: int, label: Any) -> str:
    if type(label).__module__ == "numpy" and hasattr(label, "item") and not label.ndim:
        label = label.item()
    if type(label) in _SHOWN_LABELS and len(told := readable(quoted(label, _LABEL + 1))) <= _LABEL:
        return f"{name}={told}"
    return f"{name}[{place}]"


def product_of(columns: Mapping[str, list[Any]], where: str) -> dict[str, list[Any]]:
    """Columns in which each item of one meets each of the others; the last goes fastest.

    Raises:
        MapError: there would be too many.
    """
    count = checked_product([len(column) for column in columns.values()], where)
    if not count:
        return {name: [] for name in columns}
    made: dict[str, list[Any]] = {}
    stride = count
    for name, labels in columns.items():
        stride //= len(labels)
        made[name] = Axis(labels, stride, count // (stride * len(labels)))
    return made


def checked_product(lengths: Sequence[int], where: str) -> int:
    """How many items a product has.

    Raises:
        MapError: more than anybody can have meant.
    """
    count = math.prod(lengths)
    if count > _MOST:
        told = " x ".join(f"{length:,}" for length in lengths)
        raise MapError(f"{where} would have {told} = {count:,} items; at most {_MOST:,} can be")
    return count


def how_of(
    where: str, how: Any, collections: Mapping[str, Any], parameters: Container[str]
) -> tuple[str, Mapping[str, Any]]:
    """How `.map` goes through its collections, and these; a parameter may be called `how` too.

    Raises:
        MapError: there is no such way.
    """
    if isinstance(how, str) and how in HOW:
        return how, collections
    if "how" in parameters and not isinstance(how, str):
        return HOW[0], {**collections, "how": how}
    raise MapError(
        f"{where}(how=…) is 'zip' or 'product', not {quoted(how, 40)}{nearest(how, HOW)}"
    )


def columns_of(where: str, collections: Mapping[str, Any], how: str) -> dict[str, Any]:
    """What `.map` is to go through: lazy values as they are, the others as lists.

    Raises:
        MapError: there is nothing, one has no items, or the lengths do not go together.
    """
    if not collections:
        raise MapError(f"{where}() needs at least one collection to go through")
    columns = {
        name: value if isinstance(value, Lazy) else items_of(value, f"{where}({name}=…)")
        for name, value in collections.items()
    }
    known = {name: len(c) for name, c in columns.items() if not isinstance(c, Lazy)}
    if how == HOW[0]:
        equal_lengths(known, f"{where}()")
    elif 0 not in known.values():
        checked_product(list(known.values()), f"{where}()")
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
            f"long: {words}; how='product' has each meet each"
        )
    return next(iter(lengths.values()), 0)
