"""Takes containers apart and makes them again, in one way for each kind.

Nothing of the user's runs for it: no `__init__`, no `__post_init__`, no `__iter__`, no
`__setattr__`. Parts are read, and put back, where Python itself keeps them.
"""

from __future__ import annotations

import gc
import types
from collections import defaultdict, deque
from collections.abc import Callable, Iterable
from itertools import chain
from typing import Any, Final, NamedTuple

from cascade_nb.model.containers.arrays import (
    array_made,
    array_parts,
    array_path,
    frame_parts,
    frame_path,
)
from cascade_nb.model.containers.attributes import (
    attribute_names,
    attributes,
    lazy_attributes,
    set_attributes,
)
from cascade_nb.model.containers.closures import function_parts, function_path
from cascade_nb.text import quoted


class ContainerKind(NamedTuple):
    """How values of one class are taken apart and made again.

    Attributes:
        parts: what is directly inside of one, as a list.
        path: how the part at a position is written behind the name of the value: ``[2]``, ``.x``.
        shell: an empty one like another, to be filled; None for what has to be made in one go.
        fill: puts parts into a shell, which is like the third argument.
        make: one like the second argument of these parts. Where neither this nor `shell` is there,
            no value of this kind can be made.
        spread: the parts of many, as quickly as Python can tell them.
    """

    parts: Callable[[Any], list[Any]]
    path: Callable[[Any, int], str]
    shell: Callable[[Any], Any] | None = None
    fill: Callable[[Any, list[Any], Any], None] | None = None
    make: Callable[[list[Any], Any], Any] | None = None
    spread: Callable[[Iterable[Any]], Iterable[Any]] | None = None

    @property
    def within_reach(self) -> bool:
        """Whether one can be made around other parts."""
        return self.shell is not None or self.make is not None


def attribute_values(value: Any) -> list[Any]:
    """What the attributes of an instance hold."""
    return list(attributes(value).values())


def _attribute_path(value: Any, position: int) -> str:
    return f".{attribute_names(value)[position]}"


def _plain_parts(value: Any) -> list[Any]:
    return list(_seen_attributes(value).values())


def _plain_path(value: Any, position: int) -> str:
    return f".{list(_seen_attributes(value))[position]}"


def _seen_attributes(value: Any) -> dict[str, Any]:
    """The attributes of an object, with the lazy ones of its class that it does not hide."""
    return {**lazy_attributes(type(value)), **attributes(value)}


def _plain_shell(value: Any) -> Any:
    return object.__new__(type(value))


def _plain_fill(new: Any, parts: list[Any], old: Any) -> None:
    set_attributes(new, dict(zip(_seen_attributes(old), parts, strict=True)))


def _namespace_shell(value: Any) -> Any:
    return types.SimpleNamespace.__new__(type(value))


PLAIN_OBJECT: Final = ContainerKind(
    _plain_parts, _plain_path, _plain_shell, _plain_fill,
    spread=lambda values: gc.get_referents(*values),
)  # fmt: skip
CLASS: Final = ContainerKind(
    lambda value: list(lazy_attributes(value).values()),
    lambda value, position: f".{list(lazy_attributes(value))[position]}",
)
NAMESPACE: Final = PLAIN_OBJECT._replace(shell=_namespace_shell)


# Containers of the language: their items, and behind them the attributes of a subclass's instance.


def items_kind(base: Any) -> ContainerKind:
    """The kind of a list, a deque, a set, and of their subclasses."""

    def parts(value: Any) -> list[Any]:
        return [*base.__iter__(value), *attributes(value).values()]

    def path(value: Any, position: int) -> str:
        count = base.__len__(value)
        if position >= count:
            return _attribute_path(value, position - count)
        return " (an item)" if issubclass(base, (set, frozenset)) else f"[{position}]"

    def shell(value: Any) -> Any:
        new = base.__new__(type(value))
        if base is deque:
            base.__init__(new, (), value.maxlen)
        return new

    def fill(new: Any, parts: list[Any], old: Any) -> None:
        count = base.__len__(old)
        (base.update if base is set else base.extend)(new, parts[:count])
        _fill_attributes(new, parts[count:], old)

    return ContainerKind(parts, path, shell, fill)


