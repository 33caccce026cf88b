"""The files of a database: who may read them, what is signed in them, and what is left of them."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import stat
import threading
import time
import warnings
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psutil
import pytest

from cascade_nb.errors import RefusedBlobWarning
from cascade_nb.file_stamps import FileStamp
from cascade_nb.protocols.state_backend import Entry
from cascade_nb.state.sqlite.backend import SqliteState
from cascade_nb.state.sqlite.blobs import FORGOTTEN, Blobs
from cascade_nb.state.sqlite.file import SqliteFile
from tests.engine.tools import until
from tests.state.test_contract import KEY
from tests.state.witness import Witness, keep

LARGE = bytes(range(256)) * 1000


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "results.db"


@pytest.fixture
async def state(path: Path) -> AsyncIterator[SqliteState]:
    made = SqliteState(path, key=KEY)
    await made.open()
    yield made
    await made.close()


def sql(path: Path, statement: str, *values: Any) -> list[Any]:
    """Do something to the database behind the library's back."""
    db = sqlite3.connect(path, isolation_level=None)
    try:
        return db.execute(statement, values).fetchall()
    finally:
        db.close()


def blobs_of(path: Path) -> list[Path]:
    folder = path.with_name(path.name + ".blobs")
    return sorted(file for file in folder.rglob("*") if file.is_file())


def modes_below(folder: Path) -> dict[Path, str]:
    return {file: stat.filemode(file.stat().st_mode) for file in folder.rglob("*")}


@pytest.fixture
def no_umask() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


async def test_only_the_user_may_read_what_is_kept(tmp_path: Path, no_umask: None) -> None:
    path = tmp_path / "one" / "two" / "results.db"
    state = SqliteState(path, key=KEY)
    await keep(state, Entry("small", 1, 0.0), Entry("large", LARGE, 0.0))
    found = modes_below(tmp_path)
    assert {path, *(path.with_name(path.name + end) for end in ("-wal", "-shm"))} <= set(found)
    assert {path.parent, path.parent.parent, *blobs_of(path)} < set(found)
    assert set(found.values()) == {"drwx------", "-rw-------"}
    await state.close()


def test_what_was_there_before_keeps_its_mode(path: Path) -> None:
    # A folder that a group shares, and a file that somebody opened for it.
    async def use() -> None:
        state = SqliteState(path, key=KEY)
        await keep(state, Entry("a", 1, 0.0))
        await state.close()

    path.parent.chmod(0o750)
    asyncio.run(use())
    path.chmod(0o660)
    asyncio.run(use())
    assert stat.filemode(path.stat().st_mode) == "-rw-rw----"
    assert stat.filemode(path.parent.stat().st_mode) == "drwxr-x---"


def test_a_state_that_is_not_used_makes_no_file_and_no_thread(path: Path) -> None:
    before = set(threading.enumerate())
    SqliteState(path, key=KEY)
    asyncio.run(SqliteState(path, key=KEY).close())
    assert list(path.parent.iterdir()) == []
    assert set(threading.enumerate()) == before


def held(path: Path) -> list[str]:
    """Which of the database's files this process has open."""
    return [file.path for file in psutil.Process().open_files() if str(path) in file.path]


def suffixes_in(folder: Path) -> list[str]:
    return [file.suffix for file in folder.iterdir()]


async def test_close_leaves_no_log_beside_the_file(tmp_path: Path) -> None:
    # The connections of several threads close, and SQLite clears up with the last one only.
    for number in range(100):
        state = SqliteState(tmp_path / f"{number}.db", key=KEY)
        await state.open()
        await keep(state, Entry("a", 1, 0.0))
        await state.values(["a"])
        assert state.journal is not None
        await state.journal.claim(f"run {number}", "somebody", 1.0)
        await state.close()
    assert set(suffixes_in(tmp_path)) == {".db"}


async def test_close_releases_every_file(state: SqliteState, path: Path) -> None:
    await keep(state, Entry("small", 1, 0.0), Entry("large", LARGE, 0.0))
    await state.values(["small", "large"])
    assert held(path)
    await state.close()
    assert held(path) == []
    assert sorted(file.name for file in path.parent.iterdir()) == [path.name, path.name + ".blobs"]


