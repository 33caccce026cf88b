"""Writes runs down in a database file, beside the results."""

from __future__ import annotations

import json
import sqlite3
import time
import warnings
from collections.abc import Callable, Sequence
from typing import Any, Final

from cascade_nb.errors import RefusedBlobError, RefusedBlobWarning
from cascade_nb.leases import StaleLeases
from cascade_nb.protocols.journal import Lease, RunRecord
from cascade_nb.state.row_checks import lines_of, record_of
from cascade_nb.state.sqlite.file import DatabaseSession
from cascade_nb.state.sqlite.leases import check_lease, claim_lease, free_lease
from cascade_nb.state.sqlite.threads import LEASES, VALUES, ConnectionThreads
from cascade_nb.state.sqlite.values import Values

_PUT_PART: Final = (
    "INSERT INTO parts (run_id, name, size, bytes, digest) VALUES (?, ?, ?, ?, ?)"
    " ON CONFLICT (run_id, name) DO UPDATE SET"
    " size = excluded.size, bytes = excluded.bytes, digest = excluded.digest"
)
_FORGET: Final = (
    "DELETE FROM parts WHERE run_id = ?",
    "DELETE FROM history WHERE run_id = ?",
    "DELETE FROM runs WHERE run_id = ?",
)


class SqliteJournal:
    """Writes runs down for whoever holds their lease. Leases end by the clock of this machine.

    What it says is there after the process was killed. After a power failure it is there as far as
    the last result that was kept.

    Args:
        threads: of the database.
        values: encodes the parts of runs.
    """

    def __init__(self, threads: ConnectionThreads, values: Values) -> None:
        self._threads = threads
        self._values = values
        self._stale = StaleLeases()  # only asked in the thread of leases
        self._damaged = 0  # runs that were warned about when they were listed last

    async def claim(self, run_id: str, owner: str, ttl: float) -> Lease:
        """Take the lease of a run for `ttl` seconds, with a new fence. One that an owner let run
        out, or released, is free; an owner's own is renewed with a new fence.

        Raises:
            LeaseHeldError: somebody else has it; the message names them.
            StateError: the file cannot be written.
        """

        def work(session: DatabaseSession) -> Lease:
            with session.writing() as db:
                return claim_lease(db, run_id, _plain(owner), ttl, self._stale)

        return await self._threads.ask(LEASES, work)

    async def renew(self, lease: Lease, ttl: float) -> None:
        """Have it for `ttl` more seconds from now on.

        Raises:
            LeaseLostError: another owner has it.
            StateError: the file cannot be written.
        """
        query = "UPDATE runs SET expires = ? WHERE run_id = ?"
        await self._change(lease, lambda db: db.execute(query, (time.time() + ttl, lease.run_id)))

    async def release(self, lease: Lease) -> None:
        """Let it go; nothing happens when it is another's already.

        Raises:
            StateError: the file cannot be written.
        """

        def work(session: DatabaseSession) -> None:
            with session.writing() as db:
                free_lease(db, lease)

        await self._threads.ask(LEASES, work)

    async def describe(self, lease: Lease, title: str, started: float, total: int) -> None:
        """Enter the run among `runs`, as "running".

        Raises:
            LeaseLostError: another owner has it.
            StateError: the file cannot be written.
        """
        query = (
            "UPDATE runs SET title = ?, started = ?, total = ?, status = 'running' WHERE run_id = ?"
        )
        row = (_plain(title), started, total, lease.run_id)
        await self._change(lease, lambda db: db.execute(query, row))

    async def finish(self, lease: Lease, status: str) -> None:
        """Say how it ended.

        Raises:
            LeaseLostError: another owner has it.
            StateError: the file cannot be written.
        """
        query = "UPDATE runs SET status = ? WHERE run_id = ?"
        await self._change(lease, lambda db: db.execute(query, (status, lease.run_id)))

    async def append(self, lease: Lease, lines: Sequence[str]) -> None:
        """Add lines of text to the run's history, all of them or none.

        Raises:
            LeaseLostError: another owner has it.
            StateError: the file cannot be written.
        """
        # In one row, however many they are. JSON because a line may be anything: text of several
        # lines, or such that UTF-8 has no bytes for.
        query = "INSERT INTO history (run_id, lines) VALUES (?, ?)"
        texts = list(lines)
        await self._change(lease, lambda db: db.execute(query, (lease.run_id, json.dumps(texts))))

    async def write(self, lease: Lease, part: str, value: Any) -> None:
        """Keep a part of what the run is made of, in the place of an earlier one of this name.

        Raises:
            LeaseLostError: another owner has it.
            CodecError: the value has no bytes.
            StateError: the file cannot be written.
        """

        def work(session: DatabaseSession) -> None:
            place = _place(session, lease.run_id, part)
            packed = self._values.pack(value, place, session.blobs)
            try:
                with session.writing() as db:
                    check_lease(db, lease)
                    db.execute(_PUT_PART, (lease.run_id, part, *packed.columns))
                    packed.keep()
            except BaseException:
                packed.discard()
                raise

        await self._threads.ask(VALUES, work)

    async def read(self, run_id: str, part: str) -> Any:
        """A part that was written.

        Raises:
            KeyError: there is none, or it may not be read, which is warned about.
            StateError: the file cannot be read.
        """
        query = "SELECT bytes, digest FROM parts WHERE run_id = ? AND name = ?"

        def work(session: DatabaseSession) -> Any:
            return self._values.read(
                lambda: session.db.execute(query, (run_id, part)).fetchone(),
                _place(session, run_id, part),
                session.blobs,
            )

        try:
            return await self._threads.ask(VALUES, work)
        except RefusedBlobError as error:
            _warn(f"{part} of run {run_id}: {error}")
            raise KeyError(part) from error

    async def history(self, run_id: str) -> list[str]:
        """Every line, in order.

        Raises:
            StateError: the file cannot be read.
        """
        query = "SELECT lines FROM history WHERE run_id = ? ORDER BY n"

        def work(session: DatabaseSession) -> list[list[str] | None]:
            return [lines_of(cell) for (cell,) in session.db.execute(query, (run_id,))]

        found = await self._threads.ask(VALUES, work)
        if None in found:
            _warn(f"some of the history of run {run_id} is damaged and left out")
        return [line for lines in found if lines is not None for line in lines]

    async def runs(self) -> list[RunRecord]:
        """All that is written down, latest first.

        Raises:
            StateError: the file cannot be read.
        """

        def work(session: DatabaseSession) -> list[RunRecord | None]:
            rows = session.db.execute(
                "SELECT run_id, title, owner, started, status, total, expires"
                " FROM runs WHERE title IS NOT NULL ORDER BY started DESC, fence DESC"
            )
            now = time.time()
            return [record_of(row, now) for row in rows]

        found = await self._threads.ask(VALUES, work)
        damaged = found.count(None)
        if damaged and damaged != self._damaged:
            _warn(f"{damaged} runs are left out, since their rows are not as they were written")
        self._damaged = damaged
        return [record for record in found if record is not None]

    async def forget(self, run_id: str) -> None:
        """Drop everything about a run but the results that it kept by fingerprint.

        Raises:
            StateError: the file cannot be written.
        """

        def work(session: DatabaseSession) -> None:
            with session.writing() as db:
                for statement in _FORGET:
                    db.execute(statement, (run_id,))

        await self._threads.ask(LEASES, work)

    async def _change(self, lease: Lease, change: Callable[[sqlite3.Connection], object]) -> None:
        def work(session: DatabaseSession) -> None:
            with session.writing() as db:
                check_lease(db, lease)
                change(db)

        await self._threads.ask(LEASES, work)


def _warn(text: str) -> None:
    warnings.warn(text, RefusedBlobWarning, stacklevel=3)


def _place(session: DatabaseSession, run_id: str, part: str) -> str:
    return f"{session.namespace}/run/{run_id}/{part}"


def _plain(text: str) -> str:
    """Without what UTF-8 has no bytes for, as names of files may have it."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
