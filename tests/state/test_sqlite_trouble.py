"""When the file cannot be used, every entry hears of it, with advice, and nothing is lost."""

from __future__ import annotations

import asyncio
import errno
import os
import random
import sqlite3
import tempfile
import weakref
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cascade_nb.errors import StateError, UsageError
from cascade_nb.protocols.state_backend import Entry
from cascade_nb.state.sqlite import file as sqlite_file
from cascade_nb.state.sqlite.backend import SqliteState
from tests.engine.tools import until
from tests.state.test_contract import KEY
from tests.state.witness import Witness, keep


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "results.db"


@pytest.fixture
async def state(path: Path) -> AsyncIterator[SqliteState]:
    made = SqliteState(path, key=KEY)
    await made.open()
    yield made
    await made.close()


async def found_in(path: Path, keys: list[str]) -> dict[str, Any]:
    """What a new process would find."""
    state = SqliteState(path, key=KEY)
    found = await state.values(keys)
    await state.close()
    return dict(found)


def check_integrity(path: Path) -> None:
    db = sqlite3.connect(path)
    assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    db.close()


def refused_with(witness: Witness) -> str:
    """The one message that all of them heard."""
    (text,) = {str(error) for _, error in witness.refused}
    assert {type(error) for _, error in witness.refused} == {StateError}
    return text


