"""Checks values against a parameter's type, and reads text as one where nothing is lost.

A type is read once, when the parameter is made, into a `ParamType`; one that cannot be checked is
refused there. Text is what a terminal, a form or JSON can give: a number, a date, the name of an
enum's member, a JSON list.
"""

from __future__ import annotations

import collections.abc
import enum
import json
import math
import types
import typing
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, NamedTuple

from cascade_nb.errors import ParamError, UsageError
from cascade_nb.model.options.caching import seconds_of
from cascade_nb.model.params.bounds import UNBOUNDED, Bounds, bounds_in, bounds_of_range
from cascade_nb.text import quoted

_TRUE: Final = frozenset({"1", "true", "yes", "on"})
_FALSE: Final = frozenset({"0", "false", "no", "off"})
_NAMED: Final = 20  # members of an enum that a message names
_NUMBERS: Final = (int, float, complex)
_ROWS: Final[Mapping[Any, type[Any]]] = {
    list: list,
    set: set,
    frozenset: frozenset,
    collections.abc.Sequence: list,
    collections.abc.Iterable: list,
    collections.abc.Collection: list,
    collections.abc.Set: frozenset,
}
_MAPPINGS: Final = (dict, collections.abc.Mapping, collections.abc.MutableMapping)
#: Modules whose classes read their own text, and raise where they cannot; none is imported here.
_READERS: Final = frozenset({"pathlib", "decimal", "fractions", "uuid"})


class ParamType(NamedTuple):
    """A type that values can be checked against.

    Attributes:
        name: as a message calls it.
        take: gives the value that is meant, or raises ValueError or TypeError.
        fits: whether a value is one already, so that taking it changes nothing.
        choices: all the values there are, where they are few: of `Literal`, of an `Enum`.
        bounds: between what a value lies.
        made: the class of a value, where it is one class.
    """

    name: str
    take: Callable[[Any], Any]
    fits: Callable[[Any], bool]
    choices: tuple[Any, ...] = ()
    bounds: Bounds = UNBOUNDED
    made: type[Any] | None = None


def param_type_of(annotation: Any) -> ParamType:
    """The kind that a type or an annotation means.

    Args:
        annotation: a class; `list[int]`, `tuple[A, B]`, `dict[str, int]` and the like; `Literal`,
            `Enum`; a union such as `int | None`; `range(1, 11)`, for a whole number of it; what
            `Annotated` and `NewType` stand for, with the bounds that are given there.

    Raises:
        ParamError: values cannot be checked against it.
    """
    origin, inner = typing.get_origin(annotation), typing.get_args(annotation)
    if annotation is Any or annotation is object:
        return ParamType("anything", _same, lambda value: True)
    if annotation is None or annotation is type(None):
        return ParamType("None", _none, lambda value: value is None, (None,))
    if isinstance(annotation, range):
        return _bounded(param_type_of(int), bounds_of_range(annotation))
    if origin is typing.Annotated:
        return _bounded(param_type_of(inner[0]), bounds_in(inner[1:]))
    if origin is typing.Literal:
        return _literal(inner)
    if origin in (typing.Union, types.UnionType):
        return _union([param_type_of(one) for one in inner])
    if isinstance(annotation, typing.NewType):
        return param_type_of(annotation.__supertype__)
    if origin is tuple or annotation is tuple:
        return _tuple(inner)
    for given in (origin, annotation):
        if not isinstance(given, collections.abc.Hashable):
            break
        if given in _ROWS:
            return _rows(_ROWS[given], given, inner)
        if given in _MAPPINGS:
            return _mapping(inner)
    if isinstance(annotation, type) and origin is None and not typing.is_typeddict(annotation):
        return _class(annotation)
    raise ParamError(
        f"a parameter's type is a class, Literal, list[…], dict[…], or a union of such, and "
        f"{quoted(annotation, 80)} is none that a value can be checked against"
    )


def _class(kind: type[Any]) -> ParamType:
    def fits(value: Any) -> bool:
        return isinstance(value, kind) and not (isinstance(value, bool) and kind in _NUMBERS)

    def take(value: Any) -> Any:
        return value if fits(value) else _coerced(value, kind)

    if not issubclass(kind, enum.Enum):
        return ParamType(kind.__name__, take, fits, made=kind)
    choices = tuple(kind)
    some = ", ".join(one.name for one in choices[:_NAMED]) + ", …" * (len(choices) > _NAMED)
    return ParamType(f"one of {some}", take, fits, choices, made=kind)


def _bounded(kind: ParamType, bounds: Bounds) -> ParamType:
    """The same between bounds."""
    if bounds == UNBOUNDED:
        return kind

    def fits(value: Any) -> bool:
        return kind.fits(value) and bounds.hold(value)

    def take(value: Any) -> Any:
        taken = kind.take(value)
        if not bounds.hold(taken):
            raise ValueError(value)
        return taken

    return kind._replace(name=kind.name + bounds.words, take=take, fits=fits, bounds=bounds)


def _coerced(value: Any, kind: type[Any]) -> Any:
    if issubclass(kind, enum.Enum):
        return _member(value, kind)
    if kind is bool:
        word = str(value).strip().lower() if isinstance(value, (str, int)) else ""
        if word in _TRUE or word in _FALSE:
            return word in _TRUE
        raise ValueError(value)
    if isinstance(value, bool):
        raise ValueError(value)  # True is no count
    if kind is int and isinstance(value, float) and (not math.isfinite(value) or value % 1):
        raise ValueError(value)  # 2.5 is not 2
    if kind in _NUMBERS and isinstance(value, (int, float, str)):
        return kind(value)
    module = kind.__module__.partition(".")[0]
    if isinstance(value, str) and module in _READERS:
        return kind(value)
    if isinstance(value, str) and module == "datetime":
        return _moment(value, kind)
    raise TypeError(value)


