"""State backends of tests: they do what a test says, when it says so."""

from __future__ import annotations

import pickle
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import cloudpickle  # type: ignore[import-untyped]

from cascade_nb.errors import CodecError, LeaseHeldError, LeaseLostError, StateError
from cascade_nb.protocols.journal import Journal, Lease, RunRecord
from cascade_nb.protocols.state_backend import Entry, Known, SaveCallback


class PlainState:
    """Keeps everything, at once; a base to be broken in one place."""

    keeps_all = True
    journal: Journal | None = None
    where = "a test's hands"

    def __init__(self) -> None:
        self.entries: dict[str, Entry] = {}
        self.closed = False

    async def open(self) -> None:
        """Nothing to do."""

    def put(self, entry: Entry, keeper: SaveCallback) -> bool:
        """Keep it."""
        self.entries[entry.key] = entry
        return True

    async def known(self, keys: Sequence[str]) -> Mapping[str, Known]:
        """What is there."""
        return {
            k: Known(self.entries[k].seconds, self.entries[k].made or 1.0, self.entries[k].files)
            for k in keys
            if k in self.entries
        }

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

    def put(self, entry: Entry, keeper: SaveCallback) -> bool:
        """Not yet."""
        self.asked.append(entry.key)
        threading.Thread(target=self._tell, args=(entry, keeper), daemon=True).start()
        return False

    def _tell(self, entry: Entry, keeper: SaveCallback) -> None:
        error = self.decide(entry)
        if error is None:
            self.entries[entry.key] = entry
            keeper.kept([entry])
        else:
            keeper.not_kept([entry], error)


class PaperJournal:
    """A journal that outlives engines, though not the process; values go through a pickle."""

    def __init__(self) -> None:
        self.records: dict[str, RunRecord] = {}
        self.leases: dict[str, tuple[str, int, float]] = {}
        self.parts: dict[tuple[str, str], bytes] = {}
        self.lines: dict[str, list[str]] = {}
        self.trouble: StateError | None = None
        self.now: Callable[[], float] = time.monotonic

    async def claim(self, run_id: str, owner: str, ttl: float) -> Lease:
        """Unless somebody else has it."""
        self._reach()
        before, fence, until = self.leases.get(run_id, ("", 0, 0.0))
        left = until - self.now()
        if before and before != owner and left > 0:
            raise LeaseHeldError(run_id, before, left)
        self.leases[run_id] = (owner, fence + 1, self.now() + ttl)
        return Lease(run_id, owner, fence + 1)

    async def renew(self, lease: Lease, ttl: float) -> None:
        """For the newest fence."""
        self._check(lease)
        self.leases[lease.run_id] = (lease.owner, lease.fence, self.now() + ttl)

    async def release(self, lease: Lease) -> None:
        """The fence stays."""
        if self.leases.get(lease.run_id, ("", 0, 0.0))[1] == lease.fence:
            self.leases[lease.run_id] = (lease.owner, lease.fence, 0.0)

    async def describe(self, lease: Lease, title: str, started: float, total: int) -> None:
        """As running."""
        self._check(lease)
        made = RunRecord(lease.run_id, title, lease.owner, started, "running", total, 0.0)
        self.records[lease.run_id] = made

    async def finish(self, lease: Lease, status: str) -> None:
        """As whatever it ended."""
        self._check(lease)
        self.records[lease.run_id] = self.records[lease.run_id]._replace(status=status)

    async def write(self, lease: Lease, part: str, value: Any) -> None:
        """As a pickle."""
        self._check(lease)
        try:
            self.parts[lease.run_id, part] = cloudpickle.dumps(value)
        except Exception as error:
            raise CodecError(f"it cannot be pickled: {error}") from error

    async def read(self, run_id: str, part: str) -> Any:
        """Out of a pickle."""
        self._reach()
        return pickle.loads(self.parts[run_id, part])

    async def append(self, lease: Lease, lines: Sequence[str]) -> None:
        """At the end."""
        self._check(lease)
        self.lines.setdefault(lease.run_id, []).extend(lines)

    async def history(self, run_id: str) -> list[str]:
        """All of it."""
        self._reach()
        return list(self.lines.get(run_id, ()))

    async def runs(self) -> list[RunRecord]:
        """Latest first."""
        self._reach()
        return sorted(self.records.values(), key=lambda record: -record.started)

    async def forget(self, run_id: str) -> None:
        """All of it."""
        self.records.pop(run_id, None)
        self.leases.pop(run_id, None)

    def steal(self, run_id: str, owner: str) -> None:
        """Give the run to somebody else, as when its lease ran out while its kernel slept."""
        _, fence, _ = self.leases[run_id]
        self.leases[run_id] = (owner, fence + 1, self.now() + 60)

    def _check(self, lease: Lease) -> None:
        self._reach()
        owner, fence, _ = self.leases.get(lease.run_id, ("", 0, 0.0))
        if fence != lease.fence:
            raise LeaseLostError(lease.run_id, owner)

    def _reach(self) -> None:
        if self.trouble is not None:
            raise self.trouble


class PaperState(PlainState):
    """A state with a journal; several engines may share it, as kernels share a file."""

    def __init__(self) -> None:
        super().__init__()
        self.paper = PaperJournal()
        self.journal = self.paper

    def put(self, entry: Entry, keeper: SaveCallback) -> bool:
        """Unless its run was taken over."""
        lease = entry.lease
        if lease is not None and self.paper.leases[lease.run_id][1] != lease.fence:
            error = LeaseLostError(lease.run_id, self.paper.leases[lease.run_id][0])
            threading.Thread(target=keeper.not_kept, args=([entry], error), daemon=True).start()
            return False
        return super().put(entry, keeper)