class Disk:
    """Decides how large a database may become; each connection made from now on keeps to it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.pages = 2**30
        connect: Callable[..., sqlite3.Connection] = sqlite3.connect

        def limited(*args: Any, **kwargs: Any) -> sqlite3.Connection:
            db = connect(*args, **kwargs)
            db.execute(f"PRAGMA max_page_count = {self.pages}")
            return db

        monkeypatch.setattr(sqlite3, "connect", limited)


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    return Disk(monkeypatch)


def pages_of(path: Path) -> int:
    db = sqlite3.connect(path)
    (pages,) = db.execute("PRAGMA page_count").fetchone()
    db.close()
    return int(pages)


@pytest.mark.slow
async def test_a_disk_that_is_full_at_any_of_the_first_hundred_writes_loses_nothing(
    tmp_path: Path, disk: Disk
) -> None:
    rng = random.Random(3)
    failed_at: set[int] = set()
    for n in range(100):
        path = tmp_path / f"{n}.db"
        disk.pages = 2**30
        await found_in(path, [])  # makes the tables
        disk.pages = pages_of(path) + n
        state = SqliteState(path, key=KEY)
        witness = Witness()
        entries: list[Entry] = []
        while not witness.refused:
            some = [
                Entry(f"k{len(entries) + i}", rng.randbytes(rng.choice([10, 4_000])), 1.0)
                for i in range(rng.choice([1, 1, 1, 3]))
            ]
            entries += some
            await witness.put(state, *some)
        failed_at.add(len(witness.batches))
        assert "results" not in refused_with(witness)
        assert "is full; free some space" in refused_with(witness)
        assert sorted(witness.told) == sorted(entry.key for entry in entries)
        values = {entry.key: entry.value for entry in entries}
        kept = {key: values[key] for key in witness.kept_keys}
        assert await found_in(path, list(values)) == kept

        disk.pages = 2**30
        await keep(state, *(entry for entry in entries if entry.key not in kept))
        assert await found_in(path, list(values)) == values
        await state.close()
        check_integrity(path)
    assert len(failed_at) > 50  # it did strike at many different writes


async def test_a_history_that_does_not_fit_is_not_there_in_part(path: Path, disk: Disk) -> None:
    await found_in(path, [])
    state = SqliteState(path, key=KEY)
    assert state.journal is not None
    lease = await state.journal.claim("run", "kernel 1", 60.0)
    await state.journal.append(lease, ["first"])
    disk.pages = pages_of(path) + 3
    await state.close()  # the next connection has the limit
    for write in (
        state.journal.append(lease, ["x" * 1000] * 100),
        state.journal.write(lease, "graph", b"x" * 50_000),
    ):
        with pytest.raises(StateError, match="is full; free some space"):
            await write
    assert await state.journal.history("run") == ["first"]
    disk.pages = 2**30
    await state.close()
    await state.journal.append(lease, ["second"])
    assert await state.journal.history("run") == ["first", "second"]
    await state.close()


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
async def test_a_large_value_that_does_not_fit_leaves_no_file(
    state: SqliteState, path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    fsync = os.fsync

    def full(fd: int) -> None:
        raise OSError(code, os.strerror(code))

    witness = Witness()
    monkeypatch.setattr(os, "fsync", full)
    await witness.put(state, Entry("a", b"a" * 100_000, 0.0), Entry("b", 2, 0.0))
    assert "is full; free some space" in refused_with(witness)
    assert sorted(witness.told) == ["a", "b"]
    assert files_in(path.with_name("results.db.blobs")) == []
    monkeypatch.setattr(os, "fsync", fsync)
    await keep(state, Entry("a", b"a" * 100_000, 0.0), Entry("b", 2, 0.0))
    assert await found_in(path, ["a", "b"]) == {"a": b"a" * 100_000, "b": 2}


async def test_the_file_of_a_large_value_goes_with_the_transaction_that_failed(
    path: Path, disk: Disk
) -> None:
    disk.pages = 2**30
    await found_in(path, [])
    disk.pages = pages_of(path)
    state = SqliteState(path, key=KEY)
    witness = Witness()
    large = Entry("large" * 2_000, b"a" * 100_000, 0.0)  # its key alone is more than a page
    await witness.put(state, large, *(Entry(f"{i}", i, 0.0) for i in range(500)))
    assert large.key in dict(witness.refused)
    assert files_in(path.with_name("results.db.blobs")) == []
    await state.close()


def files_in(folder: Path) -> list[Path]:
    return [file for file in folder.rglob("*") if file.is_file()]


async def test_a_file_that_another_program_has_locked_is_waited_for_only_so_long(
    state: SqliteState, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await keep(state, Entry("a", 1, 0.0))
    await state.close()
    monkeypatch.setattr(sqlite_file, "BUSY", 0.1)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StateError, match=r"locked for more than 0\.1 s; end what it does"):
        await state.open()
    witness = Witness()
    await witness.put(state, *(Entry(f"k{i}", i, 0.0) for i in range(2000)))
    assert len(witness.refused) == 2000
    assert "locked" in refused_with(witness)
    assert await state.values(["a"]) == {"a": 1}  # who reads is not held up
    other.execute("ROLLBACK")
    other.close()
    monkeypatch.setattr(sqlite_file, "BUSY", 60.0)
    await state.open()
    await keep(state, *(Entry(f"k{i}", i, 0.0) for i in range(2000)))
    assert len(await state.known([f"k{i}" for i in range(2000)])) == 2000


async def test_a_lock_that_is_soon_released_is_not_noticed(state: SqliteState, path: Path) -> None:
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    asyncio.get_running_loop().call_later(0.2, other.close)
    await keep(state, Entry("a", 1, 0.0))


def not_a_database(path: Path) -> None:
    path.write_bytes(b"my thesis, chapter one. " * 1000)


def torn(path: Path) -> None:
    asyncio.run(_fill(path))
    data = bytearray(path.read_bytes())
    data[4096:] = b"\xff" * (len(data) - 4096)
    path.write_bytes(data)


async def _fill(path: Path) -> None:
    state = SqliteState(path, key=KEY)
    await keep(state, *(Entry(f"k{i}", "x" * 1000, 0.0) for i in range(100)))
    await state.close()


def of_another_program(path: Path) -> None:
    db = sqlite3.connect(path)
    db.execute("CREATE TABLE customers (name TEXT)")
    db.close()


def of_another_application(path: Path) -> None:
    db = sqlite3.connect(path)
    db.execute("PRAGMA application_id = 7")
    db.close()


def newer(path: Path) -> None:
    asyncio.run(_fill(path))
    db = sqlite3.connect(path)
    db.execute("PRAGMA user_version = 99")
    db.close()


def a_folder(path: Path) -> None:
    path.mkdir()


UNUSABLE: dict[Callable[[Path], None], str] = {
    not_a_database: "damaged or no database .*; move it away",
    torn: "damaged or no database .*; move it away",
    of_another_program: "the database of another program, so nothing is written to it",
    of_another_application: "the database of another program, so nothing is written to it",
    newer: "was written by a newer cascade_nb .*version 99.*; upgrade",
    a_folder: "cannot be opened for writing",
}


@pytest.mark.parametrize("make", UNUSABLE, ids=lambda make: make.__name__)
def test_a_file_that_cannot_be_used_is_named_and_stays_as_it_was(
    path: Path, make: Callable[[Path], None]
) -> None:
    make(path)
    before = path.read_bytes() if path.is_file() else None

    async def use() -> None:
        state = SqliteState(path, key=KEY)
        with pytest.raises(StateError, match=UNUSABLE[make]) as raised:
            await state.open()
        assert str(path) in str(raised.value)
        witness = Witness()
        await witness.put(state, Entry("a", 1, 0.0), Entry("b", b"b" * 100_000, 0.0))
        assert refused_with(witness) == str(raised.value)
        for read in (state.known(["a"]), state.values(["a"])):
            with pytest.raises(StateError, match=UNUSABLE[make]):
                await read
        assert state.journal is not None
        with pytest.raises(StateError, match=UNUSABLE[make]):
            await state.journal.claim("run", "kernel 1", 60.0)
        await state.close()

        move_away(path)  # as the message advises
        await state.open()
        await keep(state, Entry("a", 1, 0.0))
        assert await state.values(["a"]) == {"a": 1}
        await state.close()

    def move_away(path: Path) -> None:
        for file in path.parent.glob("results.db*"):
            file.rename(file.with_name(file.name.replace("results.db", "away")))

    asyncio.run(use())
    away = path.with_name("away")
    assert (away.read_bytes() if away.is_file() else None) == before


async def test_a_file_that_is_deleted_in_use_is_missed_at_once(
    state: SqliteState, path: Path
) -> None:
    # SQLite itself would go on writing into a file that nobody finds any more.
    await keep(state, Entry("a", 1, 0.0))
    assert state.journal is not None
    await state.known(["a"])
    remove(path)
    witness = Witness()
    await witness.put(state, Entry("b", 2, 0.0))
    assert "was moved or deleted while it was in use" in refused_with(witness)
    with pytest.raises(StateError, match="moved or deleted"):
        await state.known(["a"])
    with pytest.raises(StateError, match="moved or deleted"):
        await state.journal.claim("run", "kernel 1", 60.0)
    await keep(state, Entry("b", 2, 0.0))  # somebody went on with an empty one, as was offered
    assert await found_in(path, ["a", "b"]) == {"b": 2}


def remove(path: Path) -> None:
    for file in path.parent.glob("results.db*"):
        if file.is_file():
            file.unlink()


async def test_a_file_that_is_deleted_between_two_runs_is_begun_anew(
    state: SqliteState, path: Path
) -> None:
    # That is how people empty a cache.
    await keep(state, Entry("a", 1, 0.0))
    await state.known(["a"])
    remove(path)
    await state.open()
    assert await state.known(["a"]) == {}
    await keep(state, Entry("b", 2, 0.0))
    assert await found_in(path, ["a", "b"]) == {"b": 2}


async def test_a_file_that_is_replaced_in_use_is_missed_too(
    state: SqliteState, path: Path, tmp_path: Path
) -> None:
    await keep(state, Entry("a", 1, 0.0))
    other = SqliteState(tmp_path / "other.db", key=KEY)
    await keep(other, Entry("c", 3, 0.0))
    await other.close()
    (tmp_path / "other.db").replace(path)
    for beside in path.parent.glob("results.db-*"):
        beside.unlink()
    witness = Witness()
    await witness.put(state, Entry("b", b"b" * 100_000, 0.0))
    assert "was moved or deleted while it was in use" in refused_with(witness)
    await keep(state, Entry("b", b"b" * 100_000, 0.0))
    assert await found_in(path, ["b", "c"]) == {"b": b"b" * 100_000, "c": 3}


@pytest.fixture
def unprivileged() -> Iterator[None]:
    """Root may write everywhere, so for a test it is somebody else."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    yield
    os.seteuid(0)


