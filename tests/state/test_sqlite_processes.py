"""Several kernels at one database file: they share it, contend for runs, are killed, and fork."""

from __future__ import annotations

import asyncio
import os
import random
import sqlite3
import subprocess
import sys
import time
import traceback
import warnings
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from cascade_nb.errors import StateError
from cascade_nb.protocols.state_backend import Entry
from cascade_nb.state.sqlite.backend import SqliteState
from tests.state.sqlite_child import KEY, value_of
from tests.state.witness import Witness, keep
from tests.support.examples import examples
from tools.environments import ROOT

PATIENCE = 240.0


def start(what: str, path: Path, name: str, count: int) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "tests.state.sqlite_child", what, str(path), name, str(count)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, bufsize=0)


def said(child: subprocess.Popen[bytes], so_far: bytes = b"") -> list[list[str]]:
    """What it says until it has ended, in words; half a line was not said."""
    rest, _ = child.communicate(timeout=PATIENCE)
    return [line.split(" ") for line in (so_far + rest).decode().split("\n")[:-1]]


async def values_in(path: Path, keys: list[str]) -> Any:
    state = SqliteState(path, key=KEY)
    found = await state.values(keys)
    await state.close()
    return found


def is_sound(path: Path) -> bool:
    db = sqlite3.connect(path)
    try:
        return bool(db.execute("PRAGMA integrity_check").fetchall() == [("ok",)])
    finally:
        db.close()


@pytest.mark.slow
def test_what_was_reported_kept_survives_kill_9_at_any_moment(tmp_path: Path) -> None:
    # The moment between a commit and its word, those within a commit, a file and its name.
    path = tmp_path / "results.db"
    rng = random.Random(7)
    total = 0
    for n in range(examples(24)):
        child = start("keep", path, f"run{n}", 100_000)
        try:
            assert child.stdout is not None
            # Whatever the machine is busy with, it has kept some by then.
            first = b"".join(child.stdout.readline() for _ in range(rng.randrange(10, 100)))
            time.sleep(rng.random() * 0.03)
        finally:
            child.kill()
        words = said(child, first)
        assert {word for word, *_ in words} == {"kept"}
        keys = [key for _, key in words]
        assert len(set(keys)) == len(keys)
        assert asyncio.run(values_in(path, keys)) == {key: value_of(key) for key in keys}
        assert is_sound(path)
        total += len(keys)
    assert total > 200


async def test_writes_that_fail_in_their_middle_leave_nothing(tmp_path: Path) -> None:
    # The system refuses to let any file grow further: within a page of the log, or of a value.
    child = start("squeeze", tmp_path, "run", 40)
    words = await asyncio.to_thread(said, child)
    assert child.returncode == 0
    kept = [key for word, key in words if word == "kept"]
    refused = [key for word, key in words if word == "refused"]
    assert len(kept) == len(set(kept)) == 40 * 20
    assert 200 < len(refused) == len(set(refused)) < 800
    for n in range(40):
        path = tmp_path / f"run{n}.db"
        mine = [key for key in kept if key.startswith(f"run{n}.")]
        assert await values_in(path, mine) == {key: value_of(key) for key in mine}
        assert is_sound(path)