def fixed_kind(base: Any) -> ContainerKind:
    """The kind of a tuple, named or not, a frozenset, and of their subclasses."""

    def parts(value: Any) -> list[Any]:
        return [*base.__iter__(value), *attributes(value).values()]

    def path(value: Any, position: int) -> str:
        count = base.__len__(value)
        if position >= count:
            return _attribute_path(value, position - count)
        if base is frozenset:
            return " (an item)"
        names = getattr(value, "_fields", ())
        return f".{names[position]}" if position < len(names) else f"[{position}]"

    def make(parts: list[Any], old: Any) -> Any:
        count = base.__len__(old)
        new = base.__new__(type(old), parts[:count])
        _fill_attributes(new, parts[count:], old)
        return new

    return ContainerKind(parts, path, make=make)


def dict_kind(base: Any) -> ContainerKind:
    """The kind of a dict, an OrderedDict, and of their subclasses."""

    def parts(value: Any) -> list[Any]:
        return [*chain.from_iterable(base.items(value)), *attributes(value).values()]

    def path(value: Any, position: int) -> str:
        count = 2 * base.__len__(value)
        if position >= count:
            return _attribute_path(value, position - count)
        key = list(base.__iter__(value))[position // 2]
        return f"[{quoted(key)}]" if position % 2 else f" (the key {quoted(key)})"

    def shell(value: Any) -> Any:
        new = base.__new__(type(value))
        if isinstance(value, defaultdict):
            new.default_factory = value.default_factory
        return new

    def fill(new: Any, parts: list[Any], old: Any) -> None:
        count = 2 * base.__len__(old)
        for key, item in zip(parts[0:count:2], parts[1:count:2], strict=True):
            base.__setitem__(new, key, item)
        _fill_attributes(new, parts[count:], old)

    return ContainerKind(parts, path, shell, fill)


def _fill_attributes(new: Any, parts: list[Any], old: Any) -> None:
    if parts:
        set_attributes(new, dict(zip(attribute_names(old), parts, strict=True)))


def _partial_parts(value: Any) -> list[Any]:
    return [value.func, value.args, value.keywords, *attributes(value).values()]


def _partial_path(value: Any, position: int) -> str:
    if position > 2:
        return _attribute_path(value, position - 3)
    return (".func", ".args", ".keywords")[position]


def _partial_make(parts: list[Any], old: Any) -> Any:
    new = type(old).__new__(type(old), parts[0], *parts[1], **parts[2])
    _fill_attributes(new, parts[3:], old)
    return new


def _referents(value: Any) -> list[Any]:
    """What a value of a class that was not written in Python holds, as far as Python knows."""
    return [one for one in gc.get_referents(value) if one is not type(value)]


def _somewhere(value: Any, position: int) -> str:
    return f" (a {type(value).__name__})"


def dict_spread(values: Iterable[Any]) -> Iterable[Any]:
    """Keys and values of many dicts."""
    values = list(values)
    return chain(chain.from_iterable(values), chain.from_iterable(map(dict.values, values)))


ARRAY: Final = ContainerKind(array_parts, array_path, make=array_made)
FUNCTION: Final = ContainerKind(function_parts, function_path)
METHOD: Final = ContainerKind(
    lambda value: [value.__func__, value.__self__],
    lambda value, position: (".__func__", ".__self__")[position],
    make=lambda parts, old: types.MethodType(*parts),
)
SLICE: Final = ContainerKind(
    lambda value: [value.start, value.stop, value.step],
    lambda value, position: (".start", ".stop", ".step")[position],
    make=lambda parts, old: slice(*parts),
)
PROXY: Final = ContainerKind(
    gc.get_referents,
    lambda value, position: "",
    make=lambda parts, old: types.MappingProxyType(*parts),
)
PARTIAL: Final = ContainerKind(_partial_parts, _partial_path, make=_partial_make)
FRAME: Final = ContainerKind(frame_parts, frame_path)
WITH_ATTRIBUTES: Final = ContainerKind(attribute_values, _attribute_path)
OUT_OF_REACH: Final = ContainerKind(_referents, _somewhere)