def _moment(text: str, kind: type[Any]) -> Any:
    """A date, a time or both as ISO 8601 writes them, or a length of time."""
    if kind.__name__ == "timedelta":
        try:
            return kind(seconds=seconds_of(text))
        except UsageError as error:
            raise ValueError(text) from error
    reads: Callable[[str], Any] = kind.fromisoformat
    return reads(text[:-1] + "+00:00" if text.endswith("Z") else text)  # 3.10 does not read the Z


def _member(value: Any, kind: type[enum.Enum]) -> enum.Enum:
    """A member by its value or its name, as text too."""
    for member in kind:
        if type(value) is type(member.value) and value == member.value:
            return member
    if isinstance(value, str):
        for member in kind:
            if value in (member.name, str(member.value)):
                return member
    raise ValueError(value)


def _literal(options: tuple[Any, ...]) -> ParamType:
    def fits(value: Any) -> bool:
        return any(type(value) is type(one) and value == one for one in options)

    def take(value: Any) -> Any:
        for one in options:
            if type(value) is type(one) and value == one:
                return one
        for one in options:
            if isinstance(value, str) and value == str(one):
                return one
        raise ValueError(value)

    return ParamType("one of " + ", ".join(map(repr, options)), take, fits, options)


def _union(kinds: list[ParamType]) -> ParamType:
    def take(value: Any) -> Any:
        for kind in kinds:
            if kind.fits(value):
                return kind.take(value)
        # Text is tried last as text: "3" for `str | int` is what it is, for `int | None` a number.
        for kind in kinds:
            try:
                return kind.take(value)
            except (TypeError, ValueError):
                continue
        raise ValueError(value)

    few = all(kind.choices for kind in kinds)
    return ParamType(
        " | ".join(kind.name for kind in kinds),
        take,
        lambda value: any(kind.fits(value) for kind in kinds),
        tuple(choice for kind in kinds for choice in kind.choices) if few else (),
    )


def _rows(made: type[Any], asked: Any, inner: tuple[Any, ...]) -> ParamType:
    item = param_type_of(inner[0]) if inner else None
    plain = asked in (list, set, frozenset)

    def fits(value: Any) -> bool:
        there = isinstance(value, asked) and (plain or not isinstance(value, (str, bytes)))
        return there and (item is None or all(map(item.fits, value)))

    def take(value: Any) -> Any:
        if fits(value):
            return value
        some = _items(value)
        return made(some if item is None else map(item.take, some))

    name = getattr(asked, "__name__", str(asked))
    return ParamType(name if item is None else f"{name}[{item.name}]", take, fits)


def _tuple(inner: tuple[Any, ...]) -> ParamType:
    if not inner:
        return ParamType(
            "tuple",
            lambda value: value if isinstance(value, tuple) else tuple(_items(value)),
            lambda value: isinstance(value, tuple),
        )
    if len(inner) == 2 and inner[1] is Ellipsis:
        item = param_type_of(inner[0])
        return ParamType(
            f"tuple[{item.name}, ...]",
            lambda value: tuple(map(item.take, _items(value))),
            lambda value: isinstance(value, tuple) and all(map(item.fits, value)),
        )
    kinds = [] if inner == ((),) else [param_type_of(one) for one in inner]

    def take(value: Any) -> Any:
        parts = list(_items(value))
        if len(parts) != len(kinds):
            raise ValueError(value)
        return tuple(kind.take(part) for kind, part in zip(kinds, parts, strict=True))

    def fits(value: Any) -> bool:
        return (
            isinstance(value, tuple)
            and len(value) == len(kinds)
            and all(kind.fits(part) for kind, part in zip(kinds, value, strict=True))
        )

    return ParamType(f"tuple[{', '.join(kind.name for kind in kinds)}]", take, fits)


def _mapping(inner: tuple[Any, ...]) -> ParamType:
    key, item = (param_type_of(inner[0]), param_type_of(inner[1])) if inner else (None, None)

    def fits(value: Any) -> bool:
        if not isinstance(value, Mapping) or key is None or item is None:
            return isinstance(value, Mapping)
        return all(key.fits(k) and item.fits(v) for k, v in value.items())

    def take(value: Any) -> Any:
        if fits(value):
            return value
        read = json.loads(value) if isinstance(value, str) else value
        if not isinstance(read, Mapping):
            raise TypeError(value)
        if key is None or item is None:
            return dict(read)
        return {key.take(k): item.take(v) for k, v in read.items()}

    name = "dict" if key is None or item is None else f"dict[{key.name}, {item.name}]"
    return ParamType(name, take, fits)


def _items(value: Any) -> Iterable[Any]:
    """The items of a list, a set or the like, or of the JSON of one."""
    read = json.loads(value) if isinstance(value, str) else value
    if isinstance(read, (list, tuple, set, frozenset, range)):
        return read
    if isinstance(read, collections.abc.Iterable) and hasattr(read, "tolist"):  # an array
        return list(read.tolist())
    raise TypeError(value)


def _none(value: Any) -> None:
    if value is not None and not (isinstance(value, str) and value.lower() in ("none", "null", "")):
        raise ValueError(value)


def _same(value: Any) -> Any:
    return value