async def test_a_close_that_is_cancelled_still_keeps_everything_and_releases_the_file(
    state: SqliteState, path: Path
) -> None:
    witness = Witness()
    for i in range(500):
        state.put(Entry(f"k{i}", i, 0.0), witness)
    closing = asyncio.ensure_future(state.close())
    await asyncio.sleep(0)
    closing.cancel()
    await until(lambda: len(witness.told) == 500)
    assert witness.refused == []
    await until(lambda: held(path) == [], "the end of its connections")
    assert await state.values(["k499"]) == {"k499": 499}


def test_a_state_that_nobody_closes_ends_with_the_last_who_knows_it(path: Path) -> None:
    before = set(threading.enumerate())
    state = SqliteState(path, key=KEY)
    asyncio.run(keep(state, Entry("a", 1, 0.0)))
    assert set(threading.enumerate()) > before
    del state
    deadline = time.monotonic() + 60
    while set(threading.enumerate()) > before:
        assert time.monotonic() < deadline
        time.sleep(0.01)


async def test_two_states_of_one_process_do_not_take_each_others_locks(path: Path) -> None:
    # Whoever closes any descriptor of a file loses what SQLite has locked in the whole process.
    first = SqliteState(path, key=KEY)
    await first.open()
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    second = SqliteState(path, key=KEY)
    await second.known(["a"])
    await second.close()
    done = Witness()
    first.put(Entry("a", 1, 0.0), done)
    await asyncio.sleep(0.1)
    assert done.told == []
    other.execute("COMMIT")
    other.close()
    await until(lambda: done.kept_keys == ["a"])
    await first.close()


def flipped(path: Path) -> None:
    (data,) = sql(path, "SELECT bytes FROM results WHERE key = 'small'")[0]
    sql(path, "UPDATE results SET bytes = ? WHERE key = 'small'", data[:-1] + bytes([data[-1] ^ 1]))
    (blob,) = blobs_of(path)
    content = bytearray(blob.read_bytes())
    content[-1] ^= 1
    blob.write_bytes(content)


def cut(path: Path) -> None:
    sql(path, "UPDATE results SET bytes = substr(bytes, 1, 20) WHERE key = 'small'")
    (blob,) = blobs_of(path)
    blob.write_bytes(blob.read_bytes()[:-1])


def empty(path: Path) -> None:
    sql(path, "UPDATE results SET bytes = NULL WHERE key = 'small'")
    (blob,) = blobs_of(path)
    blob.write_bytes(b"")


def exchanged(path: Path) -> None:
    for column in ("bytes", "digest"):
        (value,) = sql(path, f"SELECT {column} FROM results WHERE key = 'other {column}'")[0]
        key = "small" if column == "bytes" else "large"
        sql(path, f"UPDATE results SET {column} = ? WHERE key = ?", value, key)


def of_another_file(path: Path) -> None:
    sql(path, "UPDATE about SET namespace = 'another'")


def file_gone(path: Path) -> None:
    for blob in blobs_of(path):
        blob.unlink()
    sql(path, "UPDATE results SET bytes = x'00' WHERE key = 'small'")


HARM = [flipped, cut, empty, exchanged, of_another_file, file_gone]


@pytest.mark.parametrize("harm", HARM, ids=lambda harm: harm.__name__)
async def test_what_is_not_what_was_signed_counts_as_absent_and_can_be_kept_anew(
    state: SqliteState, path: Path, harm: Callable[[Path], None]
) -> None:
    entries = [Entry("small", {"a": 1}, 0.0), Entry("large", LARGE, 0.0), Entry("fine", 3, 0.0)]
    if harm is exchanged:
        entries += [Entry("other bytes", {"a": 2}, 0.0), Entry("other digest", LARGE, 0.0)]
    await keep(state, *entries)
    await state.close()
    await asyncio.to_thread(harm, path)
    keys = ["small", "large", "fine"]
    whole = harm is of_another_file
    assert set(await state.known(keys)) == set(keys)  # nobody has read them yet
    with pytest.warns(RefusedBlobWarning) as caught:
        assert await state.values(keys) == ({} if whole else {"fine": 3})
    (words,) = (str(warning.message) for warning in caught)
    assert f"(and {2 if whole else 1} more): " in words
    assert set(await state.known(keys)) == (set() if whole else {"fine"})

    await keep(state, *entries)
    assert set(await state.known(keys)) == set(keys)
    assert await state.values(keys) == {"small": {"a": 1}, "large": LARGE, "fine": 3}


