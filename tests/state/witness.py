"""A keeper that writes down what it hears."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from cascade_nb.protocols.state_backend import Entry, StateBackend
from tests.engine.tools import until


class Witness:
    """Hears what becomes of entries, and remembers everything.

    Attributes:
        kept_keys: keys of what was reported kept, as often as it was.
        refused: keys of what was not, each with its error.
        batches: how many entries came with each call.
        threads: by whom it was called.
    """

    def __init__(self) -> None:
        self.kept_keys: list[str] = []
        self.refused: list[tuple[str, Exception]] = []
        self.batches: list[int] = []
        self.threads: set[threading.Thread] = set()

    def kept(self, entries: Sequence[Entry]) -> None:
        """These are safe now."""
        self._hear(entries)
        self.kept_keys.extend(entry.key for entry in entries)

    def not_kept(self, entries: Sequence[Entry], error: Exception) -> None:
        """Nothing of these was kept."""
        self._hear(entries)
        self.refused.extend((entry.key, error) for entry in entries)

    @property
    def told(self) -> list[str]:
        """Every key that it heard of, as often as it did."""
        return [*self.kept_keys, *(key for key, _ in self.refused)]

    async def put(self, state: StateBackend, *entries: Entry) -> None:
        """Put these, and wait until it is known what became of each."""
        before = len(self.told)
        safe = sum(state.put(entry, self) for entry in entries)
        await until(lambda: len(self.told) >= before + len(entries) - safe, "word of what was put")

    def _hear(self, entries: Sequence[Entry]) -> None:
        self.batches.append(len(entries))
        self.threads.add(threading.current_thread())


async def keep(state: StateBackend, *entries: Entry) -> None:
    """Have these kept, for sure."""
    witness = Witness()
    await witness.put(state, *entries)
    assert [(key, str(error)) for key, error in witness.refused] == []
