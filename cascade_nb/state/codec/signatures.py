"""Signs values for the place where they are kept, and verifies the signature when they are read.

    magic 4 | length 8 | key mark 8 | HMAC-SHA256 32 | size of place 4 | place | body

Numbers are little-endian. The length is that of the whole; the key mark tells keys apart and gives
nothing away of them. The signature covers everything else (HMAC as in RFC 2104, with SHA-256).
"""

from __future__ import annotations

import hmac
import struct
from collections.abc import Sequence
from typing import Final

from cascade_nb.errors import RefusedBlobError, UsageError

Chunk = bytes | memoryview

SHORTEST_KEY: Final = 16

_MAGIC: Final = b"CNB\x01"
_PREFIX: Final = struct.Struct("<4sQ8s")
_PLACE: Final = struct.Struct("<I")
_MAC_SIZE: Final = 32
_START: Final = _PREFIX.size + _MAC_SIZE
_SHORTEST: Final = _START + _PLACE.size


class Signer:
    """Signs bytes for a place, and gives them back only where their signature stands.

    It may be used from several threads at once.

    Args:
        key: the secret of the user, 16 bytes or more.

    Raises:
        UsageError: the key is too short to protect anything.
    """

    def __init__(self, key: bytes) -> None:
        if len(key) < SHORTEST_KEY:
            raise UsageError(f"a key has {SHORTEST_KEY} bytes or more, and this one {len(key)}")
        # a context that has taken in the key already: copying it saves half of the time
        self._keyed = hmac.new(key, digestmod="sha256")
        self._mark = hmac.digest(key, b"cascade_nb: which key is this", "sha256")[:8]

    def seal(self, place: str, body: Sequence[Chunk]) -> list[Chunk]:
        """The chunks of the signed whole: all but the first are those of `body`, not copied.

        They must be written before anybody changes the memory that they show: what is changed
        after it was signed will be refused.
        """
        where = place.encode("utf-8", "surrogatepass")
        total = _SHORTEST + len(where) + sum(map(len, body))
        prefix = _PREFIX.pack(_MAGIC, total, self._mark)
        first = b"".join((_PLACE.pack(len(where)), where, body[0]))
        mac = self._keyed.copy()
        mac.update(prefix + first)
        for chunk in body[1:]:
            mac.update(chunk)
        return [b"".join((prefix, mac.digest(), first)), *body[1:]]

    def open(self, blob: bytes | memoryview, place: str) -> memoryview:
        """The body of what `seal` made with this key for this place; no byte is copied.

        Raises:
            RefusedBlobError: it is anything else; the message says what, as far as can be told.
        """
        view = memoryview(blob).cast("B")
        total, mark = _measured(view, place)
        if len(view) < total:
            raise _refused(place, f"cut off: {len(view)} of {total} bytes are there")
        if len(view) > total:
            raise _refused(place, f"longer than what was written, by {len(view) - total} bytes")
        mac = self._keyed.copy()
        mac.update(view[: _PREFIX.size])
        mac.update(view[_START:])
        if not hmac.compare_digest(mac.digest(), view[_PREFIX.size : _START]):
            if mark != self._mark:
                raise _refused(
                    place,
                    "signed with another key than this user's, or damaged",
                    "those who share results need the same key file, see CASCADE_KEY_FILE",
                    of_another_key=True,
                )
            raise _refused(place, "not what was signed: it was altered or damaged")
        (size,) = _PLACE.unpack_from(view, _START)
        where = str(view[_SHORTEST : _SHORTEST + size], "utf-8", "surrogatepass")
        if where != place:
            raise _refused(place, f"signed for another place, {where!r}")
        return view[_SHORTEST + size :]


def _measured(view: memoryview, place: str) -> tuple[int, bytes]:
    """How long the blob says it is, and which key it says it was signed with."""
    magic = bytes(view[: len(_MAGIC)])
    if not magic.startswith(_MAGIC[:3]):
        raise _refused(place, "nothing that this library wrote" if magic else "empty")
    if not _MAGIC.startswith(magic):
        raise _refused(place, "in the format of another version of this library, or damaged")
    if len(view) < _SHORTEST:
        raise _refused(place, f"cut off: only {len(view)} bytes are there")
    _, total, mark = _PREFIX.unpack_from(view)
    return total, mark


def _refused(
    place: str, what: str, advice: str = "", *, of_another_key: bool = False
) -> RefusedBlobError:
    advice = advice or "it is not read, and has to be computed again"
    text = f"what lies at {place!r} is {what}; {advice}"
    return RefusedBlobError(text, of_another_key=of_another_key)