class Fires:
    fired = False

    def __reduce__(self) -> Any:
        return (setattr, (Fires, "fired", True))


async def test_what_another_user_signed_is_not_unpickled(state: SqliteState, path: Path) -> None:
    stranger = SqliteState(path, key=b"the key of somebody else")
    await keep(stranger, Entry("a", Fires(), 0.0), Entry("b", [Fires()] * 20_000, 0.0))
    assert stranger.journal is not None
    lease = await stranger.journal.claim("run", "stranger", 60.0)
    await stranger.journal.write(lease, "graph", Fires())
    await stranger.close()
    with pytest.warns(RefusedBlobWarning, match="another key"):
        assert await state.values(["a", "b"]) == {}
    assert state.journal is not None
    with (
        pytest.warns(RefusedBlobWarning, match="graph of run run: .*another key"),
        pytest.raises(KeyError),
    ):
        await state.journal.read("run", "graph")
    assert not Fires.fired


async def test_a_row_of_another_database_is_refused(state: SqliteState, tmp_path: Path) -> None:
    other = SqliteState(tmp_path / "other.db", key=KEY)
    await keep(other, Entry("a", 1, 0.0))
    await other.close()
    (row,) = sql(tmp_path / "other.db", "SELECT * FROM results")
    holes = ", ".join("?" * len(row))
    sql(tmp_path / "results.db", f"INSERT INTO results VALUES ({holes})", *row)
    assert set(await state.known(["a"])) == {"a"}
    with pytest.warns(RefusedBlobWarning, match="another place"):
        assert await state.values(["a"]) == {}


async def test_the_same_value_of_one_key_is_stored_once(state: SqliteState, path: Path) -> None:
    await keep(state, Entry("a", LARGE, 0.0))
    await keep(state, *(Entry("a", LARGE, 0.0) for _ in range(3)))
    await keep(state, Entry("b", 1, 0.0))
    assert len(blobs_of(path)) == 1
    assert await state.values(["a"]) == {"a": LARGE}


async def test_the_file_of_a_replaced_value_goes_with_the_next_write(
    state: SqliteState, path: Path
) -> None:
    await keep(state, Entry("a", LARGE, 0.0), Entry("b", LARGE, 0.0))
    await keep(state, Entry("a", LARGE + b"new", 0.0))
    await keep(state, Entry("c", 1, 0.0))
    assert len(blobs_of(path)) == 2
    await keep(state, Entry("a", 1, 0.0))
    await keep(state, Entry("c", 1, 0.0))
    assert len(blobs_of(path)) == 1
    assert await state.values(["a", "b"]) == {"a": 1, "b": LARGE}


async def test_a_value_that_comes_back_keeps_its_file(state: SqliteState, path: Path) -> None:
    # Its file waits to be removed when another row names it again.
    for value in (LARGE, 1, LARGE):
        await keep(state, Entry("a", value, 0.0))
    await keep(state, Entry("b", 1, 0.0))
    assert len(blobs_of(path)) == 1
    assert await state.values(["a"]) == {"a": LARGE}


