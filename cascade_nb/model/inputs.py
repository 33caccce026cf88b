"""Lazy values inside arguments: finding them, and putting results in their place.

They may stand anywhere inside lists, tuples, dicts (keys too), sets, frozensets and dataclass
instances. Containers that hold one are copied when the task is called, so that a later change of
the user's list does not change a call that was made before it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar

from cascade_nb.errors import UsageError
from cascade_nb.model.lazy import Lazy, LazyResult, MappedLazyResult
from cascade_nb.model.resources import Injected

ATOMS: Final[frozenset[type]] = frozenset(
    {int, float, complex, bool, str, bytes, bytearray, type(None), range, type, type(len)}
)
CALLS: Final[frozenset[type]] = frozenset({LazyResult, MappedLazyResult})

Marker = TypeVar("Marker")


def scan(values: tuple[Any, ...]) -> tuple[tuple[Lazy, ...], bool]:
    """The lazy values in `values`, each once, and whether something must be put in deeper than
    that.

    The second is true for a lazy value inside a container, and for an injected resource.
    """
    if len(values) == 1:  # the link of a chain, or one of many leaves
        kind = values[0].__class__
        if kind in ATOMS:
            return (), False
        if kind in CALLS:
            return values, False
    found: list[Lazy] = []
    nested = False
    for value in values:
        kind = value.__class__
        if kind in CALLS:
            found.append(value)
        elif kind not in ATOMS:
            if isinstance(value, Lazy):
                found.append(value)
            elif kind is Injected or _search(value, found):
                nested = True
    if not found:
        return (), nested
    inputs = tuple(dict.fromkeys(found))
    # The same tuple serves as arguments and as inputs, where it can: half the memory of a chain.
    return (values if len(inputs) == len(values) and not nested else inputs), nested


def replace(value: Any, marker: type[Marker], put: Callable[[Marker], Any]) -> Any:
    """`value` with `put(m)` in the place of every `m` of type `marker` inside its containers.

    Containers without a marker are handed on as they are, not copied.

    Raises:
        UsageError: a dataclass that cannot be made again from its fields, or containers nested so
            deeply that Python gives up.
    """
    try:
        return _replace(value, marker, put)
    except RecursionError:
        raise UsageError(
            "arguments are nested too deeply to look for lazy values in them"
        ) from None


def snapshot(value: Any) -> Any:
    """A copy of the containers in `value` that hold lazy values, around the same lazy values."""
    return replace(value, Lazy, lambda lazy: lazy)


def _search(value: Any, found: list[Lazy]) -> bool:
    """Whether containers in `value` hold lazy values; they are added to `found`."""
    before = len(found)
    stack, seen = [value], set()
    while stack:
        item = stack.pop()
        kind = item.__class__
        if kind in ATOMS:
            continue
        if isinstance(item, Lazy):
            found.append(item)
            continue
        parts = _parts(item)
        if parts is not None and id(item) not in seen:
            seen.add(id(item))  # a list that holds itself must not be walked for ever
            stack.extend(reversed(parts))
    return len(found) > before


def _parts(value: Any) -> list[Any] | None:
    """What is directly inside a container, or None for what is no container."""
    if isinstance(value, (list, tuple, set, frozenset)):
        return list(value)
    if isinstance(value, dict):
        return [part for item in value.items() for part in item]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return [getattr(value, f.name) for f in dataclasses.fields(value) if hasattr(value, f.name)]
    return None


def _replace(value: Any, marker: type[Marker], put: Callable[[Marker], Any]) -> Any:
    if isinstance(value, marker):
        return put(value)
    if value.__class__ in ATOMS:
        return value
    parts = _parts(value)
    if parts is None:
        return value
    new = [_replace(part, marker, put) for part in parts]
    if not any(a is not b or isinstance(a, marker) for a, b in zip(parts, new, strict=True)):
        return value
    return _rebuilt(value, new)


def _rebuilt(value: Any, parts: list[Any]) -> Any:
    """A container like `value` around other parts.

    Raises:
        UsageError: its class, or a part that cannot be hashed, does not allow that.
    """
    try:
        return _made_again(value, parts)
    except Exception as error:
        raise UsageError(
            f"a {type(value).__name__} with lazy values inside could not be made again with their "
            f"results: {error}"
        ) from error


def _made_again(value: Any, parts: list[Any]) -> Any:
    if isinstance(value, dict):
        pairs = zip(parts[::2], parts[1::2], strict=True)
        if type(value) is dict:
            return dict(pairs)
        fresh = value.copy()  # keeps what a subclass carries: a defaultdict's factory, for instance
        fresh.clear()
        fresh.update(pairs)
        return fresh
    if isinstance(value, tuple):
        return type(value)(*parts) if hasattr(value, "_fields") else type(value)(parts)
    if isinstance(value, (list, set, frozenset)):
        return type(value)(parts)
    names = [f.name for f in dataclasses.fields(value) if hasattr(value, f.name)]
    made = {f.name: f.init for f in dataclasses.fields(value)}
    changes: Mapping[str, Any] = {n: part for n, part in zip(names, parts, strict=True) if made[n]}
    return dataclasses.replace(value, **changes)
