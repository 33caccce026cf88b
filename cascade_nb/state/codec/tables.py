"""Writes Arrow tables and record batches as Arrow's own stream; columns are read in place."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any, Final

from cascade_nb.state.codec.leaves import Leaf, NotPlainError, coalesced, library
from cascade_nb.state.codec.signatures import Chunk


class _Sink:
    """A file for `pyarrow` that keeps what it is given, column by column, instead of copying it."""

    closed = False

    def __init__(self) -> None:
        self.pieces: list[Any] = []

    def write(self, piece: Any) -> int:
        self.pieces.append(piece)
        return len(piece)

    def writable(self) -> bool:
        return True

    def readable(self) -> bool:
        return False

    def seekable(self) -> bool:
        return False

    def flush(self) -> None:
        """Nothing waits."""


def table_chunks(table: Any) -> list[Chunk]:
    """The stream of a table or record batch.

    Raises:
        NotPlainError: its stream says less than the table.
    """
    pyarrow = sys.modules["pyarrow"]
    # A type that is defined by somebody else is lost, without a word, where that is not loaded.
    if any(map(_is_foreign, table.schema.types)):
        raise NotPlainError
    sink = _Sink()
    with pyarrow.ipc.new_stream(sink, table.schema) as stream:
        stream.write(table)
    return coalesced(sink.pieces)


def read_table(data: Sequence[memoryview]) -> Any:
    """The table of a stream, whose columns keep one copy of all the data alive."""
    # joined, and so aligned as Arrow wants it: within the blob it lies anywhere
    return library("pyarrow").ipc.open_stream(b"".join(data)).read_all()


def _is_foreign(kind: Any) -> bool:
    pyarrow: Any = sys.modules["pyarrow"]
    if isinstance(kind, pyarrow.BaseExtensionType):
        return True
    if isinstance(kind, pyarrow.DictionaryType):
        return _is_foreign(kind.value_type)
    return any(_is_foreign(kind.field(i).type) for i in range(kind.num_fields))


def _write(value: Any) -> tuple[Any, Sequence[Chunk]]:
    return None, table_chunks(value)


def _read_table(_: Any, data: Sequence[memoryview]) -> Any:
    return read_table(data)


def _read_batch(_: Any, data: Sequence[memoryview]) -> Any:
    return library("pyarrow").ipc.open_stream(b"".join(data)).read_next_batch()


TABLE_LEAVES: Final = (
    Leaf("pyarrow", "Table", _write, _read_table),
    Leaf("pyarrow", "RecordBatch", _write, _read_batch),
)
