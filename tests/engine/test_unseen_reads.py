"""What is read in a way that nobody is told of counts where it is mentioned, and is said."""

from __future__ import annotations

import asyncio
import functools
import os
import pathlib
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import polars as pl
import pyarrow.csv
import pyarrow.parquet
import pytest

import cascade_nb as cs
from cascade_nb.engine import Engine
from cascade_nb.engine.core.task_groups import TaskGroups
from cascade_nb.graph.effects.unseen import may_be_paths
from tests.engine.test_file_reads import Runs
from tests.engine.tools import until

IN = "in.parquet"


@pytest.fixture
def runs(engine: Engine) -> Runs:
    return Runs(engine)


@pytest.fixture
def folder(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(path: pathlib.Path, x: int) -> None:
    if path.suffix == ".csv":
        path.write_text(f"a\n{x}\n")
    else:
        pd.DataFrame({"a": [x]}).to_parquet(path)


def by_pandas(path: Any) -> int:
    return int(pd.read_parquet(path)["a"][0])


def by_polars(path: Any) -> int:
    return int(pl.read_parquet(path)["a"][0])


def by_scan(path: Any) -> int:
    return int(pl.scan_parquet(path).collect()["a"][0])


def by_arrow(path: Any) -> int:
    return int(pyarrow.parquet.read_table(path)["a"][0].as_py())


def by_constant(path: Any) -> int:
    return int(pd.read_parquet("in.parquet", columns=["a"])["a"][0])


def by_global(path: Any) -> int:
    return int(pd.read_parquet(IN)["a"][0])


def by_helper(path: Any) -> int:
    return by_pandas(path)


def by_csv(path: Any) -> int:
    return int(pl.read_csv("in.csv")["a"][0])


def by_arrow_csv(path: Any) -> int:
    return int(pyarrow.csv.read_csv("in.csv")["a"][0].as_py())


def by_pattern(path: Any) -> int:
    return int(pl.scan_csv("*.csv").collect()["a"].sum())


def by_process(path: Any) -> int:
    code = "print(open('in.csv').readlines()[1])"
    told = [sys.executable, "-c", "import sys; print(open(sys.argv[1]).readlines()[1])", "in.csv"]
    return int(subprocess.run(told, capture_output=True, text=True, check=True).stdout or code)


def by_shell(path: Any) -> int:
    return int(subprocess.check_output("tail -n 1 < in.csv", shell=True, text=True))


def by_system(path: Any) -> int:
    os.system("tail -n 1 in.csv > out.txt")
    return int(pathlib.Path("out.txt").read_text())


def by_descriptor(path: Any) -> int:
    folder = os.open(os.getcwd(), os.O_RDONLY)  # noqa: PTH109 - one of the ways
    try:
        with open(os.open("in.csv", os.O_RDONLY, dir_fd=folder)) as file:  # noqa: PTH123
            return int(file.readlines()[1])
    finally:
        os.close(folder)


WAYS: list[Callable[[Any], int]] = [
    by_pandas, by_polars, by_scan, by_arrow, by_constant, by_global, by_helper, by_csv,
    by_arrow_csv, by_pattern, by_process, by_shell, by_system,
    by_descriptor,
]  # fmt: skip


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
@pytest.mark.parametrize("executor", ["thread", "inline"])
async def test_a_file_that_compiled_code_or_a_process_reads_counts_where_it_is_mentioned(
    runs: Runs, folder: pathlib.Path, way: Callable[[Any], int], executor: Any
) -> None:
    target = cs.task(way, executor=executor)(IN).named("x")
    for path in (folder / IN, folder / "in.csv"):
        write(path, 1)
    await asyncio.sleep(0.03)
    assert (await runs(target), runs.value) == (["x"], 1)
    assert (await runs(target), runs.value) == ([], 1)
    for path in (folder / IN, folder / "in.csv"):
        write(path, 2)
    assert (await runs(target), runs.value) == (["x"], 2)
    assert await runs(target) == []
    if way is by_pattern:
        write(folder / "more.csv", 3)
        assert (await runs(target), runs.value) == (["x"], 5)


def composed(name: str) -> Any:
    return pd.read_parquet(f"{name}.parquet")


def with_process(name: str) -> Any:
    return subprocess.run(["true"], check=False)


def asks(name: str) -> bool:
    return os.path.exists(name + ".csv")  # noqa: PTH110 - one of the ways


def asks_path(name: str) -> bool:
    return (pathlib.Path() / name).is_file()


def asks_by_name(name: str) -> bool:
    return (Path() / name).is_file()


def looks_up(name: str) -> Any:
    return globals()[name]


def evaluates(name: str) -> Any:
    return eval(name)


@cs.resource
def database() -> Any:
    db = sqlite3.connect("in.db", check_same_thread=False)
    yield db
    db.close()


def injected(name: str, db: Any = cs.inject(database)) -> Any:
    return db.execute("SELECT 1").fetchone()[0]


def by_method(model: str) -> Any:
    booster: Any = object()
    return booster.load_model(model) if model == "x" else None


@functools.lru_cache
def settings() -> str:
    return pathlib.Path("in.csv").read_text()


@functools.lru_cache
def fibonacci(n: int) -> int:
    return n if n < 2 else fibonacci(n - 1) + fibonacci(n - 2)


def with_cached(name: str) -> str:
    return settings() + str(fibonacci(3))


def with_pure_cached(name: str) -> str:
    return str(fibonacci(3))


SAID = {
    with_cached: "reads files in a way that is not seen: settings, which is cached",
    with_pure_cached: "",
    by_method: "reads files in a way that is not seen: load_model",
    injected: "reads files in a way that is not seen: sqlite3.connect",
    by_pandas: "",
    by_constant: "",
    by_global: "",
    by_helper: "reads files in a way that is not seen: pandas.read_parquet",
    by_descriptor: "reads files in a way that is not seen: dir_fd=…",
    composed: "reads files in a way that is not seen: pandas.read_parquet",
    with_process: "starts other processes, whose files are not seen: subprocess.run",
    asks: "asks whether files are there: os.path.exists",
    asks_path: "asks whether files are there: Path.is_file",
    asks_by_name: "asks whether files are there: Path.is_file",
    looks_up: "looks names up at run time: globals",
    evaluates: "looks names up at run time: eval",
}


@pytest.mark.parametrize("function", SAID, ids=lambda function: function.__name__)
async def test_what_cannot_be_seen_is_said_before_and_after(
    engine: Engine, folder: pathlib.Path, function: Any
) -> None:
    write(folder / IN, 1)
    write(folder / "in.csv", 1)
    task, words = cs.task(function), SAID[function]
    given = {composed: "in", looks_up: "IN", evaluates: "IN"}
    target = task(given.get(function, IN)).named("x")
    reason = (await engine.plan(target)).step("x").reason
    assert reason.partition("; ")[2] == words
    await engine.run(target)
    kept = (await engine.plan(target)).step("x")
    assert kept.action == "reuse"
    assert (
        (words in kept.reason and "; made " in kept.reason) if words else "made" not in kept.reason
    )
    if "files" in words:  # then the user has said what counts, or that nothing does
        for named in (target.with_cache(files="*.csv"), cs.task(function, track_files=False)("in")):
            assert words not in (await engine.plan(named)).steps[-1].reason


@cs.task
def present(path: Any) -> str:
    return "there" if os.path.exists(path) else "not there"  # noqa: PTH110 - one of the ways


@cs.task
def present_path(path: Any) -> str:
    return "there" if pathlib.Path(path).exists() else "not there"


@cs.task
def present_constant(path: Any) -> str:
    return "there" if pathlib.Path("data/in.csv").is_file() else "not there"


# `Path` is also what any object of a body is called that is asked what is there.
@cs.task
def present_by_name(path: Any) -> str:
    return "there" if Path(path).exists() else "not there"


@cs.task
def present_constant_by_name(path: Any) -> str:
    return "there" if Path("data/in.csv").is_file() else "not there"


PRESENT = [present, present_path, present_constant, present_by_name, present_constant_by_name]


@pytest.mark.parametrize("task", PRESENT, ids=lambda t: t.name)
@pytest.mark.parametrize("made", [str, pathlib.Path])
async def test_whether_a_file_is_there_counts_where_it_is_mentioned(
    runs: Runs, folder: pathlib.Path, task: Any, made: Any
) -> None:
    file = folder / "data" / "in.csv"
    file.parent.mkdir()
    target = task(made("data/in.csv")).named("x")
    assert "; " not in (await runs.engine.plan(target)).step("x").reason  # nothing is to be said
    for there in (False, True, False):
        if there:
            write(file, 1)
        elif file.exists():
            file.unlink()
        await runs(target)
        assert runs.value == ("there" if there else "not there")
        assert await runs(target) == []


def point_to(place: str) -> None:
    pathlib.Path("now").unlink()
    pathlib.Path("now").symlink_to(place)


def put_a_folder(name: str) -> None:
    pathlib.Path("now").unlink()
    pathlib.Path("now").mkdir()


def allow(name: str) -> None:
    pathlib.Path("first/in.csv").chmod(0o755)


def realpath() -> str:
    return os.path.basename(os.path.dirname(os.path.realpath("now/in.csv")))  # noqa: PTH119, PTH120


def read_of_what_it_leads_to() -> str:
    return (pathlib.Path("now").resolve() / "in.csv").read_text()


FOLLOWED: dict[str, tuple[Callable[[], Any], Callable[[str], None]]] = {
    "realpath": (realpath, point_to),
    "resolve": (lambda: pathlib.Path("now/in.csv").resolve().parent.name, point_to),
    "read of what it leads to": (read_of_what_it_leads_to, point_to),
    "readlink": (lambda: os.readlink("now"), point_to),  # noqa: PTH115 - one of the ways
    "samefile": (lambda: os.path.samefile("now", "first"), point_to),  # noqa: PTH121 - likewise
    "islink": (lambda: os.path.islink("now"), put_a_folder),  # noqa: PTH114 - likewise
    "access": (lambda: os.access("first/in.csv", os.X_OK), allow),
}


@pytest.mark.parametrize("way", FOLLOWED)
async def test_where_a_path_leads_to_counts_where_code_asks_for_it(
    runs: Runs, folder: pathlib.Path, way: str
) -> None:
    for x, name in enumerate(("first", "second")):
        (folder / name).mkdir()
        write(folder / name / "in.csv", x)
    (folder / "now").symlink_to("first")
    read, change = FOLLOWED[way]
    target = cs.task(read)().named("x")
    assert "; " not in (await runs.engine.plan(target)).step("x").reason  # nothing is to be said
    before = read()
    assert (await runs(target), runs.value) == (["x"], before)
    assert await runs(target) == []
    change("second")
    assert "leads elsewhere" in (await runs.engine.plan(target)).step("x").reason
    assert (await runs(target), runs.value) == (["x"], read())
    assert runs.value != before
    assert await runs(target) == []


async def test_a_task_that_takes_a_file_away_runs_again_when_there_is_another(
    runs: Runs, folder: pathlib.Path
) -> None:
    @cs.task
    def take(path: str) -> str:
        if pathlib.Path(path).exists():
            pathlib.Path(path).replace("taken.csv")
        return pathlib.Path("taken.csv").read_text()

    target = take("in.csv").named("x")
    for x in (1, 2):
        write(folder / "in.csv", x)
        assert (await runs(target), runs.value) == (["x"], f"a\n{x}\n")
        assert await runs(target) == []


async def test_a_variable_in_the_command_of_a_shell_counts(
    runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    @cs.task
    def told(variables: dict[str, str] | None) -> str:
        return subprocess.check_output(
            "echo ${CASCADE_TEST_MODE}", shell=True, text=True, env=variables
        )

    for x in ("1", "2"):
        monkeypatch.setenv("CASCADE_TEST_MODE", x)
        assert (await runs(told(None).named("x")), runs.value) == (["x"], f"{x}\n")
        assert await runs(told(None).named("x")) == []
        found = await runs(told({"CASCADE_TEST_MODE": "3"}).named("y"))
        assert (found, runs.value) == (["y"] if x == "1" else [], "3\n")


async def test_a_variable_does_not_count_for_a_program_that_is_spawned_with_others(
    runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    @cs.task
    def told(variables: dict[str, str]) -> int:
        command = ["/bin/sh", "-c", "exit ${CASCADE_TEST_MODE}"]
        _, status = os.waitpid(os.posix_spawn("/bin/sh", command, variables), 0)
        return os.waitstatus_to_exitcode(status)

    for x in ("1", "2"):
        monkeypatch.setenv("CASCADE_TEST_MODE", x)
        found = await runs(told({"CASCADE_TEST_MODE": "3"}).named("x"))
        assert (found, runs.value) == (["x"] if x == "1" else [], 3)


async def test_what_a_task_changes_in_such_a_way_each_time_it_runs_is_its_own(
    runs: Runs, folder: pathlib.Path
) -> None:
    @cs.task
    def update(path: str) -> int:
        found = pd.read_parquet(path)
        (found + 1).to_parquet(path)
        return int(found["a"][0])

    write(folder / IN, 1)
    target = update(IN).named("x")
    assert (await runs(target), runs.value) == (["x"], 1)
    assert (await runs(target), runs.value) == (["x"], 2)  # it may have been somebody else
    assert (await runs(target), runs.value) == ([], 2)
    write(folder / IN, 7)
    assert (await runs(target), runs.value) == (["x"], 7)


async def test_what_a_process_makes_that_was_not_there_is_the_task_s_own(
    runs: Runs, folder: pathlib.Path
) -> None:
    @cs.task
    def copy(source: str, target: str) -> str:
        subprocess.run(["cp", source, target], check=True)
        return target

    write(folder / "in.csv", 1)
    target = copy("in.csv", "out.csv").named("x")
    for x in (1, 2):
        write(folder / "in.csv", x)
        assert await runs(target) == ["x"]
        assert await runs(target) == []
    write(folder / "before.csv", 3)
    target = copy("in.csv", "before.csv").named("y")
    assert await runs(target) == ["y"]
    assert await runs(target) == ["y"]  # the task changes it, as that shows, and nobody else
    assert await runs(target) == []


MEANWHILE: dict[str, Callable[[str], Any]] = {
    "compiled code": lambda path: pl.read_csv(path, has_header=False).to_series().to_list(),
    "a process": lambda path: subprocess.check_output(["cat", path], text=True),
    "whether it is there": lambda path: bool(os.path.exists(path)),  # noqa: PTH110 - one of the ways
}


@pytest.mark.parametrize(
    ("way", "there"), [*((way, True) for way in MEANWHILE), ("whether it is there", False)]
)
async def test_what_somebody_else_changes_while_the_task_runs_lets_it_run_again(
    runs: Runs, folder: pathlib.Path, way: str, there: bool
) -> None:
    read = MEANWHILE[way]
    has_read, may_end = threading.Lock(), threading.Lock()

    @cs.task
    def slow(path: str) -> Any:
        found = read(path)
        if has_read.locked():
            has_read.release()
        with may_end:
            return found

    file = folder / "in.csv"
    if there:
        write(file, 1)
    target = slow("in.csv").named("x")
    before = read("in.csv")
    assert has_read.acquire()
    assert may_end.acquire()
    running = asyncio.ensure_future(runs(target))
    assert await asyncio.to_thread(has_read.acquire, timeout=90)
    write(file, 22)
    may_end.release()
    assert (await running, runs.value) == (["x"], before)
    step = (await runs.engine.plan(target)).step("x")
    assert step.action == "run"
    assert "in.csv" in step.reason
    assert (await runs(target), runs.value) == (["x"], read("in.csv"))
    assert await runs(target) == []


def test_a_task_that_does_none_of_it_looks_at_no_file() -> None:
    @cs.task(executor="inline")
    def plain(x: str) -> str:
        return x + "in.csv"

    kinds = TaskGroups("run", cs.build_graph([plain(str(i)) for i in range(3)]))
    assert all(kind.light and kind.queue == "inline" for kind in kinds.of)


def test_of_the_texts_in_code_those_count_that_may_be_paths() -> None:
    texts = ["data", "in.csv", "my data/in.csv", "my data.csv", "a/b", "x.*", "~/x", "", "a"]
    others = ["Reads it all.\n", "what it does", "f(x)", "a, b", "https://x.y/z"]
    assert may_be_paths([*texts, *others]) == tuple(texts[:-2])
    many = [f"word{n}" for n in range(1_000)]
    assert may_be_paths([*many, "in.csv"]) == ("in.csv",)


async def test_what_a_task_links_to_and_cuts_off_is_its_own(
    runs: Runs, folder: pathlib.Path
) -> None:
    @cs.task
    def links() -> str:
        pathlib.Path("link").unlink(missing_ok=True)
        os.symlink("in.csv", "link")  # noqa: PTH211 - one of the ways
        pathlib.Path("out.csv").touch()
        os.truncate("out.csv", 0)
        return pathlib.Path("link").read_text()

    write(folder / "in.csv", 1)
    target = links().named("x")
    assert await runs(target) == ["x"]
    assert await runs(target) == []


@cs.task(shares_process=True)
def flagged(n: int) -> int:
    while not Path("go.flag").exists():
        time.sleep(0.001)
    return n


@cs.task(shares_process=True)
def alone(n: int) -> int:
    while Path("taken.lock").exists():
        time.sleep(0.001)
    return n


@cs.task(shares_process=True)
def until_stopped(n: int) -> int:
    while not Path("stop.flag").exists():
        n += 1
    return n


async def under_way(engine: Engine, target: Any) -> Any:
    run = engine.start(target)
    await until(lambda: run.status.running)
    await asyncio.sleep(0.2)  # it has asked many times by then
    return run


async def test_what_waited_for_a_file_stands_with_the_file_that_came(
    runs: Runs, folder: pathlib.Path
) -> None:
    target = flagged(1).named("flagged")
    run = await under_way(runs.engine, target)
    (folder / "go.flag").touch()
    assert await run == 1
    assert (await runs.engine.plan(target)).step("flagged").action == "reuse"
    (folder / "go.flag").unlink()
    assert await runs.reason(target, "flagged") == "its file go.flag is gone"


async def test_what_waited_for_a_file_to_go_stands_without_it(
    runs: Runs, folder: pathlib.Path
) -> None:
    (folder / "taken.lock").touch()
    target = alone(1).named("alone")
    run = await under_way(runs.engine, target)
    (folder / "taken.lock").unlink()
    assert await run == 1
    assert (await runs.engine.plan(target)).step("alone").action == "reuse"


async def test_what_worked_until_a_file_came_does_not_stand_beside_it(
    runs: Runs, folder: pathlib.Path
) -> None:
    # With the file there from the start it comes to something else.
    target = until_stopped(1).named("until_stopped")
    run = await under_way(runs.engine, target)
    (folder / "stop.flag").touch()
    assert await run > 1
    assert await runs.reason(target, "until_stopped") == "its file stop.flag is there now"
    assert await runs.engine.run(target) == 1
