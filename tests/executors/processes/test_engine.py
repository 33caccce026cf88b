"""Tasks in processes: the run is as it would be in threads, and what is only possible here."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import decimal
import importlib
import io
import json
import logging
import os
import pathlib
import signal
import sys
import threading
import time
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import cascade_nb as cs
from cascade_nb.concurrency.process_protocols import ProcessHandle
from cascade_nb.engine import Engine, NodeState
from cascade_nb.engine.dispatch import timeouts
from cascade_nb.engine.processes import process_attempt
from cascade_nb.engine.reporting.report import times_lines
from cascade_nb.errors import (
    ProcessDiedError,
    ResultError,
    RunCancelledError,
    TaskDefinitionError,
    TaskFailedError,
    TaskTimeoutError,
    UsageError,
)
from cascade_nb.events import TaskProgress
from cascade_nb.executors import ProcessExecutor
from cascade_nb.testing import SpySubscriber
from tests.executors.processes.test_ends import Ear
from tests.support.leaks import is_running
from tests.support.patience import PATIENCE, tries, until


@pytest.fixture(scope="module")
def executor() -> Iterator[ProcessExecutor]:
    made = ProcessExecutor(2)
    together = threading.Barrier(2)

    class Together(Ear):
        def began(self, process: ProcessHandle) -> None:
            together.wait(PATIENCE)  # each holds a process of its own

    def warm() -> None:
        made.run(lambda channel: None, (), Together())

    threads = [threading.Thread(target=warm) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    yield made
    made.close()


@pytest.fixture
def engine(executor: ProcessExecutor) -> Iterator[Engine]:
    made = Engine(executor=executor)
    yield made
    for run in list(made.runs):
        run.cancel()
    made.loop_binding.leave()


def text_of(file: pathlib.Path) -> str:
    return file.read_text() if file.exists() else ""


def rest(seconds: float) -> None:
    time.sleep(seconds)


def alone(engine: Engine) -> Engine:
    """An engine whose dead processes are its own, and not the next test's."""
    return Engine(executor=ProcessExecutor(2))


# Where a task runs.


def test_an_engine_of_processes_runs_sync_tasks_there_and_no_others(engine: Engine) -> None:
    @cs.task
    def there() -> int:
        return os.getpid()

    @cs.task(executor="thread")
    def here() -> int:
        return os.getpid()

    @cs.task
    async def on_loop() -> int:
        return os.getpid()

    @cs.task(executor="inline")
    def inline() -> int:
        return os.getpid()

    found = engine.start([there(), here(), on_loop(), inline()]).result()
    assert found[0] != os.getpid()
    assert found[1:] == [os.getpid()] * 3


def test_a_run_and_a_task_say_where_too() -> None:
    engine = Engine()

    @cs.task
    def anywhere() -> int:
        return os.getpid()

    @cs.task(executor="processes")
    def there() -> int:
        return os.getpid()

    found = engine.start([anywhere(), there()]).result()
    assert (found[0] == os.getpid(), found[1] == os.getpid()) == (True, False)
    assert engine.start(anywhere(), on="processes", fresh=True).result() != os.getpid()
    assert engine.start(anywhere(), on="threads", fresh=True).result() == os.getpid()
    with pytest.raises(UsageError, match="no executor 'proceses'; did you mean 'processes'"):
        engine.start(anywhere(), on="proceses")
    engine.close()


def test_an_async_task_cannot_run_in_a_process() -> None:
    async def body() -> None: ...

    with pytest.raises(TaskDefinitionError, match=r"executor='processes' does not fit it"):
        cs.task(body, executor="processes")


def test_a_graph_of_threads_and_processes_gives_what_one_of_threads_gives(engine: Engine) -> None:
    @cs.task
    def square(x: int) -> int:
        return x * x

    @cs.task(executor="thread")
    def total(xs: list[int]) -> int:
        return sum(xs)

    @cs.task
    def report(n: int, total: int) -> str:
        return f"{n}: {total}"

    assert engine.start(report(5, total(square.map(x=list(range(30)))))).result() == "5: 8555"


