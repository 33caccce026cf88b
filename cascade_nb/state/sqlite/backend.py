"""Keeps results in a database file: they outlive the kernel, and several kernels share them."""

from __future__ import annotations

import asyncio
import json
import os
import time
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from cascade_nb.errors import RefusedBlobError, RefusedBlobWarning, StateError, UsageError
from cascade_nb.kept import Cleaned, Usage
from cascade_nb.protocols.state_backend import Entry, Known, SaveCallback
from cascade_nb.state.refused_results import RefusedResults
from cascade_nb.state.row_checks import known_of
from cascade_nb.state.sqlite.file import DatabaseSession, SqliteFile
from cascade_nb.state.sqlite.journal import SqliteJournal
from cascade_nb.state.sqlite.room import clean, is_stale, note_uses, usage
from cascade_nb.state.sqlite.threads import (
    LEASES,
    RESULTS,
    VALUES,
    ConnectionThread,
    ConnectionThreads,
)
from cascade_nb.state.sqlite.values import Values
from cascade_nb.state.sqlite.writer import Writer, result_place

_AT_ONCE: Final = 100  # rows that are read with their bytes, which may be 64 kB each

# For each place in the list that is asked for; the order of the join is the one that is written.
_LOOK_UP: Final = (
    "SELECT wanted.key, seconds, made, files FROM json_each(?) AS wanted"
    " CROSS JOIN results ON results.key = wanted.value"
)
_FETCH: Final = (
    "SELECT key, made, bytes, digest, used FROM results"
    " WHERE key IN (SELECT value FROM json_each(?))"
)
_FETCH_ONE: Final = "SELECT bytes, digest FROM results WHERE key = ?"


class _Refused(NamedTuple):
    key: str
    made: float
    error: RefusedBlobError


