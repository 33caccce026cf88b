"""Makes the data of other libraries parts of a plain value. Nothing here imports them first.

A value of such a library exists only when the library was imported, so writing looks into
`sys.modules`; reading imports what the value needs.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, NamedTuple

from cascade_nb.state.codec.signatures import Chunk

LARGE: Final = 1 << 16
"""From how many bytes on data are handed on where they lie; less is copied faster than managed."""


class NotPlainError(Exception):
    """A value that has no plain form, or none that gives it back exactly; in this room only."""


class Leaf(NamedTuple):
    """One type of another library.

    Attributes:
        library: the name by which it is imported.
        name: of the class in it.
        write: gives a plain value that describes the data, and the data; or raises
            `NotPlainError`.
        read: makes the value of both again. It owns its memory, and may be written where its type
            allows.
        subtypes: whether it stands for the subclasses too.
    """

    library: str
    name: str
    write: Callable[[Any], tuple[Any, Sequence[Chunk]]]
    read: Callable[[Any, Sequence[memoryview]], Any]
    subtypes: bool = False

    def takes(self, kind: type) -> bool:
        """Whether values of this very type are written by it."""
        own = getattr(sys.modules.get(self.library), self.name, None)
        return own is kind or (self.subtypes and own is not None and issubclass(kind, own))


def library(name: str) -> Any:
    """A library that a value needs when it is read.

    Raises:
        ImportError: it is not installed here; the message says so.
    """
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise ImportError(f"it needs {name}, which cannot be imported here ({error})") from error


def coalesced(pieces: Iterable[Any]) -> list[Chunk]:
    """The same bytes in few chunks: small neighbours are joined, large ones stay where they are."""
    chunks: list[Chunk] = []
    small: list[Chunk] = []
    for piece in pieces:
        view = memoryview(piece).cast("B")
        if len(view) < LARGE:
            small.append(view)
            continue
        if small:
            chunks.append(b"".join(small))
            small = []
        chunks.append(view)
    return [*chunks, b"".join(small)] if small else chunks
