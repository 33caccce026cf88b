"""Makes names fit to be drawn: as text, as a width, as a DOM id."""

from __future__ import annotations

import hashlib
import unicodedata
from typing import Final

_REPLACEMENT: Final = "\ufffd"
_ELLIPSIS: Final = "…"
_JOINERS: Final = "\u200c\u200d"
_ID_LIMIT: Final = 100

# Widths in ems, on the wide side of the sans serif faces that browsers and Graphviz fall back to.
_NARROW: Final = dict.fromkeys("iljtfrI.,:;|!'`()[]{}/\\ -", 0.36)
_WIDE: Final = {**dict.fromkeys("mwMW@%", 0.92), **dict.fromkeys("ABCDEFGHJKLNOPQRSTUVXYZ&", 0.7)}
_EMS: Final = {**_NARROW, **_WIDE}


def clean(text: object, limit: int = 200) -> str:
    """`text` as one line that XML, DOT and a reader can take, at most `limit` characters long.

    White space becomes single blanks. What no document may hold or what would lie to the eye
    becomes `U+FFFD`: control characters, lone surrogates, non-characters, marks that turn the
    direction of writing. What is too long loses a part before its middle: both ends tell a name
    from others, the last most.
    """
    written = str(text)
    if len(written) > 4 * limit:
        # Cut before the work and not only after it: a name can be megabytes long.
        written = written[: 2 * limit] + _ELLIPSIS + written[-2 * limit :]
    line = " ".join("".join(map(_fit, written)).split())
    if len(line) <= limit:
        return line
    head = (limit - 1) // 3
    return line[:head] + _ELLIPSIS + line[head + 1 - limit :]


def _fit(char: str) -> str:
    if char.isprintable():
        return char
    if char.isspace():
        return " "
    return "" if char in _JOINERS else _REPLACEMENT


def width_of(text: str, size: float) -> float:
    """How wide `text` is likely to be in a sans serif face, in the unit of `size`, the font's
    size.
    """
    return size * sum(map(_ems, text))


def _ems(char: str) -> float:
    if char.isascii():
        return _EMS.get(char, 0.6)
    if unicodedata.combining(char):
        return 0.0
    return 1.05 if unicodedata.east_asian_width(char) in "WF" else 0.72


def dom_id(prefix: str, name: str) -> str:
    """An id for the DOM and for DOT: ASCII letters, digits, `-` and `_`; different for different
    names.

    Letters, digits and `-` stand for themselves, `__` for `_`, and `_x23_` for the character 0x23.
    A name that would make a very long id keeps its beginning and ends in `_h` and a hash, which
    nothing else does.
    """
    pieces = [_encoded(char) for char in name[:_ID_LIMIT]]
    encoded = "".join(pieces)
    if len(name) > _ID_LIMIT or len(encoded) > _ID_LIMIT:
        # Cut between pieces: half an escape before `_h` could be read as another name's.
        while len(encoded) > _ID_LIMIT // 2:
            encoded = encoded.removesuffix(pieces.pop())
        encoded += f"_h{digest(name)}"
    return f"{prefix}-{encoded}"


def digest(text: str) -> str:
    """24 hexadecimal digits that stand for `text`."""
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=12).hexdigest()


def _encoded(char: str) -> str:
    if char == "_":
        return "__"
    if char == "-" or (char.isascii() and char.isalnum()):
        return char
    return f"_x{ord(char):x}_"
