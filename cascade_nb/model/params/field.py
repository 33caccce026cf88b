"""Says how a form asks for a value: with a box to tick, a list, a slider, or a line to write.

Whatever a form gives back is text, or true and false; `ParamType.take` reads it.
"""

from __future__ import annotations

import datetime as dt
import enum
import json
import pathlib
from collections.abc import Mapping
from typing import Any, Final

from cascade_nb.model.params.param_types import ParamType
from cascade_nb.text import quoted

#: Steps that a slider may have; a number of more is written.
SLIDES: Final = 1000
_LONGEST: Final = 1_000_000  # characters of a value


def field_of(name: str, kind: ParamType | None) -> dict[str, Any]:
    """The field for a value of this type, as JSON.

    Args:
        name: of what is asked for.
        kind: its type; None for whatever a Python literal can say.

    Returns:
        Its `name`; its `kind`: "bool", "choice", "slider", "number", "date", "time" (a date and a
        time) or "text"; `choices` as texts; `low`, `high` and `step` where a number has them.
    """
    field: dict[str, Any] = {"name": name, "kind": "text", "choices": []}
    if kind is None:
        return field
    if kind.choices:
        return {**field, "kind": "choice", "choices": [text_of(one) for one in kind.choices]}
    shape = _SHAPES.get(kind.made, "text") if kind.made is not None else "text"
    if shape == "number":
        low, high, step = kind.bounds.low, kind.bounds.high, kind.bounds.step
        limits = {"low": low, "high": high, "step": step or (1 if kind.made is int else None)}
        shown = {key: value for key, value in limits.items() if value is not None}
        return {**field, **shown, "kind": "slider" if _slides(kind) else "number"}
    return {**field, "kind": shape}


_SHAPES: Final[Mapping[type[Any], str]] = {
    bool: "bool",
    int: "number",
    float: "number",
    dt.date: "date",
    dt.datetime: "time",
}


def _slides(kind: ParamType) -> bool:
    low, high, step = kind.bounds.low, kind.bounds.high, kind.bounds.step
    if low is None or high is None:
        return False
    return kind.made is float or (high - low) / (step or 1) <= SLIDES


def text_of(value: Any) -> str:
    """A value as one would write it into a form, so that its parameter reads it again.

    Example:
        >>> text_of("fast"), text_of(0.5), text_of([1, 2]), text_of(None)
        ('fast', '0.5', '[1, 2]', 'None')
    """
    if isinstance(value, str):
        return str(value)
    if isinstance(value, enum.Enum):
        return value.name
    if isinstance(value, (dt.date, dt.time)):
        return value.isoformat()
    if isinstance(value, dt.timedelta):
        return f"{value.total_seconds()!r}s"
    if isinstance(value, pathlib.PurePath):
        return str(value)
    if isinstance(value, (list, tuple, dict, set, frozenset)):
        some = sorted(value, key=repr) if isinstance(value, (set, frozenset)) else value
        try:
            return json.dumps(some, default=text_of, ensure_ascii=False)
        except (TypeError, ValueError, RecursionError):
            return quoted(value, _LONGEST)
    return quoted(value, _LONGEST) if type(value) is int else str(value)
