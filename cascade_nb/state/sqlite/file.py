"""Opens the database file: made for its user alone, checked before use, its errors in words."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import sqlite3
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from cascade_nb.errors import StateError, UnusableStateError
from cascade_nb.state.row_checks import decoded, is_whole
from cascade_nb.state.sqlite.blobs import Blobs, is_digest, make_folder
from cascade_nb.state.sqlite.opened import Identity, enter, leave, making_a_file

BUSY: Final = 5.0  # seconds to wait for another program that writes
APPLICATION: Final = 0x63736E62  # "csnb": marks the file as this library's
VERSION: Final = 2  # of the tables below

_SCHEMA: Final = """
CREATE TABLE about (namespace TEXT, last_fence INTEGER);
CREATE TABLE results (
    key TEXT PRIMARY KEY, seconds REAL, made REAL, size INTEGER, bytes BLOB, digest TEXT,
    files TEXT NOT NULL DEFAULT '', task TEXT NOT NULL DEFAULT '', used REAL, expires REAL
);
CREATE INDEX results_in_files ON results (digest) WHERE digest IS NOT NULL;
CREATE TABLE runs (
    run_id TEXT PRIMARY KEY, owner TEXT, fence INTEGER, expires REAL,
    title TEXT, started REAL, status TEXT, total INTEGER
);
CREATE TABLE parts (
    run_id TEXT, name TEXT, size INTEGER, bytes BLOB, digest TEXT, PRIMARY KEY (run_id, name)
);
CREATE INDEX parts_in_files ON parts (digest) WHERE digest IS NOT NULL;
CREATE TABLE history (n INTEGER PRIMARY KEY, run_id TEXT, lines TEXT);
CREATE INDEX history_of_run ON history (run_id);
CREATE TABLE unread (digest TEXT);
CREATE TRIGGER result_replaced AFTER UPDATE OF digest ON results WHEN old.digest IS NOT NULL
    BEGIN INSERT INTO unread VALUES (old.digest); END;
CREATE TRIGGER result_deleted AFTER DELETE ON results WHEN old.digest IS NOT NULL
    BEGIN INSERT INTO unread VALUES (old.digest); END;
CREATE TRIGGER part_replaced AFTER UPDATE ON parts WHEN old.digest IS NOT NULL
    BEGIN INSERT INTO unread VALUES (old.digest); END;
CREATE TRIGGER part_deleted AFTER DELETE ON parts WHEN old.digest IS NOT NULL
    BEGIN INSERT INTO unread VALUES (old.digest); END;
"""

# What version 1 did not have.
_FROM_VERSION_1: Final = """
ALTER TABLE results ADD COLUMN files TEXT NOT NULL DEFAULT '';
ALTER TABLE results ADD COLUMN task TEXT NOT NULL DEFAULT '';
ALTER TABLE results ADD COLUMN used REAL;
ALTER TABLE results ADD COLUMN expires REAL;
CREATE TRIGGER result_deleted AFTER DELETE ON results WHEN old.digest IS NOT NULL
    BEGIN INSERT INTO unread VALUES (old.digest); END;
