"""Writes results to a database: what has gathered goes in together, and then is told."""

from __future__ import annotations

import sys
import threading
import time
from collections import deque
from collections.abc import Sequence
from typing import Final, NamedTuple

from cascade_nb.errors import CodecError, RoomWarning, StateError
from cascade_nb.events.thread_warnings import warn
from cascade_nb.file_stamps import in_json
from cascade_nb.forking import forget_after_fork
from cascade_nb.protocols.journal import Lease
from cascade_nb.protocols.state_backend import Entry, SaveCallback
from cascade_nb.state.sqlite.file import DatabaseSession
from cascade_nb.state.sqlite.leases import loss_of
from cascade_nb.state.sqlite.room import clean
from cascade_nb.state.sqlite.threads import RESULTS, ConnectionThread, ConnectionThreads
from cascade_nb.state.sqlite.values import Packed, Values

# A batch ends at whichever comes first, so that what is kept is soon told.
MOST_ENTRIES: Final = 1000
MOST_BYTES: Final = 8 * 1024 * 1024
MOST_SECONDS: Final = 0.05  # of encoding

_INSERT: Final = (
    "INSERT INTO results (key, seconds, made, size, bytes, digest, files, task, used, expires)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
    " ON CONFLICT (key) DO UPDATE SET seconds = excluded.seconds, made = excluded.made,"
    " size = excluded.size, bytes = excluded.bytes, digest = excluded.digest,"
    " files = excluded.files, task = excluded.task, used = excluded.used,"
    " expires = excluded.expires"
)


class _Waiting(NamedTuple):
    entry: Entry
    keeper: SaveCallback
    made: float


class _Batch:
    """What is written together, and what is refused on the way, each with its own error."""

    def __init__(self) -> None:
        self.packed: list[tuple[_Waiting, Packed]] = []
        self.refused: list[tuple[list[_Waiting], Exception]] = []

    def refuse(self, lease: Lease | None, error: Exception) -> None:
        """Take out what one run brought."""
        lost = [pair for pair in self.packed if pair[0].entry.lease == lease]
        self.packed = [pair for pair in self.packed if pair[0].entry.lease != lease]
        self.refused.append(([waiting for waiting, _ in lost], error))
        for _, packed in lost:
            packed.discard()


class Writer:
    """Keeps results in a thread of its own.

    Args:
        threads: of the database.
        values: encodes them.
        limit: bytes that all results may take together; None: there is none.
    """

    def __init__(self, threads: ConnectionThreads, values: Values, limit: int | None) -> None:
        self._threads = threads
        self._limit = limit
        self._grown = limit or 0  # bytes since it was last seen to; the first batch is enough
        self._values = values
        self._queue: deque[_Waiting] = deque()
        self._awake = False
        forget_after_fork(self)

    def put(self, entry: Entry, keeper: SaveCallback) -> None:
        """Have an entry kept with the next batch."""
        self._queue.append(_Waiting(entry, keeper, entry.dated))
        if not self._awake:
            self._awake = True
            try:
                self._threads.submit(RESULTS, self._drain)
            except BaseException:
                self._awake = False
                raise

    def forget(self) -> None:
        """In a child process: what waits is its parent's to keep."""
        self._queue = deque()
        self._awake = False

    def _drain(self, thread: ConnectionThread) -> None:
        """In the thread: batch after batch until nothing waits."""
        while True:
            while self._queue:
                self._write(thread)
            self._awake = False
            if not self._queue:
                return  # and who puts from now on finds nobody awake
            self._awake = True  # who put between those two lines relied on us

    def _write(self, thread: ConnectionThread) -> None:
        batch = _Batch()
        trouble: StateError | None = None
        try:
            thread.do(lambda session: self._keep(session, batch))
        except BaseException as error:  # whatever it is, everybody has to hear of it
            trouble = _in_short(error)
        waiting = [each for each, _ in batch.packed]
        if trouble is not None:
            for _, packed in batch.packed:
                packed.discard()
            # What else waits would meet the same trouble, each batch after a wait of its own.
            while self._queue:
                waiting.append(self._queue.popleft())
        _tell(waiting, trouble)
        for group, reason in batch.refused:
            _tell(group, reason)
        self._make_room(thread, sum(packed.size for _, packed in batch.packed))

    def _make_room(self, thread: ConnectionThread, grown: int) -> None:
        """Keep to the limit, once so much has come that it may be exceeded by a twentieth."""
        limit = self._limit
        self._grown += grown
        if limit is None or self._grown < limit / 20:
            return
        self._grown = 0
        try:
            thread.do(lambda session: clean(session, time.time(), None, limit))
        except StateError as error:
            # The results themselves are safe; whoever puts the next ones hears of the trouble too.
            warn(f"no room was made for results: {error}", RoomWarning, error)

    def _keep(self, session: DatabaseSession, batch: _Batch) -> None:
        self._pack(session, batch)
        with session.writing() as db:
            for lease in {each.entry.lease for each, _ in batch.packed}:
                lost = None if lease is None else loss_of(db, lease)
                if lost is not None:
                    batch.refuse(lease, lost)
            db.executemany(_INSERT, [_row(*pair) for pair in batch.packed])
            for _, packed in batch.packed:
                packed.keep()

    def _pack(self, session: DatabaseSession, batch: _Batch) -> None:
        """Encode what waits, up to the size of a batch."""
        size, queue = 0, self._queue
        deadline = time.monotonic() + MOST_SECONDS
        while queue and size < MOST_BYTES and len(batch.packed) < MOST_ENTRIES:
            first = queue[0]  # should the disk be full, it waits like those after it
            place = result_place(session, first.entry.key)
            try:
                packed = self._values.pack(first.entry.value, place, session.blobs)
            except CodecError as error:
                batch.refused.append(([queue.popleft()], error))
                continue
            batch.packed.append((queue.popleft(), packed))
            size += packed.size
            if time.monotonic() > deadline:
                return


def result_place(session: DatabaseSession, key: str) -> str:
    """What the signature of a result is bound to."""
    return f"{session.namespace}/result/{key}"


def _row(waiting: _Waiting, packed: Packed) -> tuple[object, ...]:
    entry = waiting.entry
    files, now = in_json(entry.files), time.time()
    told = (entry.key, entry.seconds, waiting.made)
    return (*told, *packed.columns, files, entry.task, now, entry.expires)


def _in_short(error: BaseException) -> StateError:
    """Its words say all. With its traceback it would hold the values of its batch for as long as
    somebody remembers what went wrong.
    """
    if isinstance(error, StateError):
        return StateError(str(error))
    return StateError(f"results cannot be kept: {type(error).__name__}: {error}")


def _tell(waiting: Sequence[_Waiting], error: Exception | None) -> None:
    """Say what became of these, to each keeper once."""
    groups: dict[int, tuple[SaveCallback, list[Entry]]] = {}
    for each in waiting:
        groups.setdefault(id(each.keeper), (each.keeper, []))[1].append(each.entry)
    for keeper, entries in groups.values():
        try:
            if error is None:
                keeper.kept(entries)
            else:
                keeper.not_kept(entries, error)
        except Exception:  # one that fails must not keep the others from hearing
            me = threading.current_thread()
            threading.excepthook(threading.ExceptHookArgs((*sys.exc_info(), me)))
