"""Writes values as JSON, with their types.

What JSON has is written as it is: null, true, false, numbers, text, lists. Everything else is an
object with its kind under ``"$"``, so that no text of a user can be taken for one::

    {"$": "tuple", "items": [1, 2]}            {"$": "dict", "items": [[1, "a"]]}
    {"$": "node", "node": 3}                   {"$": "bytes", "base64": "AAE="}
    {"$": "dataclass", "class": {"module": "m", "qualname": "C"}, "fields": [["x", 1]]}
    {"$": "opaque", "type": "pandas.DataFrame", "text": "Empty DataFrame"}
"""

from __future__ import annotations

import base64
import dataclasses
import datetime as dt
import decimal
import enum
import fractions
import math
import pathlib
import types
import typing
import uuid
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from cascade_nb.errors import SerializationError
from cascade_nb.graph.serialization.import_paths import stands, where_is
from cascade_nb.model.arguments.inputs import scan
from cascade_nb.model.lazy.lazy import Lazy
from cascade_nb.model.resources import Injected
from cascade_nb.model.tasks.task import Task

_AS_IT_IS: Final = (type(None), bool, str)
_LONGEST_NUMBER: Final = 4_000  # bits; Python refuses to read longer decimal numbers
_TEXT: Final = 200
_FOLD: Final = " again"
NAMED: Final = (type, types.FunctionType, types.BuiltinFunctionType, Task)


def _folded_text(moment: Any) -> str:
    """As ISO 8601 has it, with a mark for the second of two equal hours, which it does not know."""
    return str(moment.isoformat()) + (_FOLD if moment.fold else "")


def _folded(kind: Any, text: str) -> Any:
    made = kind.fromisoformat(text.removesuffix(_FOLD))
    return made.replace(fold=1) if text.endswith(_FOLD) else made


SEQUENCES: Final[Mapping[str, type]] = {
    "tuple": tuple,
    "set": set,
    "frozenset": frozenset,
}
WRITTEN: Final[Mapping[str, tuple[type, Callable[[Any], str], Callable[[str], Any]]]] = {
    "int": (int, hex, lambda text: int(text, 16)),
    "float": (float, repr, float),
    "path": (type(pathlib.Path()), str, pathlib.Path),
    "decimal": (decimal.Decimal, str, decimal.Decimal),
    "fraction": (fractions.Fraction, str, fractions.Fraction),
    "uuid": (uuid.UUID, str, uuid.UUID),
    "datetime": (dt.datetime, _folded_text, lambda text: _folded(dt.datetime, text)),
    "date": (dt.date, dt.date.isoformat, dt.date.fromisoformat),
    "time": (dt.time, _folded_text, lambda text: _folded(dt.time, text)),
    "complex": (complex, repr, complex),
}
_KIND_OF: Final = {kind: name for name, (kind, _, _) in WRITTEN.items()}


class Opaque(NamedTuple):
    """Stands for a value that JSON cannot hold: a frame, a model, an open file.

    Attributes:
        type: the full name of its type.
        text: the beginning of its `repr`.
    """

    type: str
    text: str


