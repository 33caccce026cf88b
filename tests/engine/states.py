"""State backends of tests: they do what a test says, when it says so."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from cascade_nb.protocols import Entry, Journal, Keeper, Known


class PlainState:
    """Keeps everything, at once; a base to be broken in one place."""

    keeps_all = True
    journal: Journal | None = None

    def __init__(self) -> None:
        self.entries: dict[str, Entry] = {}
        self.closed = False

    async def open(self) -> None:
        """Nothing to do."""

    def put(self, entry: Entry, keeper: Keeper) -> bool:
        """Keep it."""
        self.entries[entry.key] = entry
        return True

    async def known(self, keys: Sequence[str]) -> Mapping[str, Known]:
        """What is there."""
        return {k: Known(self.entries[k].seconds, 1.0) for k in keys if k in self.entries}

    async def values(self, keys: Sequence[str]) -> Mapping[str, Any]:
        """Their values."""
        return {key: self.entries[key].value for key in keys if key in self.entries}

    async def close(self) -> None:
        """Remember that it was asked."""
        self.closed = True


class SlowState(PlainState):
    """Tells what became of entries from a thread of its own, when `decide` has been asked.

    Args:
        decide: for an entry, None when it is kept, or the error for which it is not. Called in that
            thread.
    """

    def __init__(self, decide: Callable[[Entry], Exception | None] = lambda entry: None) -> None:
        super().__init__()
        self.decide = decide
        self.asked: list[str] = []

    def put(self, entry: Entry, keeper: Keeper) -> bool:
        """Not yet."""
        self.asked.append(entry.key)
        threading.Thread(target=self._tell, args=(entry, keeper), daemon=True).start()
        return False

    def _tell(self, entry: Entry, keeper: Keeper) -> None:
        error = self.decide(entry)
        if error is None:
            self.entries[entry.key] = entry
            keeper.kept([entry])
        else:
            keeper.not_kept([entry], error)
