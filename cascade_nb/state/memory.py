"""Results in the memory of this process, up to a limit."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from cascade_nb.errors import UsageError
from cascade_nb.protocols import Entry, Journal, Keeper, Known
from cascade_nb.state.sizes import size_in_memory

LIMIT: Final = 2 * 1024**3


class _Kept(NamedTuple):
    value: Any
    known: Known
    size: int


class MemoryState:
    """Keeps the results of named nodes and of targets while the process lives.

    Args:
        limit_bytes: when the kept results are larger together, those unused for the longest go
            first. What is inside containers counts, see `size_in_memory`.

    Raises:
        UsageError: the limit is below zero.
    """

    keeps_all = False
    journal: Journal | None = None

    def __init__(self, limit_bytes: int = LIMIT) -> None:
        if limit_bytes < 0:
            raise UsageError(f"limit_bytes cannot be below zero, and {limit_bytes} is")
        self._limit = limit_bytes
        self._entries: OrderedDict[str, _Kept] = OrderedDict()
        self._size = 0
        self._lock = threading.Lock()

    @property
    def where(self) -> str:
        """The place, for people."""
        return f"this kernel's memory, {self._limit / 1024**2:,.0f} MB of them at most"

    async def open(self) -> None:
        """Nothing to do."""

    def put(self, entry: Entry, keeper: Keeper) -> bool:
        """Keep a result; it is safe when this returns."""
        known = Known(entry.seconds, entry.dated, entry.files)
        made = _Kept(entry.value, known, size_in_memory(entry.value))
        with self._lock:
            old = self._entries.pop(entry.key, None)
            self._size -= old.size if old is not None else 0
            if made.size > self._limit:
                return True  # it would turn out everything else, and then not fit itself
            self._size += made.size
            self._entries[entry.key] = made
            while self._size > self._limit:
                self._size -= self._entries.popitem(last=False)[1].size
        return True

    async def known(self, keys: Sequence[str]) -> Mapping[str, Known]:
        """What is known of those of `keys` that are kept."""
        with self._lock:
            return {key: self._entries[key].known for key in keys if key in self._entries}

    async def values(self, keys: Sequence[str]) -> Mapping[str, Any]:
        """Kept results, without those that were never kept or had to go."""
        found = {}
        with self._lock:
            for key in keys:
                if key in self._entries:
                    self._entries.move_to_end(key)
                    found[key] = self._entries[key].value
        return found

    async def close(self) -> None:
        """Forget everything."""
        with self._lock:
            self._entries.clear()
            self._size = 0
