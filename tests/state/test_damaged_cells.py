"""Anybody can write a database file: no cell becomes a path, a raw error or a wrong value."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import shutil
import sqlite3
import warnings
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from cascade_nb.engine.engine import Engine
from cascade_nb.errors import (
    RefusedBlobWarning,
    StateError,
    UnusableStateError,
)
from cascade_nb.model.tasks.decorator import task
from cascade_nb.protocols.state_backend import Entry
from cascade_nb.state.sqlite.backend import SqliteState
from tests.state.test_contract import KEY
from tests.state.witness import Witness, keep
from tests.support.examples import examples

LARGE = bytes(range(256)) * 1000
VALUES = {"small": [1, 2], "large": LARGE, "other": LARGE[1:]}
TABLES = {
    "about": ("namespace", "last_fence"),
    "results": ("key", "seconds", "made", "size", "bytes", "digest", "files"),
    "runs": ("run_id", "owner", "fence", "expires", "title", "started", "status", "total"),
    "parts": ("run_id", "name", "size", "bytes", "digest"),
    "history": ("run_id", "lines"),
    "unread": ("digest",),
}


async def filled(path: Path) -> None:
    """A file with everything in it that there can be."""
    state = SqliteState(path, key=KEY)
    await keep(state, *(Entry(key, value, 1.0) for key, value in VALUES.items()))
    await keep(state, Entry("other", LARGE[2:], 1.0), Entry("other", VALUES["other"], 1.0))
    journal = state.journal
    assert journal is not None
    lease = await journal.claim("run", "me", 1000.0)
    await journal.describe(lease, "title", 5.0, 3)
    await journal.append(lease, ["one", "two"])
    await journal.write(lease, "order", LARGE)
    await state.close()


def odd_cells(outside: Path) -> list[str]:
    """SQL expressions for what does not belong into a cell."""
    up = "../" * 20 + str(outside).lstrip("/")
    return [
        "NULL", "''", "'x'", "0", "-1", "1.5", "9e999", "-9e999", "9223372036854775807", "'{'",
        "'[1, [2]]'", f"'{'[' * 9000}'", "x''", "x'00'", "x'ff'", "zeroblob(70000)", "'inf'",
        "CAST(x'ff80' AS TEXT)", "'nan'", f"'xx{outside}'", f"'{up}'", f"'../{outside.name}'",
        f"'{'a' * 64}'", f"'{'A' * 64}'", f"x'{'ab' * 32}'", "1e18", "253402300800", "'running'",
        "'cancelled' || char(10)", "printf('%.*c', 100000, 'a')",
    ]  # fmt: skip


async def ask_everything(path: Path) -> None:
    """Whatever a kernel does with a file."""
    state = SqliteState(path, key=KEY)
    journal = state.journal
    assert journal is not None
    keys = [*VALUES, "none"]
    asked: list[Callable[[], Awaitable[Any]]] = [
        state.open,
        lambda: state.known(keys),
        journal.runs,
        lambda: journal.history("run"),
        lambda: journal.claim("run", "you", 5.0),
        lambda: journal.claim("new", "you", 5.0),
        lambda: Witness().put(state, Entry("new", LARGE[3:], 1.0), Entry("small", [1, 2], 1.0)),
        lambda: journal.forget("run"),
    ]
    for ask in asked:
        with contextlib.suppress(StateError):
            await ask()
    try:
        found = await state.values(keys)
    except StateError:
        found = {}
    assert all(VALUES[key] == value for key, value in found.items())
    with contextlib.suppress(KeyError, StateError):
        assert await journal.read("run", "order") == LARGE
    await state.close()


@pytest.mark.hypothesis
async def test_no_single_cell_or_row_gives_a_raw_error_a_wrong_value_or_touches_another_file(
    tmp_path: Path,
) -> None:
    rng = random.Random(11)
    made = tmp_path / "made"
    made.mkdir()
    await filled(made / "results.db")
    outside = tmp_path / "thesis.txt"
    outside.write_bytes(LARGE)
    os.utime(outside, (0, 0))
    odd = odd_cells(outside)
    for n in range(examples(500)):
        place = tmp_path / str(n)
        await asyncio.to_thread(shutil.copytree, made, place)
        table = rng.choice(list(TABLES))
        column, cell = rng.choice(TABLES[table]), rng.choice(odd)
        statement = rng.choice(
            [
                f"UPDATE OR REPLACE {table} SET {column} = {cell}",
                f"UPDATE OR REPLACE {table} SET {column} = {cell} WHERE rowid = 1",
                f"INSERT OR REPLACE INTO {table} ({column}) VALUES ({cell})",
                f"DELETE FROM {table}",
                f"ALTER TABLE {table} RENAME COLUMN {column} TO away",
            ],
        )
        db = sqlite3.connect(place / "results.db", isolation_level=None)
        db.execute(statement)
        db.close()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RefusedBlobWarning)
            try:
                await ask_everything(place / "results.db")
            except BaseException as error:
                error.args = (f"{statement:.200}: {error}",)
                raise
        assert outside.read_bytes() == LARGE, statement
        await asyncio.to_thread(shutil.rmtree, place)


@pytest.fixture
async def path(tmp_path: Path) -> Path:
    await filled(tmp_path / "results.db")
    return tmp_path / "results.db"


def sql(path: Path, statement: str, *values: Any) -> Any:
    db = sqlite3.connect(path, isolation_level=None)
    try:
        return db.execute(statement, values).fetchall()
    finally:
        db.close()


async def test_a_path_in_the_place_of_a_digest_leads_nowhere(path: Path) -> None:
    outside = path.with_name("thesis.txt")
    outside.write_bytes(LARGE)
    up = "../" * 20
    for digest in (
        f"xx{outside}",
        f"{up}{outside}",
        f"../..{outside}",
        "../thesis.txt",
        f"..{outside}",
    ):
        sql(path, "INSERT INTO unread VALUES (?)", digest)
        sql(path, "UPDATE results SET digest = ? WHERE key = 'small'", digest)
        state = SqliteState(path, key=KEY)
        with pytest.warns(RefusedBlobWarning):
            assert await state.values(["small"]) == {}
        await keep(state, Entry("small", 1, 1.0))  # what was replaced is removed with the next one
        await keep(state, Entry("small", 2, 1.0))
        await state.close()
        assert outside.read_bytes() == LARGE


async def test_a_link_or_a_pipe_in_the_place_of_a_large_value_is_not_opened(path: Path) -> None:
    ((digest,),) = sql(path, "SELECT digest FROM results WHERE key = 'large'")
    file = path.with_name("results.db.blobs") / digest[:2] / digest[2:]
    elsewhere = path.with_name("elsewhere")
    file.rename(elsewhere)  # the right bytes, signed, and still not what lies here
    for put in (lambda: file.symlink_to(elsewhere), lambda: os.mkfifo(file), file.mkdir):
        put()
        state = SqliteState(path, key=KEY)
        with pytest.warns(RefusedBlobWarning):
            assert await asyncio.wait_for(state.values(["large"]), 60) == {}
        await state.close()
        file.rmdir() if file.is_dir() and not file.is_symlink() else file.unlink()
    file.parent.rmdir()
    folder = path.with_name("linked")
    folder.mkdir()
    elsewhere.rename(folder / digest[2:])
    file.parent.symlink_to(folder)
    state = SqliteState(path, key=KEY)
    with pytest.warns(RefusedBlobWarning):
        assert await state.values(["large"]) == {}
    # Nor is anything removed or written through it.
    witness = Witness()
    await witness.put(state, Entry("large", 1, 1.0))
    await witness.put(state, Entry("small", 1, 1.0))
    await state.close()
    assert [file.name for file in folder.iterdir()] == [digest[2:]]


async def test_drafts_that_are_tidied_away_are_never_another_folders_files(path: Path) -> None:
    drafts = path.with_name("results.db.blobs") / "new"
    mine = path.with_name("mine")
    mine.mkdir()
    for name in ("a" * 32, "notes.txt"):
        (mine / name).touch()
        os.utime(mine / name, (0, 0))
    drafts.rmdir()
    drafts.symlink_to(mine)
    state = SqliteState(path, key=KEY)
    await state.open()
    await state.close()
    drafts.unlink()
    mine.rename(drafts)
    await state.open()
    await state.close()
    assert [file.name for file in drafts.iterdir()] == ["notes.txt"]


async def test_a_damaged_row_is_left_out_and_told_once(path: Path) -> None:
    sql(path, "UPDATE results SET made = 'yesterday' WHERE key = 'small'")
    sql(path, "INSERT INTO runs SELECT 'other', owner, fence, expires, title, NULL, status, total"
        " FROM runs")  # fmt: skip
    state = SqliteState(path, key=KEY)
    assert state.journal is not None
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        for _ in range(3):
            assert sorted(await state.known(list(VALUES))) == ["large", "other"]
            assert [run.run_id for run in await state.journal.runs()] == ["run"]
    assert len(told) == 2
    await keep(state, Entry("small", 3, 1.0))  # computed again, it is whole again
    assert await state.values(["small"]) == {"small": 3}
    assert sorted(await state.known(list(VALUES))) == sorted(VALUES)
    await state.close()


async def test_a_run_at_a_file_that_no_waiting_mends_fails_at_once(path: Path) -> None:
    @task
    def one() -> int:
        return 1

    sql(path, "DELETE FROM about")
    engine = Engine(state_backend=SqliteState(path, key=KEY))
    with pytest.raises(UnusableStateError, match=r"is damaged .* move it away"):
        await asyncio.wait_for(engine.run(one()), 60)
    await engine.aclose()
