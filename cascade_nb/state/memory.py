"""Keeps results in the memory of this process, up to a limit."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Final

from cascade_nb.concurrency.threads import drop_aside, run_in_thread
from cascade_nb.errors import UsageError
from cascade_nb.forking import forget_after_fork
from cascade_nb.graph.fingerprint.value_classes import superseded, user_classes
from cascade_nb.kept import Cleaned, Usage
from cascade_nb.model.copying.elsewhere import Elsewhere
from cascade_nb.model.copying.immutable import FROZEN
from cascade_nb.protocols.state_backend import Entry, Known, SaveCallback
from cascade_nb.state.room import Kept, to_remove, usage_of
from cascade_nb.state.sizes import size_in_memory

LIMIT: Final = 2 * 1024**3


_SOON: Final = 100_000  # bytes of values that may be searched on the loop


class _Kept:
    """A value, and the user's classes in it once they were asked for."""

    __slots__ = ("classes", "expires", "known", "size", "task", "used", "value")

    def __init__(self, entry: Entry) -> None:
        self.value = entry.value
        self.known = Known(entry.seconds, entry.dated, entry.files)
        self.size = size_in_memory(entry.value)
        # What is elsewhere is not looked into: the key of what made it has the classes of that.
        there = issubclass(type(entry.value), Elsewhere)
        self.classes: frozenset[type] | None = frozenset() if there else None
        self.task, self.expires = entry.task, entry.expires
        self.used = time.time()

    @property
    def stands(self) -> bool:
        """Whether it is there, and every class in it is still the one that its name means."""
        if issubclass(type(self.value), Elsewhere) and self.value.is_lost:
            return False
        return not self.classes or superseded(self.classes) is None


class MemoryState:
    """Keeps the results of named nodes and of targets while the process lives.

    Args:
        limit_bytes: when the kept results are larger together, those unused for the longest go
            first. What is inside containers counts, see `size_in_memory`.

    Raises:
        UsageError: the limit is below zero.
    """

    keeps_all = False
    journal: None = None

    def __init__(self, limit_bytes: int = LIMIT) -> None:
        if limit_bytes < 0:
            raise UsageError(f"limit_bytes cannot be below zero, and {limit_bytes} is")
        self._limit = limit_bytes
        self._entries: OrderedDict[str, _Kept] = OrderedDict()
        self._size = 0
        self._lock = threading.RLock()
        forget_after_fork(self)

    @property
    def where(self) -> str:
        """The place, for people."""
        return f"this kernel's memory, {self._limit / 1024**2:,.0f} MB of them at most"

    def forget(self) -> None:
        """In a child process: the lock is the parent's, the results are here too."""
        self._lock = threading.RLock()

    async def open(self) -> None:
        """Nothing to do."""

    def put(self, entry: Entry, keeper: SaveCallback) -> bool:
        """Keep a result; it is safe when this returns."""
        made = _Kept(entry)
        with self._lock:
            gone: list[_Kept | None] = [self._entries.pop(entry.key, None)]
            if made.size <= self._limit:  # or it would turn out everything, and then not fit itself
                self._size += made.size
                self._entries[entry.key] = made
            self._size -= 0 if gone[0] is None else gone[0].size
            while self._size > self._limit:
                gone.append(self._entries.popitem(last=False)[1])
                self._size -= gone[-1].size  # type: ignore[union-attr]
        _drop(gone)  # who puts holds the engine's lock
        return True

    async def known(self, keys: Sequence[str]) -> Mapping[str, Known]:
        """What is known of those of `keys` that are kept, without those that hold instances of a
        class which was defined anew since.
        """
        return {key: kept.known for key, kept in (await self._standing(keys)).items()}

    async def values(self, keys: Sequence[str]) -> Mapping[str, Any]:
        """Kept results, without those that were never kept or had to go."""
        standing = await self._standing(keys)
        with self._lock:
            for key in standing:
                if key in self._entries:
                    self._entries.move_to_end(key)
                    standing[key].used = time.time()
        return {key: kept.value for key, kept in standing.items()}

    async def _standing(self, keys: Sequence[str]) -> dict[str, _Kept]:
        # Without the lock: a finalizer in the middle of it may ask for that of an engine.
        found = {key: kept for key in keys if (kept := self._entries.get(key)) is not None}
        new = [kept for kept in found.values() if kept.classes is None]
        if sum(kept.size for kept in new) > _SOON:
            await run_in_thread(partial(_find_classes, new))
        else:
            _find_classes(new)
        return {key: kept for key, kept in found.items() if kept.stands}

    async def usage(self) -> list[Usage]:
        """What is kept, by task, the largest first."""
        return usage_of(self._all())

    async def clean(self, unused_for: float | None = None) -> Cleaned:
        """Remove results that have expired, and, with seconds given, those that were neither made
        nor read for so long.
        """
        going = to_remove(self._all(), time.time(), unused_for, None)
        with self._lock:
            gone = [self._entries.pop(one.place, None) for one in going]
            self._size -= sum(kept.size for kept in gone if kept is not None)
        _drop(gone)
        return Cleaned(len(going), sum(one.size for one in going))

    def _all(self) -> list[Kept]:
        with self._lock:
            return [
                Kept(key, one.task, one.size, one.used, one.expires)
                for key, one in self._entries.items()
            ]

    async def close(self) -> None:
        """Forget everything."""
        with self._lock:
            gone: list[_Kept | None] = [*self._entries.values()]
            self._entries = OrderedDict()
            self._size = 0
        _drop(gone)


def _drop(gone: list[_Kept | None]) -> None:
    """Let go of results, beside whoever asked for it where their end may do more."""
    if any(one is not None and type(one.value) not in FROZEN for one in gone):
        drop_aside(gone)


def _find_classes(entries: list[_Kept]) -> None:
    for kept in entries:
        kept.classes = user_classes(kept.value)
