"""Reads values from JSON as `value_writer` wrote them; whatever it would not write is refused."""

from __future__ import annotations

import base64
import dataclasses
import datetime as dt
import enum
import typing
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from cascade_nb.errors import SerializationError
from cascade_nb.graph.serialization.import_paths import Where
from cascade_nb.graph.serialization.value_writer import NAMED, SEQUENCES, WRITTEN, Opaque
from cascade_nb.model.lazy.lazy import Lazy
from cascade_nb.model.resources import Resource, inject
from cascade_nb.text import quoted


class Loader:
    """Makes values of JSON.

    Args:
        lazies: the lazy values of the nodes so far.
        given: by import path, what stands for a resource that cannot be imported.

    Attributes:
        missing: the opaque values seen since this was emptied last.
    """

    def __init__(self, lazies: Sequence[Lazy], given: Mapping[str, Any]) -> None:
        self._lazies = lazies
        self._given = given
        self.missing: list[Opaque] = []

    def load(self, data: Any) -> Any:
        """The value that was written.

        Raises:
            SerializationError: nothing was ever written like that.
        """
        if isinstance(data, list):
            return [self.load(item) for item in data]
        if not isinstance(data, dict):
            return data
        kind = data.get("$")
        load = _LOADERS.get(kind) if isinstance(kind, str) else None
        if load is None:
            raise SerializationError(f"there is no kind of value {quoted(kind)}")
        try:
            return load(self, {name: part for name, part in data.items() if name != "$"})
        except SerializationError:
            raise
        except (TypeError, ValueError, ArithmeticError, KeyError, AttributeError) as error:
            raise SerializationError(f"this is no {kind}: {data!s:.120} ({error})") from error

    def node(self, index: Any) -> Lazy:
        """The lazy value of a node.

        Raises:
            SerializationError: there is none so far.
        """
        if type(index) is not int or not 0 <= index < len(self._lazies):
            raise SerializationError(f"there is no node {quoted(index)} before this one")
        return self._lazies[index]

    def where(self, data: Any) -> Where:
        """An import path.

        Raises:
            SerializationError: it is none.
        """
        if not isinstance(data, dict) or set(data) != set(Where._fields):
            raise SerializationError(f"this is no import path: {quoted(data, 120)}")
        if not all(isinstance(part, str) and part for part in data.values()):
            raise SerializationError(f"this is no import path: {quoted(data, 120)}")
        return Where(**data)

    def _node(self, data: dict[str, Any]) -> Lazy:
        (index,) = _parts(data, "node")
        return self.node(index)

    def _inject(self, data: dict[str, Any]) -> Any:
        (path,) = _parts(data, "resource")
        where = self.where(path)
        found = self._given.get(str(where))
        found = where.found() if found is None else found
        if not isinstance(found, Resource):
            raise SerializationError(f"{where} is no resource")
        return inject(found)

    def _opaque(self, data: dict[str, Any]) -> Opaque:
        kind, text = _parts(data, "type", "text")
        made = Opaque(str(kind), str(text))
        self.missing.append(made)
        return made

    def _class(self, path: Any, fits: Callable[[type], bool]) -> Any:
        found = self.where(path).found()
        if not (isinstance(found, type) and fits(found)):
            raise SerializationError(f"{self.where(path)} is no such class any more")
        return found

    def _enum(self, data: dict[str, Any]) -> Any:
        path, name = _parts(data, "class", "name")
        return self._class(path, lambda cls: issubclass(cls, enum.Enum))[name]

    def _global(self, data: dict[str, Any]) -> Any:
        (path,) = _parts(data, "class")
        found = self.where(path).found()
        if not isinstance(found, NAMED):
            raise SerializationError(f"{self.where(path)} is neither a class nor a function")
        return found

    def _namedtuple(self, data: dict[str, Any]) -> Any:
        path, items = _parts(data, "class", "items")
        cls = self._class(path, lambda cls: issubclass(cls, tuple) and hasattr(cls, "_fields"))
        return cls(*self.load(items))

    def _dataclass(self, data: dict[str, Any]) -> Any:
        path, fields = _parts(data, "class", "fields")
        cls = self._class(path, dataclasses.is_dataclass)
        values = {name: self.load(value) for name, value in fields}
        if unknown := set(values) - {field.name for field in dataclasses.fields(cls)}:
            raise SerializationError(f"{cls.__qualname__} has no field {min(unknown)!r} any more")
        made = object.__new__(cls)  # its own state; what its __init__ does was done once
        for name, value in values.items():
            object.__setattr__(made, name, value)
        return made

    def _generic(self, data: dict[str, Any]) -> Any:
        of, items = _parts(data, "of", "items")
        return self.load(of)[tuple(self.load(items))]

    def _pairs(self, items: Any) -> list[tuple[Any, Any]]:
        return [(self.load(key), self.load(value)) for key, value in items]

    def _defaultdict(self, data: dict[str, Any]) -> Any:
        factory, items = _parts(data, "factory", "items")
        return defaultdict(self.load(factory), self._pairs(items))


def _parts(data: dict[str, Any], *names: str) -> tuple[Any, ...]:
    if set(data) != set(names):
        raise KeyError(f"it has {sorted(data)}, not {sorted(names)}")
    return tuple(data[name] for name in names)


def _items(make: Callable[[Any], Any]) -> Callable[[Loader, dict[str, Any]], Any]:
    return lambda loader, data: make(loader.load(_parts(data, "items")[0]))


def _of_text(make: Callable[[str], Any]) -> Callable[[Loader, dict[str, Any]], Any]:
    return lambda loader, data: make(_parts(data, "text")[0])


def _of_base64(make: Callable[[bytes], Any]) -> Callable[[Loader, dict[str, Any]], Any]:
    return lambda loader, data: make(base64.b64decode(_parts(data, "base64")[0], validate=True))


_LOADERS: Final[Mapping[str, Callable[[Loader, dict[str, Any]], Any]]] = {
    **{name: _items(kind) for name, kind in SEQUENCES.items()},
    **{name: _of_text(from_text) for name, (_, _, from_text) in WRITTEN.items()},
    "bytes": _of_base64(bytes),
    "bytearray": _of_base64(bytearray),
    "range": _items(lambda items: range(*items)),
    "timedelta": _items(lambda items: dt.timedelta(*items)),
    "ellipsis": lambda loader, data: _parts(data) or Ellipsis,
    "dict": lambda loader, data: dict(loader._pairs(*_parts(data, "items"))),
    "ordereddict": lambda loader, data: OrderedDict(loader._pairs(*_parts(data, "items"))),
    "defaultdict": Loader._defaultdict,
    "namedtuple": Loader._namedtuple,
    "dataclass": Loader._dataclass,
    "enum": Loader._enum,
    "generic": Loader._generic,
    "global": Loader._global,
    "inject": Loader._inject,
    "literal": _items(lambda items: typing.Literal[tuple(items)]),
    "node": Loader._node,
    "opaque": Loader._opaque,
    "union": _items(lambda items: typing.Union[tuple(items)]),  # noqa: UP007 - however many
}
