"""Turns Arrow and Polars data into canonical bytes, column by column.

Neither keeps the memory behind its values in one form: what lies under a null, the unused bits of
a mask, the chunks and the buffers of texts differ between equal tables. So what is hashed is what
the library itself writes, in a form that leaves all that out, to a file that keeps nothing.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from hashlib import blake2b
from typing import Any, Final, Protocol

from cascade_nb.graph.values.atoms import DIGEST_SIZE, CannotKeyError, digest, text, type_in_words

_ROWS: Final = 1 << 18


class Encodes(Protocol):
    """The part of `Encoder` that is needed here."""

    def encode(self, value: Any) -> bytes:
        """The canonical bytes of `value`."""
        ...

    def items(self, values: list[Any]) -> bytes:
        """The bytes of `values` in their order."""
        ...


class _Sink:
    """A file that keeps nothing of what is written to it but its digest."""

    closed = False

    def __init__(self) -> None:
        self._hasher = blake2b(digest_size=DIGEST_SIZE)

    def write(self, data: Any) -> int:
        view = memoryview(data)
        self._hasher.update(view)
        return view.nbytes

    def flush(self) -> None:
        """Nothing is held back."""

    def close(self) -> None:
        """The digest can be asked for at any time."""

    def digest(self) -> bytes:
        return self._hasher.digest()


def arrow_table(encoder: Encodes, value: Any) -> bytes:
    """A table or record batch: its schema and its columns."""
    columns = [arrow_array(encoder, column) for column in value.columns]
    schema = digest(value.schema.serialize())
    return encoder.encode((value.num_rows, value.schema.names)) + schema + b"".join(columns)


def arrow_array(encoder: Encodes, value: Any) -> bytes:
    """An array, chunked or not.

    As IPC streams of columns without nulls, bits and views. A column that has that form already is
    read where it lies.
    """
    arrow = sys.modules["pyarrow"]
    if isinstance(value, arrow.ChunkedArray):
        # no chunk or one costs nothing to combine; several are copied, one column at a time
        value = value.chunk(0) if value.num_chunks == 1 else value.combine_chunks()
    head = text(str(value.type)) + encoder.encode(len(value))
    return head + b"".join(_arrow_parts(arrow, encoder, value))


def _arrow_parts(arrow: Any, encoder: Encodes, array: Any) -> Iterator[bytes]:
    types, kind = arrow.types, array.type
    if types.is_dictionary(kind):
        # with texts that no row has, which whoever asks for the dictionary sees
        yield text(str(kind)) + arrow_array(encoder, array.dictionary)
        array = array.indices
        kind = array.type
    if types.is_boolean(kind):
        array = array.cast("uint8")
    elif types.is_string_view(kind) or types.is_binary_view(kind):
        array = array.cast("large_string" if types.is_string_view(kind) else "large_binary")
    elif types.is_struct(kind):
        yield _arrow_stream(arrow, array.is_null().cast("uint8"))
        for field in array.flatten():
            yield arrow_array(encoder, field)
        return
    elif types.is_list(kind) or types.is_large_list(kind):
        yield arrow_array(encoder, array.value_lengths())
        yield arrow_array(encoder, array.flatten())
        return
    kind = array.type
    plain = types.is_primitive(kind) or types.is_decimal(kind)
    if plain or any(test(kind) for test in (types.is_string, types.is_large_string)):
        zero: Any = 0 if plain else ""
    elif types.is_binary(kind) or types.is_large_binary(kind):
        zero = b""
    else:  # maps, unions and other rare ones
        yield encoder.items(array.to_pylist())
        return
    if array.null_count:
        yield _arrow_stream(arrow, array.is_null().cast("uint8"))
        array = array.fill_null(arrow.scalar(zero, kind))
    yield _arrow_stream(arrow, array)


def _arrow_stream(arrow: Any, array: Any) -> bytes:
    sink = _Sink()
    batch = arrow.RecordBatch.from_arrays([array], [""])
    with arrow.ipc.new_stream(arrow.PythonFile(sink, "w"), batch.schema) as writer:
        writer.write_batch(batch)
    return sink.digest()


def polars_frame(encoder: Encodes, value: Any) -> bytes:
    """A Polars frame: names and types of its columns, and their values.

    As Parquet, uncompressed: unlike IPC it leaves out nulls and the masks that tell of none, and
    Polars lets no other way see whether there is such a mask.
    """
    polars = sys.modules["polars"]
    schema = [(name, str(kind)) for name, kind in value.schema.items()]
    objects = [name for name, kind in value.schema.items() if kind == polars.Object]
    sink = _Sink()
    rest = value.drop(objects).rechunk()
    rest.write_parquet(sink, compression="uncompressed", statistics=False, row_group_size=_ROWS)
    flags = [value[name].flags for name in value.columns]  # by which Polars takes short cuts
    head = encoder.encode((value.height, schema, flags)) + sink.digest()
    return head + b"".join([encoder.items(value[name].to_list()) for name in objects])


def polars_series(encoder: Encodes, value: Any) -> bytes:
    """A Polars series."""
    return polars_frame(encoder, value.to_frame())


def later(encoder: Encodes, value: Any) -> bytes:
    """What describes data without having them."""
    raise CannotKeyError(type_in_words(value), "it reads its data only when it is computed")