async def test_a_value_replaced_while_it_is_read_is_read_as_it_is_now(
    state: SqliteState, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Between the moment that its row is read and the moment that its file is opened.
    await keep(state, Entry("a", LARGE, 0.0))
    assert state.journal is not None
    lease = await state.journal.claim("run", "kernel 1", 60.0)
    await state.journal.write(lease, "graph", LARGE)
    read = Blobs.read
    other = SqliteState(path, key=KEY)

    async def replace() -> None:
        await keep(other, Entry("a", LARGE + b"new", 0.0))
        assert other.journal is not None
        await other.journal.write(lease, "graph", LARGE + b"new")
        await other.journal.renew(lease, 60.0)

    def slowly(blobs: Blobs, digest: str) -> bytearray:
        monkeypatch.setattr(Blobs, "read", read)
        asyncio.run(replace())
        return read(blobs, digest)

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        monkeypatch.setattr(Blobs, "read", slowly)
        assert await state.values(["a"]) == {"a": LARGE + b"new"}
        await state.journal.write(lease, "graph", LARGE)
        monkeypatch.setattr(Blobs, "read", slowly)
        assert await state.journal.read("run", "graph") == LARGE + b"new"
    await other.close()


async def test_the_files_of_a_forgotten_run_go(state: SqliteState, path: Path) -> None:
    journal = state.journal
    assert journal is not None
    lease = await journal.claim("run", "kernel 1", 60.0)
    await journal.write(lease, "graph", LARGE)
    await journal.write(lease, "graph", LARGE + b"new")
    await journal.forget("run")
    await journal.claim("another", "kernel 1", 60.0)
    assert blobs_of(path) == []


def test_drafts_of_a_process_that_was_killed_are_removed_when_they_are_old(tmp_path: Path) -> None:
    folder = tmp_path / "blobs"
    blobs = Blobs(folder)
    blobs.tidy()  # there is no folder yet
    young, old = blobs.write([b"young"]), blobs.write([b"old"])
    (file,) = [file for file in (folder / "new").iterdir() if file.read_bytes() == b"old"]
    long_ago = time.time() - FORGOTTEN - 1
    os.utime(file, (long_ago, long_ago))
    blobs.tidy()
    assert [file.read_bytes() for file in (folder / "new").iterdir()] == [b"young"]
    young.keep()
    assert blobs.read(young.digest) == b"young"
    with pytest.raises(FileNotFoundError):
        old.keep()


def test_a_large_array_is_written_from_where_it_lies(tmp_path: Path) -> None:
    data = bytearray(b"x" * 5_000_000)
    draft = Blobs(tmp_path / "blobs").write([b"head", memoryview(data)])
    assert draft.size == 5_000_004
    draft.keep()
    assert Blobs(tmp_path / "blobs").read(draft.digest) == b"head" + data


def test_everybody_may_open_a_new_file_at_the_same_moment(tmp_path: Path) -> None:
    # Who comes while another makes the tables must not take them for another program's.
    for number in range(100):
        files = [SqliteFile(tmp_path / f"{number}.db") for _ in range(4)]
        together = threading.Barrier(len(files))

        def connect(file: SqliteFile, together: threading.Barrier = together) -> str:
            together.wait()
            session = file.connect(durable=False)
            session.close()
            return session.namespace

        with ThreadPoolExecutor(len(files)) as pool:
            assert len(set(pool.map(connect, files))) == 1


async def test_a_file_of_the_first_version_keeps_its_results_and_learns_what_they_read(
    path: Path,
) -> None:
    state = SqliteState(path, key=KEY)
    await keep(state, Entry("old", 1, 2.0))
    await state.close()
    sql(path, "DROP TRIGGER result_deleted")
    for column in ("files", "task", "used", "expires"):
        sql(path, f"ALTER TABLE results DROP COLUMN {column}")
    sql(path, "PRAGMA user_version = 1")
    stamps = frozenset({FileStamp("in.txt", "3,4")})
    await keep(state, Entry("new", 2, 2.0, files=stamps))
    assert await state.values(["old", "new"]) == {"old": 1, "new": 2}
    known = await state.known(["old", "new"])
    assert (known["old"].files, known["new"].files) == (frozenset(), stamps)
    await state.close()
    assert sql(path, "PRAGMA user_version") == [(2,)]


@pytest.mark.parametrize("said", ["{", "[1]", '[["a", "b"]]', '[["a", 1, true]]', "[" * 100_000])
async def test_a_result_that_says_nonsense_of_files_counts_as_absent(
    state: SqliteState, path: Path, said: str
) -> None:
    await keep(state, Entry("a", 1, 2.0), Entry("b", 1, 2.0))
    sql(path, "UPDATE results SET files = ? WHERE key = 'a'", said)
    with pytest.warns(RefusedBlobWarning, match="computed again"):
        assert set(await state.known(["a", "b"])) == {"b"}
