"""Makes text of others fit for where it is shown: the one way into panel, file, terminal and log.

What tasks print and raise may hold what no message can carry or what a terminal obeys. It is
cleaned where it leaves the kernel, and nowhere else.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any, Final

_REPLACEMENT: Final = "\ufffd"
_SURROGATES: Final = re.compile("[\ud800-\udfff]+")
#: What terminals obey (CSI, OSC and their like, whole), and control characters but for tab, line
#: feed and the carriage return of progress bars.
_COMMANDS: Final = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]"
    r"|(?:\x1b[\]PX^_]|[\x90\x98\x9d-\x9f])[^\x07\x1b\x9c]{0,4096}(?:\x07|\x1b\\|\x9c)"
    r"|\x1b[ -/]*[0-~]?|\x9b[0-?]*[ -/]*[@-~]"
)
_COLOURS: Final = re.compile(r"(\x1b\[[0-9;:]*m)")
_CONTROLS: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")


def encodable(text: str) -> str:
    """`text` as UTF-8 can carry it: two halves of a character are joined, a half alone becomes
    ``U+FFFD``.
    """
    if text.isascii():
        return text
    return _SURROGATES.sub(_joined, text)


def readable(text: str) -> str:
    """`text` as a person may be shown it anywhere: `encodable`, without the commands that
    terminals obey, and with ``U+FFFD`` for other control characters.
    """
    if text.isprintable():
        return text  # neither surrogates nor control characters are
    return _CONTROLS.sub(_REPLACEMENT, _COMMANDS.sub("", encodable(text)))


def coloured(text: str) -> str:
    """`text` as a traceback may be shown anywhere: `readable`, but its colours stay."""
    if text.isprintable():
        return text
    parts = _COLOURS.split(text)
    parts[::2] = map(readable, parts[::2])
    return "".join(parts)


def carryable(value: Any) -> Any:
    """JSON-like data with every text in it `encodable`; what is fit already is not copied."""
    if isinstance(value, str):
        return encodable(value)
    if isinstance(value, Mapping):
        return {carryable(key): carryable(inner) for key, inner in value.items()}
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*map(carryable, value))
    if isinstance(value, (list, tuple)):
        return type(value)(map(carryable, value))
    return value


def quoted(value: object, limit: int = 60) -> str:
    """The start of `value` as Python writes it, for the sentence that refuses it, whatever its
    class does when it is asked for that.
    """
    try:
        return f"{value!r:.{limit}}"
    except Exception as error:
        if type(value) is int:  # Python writes none with more than 4,300 digits
            return f"a whole number of some {int(value.bit_length() * math.log10(2)) + 1:,} digits"
        return f"<{type(value).__name__} that cannot be shown: {type(error).__name__}>"


def kind_and_value(value: object) -> str:
    """`value` with the name of its class, in such a sentence: "the int 3"."""
    return f"the {type(value).__name__} {quoted(value, 40)}"


def _joined(found: re.Match[str]) -> str:
    return found[0].encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
