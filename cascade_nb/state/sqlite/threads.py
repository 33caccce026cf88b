"""Runs the threads that work at a database, so that no loop ever waits for a disk."""

from __future__ import annotations

import asyncio
import queue
import sqlite3
import threading
import weakref
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final, TypeVar

from cascade_nb.concurrency.scarce import has_begun
from cascade_nb.errors import LeaseHeldError, LeaseLostError, UnusableStateError
from cascade_nb.forking import forget_after_fork
from cascade_nb.state.sqlite.file import DatabaseSession, SqliteFile

T = TypeVar("T")

# The threads of a database.
RESULTS: Final = "results"  # keeps results, in batches
LEASES: Final = "leases"  # short transactions, so that no lease runs out while values are written
LEFTOVERS: Final = "cascade-leftovers"  # the name of the thread that closes what nobody did
VALUES: Final = "values"  # what reads, and what encodes or decodes when it is asked to


class ConnectionThread:
    """One thread with a connection of its own, where one thing is done after another.

    Args:
        file: the database.
        name: what it is for.
    """

    def __init__(self, file: SqliteFile, name: str) -> None:
        self._file = file
        # Results must outlast a power failure to be called completed. The rest gets to the disk
        # with them: all of it goes through one log, in order.
        self._durable = name == RESULTS
        self._pool = ThreadPoolExecutor(1, thread_name_prefix=f"cascade-sqlite-{name}")
        self._session: DatabaseSession | None = None

    def submit(self, job: Callable[[ConnectionThread], T]) -> Future[T]:
        """Have something done in the thread, after what was submitted before.

        Raises:
            UnusableStateError: Python is about to end, and begins nothing in such threads any more.
        """
        try:
            return self._pool.submit(job, self)
        except RuntimeError as error:
            if "after" not in str(error):
                raise
            raise UnusableStateError(
                f"{self._file.shown} cannot be used any more, since Python is about to end; what "
                "runs at exit goes into the script, before its end"
            ) from error

    def do(self, work: Callable[[DatabaseSession], T]) -> T:
        """In the thread: do something with the connection. After trouble the next one is new.

        Raises:
            StateError: the file cannot be used now; the message says what to do.
        """
        try:
            if self._session is None:
                self._session = self._file.connect(self._durable)
            self._session.check()
            return work(self._session)
        except (LeaseHeldError, LeaseLostError):
            raise
        except (sqlite3.Error, OSError) as error:
            self._disconnect()
            raise self._file.trouble(error) from error

    def refresh(self) -> None:
        """In the thread: get ready, and take the file that is there now for the right one.

        Raises:
            StateError: the file cannot be used now; the message says what to do.
        """
        if self._session is not None and not self._session.is_current:
            self._disconnect()
        self.do(DatabaseSession.check)

    def close(self) -> Future[None]:
        """Do what was submitted, then release the file and end the thread."""
        closed = self._pool.submit(self._disconnect)
        self._pool.shutdown(wait=False)
        return closed

    def _disconnect(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            # The last connection takes the log into the file. Of two that close at the same moment
            # neither is the last for SQLite, and the log stays beside the file.
            with self._file.turn:
                session.close()


class ConnectionThreads:
    """The threads of one database, each begun when it is first needed and kept until `close`.

    Args:
        file: the database.
    """

    def __init__(self, file: SqliteFile) -> None:
        self._file = file
        self._threads: dict[str, ConnectionThread] = {}
        self._lock = threading.Lock()
        forget_after_fork(self)
        # For who never closes it. At the end of the process the threads end by themselves, with
        # their work done, before this could tell them.
        _have_leftovers_closed()
        weakref.finalize(self, _leftovers.put, self._threads).atexit = False

    def submit(self, name: str, job: Callable[[ConnectionThread], T]) -> Future[T]:
        """Have something done in a thread; from any thread, and without waiting."""
        with self._lock:
            thread = self._threads.get(name)
            if thread is None:
                thread = self._threads[name] = ConnectionThread(self._file, name)
            return thread.submit(job)

    async def ask(self, name: str, work: Callable[[DatabaseSession], T]) -> T:
        """What `work` gives in a thread; on any loop.

        Raises:
            StateError: the file cannot be used now; the message says what to do.
        """
        return await asyncio.wrap_future(self.submit(name, lambda thread: thread.do(work)))

    def close(self) -> list[Future[None]]:
        """Have every thread finish its work and be gone; done when the futures are."""
        with self._lock:
            return _close(self._threads)

    def forget(self) -> None:
        """In a child process: its parent's connections must not be used there, nor even closed.

        The rule is SQLite's, "How To Corrupt An SQLite Database File", section 2.6.
        """
        _parents.extend(self._threads.values())
        self._threads.clear()
        self._lock = threading.Lock()
        self._file.turn = threading.Lock()


def _close(threads: dict[str, ConnectionThread]) -> list[Future[None]]:
    futures = [thread.close() for thread in threads.values()]
    threads.clear()
    return futures


# A finalizer may run in the middle of anything, also of a pool that holds its lock, so it must take
# none: it puts what is left here, which is safe anywhere, and a thread closes it.
_leftovers: Final[queue.SimpleQueue[dict[str, ConnectionThread]]] = queue.SimpleQueue()
_closing: list[threading.Thread] = []
_beginning: Final = threading.Lock()


def _have_leftovers_closed() -> None:
    """See that the thread is there, one for the process."""
    with _beginning:
        if not _closing or not _closing[-1].is_alive():  # in a child process it is gone
            thread = threading.Thread(target=_close_leftovers, name=LEFTOVERS, daemon=True)
            _closing[:] = [thread] if has_begun(thread) else []  # the next one that is made tries


def _close_leftovers() -> None:
    while True:
        _close(_leftovers.get())


_parents: Final[list[ConnectionThread]] = []
