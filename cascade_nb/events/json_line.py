"""Writes a record as one line of JSON."""

from __future__ import annotations

import functools
import json
import math
from json.encoder import encode_basestring_ascii
from typing import Any, Final

from cascade_nb.events.record import Record

_ENCODER: Final = json.JSONEncoder(ensure_ascii=True, default=str)


def line_of(record: Record) -> str:
    """The kind of a record and its fields, as `json.dumps` would write them.

    Field by field, since `json` makes an encoder for every record and then finds out what it is.
    """
    said = [
        part
        for head, value in zip(_heads(type(record)), record, strict=True)
        for part in (head, _json(value))
    ]
    return f"{''.join(said)}}}"


@functools.cache
def _heads(kind: type[Record]) -> tuple[str, ...]:
    """What stands before each value of a line."""
    first, *others = kind.fields
    return f'{{"event": "{kind.__name__}", "{first}": ', *(f', "{name}": ' for name in others)


def _json(value: Any) -> str:
    if value.__class__ is str:
        return encode_basestring_ascii(value)
    if value.__class__ is int or (value.__class__ is float and math.isfinite(value)):
        return repr(value)
    return "null" if value is None else _ENCODER.encode(value)
