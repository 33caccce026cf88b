"""Results in the memory of this process, up to a limit."""

from __future__ import annotations

import sys
import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from cascade_nb.errors import UsageError

LIMIT: Final = 2 * 1024**3


class _Entry(NamedTuple):
    value: Any
    seconds: float
    size: int


class MemoryState:
    """Keeps the results of named nodes and of targets while the process lives.

    Args:
        limit_bytes: when the kept results are larger together, those unused for the longest go
            first. Sizes are what `nbytes` or `sys.getsizeof` say, so they are a measure, not a
            promise.

    Raises:
        UsageError: the limit is below zero.
    """

    instant = True
    keeps_all = False

    def __init__(self, limit_bytes: int = LIMIT) -> None:
        if limit_bytes < 0:
            raise UsageError(f"limit_bytes cannot be below zero, and {limit_bytes} is")
        self._limit = limit_bytes
        self._entries: OrderedDict[str, _Entry] = OrderedDict()
        self._size = 0
        self._lock = threading.Lock()

    async def open(self) -> None:
        """Nothing to do."""

    def put(self, key: str, value: Any, seconds: float) -> None:
        """Keep a result; it is safe when this returns."""
        entry = _Entry(value, seconds, _size(value))
        with self._lock:
            old = self._entries.pop(key, None)
            self._size -= old.size if old is not None else 0
            if entry.size > self._limit:
                return  # it would turn out everything else, and then not fit itself
            self._size += entry.size
            self._entries[key] = entry
            while self._size > self._limit:
                self._size -= self._entries.popitem(last=False)[1].size

    async def known(self, keys: Sequence[str]) -> Mapping[str, float]:
        """Those of `keys` that are kept, with the seconds they took."""
        with self._lock:
            return {key: self._entries[key].seconds for key in keys if key in self._entries}

    async def get(self, key: str) -> Any:
        """A kept result.

        Raises:
            KeyError: it was never kept, or had to go.
        """
        with self._lock:
            self._entries.move_to_end(key)
            return self._entries[key].value

    async def close(self) -> None:
        """Forget everything."""
        with self._lock:
            self._entries.clear()
            self._size = 0


def _size(value: Any) -> int:
    try:
        return max(0, _measured(value))
    except Exception:  # it answers every question with an error: then its parts are not counted
        return object.__sizeof__(value)


def _measured(value: Any) -> int:
    size = getattr(value, "nbytes", None)
    if isinstance(size, int):
        return size
    usage = getattr(value, "memory_usage", None)  # pandas: without what objects point to
    if callable(usage):
        return int(sum(usage(deep=False))) if hasattr(value, "columns") else int(usage(deep=False))
    return sys.getsizeof(value)
