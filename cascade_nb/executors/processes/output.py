"""Reads what a process writes to its two streams, and remembers the end of it."""

from __future__ import annotations

import codecs
import os
from collections.abc import Callable
from typing import Final

_AT_ONCE: Final = 64 * 1024
_KEPT: Final = 4_000  # characters of the end
_decoder: Final = codecs.getincrementaldecoder("utf-8")


class Output:
    """One stream of a process, as this side reads it.

    Args:
        fd: of a pipe's end, which never waits; it is this object's own from now on.
        name: "stdout" or "stderr".
    """

    def __init__(self, fd: int, name: str) -> None:
        os.set_blocking(fd, False)
        self.fd = fd
        self.name = name
        self.last = ""
        self._text = _decoder(errors="replace")

    def read(self, take: Callable[[str, str], object] | None) -> bool:
        """Hand on what there is; False when nothing will come any more.

        Args:
            take: called with the stream's name and text; None where nobody wants it.
        """
        while True:
            try:
                data = os.read(self.fd, _AT_ONCE)
            except BlockingIOError:
                return True
            text = self._text.decode(data, final=not data)
            if text:
                self.last = (self.last + text)[-_KEPT:]
                if take is not None:
                    take(self.name, text)
            if not data:
                return False
            if len(data) < _AT_ONCE:
                return True

    def forget(self) -> None:
        """What was written so far is another call's."""
        self.last = ""

    def close(self) -> None:
        """Read no more."""
        os.close(self.fd)
