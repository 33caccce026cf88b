"""What a task reads while it runs is part of what its result stands on."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import glob
import importlib
import importlib.machinery
import importlib.metadata
import importlib.util
import json
import linecache
import os
import pathlib
import pickle
import re
import runpy
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import cascade_nb as cs
from cascade_nb.engine import Engine
from cascade_nb.engine.files.kept_files import what_became_of
from cascade_nb.engine.files.result_paths import paths_in
from cascade_nb.engine.files.run_files import SharedFileWarning
from cascade_nb.file_stamps import FileStamp, stamp_of
from cascade_nb.state.sqlite.backend import SqliteState
from cascade_nb.testing import SpySubscriber
from tests.engine.conftest import MakeEngine
from tests.engine.tools import finished, outcome, started, until
from tests.support.examples import examples
from tests.support.same_in_keys import SameInKeys


class Runs:
    """Runs a target and says which nodes ran; the plan has to have known it."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._spy = SpySubscriber(engine.bus)
        self._seen = 0
        self.value: Any = None

    async def __call__(self, target: Any) -> list[str]:
        plan = await self.engine.plan(target)
        self.value = await self.engine.run(target)
        ran = started(self._spy)[self._seen :]
        self._seen += len(ran)
        planned = {step.node for step in plan.steps if step.action == "run"}
        roots = {name.split("[")[0] for name in ran}
        assert planned == roots & {step.node for step in plan.steps}  # others continue them
        return sorted(ran)

    async def reason(self, target: Any, name: str) -> str:
        return (await self.engine.plan(target)).step(name).reason


@pytest.fixture
def runs(engine: Engine) -> Runs:
    return Runs(engine)


