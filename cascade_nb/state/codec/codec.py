"""Turns values into signed bytes, and back; the only way into a place that others can write to."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any, Final

from cascade_nb.errors import CodecError, RefusedBlobError
from cascade_nb.state.codec.leaves import LARGE, NotPlainError
from cascade_nb.state.codec.pickles import read_pickle, write_pickle
from cascade_nb.state.codec.plain import read_plain, write_plain
from cascade_nb.state.codec.signatures import Chunk, Signer

_PLAIN: Final = b"N"
_PICKLE: Final = b"P"
_HEAD: Final = struct.Struct("<cI")
_SHORT: Final = struct.Struct("<cIQ").pack


class Codec:
    """Writes values as bytes that only the same key gives back, and only for the same place.

    JSON-like values, NumPy arrays and scalars, Arrow tables and the frames that Arrow says exactly
    are written as data; everything else by cloudpickle. What was read comes back with its exact
    types, and in memory of its own: an array may be written to. It may be used from several threads
    at once.

    Args:
        key: the secret that signs, 16 bytes or more; see `cascade_nb.state.keyring.user_key`.

    Raises:
        UsageError: the key is too short.
    """

    def __init__(self, key: bytes) -> None:
        self._signer = Signer(key)

    def encode(self, value: Any, place: str) -> list[Chunk]:
        """The chunks that have to be written one after the other.

        Those of large arrays are the arrays' own memory. They must be written before anybody
        changes the array: bytes that differ from what was signed are refused later.

        Args:
            value: anything.
            place: where they will lie; they are good for no other place.

        Raises:
            CodecError: the value cannot be written; the message says why.
        """
        kind, stream, beside = _written(value)
        if not beside and len(stream) <= LARGE:
            return self._signer.seal(place, [_SHORT(kind, 0, len(stream)) + stream])
        sizes = [len(stream), *map(len, beside)]
        head = _HEAD.pack(kind, len(beside)) + struct.pack(f"<{len(sizes)}Q", *sizes)
        return self._signer.seal(place, [head, stream, *beside])

    def decode(self, blob: bytes | memoryview, place: str) -> Any:
        """The value of what `encode` made with this key for this place.

        Nothing is read before the signature of the whole has been found right.

        Raises:
            RefusedBlobError: it is not, or its value cannot be made here: a library is missing, a
                class is gone. The message says which.
        """
        body = self._signer.open(blob, place)
        kind, count = _HEAD.unpack_from(body)
        sizes = struct.unpack_from(f"<{count + 1}Q", body, _HEAD.size)
        pieces, at = [], _HEAD.size + 8 * len(sizes)
        for size in sizes:
            pieces.append(body[at : at + size])
            at += size
        try:
            if kind == _PLAIN:
                return read_plain(bytes(pieces[0]), pieces[1:])
            return read_pickle(pieces[0], pieces[1:])
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # the code of the value's class may raise anything
            raise RefusedBlobError(
                f"what lies at {place!r} is signed as it should be, but cannot be read here: "
                f"{_said(error)}; make that available, or let it be computed again"
            ) from error


def _written(value: Any) -> tuple[bytes, Chunk, Sequence[Chunk]]:
    try:
        return _PLAIN, *write_plain(value)
    except NotPlainError:  # then pickle has its turn
        pass
    try:
        return _PICKLE, *write_pickle(value)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # the code of the value's class may raise anything
        raise CodecError(
            f"a value of type {_name_of(type(value))} cannot be written as bytes: {_said(error)}; "
            f"return what it is made of instead: plain data, arrays, tables"
        ) from error


def _name_of(kind: type) -> str:
    module = kind.__module__
    return kind.__qualname__ if module == "builtins" else f"{module}.{kind.__qualname__}"


def _said(error: BaseException) -> str:
    try:
        text = str(error)
    except BaseException:  # it answers every question with an error: then its type has to do
        text = ""
    name = type(error).__name__
    return f"{name}: {text}" if text else name
