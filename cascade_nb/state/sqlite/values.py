"""Stores values in a database: small ones in its rows, large ones in files beside it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, NamedTuple, TypeAlias

from cascade_nb.errors import RefusedBlobError
from cascade_nb.state.codec.codec import Codec
from cascade_nb.state.keyring import user_key
from cascade_nb.state.sqlite.blobs import Blobs, Draft

INLINE: Final = 64 * 1024  # bytes up to which a value lies in its row

Row: TypeAlias = tuple[object, object]  # its columns `bytes` and `digest`, as anybody wrote them


class Packed(NamedTuple):
    """An encoded value on its way into a row.

    Attributes:
        size: in bytes.
        data: the bytes, where they are few.
        draft: otherwise the file that has them, which has to be kept with the row.
    """

    size: int
    data: bytes | None
    draft: Draft | None

    @property
    def columns(self) -> tuple[int, bytes | None, str | None]:
        """What the columns `size`, `bytes` and `digest` get."""
        return self.size, self.data, None if self.draft is None else self.draft.digest

    def keep(self) -> None:
        """Let the file have its name, just before the row is committed."""
        if self.draft is not None:
            self.draft.keep()

    def discard(self) -> None:
        """There will be no row."""
        if self.draft is not None:
            self.draft.discard()


class Values:
    """Encodes and decodes, never on a loop.

    Args:
        key: signs the values; None for that of the user, which is read or made on first use.
    """

    def __init__(self, key: bytes | None) -> None:
        self._key = key
        self._codec: Codec | None = None

    def pack(self, value: Any, place: str, blobs: Blobs) -> Packed:
        """Encode a value, and write it to a file if it is large.

        Raises:
            CodecError: it cannot be encoded.
            OSError: the file cannot be written, or the user's key not be read.
        """
        chunks = self.get_codec().encode(value, place)
        size = sum(map(len, chunks))
        if size <= INLINE:
            return Packed(size, b"".join(chunks), None)
        return Packed(size, None, blobs.write(chunks))

    def unpack(self, data: object, digest: object, place: str, blobs: Blobs) -> Any:
        """The value of a row.

        Raises:
            RefusedBlobError: its bytes are not those that were signed for this place.
            FileNotFoundError: its file is gone.
            OSError: its file cannot be read, or the user's key not.
        """
        if digest is None:
            blob = memoryview(data if isinstance(data, bytes) else b"")
        else:
            blob = memoryview(blobs.read(digest if isinstance(digest, str) else repr(digest)))
        return self.get_codec().decode(blob, place)

    def read(self, find: Callable[[], Row | None], place: str, blobs: Blobs) -> Any:
        """The value of the row that `find` finds. Should its file have gone since it was found,
        because the value was replaced, it is looked for again.

        Raises:
            KeyError: there is no row.
            RefusedBlobError: its bytes are not those that were signed for this place.
            OSError: its file cannot be read, or the user's key not.
        """
        missing = None
        while (row := find()) is not None:
            data, digest = row
            try:
                return self.unpack(data, digest, place, blobs)
            except FileNotFoundError as error:
                if digest == missing:
                    raise RefusedBlobError(
                        f"the file {error.filename} of what lies at {place!r} is missing; it has "
                        "to be computed again"
                    ) from error
                missing = digest
        raise KeyError(place)

    def get_codec(self) -> Codec:
        """What signs and reads; the first time it looks for the key.

        Raises:
            StateError: the key cannot be had.
        """
        if self._codec is None:
            self._codec = Codec(user_key() if self._key is None else self._key)
        return self._codec