def test_what_a_body_returns_of_lazy_values_goes_on(engine: Engine) -> None:
    @cs.task
    def countdown(n: int) -> Any:
        return "done" if n == 0 else countdown.lazy(n - 1)

    assert engine.start(countdown(5)).result() == "done"


def test_a_task_in_a_body_is_a_plain_function(engine: Engine) -> None:
    @cs.task
    def norm(x: int) -> int:
        return abs(x)

    @cs.task
    def same(a: int, b: int) -> bool:
        return norm(a) == norm(b)

    assert engine.start(same(3, -3)).result() is True


def test_large_arrays_are_read_only_there_too_and_say_so(engine: Engine) -> None:
    @cs.task
    def make() -> Any:
        return np.zeros(1_000_000)

    @cs.task
    def change(numbers: Any) -> Any:
        numbers[0] = 1

    with pytest.raises(TaskFailedError, match=r"read-only.*\.copy\(\)"):
        engine.start(change(make())).result()


def test_what_can_be_read_only_once_is_refused_as_in_a_thread(engine: Engine) -> None:
    @cs.task
    def lines() -> Any:
        return (n for n in range(3))

    with pytest.raises(TaskFailedError, match="generator") as caught:
        engine.start(lines()).result()
    assert isinstance(caught.value.__cause__, ResultError)


def test_a_body_starts_runs_of_its_own(engine: Engine) -> None:
    @cs.task
    def double(x: int) -> int:
        return 2 * x

    @cs.task
    def outer(n: int) -> list[int]:
        return cs.run(double.map(x=list(range(n))))

    assert engine.start(outer(4)).result() == [0, 2, 4, 6]