class SqliteState:
    """Keeps every result in an SQLite database, the large ones in files in a folder beside it.

    A result that was reported kept is on the disk: it is there after the process was killed and
    after a power failure (`synchronous=FULL`; what gathered while the disk was busy goes together,
    so that many results cost one wait). Any number of kernels of one machine may use one file at
    the same time; a child that was forked while the file was open may not, and is told so. Values
    are signed, and read only where their signature is that of the same user.

    It opens the file when it is first needed, and again when it is used after `close`.

    Args:
        path: of the database file, which is made with its folders when it is missing. Beside it lie
            `<path>-wal`, `<path>-shm` and the folder `<path>.blobs`; they belong together.
        key: 16 bytes or more that sign the values; default `cascade_nb.state.keyring.user_key()`.
        limit_bytes: when the kept results are larger together, those go that were neither made nor
            read for the longest; None: there is no limit.

    Rows that this library did not write so count as absent, which is warned about once.

    Attributes:
        journal: of the runs, in the same file.

    Raises:
        UsageError: the path is none of a file.
    """

    keeps_all = True
    journal: SqliteJournal

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        key: bytes | None = None,
        limit_bytes: int | None = None,
    ) -> None:
        if os.fspath(path) in {"", ":memory:"}:
            raise UsageError(
                f"{os.fspath(path)!r} is no path of a file; MemoryState keeps results in memory"
            )
        self._path = os.fspath(path)
        values = Values(key)
        self._threads = ConnectionThreads(SqliteFile(Path(path)))
        self._values = values
        self._limit = limit_bytes
        self._writer = Writer(self._threads, values, limit_bytes)
        self._refused: dict[str, float] = {}
        self._refused_results = RefusedResults()
        self._uses: dict[str, float] = {}  # by key, what is still to be written down
        self._damaged: set[str] = set()  # what has been warned about
        self.journal = SqliteJournal(self._threads, values)

    @property
    def where(self) -> str:
        """The place, for people."""
        return f"the file {self._path}"

    @property
    def is_there(self) -> bool:
        """Whether its file is there; `open` makes one where it is not."""
        return Path(self._path).exists()

    async def open(self) -> None:
        """See that the file can be read and written. One that was deleted or replaced since it was
        last used is used as it is now.

        Raises:
            StateError: it cannot, or the key to sign with cannot be had; the message says what to
                do.
        """
        for name in (LEASES, RESULTS, VALUES):  # so that the first result waits for no thread
            self._threads.submit(name, ConnectionThread.refresh)
        await self._threads.ask(LEASES, _can_write)
        await self._threads.ask(VALUES, lambda _: self._values.get_codec())

    def put(self, entry: Entry, keeper: SaveCallback) -> bool:
        """Begin to keep a result: it goes into the next batch of the writing thread."""
        self._writer.put(entry, keeper)
        return False

    async def known(self, keys: Sequence[str]) -> Mapping[str, Known]:
        """What is known of those of `keys` that are kept.

        Raises:
            StateError: the file cannot be read.
        """
        wanted = list(keys)
        found, damaged = await self._threads.ask(VALUES, lambda session: _look_up(session, wanted))
        new = [key for key in damaged if key not in self._damaged]
        if new:
            self._damaged.update(new)
            warnings.warn(
                f"{len(new)} kept results of {self._path} are left out, since their rows are not "
                f"as they were written (the first is {new[0]}); they are computed again",
                RefusedBlobWarning,
                stacklevel=2,
            )
        for key, made in list(self._refused.items()):
            if key in found and found[key].made == made:
                del found[key]
        return found

    async def values(self, keys: Sequence[str]) -> Mapping[str, Any]:
        """The kept values of those of `keys` that have one. One whose bytes are refused is warned
        about and counts as absent, here and in `known`, until it is kept anew.

        Raises:
            StateError: the file cannot be read.
        """
        wanted = list(keys)
        found, refused = await self._threads.ask(
            VALUES, lambda session: self._fetch(session, wanted)
        )
        self._refused.update({key: made for key, made, _ in refused})
        self._refused_results.tell({key: error for key, _, error in refused})
        if self._uses:  # nobody who reads waits for that
            self._threads.submit(RESULTS, self._note_uses)
        return found

    async def usage(self) -> list[Usage]:
        """What is kept, by task, the largest first.

        Raises:
            StateError: the file cannot be read.
        """
        return await self._threads.ask(VALUES, usage)

    async def clean(self, unused_for: float | None = None) -> Cleaned:
        """Remove results that have expired, and, with seconds given, those that were neither made
        nor read for so long. The room they had in the file is given back to the disk.

        Raises:
            StateError: the file cannot be written.
        """
        limit = self._limit
        return await self._threads.ask(
            RESULTS, lambda session: clean(session, time.time(), unused_for, limit)
        )

    async def close(self) -> None:
        """Keep what is under way, then release the file and end the threads."""
        closing = asyncio.gather(*map(asyncio.wrap_future, self._threads.close()))
        await asyncio.shield(closing)  # who is cancelled in this must not leave the file open

    def _note_uses(self, thread: ConnectionThread) -> None:
        """In the thread that writes: say that results were used."""
        uses, self._uses = self._uses, {}
        try:
            if uses:
                thread.do(lambda session: note_uses(session, uses))
        except StateError:
            # The file cannot be written now, which a run that has something to keep will tell of.
            self._uses = {**uses, **self._uses}

    def _fetch(
        self, session: DatabaseSession, keys: Sequence[str]
    ) -> tuple[dict[str, Any], list[_Refused]]:
        found: dict[str, Any] = {}
        refused: list[_Refused] = []
        for at in range(0, len(keys), _AT_ONCE):
            some = json.dumps(keys[at : at + _AT_ONCE])
            rows = session.db.execute(_FETCH, (some,)).fetchall()
            now = time.time()
            self._uses.update({row[0]: now for row in rows if is_stale(row[4], now)})
            for key, made, data, digest, _ in rows:
                try:
                    found[key] = self._value(session, key, data, digest)
                except RefusedBlobError as error:
                    refused.append(_Refused(key, made, error))
        return found, refused

    def _value(self, session: DatabaseSession, key: str, data: object, digest: object) -> Any:
        place = result_place(session, key)
        try:
            return self._values.unpack(data, digest, place, session.blobs)
        except FileNotFoundError:
            return self._values.read(
                lambda: session.db.execute(_FETCH_ONE, (key,)).fetchone(), place, session.blobs
            )


def _can_write(session: DatabaseSession) -> None:
    """Begin a transaction that writes, for it takes what every other one takes."""
    session.blobs.tidy()
    with session.writing():
        pass


def _look_up(session: DatabaseSession, keys: Sequence[str]) -> tuple[dict[str, Known], list[str]]:
    """What is known of keys, and those of them whose rows are damaged."""
    found: dict[str, Known] = {}
    damaged: list[str] = []
    for place, *cells in session.db.execute(_LOOK_UP, (json.dumps(keys),)):
        known = known_of(*cells)
        if known is None:
            damaged.append(keys[place])
        else:
            found[keys[place]] = known
    return found, damaged
