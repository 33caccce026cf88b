"""Turns NumPy, pandas, Polars and Arrow data into canonical bytes. Nothing here imports them: the
user has.

Equal data have equal bytes whatever the memory around them looks like: the padding of a record, the
blocks of a frame, what lies under a mask. Contiguous
memory is read where it lies; other layouts are copied in pieces of a few megabytes.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Iterator, Mapping
from hashlib import blake2b
from typing import Any, Final

from cascade_nb.graph.values.arrow import (
    Encodes,
    arrow_array,
    arrow_table,
    later,
    polars_frame,
    polars_series,
)
from cascade_nb.graph.values.atoms import DIGEST_SIZE, digest, frame, text

_PIECE: Final = 1 << 22


Handler = Callable[[Encodes, Any], bytes]


def array_handler(kind: type) -> Handler | None:
    """What makes the bytes of values of this type, or None where it is none of these libraries'.

    A subclass of a data frame or an array may hold more than its base, so it is none of them.
    """
    return _handler(kind) if _library(kind) in _HANDLERS else None


@functools.lru_cache(maxsize=256)
def _handler(kind: type) -> Handler | None:
    library = _library(kind)
    if kind.__module__ == "pyarrow._dataset":
        return later
    for name, handler in _HANDLERS[library].items():
        place, _, last = name.rpartition(".")
        base = getattr(sys.modules.get(f"{library}.{place}" if place else library), last, None)
        if base is kind or (name in _WITH_SUBTYPES and base is not None and issubclass(kind, base)):
            return handler
    return None


def _library(kind: type) -> str:
    return str(kind.__module__).partition(".")[0]


def _array(encoder: Encodes, value: Any) -> bytes:
    """An array: its items, and the order in which they lie in memory."""
    return _layout(value) + _items(encoder, value)


def _layout(value: Any) -> bytes:
    """What a body can see of where items lie: the axes from the widest stride to the narrowest,
    each with its direction, and whether there are gaps. Whoever adds up numbers does so in that
    order, so that the last digits depend on it.
    """
    flags = value.flags
    if flags.c_contiguous:
        return b"C"
    if flags.f_contiguous:
        return b"F"
    strides = [(-abs(step), n, step < 0) for n, step in enumerate(value.strides)]
    return b"G" + b"".join([b"%d%d" % (n, back) for _, n, back in sorted(strides)])


def _items(encoder: Encodes, value: Any) -> bytes:
    """dtype, shape and bytes in C order; objects, and text of variable width, item by item."""
    dtype = value.dtype
    if dtype.names is not None:
        # field by field, because the padding between fields holds anything
        return text(repr(dtype)) + b"".join([_items(encoder, value[name]) for name in dtype.names])
    head = text(_dtype(dtype)) + encoder.encode(value.shape)
    if dtype.metadata:
        head += b"m" + encoder.encode(dict(dtype.metadata))
    if dtype.hasobject or dtype.kind == "T":
        return head + encoder.items(value.ravel().tolist())
    if not value.nbytes:
        return head
    if value.flags.c_contiguous:
        return head + digest(value.reshape(-1).view("u1"))
    hasher = blake2b(digest_size=DIGEST_SIZE)
    for piece in _pieces(value):
        hasher.update(piece.reshape(-1).view("u1"))
    return head + hasher.digest()


def _dtype(dtype: Any) -> str:
    """The text of a data type, with more where two types have one text, as ``longlong`` has."""
    said = str(dtype.str)
    usual = sys.modules["numpy"].dtype(said) if dtype.kind in "iu" else dtype
    return said if usual.char == dtype.char else f"{said} {dtype.char}"


def _masked(encoder: Encodes, value: Any) -> bytes:
    """A masked array: also what stands under its mask, and whether it has one where nothing is
    masked.
    """
    data, mask = value.data, value._mask
    has_mask = mask is not sys.modules["numpy"].ma.nomask
    head = encoder.encode((value._fill_value is None, value.fill_value, value.hardmask, has_mask))
    return head + _array(encoder, data) + (_array(encoder, mask) if has_mask else b"")


def _pieces(value: Any) -> Iterator[Any]:
    """C-ordered copies of the parts of `value`, one after the other, of about 4 MiB each."""
    if value.nbytes <= _PIECE or value.size == 1:
        yield value.copy(order="C")
    elif len(value) == 1:
        yield from _pieces(value[0])
    else:
        rows = max(1, _PIECE * len(value) // value.nbytes)
        for start in range(0, len(value), rows):
            yield from _pieces(value[start : start + rows])


def _scalar(encoder: Encodes, value: Any) -> bytes:
    if value.dtype.names is not None or value.dtype.hasobject:
        return text(repr(value.dtype)) + encoder.encode(value.item())
    return text(value.dtype.str) + frame(b"b", value.tobytes())


def _frame(encoder: Encodes, value: Any) -> bytes:
    columns = [_column(encoder, series.array) for _, series in value.items()]
    labels = _index(encoder, value.columns) + _index(encoder, value.index)
    return labels + _noted(encoder, value) + b"".join(columns)


def _series(encoder: Encodes, value: Any) -> bytes:
    labels = encoder.encode(value.name) + _index(encoder, value.index)
    return labels + _noted(encoder, value) + _column(encoder, value.array)


def _noted(encoder: Encodes, value: Any) -> bytes:
    """What a frame or series says of itself beside its data."""
    said = {name: one for name, one in vars(value).items() if not name.startswith("_")}
    return encoder.encode((dict(value.attrs), value.flags.allows_duplicate_labels, said))


def _index(encoder: Encodes, value: Any) -> bytes:
    names = encoder.encode(list(value.names))
    if hasattr(value, "levels"):
        # with levels that no row has, which whoever asks for the levels sees
        levels = [_index(encoder, level) for level in value.levels]
        codes = [_items(encoder, codes) for codes in value.codes]
        return b"M" + names + b"".join(levels) + b"".join(codes)
    if isinstance(getattr(value, "start", None), int):
        return b"R" + names + encoder.encode(range(value.start, value.stop, value.step))
    return b"I" + names + encoder.encode(_freq(value)) + _column(encoder, value.array)


def _freq(index: Any) -> str | None:
    """The frequency of a time index, which decides what `index + 1` means."""
    freq = getattr(index, "freqstr", None)
    return freq if isinstance(freq, str) else None


def _column(encoder: Encodes, value: Any) -> bytes:
    """One pandas column: by its values and which are missing, not by what stands under the mask."""
    dtype = value.dtype
    head = text(str(dtype))
    kind = type(value).__name__
    if hasattr(value, "asi8"):  # dates, times, periods
        return head + _items(encoder, value.asi8)
    if kind == "Categorical":
        categories = _index(encoder, value.categories)
        return head + encoder.encode(value.ordered) + categories + _items(encoder, value.codes)
    if kind.startswith("Arrow"):
        return head + arrow_array(encoder, value.__arrow_array__())
    if hasattr(dtype, "numpy_dtype") and kind.endswith("Array") and hasattr(value, "_mask"):
        plain = value.to_numpy(dtype=dtype.numpy_dtype, na_value=dtype.numpy_dtype.type(0))
        return head + _items(encoder, value.isna()) + _items(encoder, plain)
    if kind in ("NumpyExtensionArray", "PandasArray"):
        return head + _items(encoder, value.to_numpy())
    if kind.endswith("StringArray"):
        return head + _items(encoder, value.to_numpy(dtype=object))
    return head + encoder.encode(value)  # intervals, sparse and foreign ones: as pickle sees them


_WITH_SUBTYPES: Final = frozenset({"generic", "Index", "Array"})
_HANDLERS: Final[Mapping[str, Mapping[str, Handler]]] = {
    "numpy": {
        "ndarray": _array,
        "memmap": _array,
        "generic": _scalar,
        "ma.MaskedArray": _masked,
    },
    "pandas": {"DataFrame": _frame, "Series": _series, "Index": _index},
    "polars": {"DataFrame": polars_frame, "Series": polars_series, "LazyFrame": later},
    "pyarrow": {
        "Table": arrow_table,
        "RecordBatch": arrow_table,
        "ChunkedArray": arrow_array,
        "Array": arrow_array,
    },
}
