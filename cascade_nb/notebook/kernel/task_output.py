"""Keeps what the tasks of one run wrote and displayed: the end in memory, the rest on disk."""

from __future__ import annotations

import codecs
import threading
from collections import deque
from itertools import groupby, islice
from typing import Any, Final, NamedTuple

from cascade_nb.notebook.kernel.spill import Spill
from cascade_nb.text import readable

#: Characters of text that a run may keep in memory; what is older goes to a file.
KEPT: Final = 5_000_000
#: Bytes of all that was written that are handed out at once.
PIECE: Final = 4_000_000
#: Characters that a browser is given when it asks late.
SHOWN: Final = 200_000
#: Display outputs that a run keeps.
DISPLAYS: Final = 20


class Chunk(NamedTuple):
    """Text that was written at once.

    Attributes:
        stream: "stdout" or "stderr".
        node: the id of the node, or the item, that wrote it; empty where that is not known.
    """

    stream: str
    text: str
    node: str = ""


class TaskOutput:
    """What the tasks of one run wrote. Safe from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._chunks: deque[Chunk] = deque()
        self._size = 0
        self._unsent = 0
        self._cleared = False
        self._bundles: dict[str, dict[str, Any]] = {}
        self._shown_by: dict[str, str] = {}
        self._bundles_changed = False
        self._serial = 0
        self._spill = Spill()

    @property
    def dropped(self) -> int:
        """Bytes that are gone, because there was no room for them on disk either."""
        return self._spill.lost

    @property
    def text(self) -> str:
        """The end of it, both streams in the order in which they were written."""
        with self._lock:
            return "".join(chunk.text for chunk in self._chunks)

    def write(self, stream: str, text: str, node: str = "") -> None:
        """Take text, of a node."""
        if not text:
            return
        text = readable(text)
        with self._lock:
            for start in range(len(text) % SHOWN - SHOWN, len(text), SHOWN):
                self._chunks.append(Chunk(stream, text[max(0, start) : start + SHOWN], node))
                self._unsent += 1
                self._size += len(self._chunks[-1].text)
                while self._size > KEPT:
                    gone = self._chunks.popleft().text
                    self._size -= len(gone)
                    self._spill.add(_as_bytes(gone))

    def piece(self, start: int, size: int = PIECE) -> tuple[str, int | None]:
        """A piece of all that was written, and where the next one begins; None after the last.

        Args:
            start: where it begins, in bytes of all of it.
            size: how many bytes it may have.
        """
        with self._lock:
            spill = self._spill
            spilled = spill.size
            kept = b"" if start < spilled else b"".join(_as_bytes(one.text) for one in self._chunks)
        # What is in memory now may go to the file meanwhile, where it has the same place.
        data = spill.read(start, size) if start < spilled else kept[start - spilled :][:size]
        decoder = codecs.getincrementaldecoder("utf-8")()
        text = decoder.decode(data)
        end = start + len(data) - len(decoder.getstate()[0])
        return text, end if start < spilled or end < spilled + len(kept) else None

    def display(
        self, bundle: dict[str, Any], display_id: str | None, update: bool, node: str = ""
    ) -> bool:
        """Take a display output as nbformat has it; False for an update of one that is not here."""
        with self._lock:
            if update and display_id not in self._bundles:
                return False
            self._serial += 1
            name = display_id or f"#{self._serial}"
            self._bundles[name] = bundle
            self._shown_by[name] = node
            while len(self._bundles) > DISPLAYS:
                first = next(iter(self._bundles))
                del self._bundles[first], self._shown_by[first]
            self._bundles_changed = True
        return True

    def clear(self) -> None:
        """Forget everything, as `clear_output` asks."""
        with self._lock:
            self._chunks.clear()
            self._bundles.clear()
            self._shown_by.clear()
            self._size = self._unsent = 0
            self._spill = Spill()
            self._cleared = self._bundles_changed = True

    def take_new(self) -> tuple[bool, list[Chunk]]:
        """What was written since the last call, or, when that is too much or there was a
        `clear_output` in between, True and everything that is to be shown from now on.
        """
        with self._lock:
            fresh = self._last(SHOWN, self._unsent)
            anew = self._cleared or sum(len(chunk.text) for chunk in fresh) >= SHOWN
            self._cleared, self._unsent = False, 0
        return anew, _joined(fresh)

    def take_displays(self) -> tuple[dict[str, Any], ...] | None:
        """The display outputs, if there was a change since the last call."""
        with self._lock:
            if not self._bundles_changed:
                return None
            self._bundles_changed = False
            return tuple(self._bundles.values())

    def tail(self, size: int = SHOWN) -> list[Chunk]:
        """The last `size` characters."""
        with self._lock:
            return _joined(self._last(size, len(self._chunks)))

    def of_node(
        self, node: str, size: int = SHOWN
    ) -> tuple[list[Chunk], list[dict[str, Any]], int]:
        """What a node wrote, its items with it: the last `size` characters, what it displayed, and
        how many characters there were before.
        """
        items, found, total = f"{node}[", deque[Chunk](), 0
        with self._lock:
            for chunk in reversed(self._chunks):
                if chunk.node == node or chunk.node.startswith(items):
                    if total < size:
                        found.appendleft(chunk._replace(text=chunk.text[total - size :]))
                    total += len(chunk.text)
            shown = [
                bundle
                for name, bundle in self._bundles.items()
                if self._shown_by[name] == node or self._shown_by[name].startswith(items)
            ]
        return list(found), shown, max(0, total - size)

    def _last(self, size: int, count: int) -> list[Chunk]:
        """At most the last `count` chunks and `size` characters."""
        kept: list[Chunk] = []
        for chunk in islice(reversed(self._chunks), count):
            if size <= 0:
                break
            kept.append(chunk._replace(text=chunk.text[-size:]))
            size -= len(kept[-1].text)
        return kept[::-1]


def _as_bytes(text: str) -> bytes:
    return text.encode("utf-8", "replace")


def _joined(chunks: list[Chunk]) -> list[Chunk]:
    """The same with neighbours of one stream and one node as one."""
    joined = groupby(chunks, key=lambda chunk: (chunk.stream, chunk.node))
    return [Chunk(s, "".join(chunk.text for chunk in some), node) for (s, node), some in joined]