"""

_IS_READ: Final = (
    "SELECT EXISTS (SELECT 1 FROM results WHERE digest = :digest)"
    " OR EXISTS (SELECT 1 FROM parts WHERE digest = :digest)"
)

_MOVE_AWAY: Final = (
    "move it away, with what else begins with its name: a new one is made, and nothing is deleted"
)
# "no such": of a table or a column, which only somebody else can have taken away
_DAMAGED: Final = ("malformed", "not a database", "no such", "has no column")
_FULL: Final = {errno.ENOSPC, errno.EDQUOT}
_FORBIDDEN: Final = {errno.EACCES, errno.EPERM, errno.EROFS}


class DatabaseSession:
    """A connection to the file that was there when it was opened; for one thread.

    Attributes:
        db: the connection, in autocommit mode.
        namespace: an identity of the file, to which the signatures of its values are bound.
        blobs: the files beside it.
    """

    def __init__(
        self, file: SqliteFile, identity: Identity, db: sqlite3.Connection, namespace: str
    ) -> None:
        self.db = db
        self.namespace = namespace
        self.blobs = file.blobs
        self._file = file
        self._identity = identity

    @property
    def is_current(self) -> bool:
        """Whether the file still has its name."""
        return self._file.identity() == self._identity

    def check(self) -> None:
        """See that the file still has its name: SQLite would write into a deleted one, too.

        Raises:
            StateError: it was deleted, or another one was put in its place.
        """
        if not self.is_current:
            raise StateError(
                f"{self._file.shown} was moved or deleted while it was in use; put it back, or "
                "let a new one be made"
            )

    @contextlib.contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """One transaction that writes: all of it, or nothing when the block raises.

        Raises:
            StateError: the file is not there any more.
            sqlite3.Error: it cannot be written.
            OSError: a file that nobody reads any more cannot be removed.
        """
        # Two threads of this process take turns here; left to SQLite's lock, the one that loses
        # would sleep and look again, and sleep.
        with self._file.turn:
            self.db.execute("BEGIN IMMEDIATE")
            try:
                self.check()
                self._remove_unread()
                yield self.db
                self.db.execute("COMMIT")
            finally:
                if self.db.in_transaction:
                    # Where even this fails, the session is closed next, which undoes it as well.
                    with contextlib.suppress(sqlite3.Error):
                        self.db.execute("ROLLBACK")

    def close(self) -> None:
        """Release the file."""
        self.db.close()
        leave(self._identity)

    def _remove_unread(self) -> None:
        """Remove the files of values that were replaced, once that is certain: the row that named
        such a file went with an earlier transaction.
        """
        rows = self.db.execute("SELECT rowid, digest FROM unread").fetchall()
        for digest in {digest for _, digest in rows}:
            named = is_digest(digest)  # anything else would be a path that somebody else chose
            if named and not self.db.execute(_IS_READ, {"digest": digest}).fetchone()[0]:
                self.blobs.remove(digest)
        self.db.executemany("DELETE FROM unread WHERE rowid = ?", [(row,) for row, _ in rows])


class SqliteFile:
    """Where a database is, and how to open it.

    Args:
        path: of the database. Missing folders are made with mode 0700, the file with 0600; SQLite
            gives those that it puts beside it the same. What is there already keeps its mode.

    Attributes:
        shown: the path as it stands in messages.
        blobs: the folder of large values beside it.
        turn: held by the thread of this process that writes.
    """

    def __init__(self, path: Path) -> None:
        self.shown = str(path)
        try:
            self._path = path.absolute()
        except OSError as error:
            raise StateError(
                f"{path} names no file, since the current folder is not there any more; go to one "
                "that is (os.chdir), or give a whole path"
            ) from error
        self.blobs = Blobs(self._path.with_name(f"{path.name}.blobs"))
        self.turn = threading.Lock()

    def connect(self, durable: bool) -> DatabaseSession:
        """Open the file, and make it where it is missing.

        Args:
            durable: whether every transaction is to be on the disk when it is over, so that not
                even a power failure undoes it. Otherwise it outlives the process, and gets to the
                disk with the next one that is durable.

        Raises:
            StateError: it belongs to another program or a newer version of this one, or was open in
                the process that this one was forked from.
            sqlite3.Error: it cannot be opened or written, or is no database.
            OSError: it or its folder cannot be made.
        """
        self._make()
        identity = self.identity()
        if identity is None:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), self.shown)
        enter(identity, self.shown)
        try:
            db = sqlite3.connect(self._path, timeout=BUSY, isolation_level=None)
            db.text_factory = decoded
            try:
                return DatabaseSession(self, identity, db, self._prepare(db, durable))
            except BaseException:
                db.close()
                raise
        except BaseException:
            leave(identity)
            raise

    def identity(self) -> Identity | None:
        """Of the file that has the name now, None where there is none."""
        try:
            found = self._path.stat()
        except FileNotFoundError:
            return None
        return found.st_dev, found.st_ino

    def trouble(self, error: Exception) -> StateError:
        """The same in words that say what to do."""
        if isinstance(error, StateError):
            return error
        text, code = str(error), getattr(error, "errno", None)
        if code in _FULL or "disk is full" in text:
            advice = f"the disk that holds {self.shown} is full; free some space"
        elif code in _FORBIDDEN or "readonly" in text or "unable to open" in text:
            advice = (
                f"{self.shown} cannot be opened for writing ({text}); allow it for the file and "
                "its folder, or choose another place"
            )
        elif "locked" in text:
            waited = f"for more than {BUSY:g} s"
            advice = f"another program has {self.shown} locked {waited}; end what it does"
        elif any(words in text for words in _DAMAGED):
            return UnusableStateError(
                f"{self.shown} is damaged or no database ({text}); {_MOVE_AWAY}"
            )
        else:
            advice = f"{self.shown} cannot be used: {text}; mend that"
        return StateError(advice)

    def _make(self) -> None:
        make_folder(self._path.parent)
        with making_a_file, contextlib.suppress(FileExistsError):
            os.close(os.open(self._path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))

    def _prepare(self, db: sqlite3.Connection, durable: bool) -> str:
        """See to it that the tables are there; gives the namespace."""
        db.execute("PRAGMA trusted_schema = OFF")  # the file's own SQL calls nothing with effects
        if self._refuse_others(db):
            db.execute("PRAGMA auto_vacuum = INCREMENTAL")  # it counts only before there are tables
        self._use_log(db)
        db.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
        self._make_tables(db)
        about = db.execute("SELECT namespace, last_fence FROM about").fetchall()
        if len(about) == 1 and isinstance(about[0][0], str) and is_whole(about[0][1]):
            return str(about[0][0])
        raise self.damage("its table `about` has not the one row that it was made with")

    def damage(self, what: str) -> UnusableStateError:
        """Somebody wrote into the file what this library did not."""
        return UnusableStateError(f"{self.shown} is damaged ({what}); {_MOVE_AWAY}")

    def _refuse_others(self, db: sqlite3.Connection) -> bool:
        """See whose it is before anything is written to it; gives whether it is empty.

        Raises:
            UnusableStateError: it is not ours.
        """
        db.execute("BEGIN")  # one look at all three: another kernel may be making the tables
        try:
            (application,) = db.execute("PRAGMA application_id").fetchone()
            (version,) = db.execute("PRAGMA user_version").fetchone()
            (tables,) = db.execute("SELECT count(*) FROM sqlite_master").fetchone()
        finally:
            if db.in_transaction:  # some errors end it
                db.execute("ROLLBACK")
        if application != APPLICATION and (application or version or tables):
            raise UnusableStateError(
                f"{self.shown} is the database of another program, so nothing is written to it; "
                "choose another place"
            )
        if version > VERSION:
            raise UnusableStateError(
                f"{self.shown} was written by a newer cascade_nb (its tables have version "
                f"{version}, this one knows {VERSION}); upgrade, or choose another place"
            )
        return not tables

    def _use_log(self, db: sqlite3.Connection) -> None:
        """Write-ahead logging: who reads does not wait for who writes."""
        deadline = time.monotonic() + BUSY
        while True:
            try:
                (mode,) = db.execute("PRAGMA journal_mode = WAL").fetchone()
                break
            except sqlite3.OperationalError as error:
                # While another process does the same, SQLite may say so at once, without waiting.
                if "locked" not in str(error) or time.monotonic() > deadline:
                    raise
                time.sleep(0.01)
        if mode != "wal":
            raise StateError(
                f"the file system of {self.shown} has no shared memory, which several kernels "
                "need at one file; choose a place on a local disk"
            )

    def _make_tables(self, db: sqlite3.Connection) -> None:
        if db.execute("PRAGMA user_version").fetchone()[0] == VERSION:
            return
        db.execute("BEGIN IMMEDIATE")
        try:
            (version,) = db.execute("PRAGMA user_version").fetchone()  # somebody may be faster
            if not version:
                for statement in _statements(_SCHEMA):
                    db.execute(statement)
                db.execute("INSERT INTO about VALUES (?, 0)", (secrets.token_hex(16),))
                db.execute(f"PRAGMA application_id = {APPLICATION}")
            elif version == 1:
                for statement in _statements(_FROM_VERSION_1):
                    db.execute(statement)
            db.execute(f"PRAGMA user_version = {VERSION}")
            db.execute("COMMIT")
        except BaseException:
            if db.in_transaction:
                db.execute("ROLLBACK")
            raise


def _statements(script: str) -> Iterator[str]:
    """One by one, since `executescript` would end the transaction."""
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