def test_the_figures_of_a_body_are_no_other_bodys(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MPLBACKEND", "agg")

    @cs.task(reuse=False)
    def draw() -> list[int]:
        import matplotlib.pyplot as plt

        before = plt.get_fignums()
        plt.plot([1, 2])
        return list(before)

    for _ in range(4):
        assert engine.start(draw()).result() == []


# What cannot go.


def test_a_task_that_cannot_go_is_refused_before_anything_starts(
    engine: Engine, tmp_path: pathlib.Path
) -> None:
    guard = threading.Lock()
    ran = tmp_path / "ran"

    @cs.task
    def first() -> None:
        ran.touch()

    @cs.task
    def guarded(x: object) -> None:
        with guard:
            pass

    with pytest.raises(UsageError, match=r"guarded cannot run in a process: `guard`, of `guarded`"):
        engine.start(guarded(first())).result()
    assert not ran.exists()


# It comes back with the files that it met, which are none of the user's business.
def test_a_result_that_cannot_come_back_is_named_as_the_body_returned_it(engine: Engine) -> None:
    def locked() -> list[Any]:
        return [1, {"lock": threading.Lock()}]

    with pytest.raises(TaskFailedError, match=r"its process: `result\[1\]\['lock'\]`, of "):
        engine.start(cs.task(locked, executor="processes")()).result()


@pytest.mark.parametrize("how", ["named", "called", "of_a_class", "imported", "held"])
def test_what_was_set_in_a_module_is_not_passed_over_there(
    engine: Engine, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    (tmp_path / "settings_here.py").write_text(
        "RATE = OTHER = 2 - 1\nMOST = 1\ndef rate(): return RATE\nclass Model:\n    depth = 1\n"
    )
    (tmp_path / "user_here.py").write_text(
        "import settings_here as settings\n"
        "def named(x): return settings.RATE + x\n"
        "def called(x): return settings.rate() + x\n"
        "def of_a_class(x): return settings.Model.depth + x\n"
        "def imported(x):\n    import settings_here\n    return settings_here.RATE + x\n"
        "def held(x, settings=settings): return settings.RATE + x\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    both: Iterator[Any] = map(importlib.import_module, ("settings_here", "user_here"))
    settings, user = both
    task = cs.task(getattr(user, how))
    try:
        assert engine.start(task(1)).result() == 2
        if how not in ("imported", "held"):  # which have all of it
            settings.MOST = 5
            assert engine.start(task(2)).result() == 3
        settings.RATE = settings.Model.depth = 2
        one = "Model" if how == "of_a_class" else "RATE"
        words = f"{how} cannot run in a process: somebody has set .*settings_here.{one}.* anew"
        with pytest.raises(UsageError, match=words):
            engine.start(task(1)).result()
        assert engine.start(task(1), on="threads").result() == 3
    finally:
        del sys.modules["settings_here"], sys.modules["user_here"]


def test_a_resource_of_this_process_stays_here(engine: Engine) -> None:
    @cs.resource
    def connection() -> Iterator[int]:
        yield os.getpid()

    @cs.task
    def ask(c: Any = cs.inject(connection)) -> Any:
        return c, os.getpid()

    @cs.task(executor="processes")
    def ask_there(c: Any = cs.inject(connection)) -> Any:
        return c

    assert engine.start(ask()).result() == (os.getpid(), os.getpid())
    with pytest.raises(UsageError, match="the resource that it takes lives in this one"):
        engine.start(ask_there()).result()


# How it fails.


def test_an_error_names_task_line_and_cause(engine: Engine) -> None:
    @cs.task
    def divide(x: int) -> float:
        return 1 / x

    with pytest.raises(TaskFailedError) as caught:
        engine.start(divide(0)).result()
    assert isinstance(caught.value, ZeroDivisionError)
    assert "test_engine.py, line" in str(caught.value)
    assert str(caught.value).endswith("return 1 / x")
    assert isinstance(caught.value.__cause__, ZeroDivisionError)


def test_a_dead_process_fails_its_task_and_no_other(engine: Engine) -> None:
    @cs.task
    def work(n: int) -> int:
        if n == 3:
            os.kill(os.getpid(), signal.SIGKILL)
        return n

    mine = alone(engine)
    run = mine.start([work(n) for n in range(12)], on_error="continue")
    with pytest.raises(TaskFailedError, match=r"ended by SIGKILL") as caught:
        run.result()
    assert isinstance(caught.value.__cause__, ProcessDiedError)
    assert (run.status.done, run.status.failed) == (11, 1)
    mine.close()


def test_a_dead_process_is_tried_again(engine: Engine, tmp_path: pathlib.Path) -> None:
    @cs.task(retry=3)
    def work() -> int:
        tries = tmp_path / "tries"
        with tries.open("a") as file:
            file.write("x")
        if len(tries.read_text()) < 3:
            os._exit(1)
        return len(tries.read_text())

    mine = alone(engine)
    assert mine.start(work()).result() == 3
    mine.close()


def test_time_that_is_up_ends_it_at_once(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timeouts, "ENDS_WITHIN", PATIENCE)

    @cs.task(timeout=0.2)
    def slow() -> None:
        time.sleep(600)

    mine = alone(engine)
    began = time.monotonic()
    run = mine.start(slow())
    with pytest.raises(TaskTimeoutError, match="slow took longer than 200 ms"):
        run.result()
    assert time.monotonic() - began < PATIENCE
    assert run.still_running == ()
    mine.close()


def test_the_start_of_a_process_is_none_of_its_tasks_time() -> None:
    engine = Engine(executor=ProcessExecutor(1, initializer=rest, initargs=(7.0,)))

    @cs.task(timeout=6.5)  # a busy machine may take long for the way there and back
    def quick() -> int:
        return 1

    assert engine.start(quick()).result() == 1
    engine.close()


def test_a_cancel_ends_it_at_once_with_what_it_started(
    engine: Engine, tmp_path: pathlib.Path
) -> None:
    told = tmp_path / "pids"

    @cs.task
    def slow() -> None:
        child = os.fork()
        if not child:
            time.sleep(600)
        told.write_text(f"{os.getpid()} {child}")
        time.sleep(600)

    mine = alone(engine)
    run = mine.start(slow())
    until(lambda: " " in text_of(told))
    began = time.monotonic()
    run.cancel("enough")
    with pytest.raises(RunCancelledError, match="enough"):
        run.result()
    assert time.monotonic() - began < PATIENCE
    assert run.status.cancelled == 1
    pids = [int(pid) for pid in told.read_text().split()]
    until(lambda: not any(map(is_running, pids)))
    mine.close()


# How it is paused.


def ticking(file: pathlib.Path, enough: pathlib.Path) -> Any:
    """Ticks until the file `enough` is there: whoever looks sees it, however late."""

    def tick() -> str:
        while not enough.exists():
            with file.open("a") as out:
                out.write("x")
            time.sleep(0.01)
        return "enough"

    return tick


def test_a_pause_suspends_it_and_its_clock_and_a_resume_lets_it_go_on(
    engine: Engine, tmp_path: pathlib.Path
) -> None:
    file, enough = tmp_path / "ticks", tmp_path / "enough"
    began = time.monotonic()
    run = engine.start(cs.task(ticking(file, enough), timeout=2 * PATIENCE)())
    until(lambda: len(text_of(file)) > 3)
    run.pause()
    paused = time.monotonic()
    time.sleep(0.05)
    stood = len(text_of(file))
    status = run.status
    assert (status.phase.value, status.suspended) == ("paused", 1)
    assert "1 task suspended" in status.headline
    assert "suspended by a pause" in " ".join(run.why("tick"))
    time.sleep(0.6)
    assert (run.status.suspended_for or 0.0) > 0.5
    assert len(text_of(file)) == stood
    held = time.monotonic() - paused
    run.resume()
    enough.touch()
    assert run.result() == "enough"
    went_on = time.monotonic() - began - held
    assert (run.status.suspended, run.status.suspended_for) == (0, None)
    assert 0.03 < run.status.kinds[0].seconds <= went_on


def test_a_suspended_task_does_not_run_out_of_time(engine: Engine, tmp_path: pathlib.Path) -> None:
    for attempt in tries(1.0):
        with attempt as limit:
            file, enough = tmp_path / f"ticks {limit}", tmp_path / f"enough {limit}"
            run = engine.start(cs.task(ticking(file, enough), timeout=limit)())
            until(lambda run=run, file=file: len(text_of(file)) > 2 or run.done())  # type: ignore[misc]
            run.pause()
            time.sleep(1.5 * limit)
            run.resume()
            enough.touch()
            assert run.result() == "enough"


def test_a_task_that_asks_not_to_be_suspended_goes_on(
    engine: Engine, tmp_path: pathlib.Path
) -> None:
    file, enough = tmp_path / "ticks", tmp_path / "enough"
    run = engine.start(cs.task(ticking(file, enough), suspend=False)())
    until(lambda: len(text_of(file)) > 3)
    run.pause()
    assert run.status.phase.value == "pausing"
    there = len(text_of(file))
    until(lambda: len(text_of(file)) > there + 3)
    enough.touch()
    until(run.done)
    assert run.result() == "enough"


def test_a_pause_suspends_what_it_is_about_and_nothing_else(
    engine: Engine, tmp_path: pathlib.Path
) -> None:
    a, b, enough = tmp_path / "a", tmp_path / "b", tmp_path / "enough"
    slow = cs.task(ticking(a, enough), name="slow")
    other = cs.task(ticking(b, enough), name="other")
    run = engine.start([slow(), other()])
    until(lambda: len(text_of(a)) > 2 and len(text_of(b)) > 2)
    run.pause("task:slow")
    enough.touch()
    until(lambda: run.status.done == 1)
    assert run.states()["slow#1"] is not NodeState.DONE
    run.resume("task:slow")
    assert run.result() == ["enough", "enough"]


def test_a_suspended_task_can_be_cancelled(engine: Engine, tmp_path: pathlib.Path) -> None:
    file = tmp_path / "ticks"
    mine = alone(engine)
    run = mine.start(cs.task(ticking(file, tmp_path / "never"))())
    until(lambda: len(text_of(file)) > 2)
    run.pause()
    run.cancel()
    with pytest.raises(RunCancelledError):
        run.result()
    mine.close()


def test_what_was_suspended_in_a_process_that_died_before_it_began_stays_so_in_the_next(
    engine: Engine, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine, file = alone(engine), tmp_path / "ran"
    runs: list[Any] = []
    usual = process_attempt._Ear.began
    pids: list[int] = []

    def began(ear: Any, process: Any) -> None:
        if not pids:
            until(lambda: runs)
            runs[0].pause()
        usual(ear, process)
        if not pids:
            os.kill(process.pid, signal.SIGKILL)
            until(lambda: not is_running(process.pid))
        pids.append(process.pid)

    monkeypatch.setattr(process_attempt._Ear, "began", began)
    runs.append(mine.start(cs.task(file.touch)()))
    until(lambda: len(pids) == 2)
    time.sleep(0.5)
    assert not file.exists()
    runs[0].resume()
    runs[0].result()
    assert file.exists()
    mine.close()


def test_nothing_starts_while_all_is_paused(engine: Engine, tmp_path: pathlib.Path) -> None:
    @cs.task
    def mark(n: int) -> int:
        (tmp_path / f"{n}").touch()
        return n

    engine.pause()
    run = engine.start([mark(n) for n in range(6)])
    time.sleep(0.2)
    assert list(tmp_path.iterdir()) == []
    engine.resume()
    assert run.result() == list(range(6))


def test_a_limit_counts_them(engine: Engine, tmp_path: pathlib.Path) -> None:
    @cs.task
    def work(n: int) -> int:
        mine = tmp_path / f"in-{os.getpid()}"
        mine.touch()
        there = len(list(tmp_path.glob("in-*")))
        time.sleep(0.02)
        mine.unlink()
        return there

    engine.limit("task:work", 1)
    assert engine.start([work(n) for n in range(6)]).result() == [1] * 6


# What is heard of it.


def test_what_it_writes_logs_and_warns_is_heard_here(
    engine: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    @cs.task
    def talk() -> None:
        print("to standard output")  # noqa: T201 - what is heard
        print("to standard error", file=sys.stderr)  # noqa: T201 - what is heard
        logging.getLogger("of.a.task").info("about %s", {"a": 1})
        try:
            raise ValueError("inner")
        except ValueError:
            logging.getLogger("of.a.task").exception("oh")
        logging.getLogger("of.a.task").debug("not wanted")
        warnings.warn("be careful", UserWarning, stacklevel=1)

    out, err = io.StringIO(), io.StringIO()
    with (
        caplog.at_level(logging.INFO),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
        warnings.catch_warnings(record=True) as warned,
    ):
        warnings.simplefilter("always")
        engine.start(talk()).result()
    assert out.getvalue() == "to standard output\n"
    assert "to standard error\n" in err.getvalue()
    records = [record for record in caplog.records if record.name == "of.a.task"]
    assert [record.getMessage() for record in records] == ["about {'a': 1}", "oh"]
    assert "ValueError: inner" in (records[1].exc_text or "")
    assert [str(one.message) for one in warned if one.category is UserWarning] == ["be careful"]


def test_a_warning_that_is_an_error_here_is_one_there(engine: Engine) -> None:
    @cs.task
    def careless() -> None:
        warnings.warn("be careful", UserWarning, stacklevel=1)

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(TaskFailedError, match="UserWarning: be careful"):
            engine.start(careless()).result()


def test_its_progress_is_told(engine: Engine) -> None:
    spy = SpySubscriber(engine.bus)

    @cs.task
    def steps() -> int:
        return sum(1 for _ in cs.track(range(5)))

    assert engine.start(steps()).result() == 5
    told = [(one.done, one.total) for one in spy.events_of_type(TaskProgress)]
    assert told[-1] == (5, 5)


def test_what_it_used_is_told_of_each_task(engine: Engine) -> None:
    @cs.task
    def burn() -> None:
        until = time.process_time() + 0.2
        while time.process_time() < until:
            pass

    @cs.task(executor="thread")
    def rest_here() -> None:
        time.sleep(0.001)

    run = engine.start([burn(), rest_here()])
    run.result()
    used = {kind.name: kind for kind in run.status.kinds}
    assert 0.19 < used["burn"].cpu < 2.0
    assert used["burn"].memory > 10_000_000
    assert (used["rest_here"].cpu, used["rest_here"].memory) == (0.0, 0)
    table = times_lines(run.status.kinds)
    assert table[0].split() == ["task", "attempts", "total", "longest", "processor", "memory"]
    assert "MB" in table[1]
    here = engine.start(rest_here(), fresh=True)
    here.result()
    assert times_lines(here.status.kinds)[0].split()[-1] == "longest"


def test_precision_and_variables_of_the_context_are_those_of_the_cell(engine: Engine) -> None:
    local: contextvars.ContextVar[int] = contextvars.ContextVar("local", default=0)

    @cs.task
    def around() -> Any:
        local.set(99)  # nobody else sees it
        return None

    @cs.task
    def third() -> Any:
        return local.get(), str(decimal.Decimal(1) / 3)

    local.set(5)
    with decimal.localcontext() as precision:
        precision.prec = 4
        assert engine.start([around(), third()]).result() == [None, (5, "0.3333")]
        assert engine.start(third(), fresh=True).result() == (5, "0.3333")


# What it stands on.


def test_files_that_it_reads_are_part_of_what_its_result_stands_on(
    engine: Engine, tmp_path: pathlib.Path
) -> None:
    file = tmp_path / "in.txt"
    file.write_text("1")

    @cs.task
    def read() -> tuple[str, int]:
        name = "in" + ".txt"
        return (tmp_path / name).read_text(), time.monotonic_ns()

    target = read().named("read")
    first = engine.start(target).result()
    assert engine.start(target).result() == first
    file.write_text("22")
    assert engine.start(target).result()[0] == "22"


def test_the_current_folder_the_environment_and_the_path_are_those_of_here(
    engine: Engine, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "only_there.py").write_text("value = 7\n")

    @cs.task(reuse=False)
    def around() -> Any:
        import importlib

        value = importlib.import_module("only_" + "there").value
        found = str(pathlib.Path.cwd()), os.environ.get("OF_THE_CELL"), value
        os.chdir("/")
        os.environ["OF_THE_CELL"] = "spoilt"
        return found

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OF_THE_CELL", "yes")
    monkeypatch.syspath_prepend(str(tmp_path))
    for _ in range(4):
        assert engine.start(around()).result() == (str(tmp_path), "yes", 7)
    monkeypatch.delenv("OF_THE_CELL")
    assert engine.start(around()).result() == (str(tmp_path), None, 7)


def test_what_is_defined_anew_counts(engine: Engine) -> None:
    namespace: dict[str, Any] = {"cs": cs, "__name__": "__main__"}
    exec("factor = 2\n@cs.task\ndef scaled(x):\n    return x * factor\n", namespace)
    assert engine.start(namespace["scaled"](3)).result() == 6
    namespace["factor"] = 10
    assert engine.start(namespace["scaled"](3)).result() == 30


async def test_the_loop_goes_on_meanwhile(executor: ProcessExecutor) -> None:
    engine = Engine(executor=executor)
    numbers = np.zeros(5_000_000)  # so large that it is lent, and looked at again
    # In time of its own: what takes it from the loop's thread is what this process does there.
    worst, last, over = 0.0, time.thread_time(), False

    async def watch() -> None:
        nonlocal worst, last
        while not over:
            await asyncio.sleep(0.002)
            worst, last = max(worst, time.thread_time() - last), time.thread_time()

    watching = asyncio.create_task(watch())
    work = cs.task(lambda a, n: a + n)
    await engine.run([work(numbers, n) for n in range(6)])
    over = True
    await watching
    assert worst < 1.0
    for run in list(engine.runs):
        run.cancel()
    await engine.state.close()


def test_json_of_a_graph_says_where_a_task_runs() -> None:
    task = cs.task(json.dumps, executor="processes")
    assert task.executor == "processes"