@pytest.fixture
def locked_folder() -> Iterator[Path]:
    """One that everybody may look into and nobody write."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o555)
        yield Path(folder)
        Path(folder).chmod(0o755)


async def test_a_folder_that_may_not_be_written_is_named(
    locked_folder: Path, unprivileged: None
) -> None:
    for path in (locked_folder / "results.db", locked_folder / "deeper" / "results.db"):
        state = SqliteState(path, key=KEY)
        with pytest.raises(StateError, match=r"cannot be opened for writing .*ermission"):
            await state.open()
        witness = Witness()
        await witness.put(state, Entry("a", 1, 0.0))
        assert str(path) in refused_with(witness)
        await state.close()


@pytest.fixture
def locked_file(locked_folder: Path) -> Path:
    """One that has a result and may only be read."""
    locked_folder.chmod(0o755)
    path = locked_folder / "results.db"
    asyncio.run(_fill(path))
    path.chmod(0o444)
    locked_folder.chmod(0o555)
    return path


async def test_a_file_that_may_only_be_read_is_named_before_the_run(
    locked_file: Path, unprivileged: None
) -> None:
    state = SqliteState(locked_file, key=KEY)
    with pytest.raises(StateError, match="cannot be opened for writing"):
        await state.open()
    await state.close()


async def test_a_path_through_a_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    state = SqliteState(tmp_path / "file" / "results.db", key=KEY)
    with pytest.raises(StateError, match=r"cannot be used: .*Not a directory"):
        await state.open()
    await state.close()


@pytest.mark.parametrize("path", ["", ":memory:"])
def test_what_is_no_path_of_a_file_is_refused_at_once(path: str) -> None:
    with pytest.raises(UsageError, match="MemoryState"):
        SqliteState(path)


async def test_who_remembers_the_trouble_does_not_hold_the_values(tmp_path: Path) -> None:
    class Held:
        pass

    state = SqliteState(tmp_path, key=KEY)  # a folder
    witness = Witness()
    value = Held()
    alive = weakref.ref(value)
    await witness.put(state, Entry("a", value, 0.0))
    del value
    await until(lambda: alive() is None, "the end of the value")
    assert "cannot be opened" in refused_with(witness)
    await state.close()


async def test_an_odd_error_of_the_machinery_is_told_too(
    state: SqliteState, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Whatever happens, nobody waits for ever.
    def odd(*args: Any) -> Any:
        raise RuntimeError("a fault")

    with monkeypatch.context() as patch:
        patch.setattr(state._values, "pack", odd)
        witness = Witness()
        await witness.put(state, Entry("a", 1, 0.0), Entry("b", 2, 0.0))
        assert refused_with(witness) == "results cannot be kept: RuntimeError: a fault"
    await keep(state, Entry("a", 1, 0.0))