class ValueWriter:
    """Makes JSON of values.

    Args:
        index_of: the index of a lazy value's node.

    Attributes:
        opaque: how many values could not be written so far.
    """

    def __init__(self, index_of: Callable[[Lazy], int]) -> None:
        self._index_of = index_of
        self.opaque = 0

    def write(self, value: Any) -> Any:
        """`value` as what `json.dumps` takes.

        Raises:
            SerializationError: lazy values stand inside something that cannot be written, or
                containers hold themselves.
        """
        try:
            return self._write(value)
        except RecursionError:
            raise SerializationError("a value is nested too deeply, or holds itself") from None

    def _write(self, value: Any) -> Any:
        kind = type(value)
        if kind in _AS_IT_IS:
            return value
        if kind is int and value.bit_length() <= _LONGEST_NUMBER:
            return value
        if kind is float and math.isfinite(value):
            return value
        if kind is list:
            return self._all(value)
        if isinstance(value, Lazy):
            return {"$": "node", "node": self._index_of(value)}
        if kind is Injected:
            return {"$": "inject", "resource": where_is(value.resource.fn).written()}
        if kind is Opaque:
            self.opaque += 1
            return {"$": "opaque", **value._asdict()}
        return self._scalar(value) or self._container(value) or self._opaque(value)

    def _scalar(self, value: Any) -> dict[str, Any] | None:
        kind = type(value)
        if kind in (bytes, bytearray):
            return {"$": kind.__name__, "base64": base64.b64encode(value).decode()}
        if kind is range:
            return {"$": "range", "items": [value.start, value.stop, value.step]}
        if kind is dt.timedelta:
            return {"$": "timedelta", "items": [value.days, value.seconds, value.microseconds]}
        if value is Ellipsis:
            return {"$": "ellipsis"}
        name = _KIND_OF.get(kind)
        if name is not None:
            _, to_text, from_text = WRITTEN[name]
            text = to_text(value)
            # The rules of a zone are not in the text: what does not come back the same is opaque.
            same = kind is int or repr(from_text(text)) == repr(value)
            return {"$": name, "text": text} if same else None
        if isinstance(value, NAMED) and stands(value):
            return {"$": "global", "class": where_is(value).written()}
        if typing.get_origin(value) is not None:
            return self._type(value)
        if isinstance(value, enum.Enum) and stands(kind) and value.name in kind.__members__:
            return {"$": "enum", "class": where_is(kind).written(), "name": value.name}
        return None

    def _type(self, value: Any) -> dict[str, Any] | None:
        """A type with others in it, such as `list[int]` or `int | None`."""
        origin = typing.get_origin(value)
        items = [None if one is type(None) else one for one in typing.get_args(value)]
        if origin in (typing.Union, types.UnionType):
            return {"$": "union", "items": self._all(items)}
        if origin is typing.Literal:
            return {"$": "literal", "items": self._all(items)}
        return {"$": "generic", "of": self._write(origin), "items": self._all(items)}

    def _container(self, value: Any) -> dict[str, Any] | None:
        kind = type(value)
        if kind in SEQUENCES.values():
            items = sorted(value, key=repr) if kind in (set, frozenset) else value
            return {"$": kind.__name__, "items": self._all(items)}
        if kind in (dict, OrderedDict):
            return {"$": kind.__name__.lower(), "items": self._pairs(value)}
        if kind is defaultdict and (value.default_factory is None or stands(value.default_factory)):
            factory = self._write(value.default_factory)
            return {"$": "defaultdict", "factory": factory, "items": self._pairs(value)}
        if not stands(kind):
            return None
        made_of = {"class": where_is(kind).written()}
        if isinstance(value, tuple) and hasattr(kind, "_fields"):
            return {"$": "namedtuple", **made_of, "items": self._all(value)}
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            names = [f.name for f in dataclasses.fields(value) if hasattr(value, f.name)]
            fields = [[name, self._write(getattr(value, name))] for name in names]
            return {"$": "dataclass", **made_of, "fields": fields}
        return None

    def _all(self, values: Sequence[Any]) -> list[Any]:
        return [self._write(value) for value in values]

    def _pairs(self, value: Mapping[Any, Any]) -> list[list[Any]]:
        return [[self._write(key), self._write(item)] for key, item in value.items()]

    def _opaque(self, value: Any) -> dict[str, Any]:
        if scan((value,))[0]:
            raise SerializationError(
                f"a {type(value).__qualname__} cannot be written as JSON, and lazy values stand in "
                "it; give them to the task in a list, dict or importable dataclass"
            )
        self.opaque += 1
        try:
            text = repr(value)
        except Exception as error:
            text = f"<its repr raised {type(error).__name__}>"
        return {"$": "opaque", "type": str(where_is(type(value))), "text": text[:_TEXT]}
