"""Makes the smallest pieces of every key: bytes of plain values, frames around longer ones,
digests.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from hashlib import blake2b
from typing import Any, Final, NoReturn

DIGEST_SIZE: Final = 16
_DIGESTED: Final = b"\xff"  # where the size of a short payload would stand
_SHORT: Final = 64
_SIZES: Final = tuple(bytes([size]) for size in range(_SHORT + 1))
_pack_integer: Final = struct.Struct("<cq").pack
_pack_float: Final = struct.Struct("<cd").pack


class CannotKeyError(Exception):
    """A value has no content that could be compared; inside this room only, see `Unkeyed`.

    Attributes:
        what: the innermost such thing, with its article: "a socket".
        why: the reason in words.
    """

    def __init__(self, what: str, why: str) -> None:
        super().__init__(f"{what}: {why}")
        self.what = what
        self.why = why


def not_computed(value: Any) -> NoReturn:
    """What stands for a lazy value where nothing can, as among the names that code reads."""
    raise CannotKeyError(f"the lazy value {value.label}", "it is not computed yet")


def digest(data: Any) -> bytes:
    """The digest that all keys are made of; `data` is a buffer, read where it lies.

    BLAKE2b with 16 bytes. For more than 2 KiB `hashlib` releases the GIL meanwhile.
    """
    return blake2b(data, digest_size=DIGEST_SIZE).digest()


def frame(tag: bytes, payload: bytes) -> bytes:
    """`payload` under a one-letter tag, so that what follows cannot be taken for a part of it.

    Up to 64 bytes stay as they are, after their number; more are represented by their digest.
    """
    size = len(payload)
    if size <= _SHORT:
        return tag + _SIZES[size] + payload
    return tag + _DIGESTED + blake2b(payload, digest_size=DIGEST_SIZE).digest()


def text(value: str) -> bytes:
    """The bytes of a string."""
    return frame(b"s", value.encode("utf-8", "surrogatepass"))


def type_in_words(value: object) -> str:
    """How a sentence calls the type of `value`: "a socket", "an Engine"."""
    name = type(value).__qualname__
    return f"{'an' if name[:1].lower() in 'aeiou' else 'a'} {name}"


def _integer(value: int) -> bytes:
    try:
        return _pack_integer(b"i", value)
    except struct.error:  # more than 64 bits
        return frame(b"I", value.to_bytes(value.bit_length() // 8 + 1, "little", signed=True))


# By exact type, so that a subclass (True, an IntEnum, a numpy float) is not taken for its base.
ATOMS: Final[dict[type, Callable[[Any], bytes]]] = {
    type(None): lambda _: b"N",
    bool: lambda value: b"T" if value else b"F",
    int: _integer,
    float: lambda value: _pack_float(b"f", value),
    complex: lambda value: b"c" + struct.pack("<dd", value.real, value.imag),
    str: text,
    bytes: lambda value: frame(b"b", value),
    bytearray: lambda value: frame(b"a", bytes(value)),
    type(Ellipsis): lambda _: b"E",
    type(NotImplemented): lambda _: b"U",
}