async def test_kernels_that_write_at_once_all_keep_everything(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "results.db"
    children = [start("keep", path, f"kernel{n}", 400) for n in range(3)]
    words = [word for child in children for word in await asyncio.to_thread(said, child)]
    assert {child.returncode for child in children} == {0}
    assert {word for word, *_ in words} == {"kept"}
    keys = [key for _, key in words]
    assert len(keys) == len(set(keys)) >= 1200
    assert await values_in(path, keys) == {key: value_of(key) for key in keys}


async def test_kernels_that_contend_for_a_run_have_it_one_after_the_other(tmp_path: Path) -> None:
    path = tmp_path / "results.db"
    children = [start("contend", path, f"kernel{n}", 25) for n in range(2)]
    for child in children:
        assert await asyncio.to_thread(said, child) == []
        assert child.returncode == 0
    state = SqliteState(path, key=KEY)
    assert state.journal is not None
    lines = [line.split(" ") for line in await state.journal.history("run")]
    await state.close()
    assert len(lines) == 100
    fences = [int(fence) for _, fence, word in lines if word == "in"]
    assert fences == sorted(set(fences))
    for one, other in zip(lines[::2], lines[1::2], strict=True):
        assert one == [*other[:2], "in"]  # nobody came in between
        assert other[2] == "out"
    assert {name for name, *_ in lines} == {"kernel0", "kernel1"}


def in_forked_child(work: Callable[[], Coroutine[Any, Any, None]]) -> int:
    """Do something in a child that has this process' memory; gives its exit code."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # that threads and fork go ill together
        pid = os.fork()
    if pid == 0:
        code = 1
        try:
            asyncio.run(asyncio.wait_for(work(), 60))
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def test_a_forked_child_keeps_off_a_file_that_its_parent_has_open(tmp_path: Path) -> None:
    # As multiprocessing does where it still forks. SQLite in the child believes in the locks of its
    # parent, by whatever connection it goes.
    path = tmp_path / "results.db"
    state = SqliteState(path, key=KEY)
    witness = Witness()

    async def before() -> None:
        await state.open()
        await keep(state, Entry("parent", 1, 0.0))

    async def in_child() -> None:
        for mine in (state, SqliteState(path, key=KEY)):
            for read in (mine.open(), mine.known(["parent"]), mine.values(["parent"])):
                with pytest.raises(StateError, match=r"forked from.*; start processes by 'spawn'"):
                    await read
            await witness.put(mine, Entry("child", 1, 0.0))
            await mine.close()
        assert [key for key, _ in witness.refused] == ["child", "child"]

    async def after() -> None:
        await keep(state, Entry("again", 2, 0.0))
        assert await state.values(["parent", "child", "again"]) == {"parent": 1, "again": 2}
        await state.close()

    asyncio.run(before())
    state.put(Entry("last word", 1, 0.0), witness)  # it is the parent's to keep
    assert in_forked_child(in_child) == 0
    asyncio.run(after())
    assert witness.told == ["last word"]
    assert is_sound(path)


def test_a_forked_child_may_use_a_file_that_its_parent_has_closed(tmp_path: Path) -> None:
    state = SqliteState(tmp_path / "results.db", key=KEY)

    async def keep_one(key: str) -> None:
        await keep(state, Entry(key, key, 0.0))
        await state.close()

    asyncio.run(keep_one("parent"))
    assert in_forked_child(lambda: keep_one("child")) == 0
    keys = ["parent", "child"]
    assert asyncio.run(values_in(tmp_path / "results.db", keys)) == {key: key for key in keys}


def test_a_process_that_closes_nothing_still_ends_and_keeps_what_was_put(tmp_path: Path) -> None:
    path = tmp_path / "results.db"
    script = (
        "from tests.state.sqlite_child import *\n"
        f"state = SqliteState({str(path)!r}, key=KEY)\n"
        "crier = Crier()\n"
        "for i in range(200):\n"
        "    state.put(Entry(f'k.{i}', value_of(f'k.{i}'), 0.0), crier)\n"
    )
    command = [sys.executable, "-c", script]
    child = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE)
    words = said(child)
    assert child.returncode == 0
    assert sorted(words) == sorted(["kept", f"k.{i}"] for i in range(200))
    keys = [f"k.{i}" for i in range(200)]
    assert len(asyncio.run(values_in(path, keys))) == 200


AT_EXIT = """
import atexit, sys
import cascade_nb as cs
cs.use_state(sys.argv[1])

@cs.task
def give(x): return x

def at_exit():
    try:
        print(cs.run(give(2)))
    except cs.errors.CascadeError as error:
        print(error)

print(cs.run(give(1)))
atexit.register(at_exit)
"""


def test_a_run_while_python_ends_is_told_that_nothing_can_be_kept_any_more(tmp_path: Path) -> None:
    # Python begins nothing in the threads of its pools by then.
    command = [sys.executable, "-c", AT_EXIT, f"sqlite:///{tmp_path}/results.db"]
    done = subprocess.run(
        command, cwd=ROOT, check=False, capture_output=True, text=True, timeout=PATIENCE
    )
    first, said = done.stdout.splitlines()
    assert first == "1"
    assert said == (
        f"{tmp_path}/results.db cannot be used any more, since Python is about to end; what runs "
        "at exit goes into the script, before its end"
    )
    assert "Traceback" not in done.stderr
