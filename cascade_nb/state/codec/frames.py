"""Writes pandas and Polars frames and series through Arrow, where all of them comes back exactly.

For pandas that is the case with plain labels and columns of numbers, truth values, naive times and
text. Everything else is for pickle: objects, categories, time zones, several levels of labels,
flags, fractions of which some are NaN and some missing. For Polars it is everything but objects.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Sequence
from typing import Any, Final

from cascade_nb.state.codec.leaves import Leaf, NotPlainError, library
from cascade_nb.state.codec.signatures import Chunk
from cascade_nb.state.codec.tables import read_table, table_chunks

_NUMPY_KINDS: Final = frozenset("biufmM")
_EXTENSIONS: Final = (
    *(f"{sign}Int{bits}Dtype" for sign in ("", "U") for bits in (8, 16, 32, 64)),
    *("BooleanDtype", "StringDtype", "ArrowDtype"),
)
_POLARS: Final = frozenset(
    {f"{sign}Int{bits}" for sign in ("", "U") for bits in (8, 16, 32, 64, 128)}
    | {"Float16", "Float32", "Float64", "Boolean", "String", "Binary", "Decimal", "Null"}
    | {"Date", "Time", "Datetime", "Duration", "Enum", "Categorical", "List", "Array", "Struct"}
)
_MOST_COLUMNS: Final = 1000  # with more, the columns' heads weigh more than their data


def _write_frame(value: Any) -> tuple[Any, Sequence[Chunk]]:
    columns = [value.iloc[:, i] for i in range(min(value.shape[1], _MOST_COLUMNS + 1))]
    if not columns or len(columns) > _MOST_COLUMNS or not value.flags.allows_duplicate_labels:
        raise NotPlainError
    labels, texts = value.columns, value.columns.tolist()
    if not _is_index(labels) or set(map(type, texts)) != {str}:
        raise NotPlainError
    label_dtype = "object" if labels.dtype == object else _dtype_name(labels.dtype)
    dtypes, rows, data = _write_columns(columns, value.index)
    return ((label_dtype, texts, labels.name), dtypes, rows, dict(value.attrs)), data


def _read_frame(head: Any, data: Sequence[memoryview]) -> Any:
    pandas = library("pandas")
    (label_dtype, texts, label_name), dtypes, rows, attrs = head
    columns, index = _read_columns(pandas, dtypes, rows, data)
    # it copies what it is given, and so are its columns writable
    frame = pandas.DataFrame(dict(enumerate(columns)), index=index)
    frame.columns = pandas.Index(texts, dtype=label_dtype, name=label_name)
    frame.attrs.update(attrs)
    return frame


def _write_series(value: Any) -> tuple[Any, Sequence[Chunk]]:
    if not value.flags.allows_duplicate_labels:
        raise NotPlainError
    dtypes, rows, data = _write_columns([value], value.index)
    return (value.name, dtypes, rows, dict(value.attrs)), data


def _read_series(head: Any, data: Sequence[memoryview]) -> Any:
    pandas = library("pandas")
    name, dtypes, rows, attrs = head
    (column,), index = _read_columns(pandas, dtypes, rows, data)
    series = pandas.Series(column, index=index, name=name, copy=True)
    series.attrs.update(attrs)
    return series


def _write_columns(columns: list[Any], index: Any) -> tuple[list[str], Any, list[Chunk]]:
    """The dtypes of columns, their row labels, and their data; labels that are no range as well."""
    pyarrow: Any = sys.modules.get("pyarrow")
    if pyarrow is None:
        raise NotPlainError
    if type(index) is sys.modules["pandas"].RangeIndex:
        rows: Any = ("range", index.start, index.stop, index.step, index.name)
    elif _is_index(index):
        rows = (_dtype_name(index.dtype), index.name)
        columns = [*columns, index]
    else:
        raise NotPlainError
    dtypes = [_dtype_name(column.dtype) for column in columns]
    arrays = [_arrow(pyarrow, column) for column in columns]
    table = pyarrow.Table.from_arrays(arrays, names=list(map(str, range(len(arrays)))))
    return dtypes, rows, table_chunks(table)


def _read_columns(
    pandas: Any, dtypes: list[str], rows: Any, data: Sequence[memoryview]
) -> tuple[list[Any], Any]:
    table = read_table(data)
    columns = [
        _column(pandas.api.types.pandas_dtype(name), column)
        for name, column in zip(dtypes, table.columns, strict=True)
    ]
    if rows[0] == "range":
        _, start, stop, step, name = rows
        return columns, pandas.RangeIndex(start, stop, step, name=name)
    dtype, name = rows
    return columns, pandas.Index(columns.pop(), dtype=dtype, name=name, copy=True)


def _column(dtype: Any, column: Any) -> Any:
    restore = getattr(dtype, "__from_arrow__", None)
    return restore(column) if restore is not None else column.to_numpy()


def _arrow(pyarrow: Any, column: Any) -> Any:
    if type(column.dtype).__module__.partition(".")[0] == "numpy":
        return pyarrow.array(column.to_numpy(), from_pandas=False)  # a NaN is not a missing value
    return pyarrow.array(column.array)


def _is_index(value: Any) -> bool:
    return type(value) is sys.modules["pandas"].Index


def _dtype_name(dtype: Any) -> str:
    """The name from which pandas makes this very dtype again."""
    name = str(dtype)
    pandas = sys.modules["pandas"]
    again = pandas.api.types.pandas_dtype(name) if _is_exact(dtype) else None
    if type(again) is not type(dtype) or again != dtype:
        raise NotPlainError
    return name


def _is_exact(dtype: Any) -> bool:
    """Whether a column of it is said completely by its Arrow form."""
    pandas = sys.modules["pandas"]
    if isinstance(dtype, pandas.api.extensions.ExtensionDtype):
        return any(type(dtype) is getattr(pandas, name) for name in _EXTENSIONS)
    return dtype.kind in _NUMPY_KINDS


def _is_exact_in_polars(dtype: Any) -> bool:
    """Objects are not: Polars writes down where in memory they were."""
    inner = [dtype.inner] if hasattr(dtype, "inner") else []
    inner += [field.dtype for field in getattr(dtype, "fields", ())]
    return str(dtype.base_type()) in _POLARS and all(map(_is_exact_in_polars, inner))


def _polars_chunks(frame: Any) -> Sequence[Chunk]:
    if not frame.width or not all(map(_is_exact_in_polars, frame.dtypes)):
        raise NotPlainError
    file = io.BytesIO()
    frame.write_ipc_stream(file)
    return [file.getbuffer()]


def _read_polars(data: Sequence[memoryview]) -> Any:
    return library("polars").read_ipc_stream(io.BytesIO(b"".join(data)))


def _write_polars_frame(value: Any) -> tuple[Any, Sequence[Chunk]]:
    return None, _polars_chunks(value)


def _read_polars_frame(_: Any, data: Sequence[memoryview]) -> Any:
    return _read_polars(data)


def _write_polars_series(value: Any) -> tuple[Any, Sequence[Chunk]]:
    return None, _polars_chunks(value.to_frame())


def _read_polars_series(_: Any, data: Sequence[memoryview]) -> Any:
    return _read_polars(data).to_series()


FRAME_LEAVES: Final = (
    Leaf("pandas", "DataFrame", _write_frame, _read_frame),
    Leaf("pandas", "Series", _write_series, _read_series),
    Leaf("polars", "DataFrame", _write_polars_frame, _read_polars_frame),
    Leaf("polars", "Series", _write_polars_series, _read_polars_series),
)
