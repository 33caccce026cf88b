"""Reads and replaces the objects in arrays and data frames, among which lazy values may stand.

Nothing here imports their libraries: the user has, where there is such a value.
"""

from __future__ import annotations

import sys
from typing import Any

from cascade_nb.text import quoted


def there_may_be_arrays() -> bool:
    """Whether a value can be an array; into one of objects Python's collector does not look."""
    return "numpy" in sys.modules


def array_kind(cls: type) -> str | None:
    """What of NumPy or pandas `cls` is: "array", "frame", or "none" for what holds no objects; None
    for a class of anybody else's.
    """
    numpy, pandas = sys.modules.get("numpy"), sys.modules.get("pandas")
    if numpy is not None and hasattr(numpy, "ndarray"):
        if issubclass(cls, numpy.ndarray):
            return "array"
        if issubclass(cls, (numpy.generic, numpy.dtype)):
            return "none"
    if pandas is not None and hasattr(pandas, "DataFrame"):
        if issubclass(cls, (pandas.DataFrame, pandas.Series, pandas.Index)):
            return "frame"
        if cls.__module__.startswith("pandas."):
            return "none"
    return None


def array_parts(array: Any) -> list[Any]:
    """The objects in an array, in C order."""
    if not array.dtype.hasobject:
        return []
    items: list[Any] = array.view(sys.modules["numpy"].ndarray).ravel().tolist()
    return items


def array_path(array: Any, position: int) -> str:
    """How one of them is written."""
    place = sys.modules["numpy"].unravel_index(position, array.shape)
    return f"[{', '.join(map(str, place))}]"


def array_made(parts: list[Any], old: Any) -> Any:
    """An array like `old` of other objects."""
    new = old.copy()
    for position, part in enumerate(parts):
        new[sys.modules["numpy"].unravel_index(position, old.shape)] = part
    return new


def frame_parts(frame: Any) -> list[Any]:
    """The objects in the columns of a frame, in a series or an index."""
    return [held for _, column in _object_columns(frame) for held in column]


def frame_path(frame: Any, position: int) -> str:
    """How one of them is written."""
    for name, column in _object_columns(frame):
        if position < len(column):
            return f"{name}[{position}]"
        position -= len(column)
    return ""


def _object_columns(frame: Any) -> list[tuple[str, list[Any]]]:
    if hasattr(frame, "columns"):
        kinds = frame.dtypes.to_numpy()
        places = [place for place, kind in enumerate(kinds) if kind.kind == "O"]
        return [(f"[{quoted(frame.columns[i])}]", frame.iloc[:, i].tolist()) for i in places]
    return [("", frame.tolist())] if frame.dtype.kind == "O" else []