@pytest.fixture
def folder(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def _lines(path: Any) -> str:
    with open(path) as file:  # noqa: PTH123 - one of the ways
        return file.read().strip()


def _in_a_thread(path: Any) -> str:
    found: list[str] = []
    thread = threading.Thread(target=lambda: found.append(_lines(path)))
    thread.start()
    thread.join()
    return found[0]


def _in_a_pool(path: Any) -> str:
    with ThreadPoolExecutor(2) as pool:
        return next(iter(pool.map(_lines, [path, path])))


def _through_sqlite(path: Any) -> str:
    with contextlib.closing(sqlite3.connect(path)) as db:
        return str(db.execute("SELECT x FROM t").fetchone()[0])


def _by_descriptor(path: Any) -> str:
    handle = os.open(path, os.O_RDONLY)
    try:
        return os.read(handle, 100).decode().strip()
    finally:
        os.close(handle)


def _into(path: str) -> None:
    told = "import sqlite3, sys; db = sqlite3.connect(sys.argv[1]); \
db.execute('CREATE TABLE IF NOT EXISTS t (x)'); db.execute('INSERT INTO t VALUES (1)'); db.commit()"
    subprocess.run([sys.executable, "-c", told, path], check=True)


LATE = "late_module"

WAYS: dict[str, Callable[[Any], str]] = {
    "open": _lines,
    "pathlib": lambda path: pathlib.Path(path).read_text().strip(),
    "bytes": lambda path: pathlib.Path(path).read_bytes().decode().strip(),
    "pandas": lambda path: str(pd.read_csv(path, header=None)[0][0]),
    "numpy": lambda path: str(int(np.loadtxt(path))),
    "a memory map": lambda path: bytes(np.memmap(path, mode="r")).decode().strip(),
    "json": lambda path: str(json.loads(pathlib.Path(path).read_bytes())),
    "descriptor": _by_descriptor,
    "thread": _in_a_thread,
    "pool": _in_a_pool,
}


@cs.task
def by_thread(way: str, path: Any) -> str:
    return WAYS[way](path)


@cs.task
async def by_loop(way: str, path: Any) -> str:
    return await asyncio.to_thread(WAYS[way], path)


@cs.task(executor="inline")
def by_inline(way: str, path: Any) -> str:
    return WAYS[way](path)


@cs.task
def join(*parts: Any) -> str:
    return "+".join(map(str, parts))


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("task", [by_thread, by_loop, by_inline], ids=lambda task: task.name)
@pytest.mark.may_block("an inline task opens a file on the loop itself")
async def test_a_file_that_was_read_counts_however_it_is_opened(
    runs: Runs, folder: pathlib.Path, way: str, task: Any
) -> None:
    if task is by_inline and way in ("thread", "pool"):
        way = "open"  # on the loop nobody waits for a thread
    file = folder / "in.txt"
    file.write_text("1\n")
    target = join(join(task(way, "in.txt"))).named("end")
    assert len(await runs(target)) == 3
    assert (await runs(target), runs.value) == ([], "1")
    file.write_text("2\n")
    assert (len(await runs(target)), runs.value) == (3, "2")
    assert (await runs(target), runs.value) == ([], "2")


async def test_a_database_counts_and_one_that_the_task_makes_does_not(
    runs: Runs, folder: pathlib.Path
) -> None:
    def fill(x: int) -> None:
        db = sqlite3.connect("in.db")
        with db:
            db.execute("CREATE TABLE IF NOT EXISTS t (x)")
            db.execute("DELETE FROM t")
            db.execute("INSERT INTO t VALUES (?)", (x,))
        db.close()

    fill(1)
    target = by_thread("sqlite", "in.db").named("x")
    WAYS["sqlite"] = _through_sqlite
    assert (await runs(target), runs.value) == (["x"], "1")
    assert await runs(target) == []
    fill(2)
    assert (await runs(target), runs.value) == (["x"], "2")

    @cs.task
    def store() -> int:
        db = sqlite3.connect("out.db")
        with db:
            db.execute("CREATE TABLE t (x)")
        db.close()
        return 1

    assert await runs(store().named("s")) == ["s"]
    assert await runs(store().named("s")) == []


@pytest.mark.parametrize("mode", ["delete", "wal"])
async def test_a_database_that_a_task_updates_counts_as_the_task_left_it(
    runs: Runs, folder: pathlib.Path, mode: str
) -> None:
    def others(x: int) -> None:
        with contextlib.closing(sqlite3.connect("in.db")) as db, db:
            db.execute(f"PRAGMA journal_mode={mode}")
            db.execute("CREATE TABLE IF NOT EXISTS t (x)")
            db.execute("INSERT INTO t VALUES (?)", (x,))

    def opened(path: str) -> sqlite3.Connection:
        return sqlite3.connect(path)

    @cs.task
    def count(path: str) -> int:
        db = opened(path)
        with db:
            db.execute("INSERT INTO t VALUES (0)")
            found = db.execute("SELECT count(*) FROM t").fetchone()[0]
        db.close()
        return int(found)

    @cs.task
    def read(path: str) -> int:
        with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as db:
            return int(db.execute("SELECT count(*) FROM t").fetchone()[0])

    @cs.task
    def attached() -> int:
        with contextlib.closing(sqlite3.connect(":memory:")) as db:
            db.execute("ATTACH DATABASE 'in.db' AS more")
            return int(db.execute("SELECT count(*) FROM more.t").fetchone()[0])

    others(1)
    target = count("in.db").named("x")
    assert (await runs(target), runs.value) == (["x"], 2)
    assert await runs(target) == []
    others(2)
    assert (await runs(target), runs.value) == (["x"], 4)
    assert await runs(target) == []
    for reads in (read("in.db").named("r"), attached().named("a")):
        assert await runs(reads) != []
        assert (await runs(reads), runs.value) == ([], 4)
    others(3)
    for reads in (read("in.db").named("r"), attached().named("a")):
        assert await runs(reads) != []
        assert (await runs(reads), runs.value) == ([], 5)


async def test_a_database_that_changes_while_it_is_only_read_lets_nothing_stand(
    runs: Runs, folder: pathlib.Path
) -> None:
    @cs.task
    def read(path: str) -> int:
        with contextlib.closing(sqlite3.connect(path)) as db:
            found = int(db.execute("SELECT count(*) FROM t").fetchone()[0])
        write_meanwhile()
        return found

    def write_meanwhile() -> None:
        if not (folder / "done").exists():
            (folder / "done").touch()
            _into("in.db")

    _into("in.db")
    target = read("in.db").named("x")
    assert (await runs(target), runs.value) == (["x"], 1)
    assert (await runs(target), runs.value) == (["x"], 2)
    assert await runs(target) == []


async def test_what_was_tried_and_not_there_counts_when_it_comes(
    runs: Runs, folder: pathlib.Path
) -> None:
    @cs.task
    def config() -> str:
        try:
            return pathlib.Path("own.cfg").read_text()
        except FileNotFoundError:
            return "usual"

    own = folder / "own.cfg"
    target = config().named("c")
    assert (await runs(target), runs.value) == (["c"], "usual")
    assert await runs(target) == []
    own.write_text("mine")
    assert await runs.reason(target, "c") == "its file own.cfg is there now"
    assert (await runs(target), runs.value) == (["c"], "mine")
    own.unlink()
    assert await runs.reason(target, "c") == "its file own.cfg is gone"
    assert (await runs(target), runs.value) == (["c"], "usual")


async def test_a_folder_that_was_looked_through_counts_by_its_names(
    runs: Runs, folder: pathlib.Path
) -> None:
    @cs.task
    def total() -> int:
        return sum(int(path.read_text()) for path in pathlib.Path("data").glob("*.txt"))

    @cs.task
    def listed() -> list[str]:
        return sorted(os.listdir("data"))  # noqa: PTH208 - one of the ways

    (folder / "data").mkdir()
    (folder / "data" / "a.txt").write_text("1")
    both = [total().named("t"), listed().named("l")]
    assert await runs(both) == ["l", "t"]
    assert await runs(both) == []
    (folder / "data" / "b.txt").write_text("5")
    assert (await runs(both), runs.value) == (["l", "t"], [6, ["a.txt", "b.txt"]])
    (folder / "data" / "b.txt").write_text("66")  # its name is the same
    assert (await runs(both), runs.value) == (["t"], [67, ["a.txt", "b.txt"]])


@pytest.mark.parametrize("pattern", ["in.txt", "data/*/in.txt", "data/**/in.txt", "data/*.txt"])
@pytest.mark.parametrize("way", ["glob", "pathlib", "root"])
async def test_what_a_glob_leads_to_counts(
    runs: Runs, folder: pathlib.Path, pattern: str, way: str
) -> None:
    @cs.task
    def found() -> list[str]:
        if way == "pathlib":
            return sorted(map(str, pathlib.Path().glob(pattern)))
        root = str(folder) if way == "root" else None
        return sorted(glob.glob(pattern, root_dir=root, recursive=True))  # noqa: PTH207

    (folder / "data" / "one").mkdir(parents=True)
    target = found().named("x")
    assert (await runs(target), runs.value) == (["x"], [])
    assert await runs(target) == []
    made = [folder / "in.txt", folder / "data" / "in.txt", folder / "data" / "one" / "in.txt"]
    for file in made:
        file.touch()
    assert await runs(target) == ["x"]
    assert runs.value == sorted(glob.glob(pattern, recursive=True))  # noqa: PTH207
    assert await runs(target) == []


async def test_what_the_task_itself_wrote_is_none_of_what_it_read(
    runs: Runs, folder: pathlib.Path
) -> None:
    @cs.task
    def work() -> str:
        pathlib.Path("own.txt").write_text("a")
        with tempfile.TemporaryDirectory() as inner:
            (pathlib.Path(inner) / "x").write_text("b")
            said = "".join((pathlib.Path(inner) / one).read_text() for one in os.listdir(inner))  # noqa: PTH208
        pathlib.Path("part.txt").write_text("c")
        pathlib.Path("part.txt").replace("whole.txt")
        with open("log.txt", "a") as log:  # noqa: PTH123
            log.write("once\n")
        return said + pathlib.Path("own.txt").read_text() + pathlib.Path("whole.txt").read_text()

    assert (await runs(work().named("w")), runs.value) == (["w"], "bac")
    (folder / "log.txt").write_text("")
    (folder / "own.txt").write_text("other")
    assert await runs(work().named("w")) == []


async def test_a_file_that_changes_while_it_is_read_lets_nothing_stand(
    runs: Runs, folder: pathlib.Path
) -> None:
    @cs.task
    def slow() -> str:
        text = pathlib.Path("in.txt").read_text()
        if text == "1":
            (folder / "in.txt").write_text("2")  # as somebody else would, by then
        return text

    (folder / "in.txt").write_text("1")
    assert (await runs(slow().named("s")), runs.value) == (["s"], "1")
    assert (await runs(slow().named("s")), runs.value) == (["s"], "2")
    assert await runs(slow().named("s")) == []


async def test_a_file_of_the_same_size_written_in_the_same_moment_is_another(
    runs: Runs, folder: pathlib.Path
) -> None:
    file = folder / "in.txt"
    file.write_text("1")
    moment = time.time_ns() + 10**10  # however long it takes here until it is opened
    os.utime(file, ns=(moment, moment))
    target = by_thread("open", "in.txt").named("x")
    await runs(target)
    file.write_text("2")
    os.utime(file, ns=(moment, moment))
    assert (await runs(target), runs.value) == (["x"], "2")


async def test_code_that_is_imported_or_shown_is_no_file_that_was_read(
    runs: Runs, folder: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / f"{LATE}.py").write_text("X = 1\n")
    monkeypatch.syspath_prepend(str(folder))

    @cs.task
    def imports() -> int:
        return int(importlib.import_module(LATE).X)

    @cs.task
    def reads() -> str:
        return pathlib.Path(f"{LATE}.py").read_text()

    both = [imports().named("i").with_cache(version=1), reads().named("r")]
    await runs(both)
    (folder / f"{LATE}.py").touch()
    (folder / "beside.txt").write_text("")
    os.utime(folder / f"{LATE}.py", ns=(1, 1))
    assert await runs(both) == ["r"]


def by_spec() -> Any:
    spec = importlib.util.spec_from_file_location("part", "part.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.given()


def by_source_loader() -> Any:
    return importlib.machinery.SourceFileLoader("part", "part.py").load_module().given()


def by_runpy() -> Any:
    return runpy.run_module("part")["given"]()


def by_lines() -> Any:
    linecache.clearcache()
    return linecache.getline("part.py", 1)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.parametrize("way", [by_spec, by_source_loader, by_runpy, by_lines])
async def test_a_module_that_a_body_loads_itself_is_read(
    way: Callable[[], Any], runs: Runs, folder: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(folder))
    sys.modules.pop("other_part", None)  # of another folder
    load = cs.task(way)().named("x")
    given = "import other_part\ndef given(): return {}, other_part.N\n"
    (folder / "other_part.py").write_text("N = 1\n")
    (folder / "part.py").write_text(given.format(1))
    await runs(load)
    assert await runs(load) == []  # also where it is compiled by then
    (folder / "part.py").write_text(f"# changed\n{given.format(2)}")
    before = runs.value
    assert (await runs(load), runs.value != before) == (["x"], True)
    (folder / "other_part.py").write_text("N = 1000\n")
    assert await runs(load) == ([] if way is by_lines else ["x"])


async def test_the_file_of_a_class_that_a_pickle_leads_to_is_read(
    runs: Runs, folder: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No name in the body tells of it."""
    monkeypatch.syspath_prepend(str(folder))
    (folder / "kinds.py").write_text("from sizes import N\nclass Kind:\n    size = N\n")
    (folder / "sizes.py").write_text("N = 1\n")
    module = "kinds"
    kept = pickle.dumps(importlib.import_module(module).Kind())

    def fresh() -> None:
        importlib.invalidate_caches()
        for name in ("kinds", "sizes"):
            monkeypatch.delitem(sys.modules, name, raising=False)

    @cs.task
    def size(data: bytes) -> int:
        return int(pickle.loads(data).size)

    @cs.task
    def no_more_than_a_number(data: bytes) -> int:
        return len(data)

    both = [size(kept).named("s"), no_more_than_a_number(kept).named("n")]
    for n in (1, 20):
        (folder / "sizes.py").write_text(f"N = {n}\n")
        fresh()
        assert "s" in await runs(both)
        assert runs.value == [n, len(kept)]
        assert await runs(both) == []
    (folder / "sizes.py").write_text("N = 300\n")  # and is not imported anew
    assert await runs(both) == ["s"]
    fresh()
    assert await runs(both) == ["s"]
    assert runs.value == [300, len(kept)]


@pytest.mark.may_block("the guard would stand between the listing and who asks for it")
async def test_what_is_looked_through_for_what_is_installed_is_no_folder_that_was_read(
    runs: Runs, folder: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Many a library asks when it is first used, and the current folder is in `sys.path`.
    monkeypatch.syspath_prepend("")

    @cs.task
    def asks() -> int:
        return len(importlib.metadata.entry_points(group="nobody.has.such"))

    assert await runs(asks().named("a")) == ["a"]
    (folder / "new.txt").write_text("1")
    assert await runs(asks().named("a")) == []
    assert "files" not in str(await runs.engine.plan(asks()))


async def test_a_task_that_says_so_is_not_watched(runs: Runs, folder: pathlib.Path) -> None:
    @cs.task(track_files=False)
    def fixed() -> pathlib.Path:
        pathlib.Path("in.txt").read_text()
        return pathlib.Path("in.txt")

    (folder / "in.txt").write_text("1")
    assert await runs(fixed().named("f")) == ["f"]
    (folder / "in.txt").unlink()
    assert await runs(fixed().named("f")) == []


@dataclasses.dataclass
class Report:
    title: str
    plot: pathlib.Path


@pytest.mark.parametrize(
    "wrap",
    [
        lambda path: path,
        lambda path: [1, (path, 2)],
        lambda path: {"a": {"b": path}},
        lambda path: Report("t", path),
    ],
)
async def test_a_result_that_points_to_a_file_stands_while_that_is_as_it_was(
    runs: Runs, folder: pathlib.Path, wrap: Callable[[pathlib.Path], Any]
) -> None:
    @cs.task
    def make() -> Any:
        file = pathlib.Path("out.bin")
        file.write_text("result")
        return wrap(file)

    made = make().named("made")
    target = join(made).named("end")
    assert await runs(target) == ["end", "made"]
    assert await runs(target) == []
    (folder / "out.bin").write_text("by hand")
    assert await runs.reason(target, "end") == "it reads made, whose file out.bin changed just now"
    assert await runs(target) == ["end", "made"]
    assert await runs(target) == []
    (folder / "out.bin").unlink()
    assert await runs(target) == ["end", "made"]
    assert (folder / "out.bin").read_text() == "result"


async def test_a_folder_as_a_result_stands_while_what_was_in_it_is_there(
    runs: Runs, folder: pathlib.Path
) -> None:
    @cs.task
    def make() -> pathlib.Path:
        inner = pathlib.Path("out") / "deep"
        inner.mkdir(parents=True, exist_ok=True)
        (inner / "a").write_text("a")
        return pathlib.Path("out")

    @cs.task
    def put(where: pathlib.Path) -> int:
        (where / "later").write_text("b")
        return 1

    target = put(make().named("made")).named("put")
    assert await runs(target) == ["made", "put"]
    assert await runs(target) == []  # what others put into it changes nothing of it
    (folder / "out" / "deep" / "a").unlink()
    assert await runs(target) == ["made", "put"]


async def test_who_wrote_a_file_runs_again_when_it_is_gone_and_needed(
    runs: Runs, folder: pathlib.Path
) -> None:
    @cs.task
    def write(text: str) -> str:
        pathlib.Path("between.txt").write_text(text)
        return "between.txt"

    target = by_thread("open", write("1").named("w")).named("r")
    assert (await runs(target), runs.value) == (["r", "w"], "1")
    assert await runs(target) == []
    (folder / "between.txt").unlink()
    assert (await runs(target), runs.value) == (["r", "w"], "1")
    (folder / "between.txt").unlink()
    other = by_thread("bytes", write("1").named("w")).named("other")
    assert (await runs(other), runs.value) == (["other", "w"], "1")
    # Where nothing has to read it, it need not be there.
    (folder / "between.txt").unlink()
    assert await runs(write("1").named("w")) == []


@pytest.mark.parametrize("executor", ["thread", "inline"])
async def test_files_that_are_named_count_as_the_task_left_those_that_it_makes(
    runs: Runs, folder: pathlib.Path, executor: str
) -> None:
    def by_others(path: str, text: str) -> None:
        subprocess.run([sys.executable, "-c", f"open({path!r}, 'w').write({text!r})"], check=True)

    @cs.task(executor=executor)
    def convert() -> str:
        by_others("out/seen_by_nobody.bin", "1")  # as compiled code would
        (folder / "out" / "own.txt").write_text("2")
        return "done"

    (folder / "out").mkdir()
    (folder / "in.bin").write_text("0")
    made = convert().named("made").with_cache(files=["in.bin", "out"])
    target = join(made).named("end")
    assert await runs(target) == ["end", "made"]
    assert await runs(target) == []
    for name in ("out/own.txt", "out/seen_by_nobody.bin"):
        (folder / name).unlink()
        assert await runs.reason(target, "made") == f"its file {name} is gone"
        for other in (folder / "out").iterdir():
            other.unlink()
        assert await runs(target) == ["end", "made"]
        assert await runs(target) == []
    (folder / "in.bin").write_text("other")
    assert await runs.reason(target, "end") == "it reads made, whose file in.bin changed just now"
    for other in (folder / "out").iterdir():
        other.unlink()
    assert await runs(target) == ["end", "made"]
    assert await runs(target) == []


async def test_items_and_what_continues_a_task_hand_on_what_they_read(
    make_engine: MakeEngine, folder: pathlib.Path
) -> None:
    @cs.task
    def item(n: int) -> str:
        return pathlib.Path(f"{n}.txt").read_text()

    @cs.task
    def loop(n: int, said: str) -> Any:
        said += pathlib.Path(f"{n}.txt").read_text()
        return said if n == 0 else getattr(loop, "lazy", loop)(n - 1, said)

    for n in range(4):
        (folder / f"{n}.txt").write_text(str(n))
    for state in ("memory", "sqlite"):
        engine = make_engine(
            **({} if state == "memory" else {"state_backend": SqliteState(folder / "r.db")})
        )
        whole = join(join(item.map(n=range(4)))).named("items")
        looped = join(loop(3, "")).named("looped")
        runs = Runs(engine)
        await runs([whole, looped])
        assert runs.value == ["['0', '1', '2', '3']", "3210"]
        assert await runs([whole, looped]) == []
        for n in (0, 2):
            (folder / f"{n}.txt").write_text("x")
            ran = await runs([whole, looped])
            assert "items" in ran
            assert "looped" in ran
            if state == "sqlite":
                assert sum(one.startswith("item#") for one in ran) == 1  # only what read it
            assert await runs([whole, looped]) == []
        for n in (0, 2):
            (folder / f"{n}.txt").write_text(str(n))


async def test_a_run_inside_a_task_hands_on_what_it_read(runs: Runs, folder: pathlib.Path) -> None:
    @cs.task
    def outer() -> str:
        return str(cs.run(by_thread.lazy("open", "in.txt")))

    (folder / "in.txt").write_text("1")
    target = outer().named("outer")
    assert (await runs(target), runs.value) == (["outer"], "1")
    assert await runs(target) == []
    (folder / "in.txt").write_text("2")
    assert (await runs(target), runs.value) == (["outer"], "2")
    assert await runs(target) == []


async def test_a_relative_path_is_looked_for_from_where_one_is(
    runs: Runs, folder: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("here", "there"):
        (folder / name).mkdir()
        (folder / name / "in.txt").write_text(name)
    target = by_thread("open", "in.txt").named("x")
    for name in ("here", "there"):
        monkeypatch.chdir(folder / name)
        assert (await runs(target), runs.value) == (["x"], name)
        assert await runs(target) == []


async def test_a_retry_takes_what_stands_and_not_what_was_edited(
    make_engine: MakeEngine, folder: pathlib.Path
) -> None:
    engine = make_engine()
    spy = SpySubscriber(engine.bus)
    (folder / "in.txt").write_text("1")
    (folder / "fails").write_text("")

    @cs.task(track_files=False)
    def fail(x: str) -> str:
        if (folder / "fails").exists():
            raise ValueError("not yet")
        return x

    run = engine.start(join(by_thread("open", "in.txt"), fail(by_thread("open", "in.txt"))))
    with pytest.raises(cs.errors.RunError):
        await run
    (folder / "fails").unlink()
    again = run.retry_failed()
    assert await again == "1+1"
    assert len(started(spy, "by_thread")) == 2
    (folder / "fails").write_text("")
    run = engine.start(join(by_thread("open", "in.txt"), fail(by_thread("bytes", "in.txt"))))
    with pytest.raises(cs.errors.RunError):
        await run
    (folder / "fails").unlink()
    (folder / "in.txt").write_text("2")
    assert await run.retry_failed() == "2+2"


FILES = ("a", "b", "c")


@cs.task
def leaf(name: str) -> str:
    try:
        return pathlib.Path(name).read_text()
    except FileNotFoundError:
        return "-"


@cs.task(track_files=False)
def mix(*parts: str) -> str:
    return f"({','.join(parts)})"


@st.composite
def programs(draw: st.DrawFn) -> Any:
    """Leaves that read files, and nodes above them, some with a name."""
    nodes: list[Any] = []
    for n in range(draw(st.integers(1, 7))):
        if not nodes or draw(st.booleans()):
            node = leaf(draw(st.sampled_from(FILES)))
        else:
            chosen = draw(st.lists(st.sampled_from(nodes), min_size=1, max_size=3))
            node = mix(*chosen)
        nodes.append(node.named(f"n{n}") if draw(st.booleans()) else node)
    return mix(*nodes).named("end")


EDITS = st.tuples(st.sampled_from(FILES), st.sampled_from(["1", "2", "333", None]))


@pytest.mark.parametrize("lasting", [False, True], ids=["memory", "sqlite"])
@settings(max_examples=examples(25))
@given(programs(), st.lists(st.lists(EDITS, max_size=2), min_size=1, max_size=4))
def test_with_any_edits_of_files_a_run_gives_what_a_fresh_one_would(
    lasting: bool, program: Any, history: list[list[tuple[str, str | None]]]
) -> None:
    def edit(edits: list[tuple[str, str | None]]) -> None:
        for name, text in edits:
            file = pathlib.Path(name)
            file.unlink(missing_ok=True)
            if text is not None:
                file.write_text(text)

    async def main(reusing: Engine) -> None:
        fresh = Engine(reuse=False)
        runs = Runs(reusing)
        for edits in [[], *history]:
            edit(edits)
            await runs(program)
            assert runs.value == await fresh.run(program)
            assert await runs(program) == []
        await reusing.aclose()
        await fresh.aclose()

    before = pathlib.Path.cwd()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        try:
            asyncio.run(main(Engine(state_backend="sqlite:///r.db" if lasting else None)))
        finally:
            os.chdir(before)


def test_what_became_of_a_file_is_said_in_words(folder: pathlib.Path) -> None:
    file = folder / "in.txt"
    assert what_became_of(FileStamp(str(file), "1,1")) == "file in.txt is gone"
    assert what_became_of(FileStamp("data/", "names,1")) == "folder data/ is gone"
    file.write_text("")
    old = time.time() - 200
    os.utime(file, (old, old))
    assert what_became_of(FileStamp("in.txt", "1,1")) == "file in.txt changed 3 min ago"
    assert what_became_of(FileStamp("in.txt", "")) == "file in.txt is there now"


def test_a_stamp_stands_while_nothing_changes(folder: pathlib.Path) -> None:
    file = folder / "in.txt"
    for make in (lambda: None, lambda: file.write_text("1"), lambda: file.write_text("22")):
        make()
        assert FileStamp("in.txt", stamp_of("in.txt")).stands
    os.utime(file, ns=(5, 5))
    stamp = FileStamp("in.txt", stamp_of("in.txt"))
    assert stamp.stamp.startswith("2,5,")
    file.chmod(0o600)
    assert stamp.stands  # its content is the same
    os.utime(file, ns=(6, 6))
    assert not stamp.stands


@pytest.mark.parametrize("size", [3, 1 << 17, 1 << 21])
def test_a_file_whose_time_was_set_back_is_another(folder: pathlib.Path, size: int) -> None:
    file = folder / "in.bin"
    file.write_bytes(b"1" * size)
    found = file.stat()
    time.sleep(0.05)
    stamp = FileStamp("in.bin", stamp_of("in.bin"))
    assert stamp.stands
    file.write_bytes(b"2" * size)
    os.utime(file, ns=(found.st_atime_ns, found.st_mtime_ns))
    assert not stamp.stands


def test_paths_are_found_in_containers_that_hold_themselves_and_in_long_ones() -> None:
    one, two = pathlib.Path("a"), pathlib.Path("b")
    loop: list[Any] = [one]
    loop.append(loop)
    assert list(paths_in(loop)) == [one]
    assert set(paths_in([*range(1_000_000), {"x": {two}}, (one,)])) == {one, two}
    assert list(paths_in({"a": 1, "b": [np.arange(3), pd.DataFrame()]})) == []


async def test_what_a_task_adds_to_and_reads_back_is_not_all_its_own(
    runs: Runs, folder: pathlib.Path
) -> None:
    @cs.task
    def add(mode: str) -> str:
        with pathlib.Path("log.txt").open(mode) as file:
            file.write("x")
        return pathlib.Path("log.txt").read_text()

    @cs.task
    def add_only() -> None:
        with pathlib.Path("other.txt").open("a") as file:
            file.write("x")

    for times in (1, 2, 3):  # as often as it is asked for, it would give another
        assert (await runs(add("a").named("x")), runs.value) == (["x"], "x" * times)
    assert (await runs(add("w").named("y")), runs.value) == (["y"], "x")
    assert (await runs(add("w").named("y")), runs.value) == ([], "x")
    assert await runs(add_only().named("z")) == ["z"]
    assert await runs(add_only().named("z")) == []


class Between(SameInKeys):
    """What is done while a task runs."""

    read: threading.Event
    changed: threading.Event

    def __reduce__(self) -> tuple[Any, ...]:
        return Between, ()


async def test_what_a_thread_of_others_writes_is_no_task_s_own(
    runs: Runs, folder: pathlib.Path
) -> None:
    between = Between()
    between.read, between.changed = threading.Event(), threading.Event()

    @cs.task
    def slow(path: str) -> str:
        found = pathlib.Path(path).read_text()
        between.read.set()
        assert between.changed.wait(60)
        return found + str(os.path.exists("other.txt"))  # noqa: PTH110 - a way that is not seen

    in_file = folder / "in.txt"
    in_file.write_text("1")
    target = slow("in.txt").named("x")

    def meddle() -> None:
        assert between.read.wait(60)
        in_file.write_text("22")
        between.changed.set()

    meddler = threading.Thread(target=meddle)
    meddler.start()
    try:
        assert (await runs(target), runs.value) == (["x"], "1False")
    finally:
        between.read.set()
        meddler.join()
    assert (await runs(target), runs.value) == (["x"], "22False")
    assert await runs(target) == []


@pytest.mark.parametrize("shape", ["default", "chain", "else"])
async def test_who_does_without_what_a_file_had_skipped_stands_on_that_file(
    engine: Engine, spy: SpySubscriber, folder: pathlib.Path, shape: str
) -> None:
    @cs.task
    def is_there(text: str) -> bool:
        return text == "yes"

    @cs.task
    def or_none(x: Any = None) -> Any:
        return x

    condition = is_there(by_thread("open", "in.txt"))
    skipped = join(1).run_if(condition)
    target = {
        "default": or_none(skipped),
        "chain": or_none(join(skipped)),
        "else": or_none(join(1).run_if(condition, otherwise=None)),
    }[shape].named("target")
    for text, value in (("no", None), ("yes", "1"), ("no", None)):
        (folder / "in.txt").write_text(text)
        assert await engine.run(target) == value
        ran = len(started(spy))
        assert await engine.run(target) == value
        assert len(started(spy)) == ran


async def test_a_retried_map_goes_through_what_is_in_the_file_today(
    engine: Engine, folder: pathlib.Path
) -> None:
    broken = True

    @cs.task
    def numbers(text: str) -> list[int]:
        return list(range(int(text)))

    @cs.task(reuse=False)
    def until_mended(x: int) -> int:
        if broken:
            raise ValueError("not yet")
        return x

    (folder / "in.txt").write_text("3")
    run = engine.start(until_mended.map(x=numbers(by_thread("open", "in.txt"))))
    await outcome(run)
    broken = False
    (folder / "in.txt").write_text("2")
    assert await run.retry_failed() == [0, 1]


async def test_two_tasks_that_write_one_file_at_the_same_time_are_told_of_once(
    engine: Engine, folder: pathlib.Path
) -> None:
    meet = threading.Barrier(2)

    @cs.task
    def scratch(i: int) -> int:
        pathlib.Path("scratch.txt").write_text(str(i))
        meet.wait(60)
        return i

    with pytest.warns(SharedFileWarning) as told:
        await engine.run(scratch.map(i=range(4)).named("m"))
    assert len(told) == 1
    said = str(told[0].message)
    assert re.match(r"\S+\[\d\] and \S+\[\d\] wrote scratch.txt at the same time", said)
    assert said.endswith("or let one run at a time: cs.limit('task:scratch', 1)")


async def test_who_writes_files_of_its_own_adds_to_one_or_comes_later_is_not_told(
    engine: Engine, folder: pathlib.Path
) -> None:
    meet = threading.Barrier(2)
    tries: list[int] = []

    @cs.task
    def own(i: int) -> int:
        with pathlib.Path("log.txt").open("a") as log:
            log.write(str(i))
        pathlib.Path(f"{i}.txt").write_text(str(i))
        meet.wait(60)
        return int(pathlib.Path(f"{i}.txt").read_text())

    @cs.task(reuse=False)
    def again(i: int) -> int:
        pathlib.Path("again.txt").write_text(str(i))
        tries.append(i)
        if len(tries) < 3:
            raise ValueError
        return i

    first = again(1).with_retry(max_attempts=3)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert await engine.run(own.map(i=range(4))) == [0, 1, 2, 3]
        assert await engine.run([first, again(2).after(first)]) == [1, 2]


async def test_who_takes_the_place_of_another_is_not_made_of_its_files(
    engine: Engine, tmp_path: pathlib.Path
) -> None:
    path, gate = tmp_path / "a", threading.Thread(name="gate", target=time.sleep, args=(0.5,))
    path.write_text("1")

    @cs.task
    def read(name: str) -> str:
        return pathlib.Path(name).read_text()

    @cs.task
    def same(x: int) -> int:
        return x

    @cs.task
    def first(name: str) -> Any:
        return read.lazy(name)

    @cs.task
    def comes(x: int) -> int:
        for _ in range(5000):
            if any(thread.name == "gate" for thread in threading.enumerate()):
                break
            time.sleep(0.001)
        return x

    @cs.task
    def second(x: int) -> Any:
        return same.lazy(x)

    spy = SpySubscriber(engine.bus)
    target = [first(str(path)).named("one"), second(comes(7)).named("two")]
    run = engine.start(target)
    await until(lambda: "one" in finished(spy))  # and `read` has left its place
    gate.start()
    assert await run == ["1", 7]
    await asyncio.to_thread(gate.join)
    path.write_text("22")
    begun = len(started(spy))
    assert await engine.run(target) == ["22", 7]
    assert "two" not in started(spy)[begun:]


def test_what_ends_with_the_interpreter_after_us_may_open_files() -> None:
    script = """
import sys
import cascade_nb as cs

class Late:
    def __del__(self, open=open, path=sys.executable):
        open(path).close()

assert cs.run(cs.task(lambda: 1)()) == 1
sys.kept = module = sys.modules["cascade_nb.engine.files.audit_hook"]
module.late = Late()  # goes after the module's own names, as much may that happens to live so long
"""
    ended = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert (ended.returncode, ended.stderr) == (0, "")
