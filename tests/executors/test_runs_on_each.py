"""What every run keeps to, wherever the bodies of its tasks are: threads, processes, a cluster."""

from __future__ import annotations

import contextlib
import contextvars
import io
import pathlib
import threading
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import cascade_nb as cs
from cascade_nb.engine import Engine
from cascade_nb.errors import (
    DependencyMissingError,
    ResultError,
    RunCancelledError,
    RunFailures,
    TaskFailedError,
    TaskTimeoutError,
)
from cascade_nb.events import TaskExecutionFinished, TaskExecutionStarted
from cascade_nb.executors import DaskExecutor, ProcessExecutor
from cascade_nb.testing import SpySubscriber

PLACES = ("thread", "processes", "dask", "inline")
PATIENCE = 30.0


@pytest.fixture
def engine(cluster: DaskExecutor) -> Iterator[Engine]:
    made = Engine(executor=ProcessExecutor(2))  # which starts none before one is needed
    made.adapters.executors._made["dask"] = DaskExecutor(cluster.address)  # nor connects
    yield made
    made.close()


@pytest.fixture(params=PLACES)
def place(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=[place for place in PLACES if place != "inline"])
def apart(request: pytest.FixtureRequest) -> str:
    """Where a body may touch the disk: on the loop that would hold up the kernel."""
    return str(request.param)


def test_results_go_from_task_to_task(engine: Engine, place: str) -> None:
    add = cs.task(lambda a, b: a + b, executor=place)
    target = add(1, 2)
    for n in range(10):
        target = add(target, n)
    assert engine.start(target).result() == 48


def test_a_map_gives_its_items_in_order(engine: Engine, place: str) -> None:
    square = cs.task(lambda x: x * x, executor=place)
    assert engine.start(square.map(x=list(range(40)))).result() == [x * x for x in range(40)]


def test_each_begins_once_and_ends_once(engine: Engine, place: str) -> None:
    spy = SpySubscriber(engine.bus)
    work = cs.task(lambda n: n, executor=place)
    engine.start([work(n) for n in range(10)]).result()
    begun = [one.task_id for one in spy.events_of_type(TaskExecutionStarted)]
    ended = [one.task_id for one in spy.events_of_type(TaskExecutionFinished)]
    assert sorted(begun) == sorted(ended)
    assert len(set(begun)) == len(begun) == 10


@pytest.mark.parametrize(
    "error",
    [ValueError("no"), SystemExit(2), KeyboardInterrupt(), StopIteration(), OSError(2, "x")],
    ids=lambda error: type(error).__name__,
)
def test_whatever_a_body_raises_is_its_failure_alone(
    engine: Engine, place: str, error: BaseException
) -> None:
    def fail() -> None:
        raise error

    fine = cs.task(lambda: 1, executor=place, name="fine")
    failing = cs.task(fail, executor=place, name="failing")
    run = engine.start([failing(), fine()], on_error="continue")
    with pytest.raises(TaskFailedError, match=f"failing failed: {type(error).__name__}") as caught:
        run.result()
    assert type(caught.value.__cause__) is type(error)
    assert (run.status.done, run.status.failed) == (1, 1)


def test_it_is_tried_as_often_as_was_said(
    engine: Engine, apart: str, tmp_path: pathlib.Path
) -> None:
    file = tmp_path / "tries"

    def flaky(least: int) -> int:
        with file.open("a") as out:
            out.write("x")
        if len(file.read_text()) < least:
            raise OSError("not yet")
        return len(file.read_text())

    task = cs.task(flaky, executor=apart, retry=3, reuse=False)
    assert engine.start(task(3)).result() == 3
    with pytest.raises(TaskFailedError, match="not yet"):
        engine.start(task(100)).result()
    assert len(file.read_text()) == 6


def test_time_that_is_up_is_its_failure(engine: Engine, place: str) -> None:
    slow = cs.task(lambda: time.sleep(0.5), executor=place, timeout=0.1, name="slow")
    with pytest.raises(TaskTimeoutError, match="slow took longer than 100 ms"):
        engine.start(slow()).result()


def test_what_needs_a_failed_one_does_not_run(engine: Engine, place: str) -> None:
    fail = cs.task(lambda: 1 / 0, executor=place, name="fail")
    after = cs.task(lambda x: x, executor=place, name="after")
    with pytest.raises(TaskFailedError, match="after could not be computed, because fail failed"):
        engine.start(after(fail())).result()


def test_a_condition_decides_whether_it_runs(engine: Engine, place: str) -> None:
    is_even = cs.task(lambda n: n % 2 == 0, executor=place)
    half = cs.task(lambda n: n // 2, executor=place)
    assert engine.start(half(8).run_if(is_even(8))).result() == 4
    with pytest.raises(DependencyMissingError):
        engine.start(half(7).run_if(is_even(7))).result()


def test_a_cancel_ends_the_run_and_starts_nothing_more(
    engine: Engine, apart: str, tmp_path: pathlib.Path
) -> None:
    def mark(n: int) -> None:
        (tmp_path / str(n)).touch()
        time.sleep(0.02)

    work = cs.task(mark, executor=apart)
    run = engine.start([work(n) for n in range(200)])
    deadline = time.monotonic() + PATIENCE
    while not any(tmp_path.iterdir()) and time.monotonic() < deadline:
        time.sleep(0.002)
    run.cancel("enough")
    with pytest.raises(RunCancelledError, match="enough"):
        run.result()
    there = len(list(tmp_path.iterdir()))
    time.sleep(0.1)
    assert len(list(tmp_path.iterdir())) == there < 200


def test_nothing_begins_from_the_pause_to_the_resume(
    engine: Engine, apart: str, tmp_path: pathlib.Path
) -> None:
    def mark(n: int) -> int:
        (tmp_path / str(n)).touch()
        time.sleep(0.005)
        return n

    work = cs.task(mark, executor=apart)
    run = engine.start([work(n) for n in range(60)])
    deadline = time.monotonic() + PATIENCE
    while not any(tmp_path.iterdir()) and time.monotonic() < deadline:
        time.sleep(0.002)
    run.pause()
    time.sleep(0.05)
    there = len(list(tmp_path.iterdir()))
    time.sleep(0.15)
    assert len(list(tmp_path.iterdir())) == there
    run.resume()
    assert run.result() == list(range(60))


def test_a_limit_holds(engine: Engine, apart: str, tmp_path: pathlib.Path) -> None:
    def work(n: int) -> int:
        mine = tmp_path / f"in-{n}"
        mine.touch()
        there = len(list(tmp_path.iterdir()))
        time.sleep(0.01)
        mine.unlink()
        return there

    engine.limit("tag:few", 1)
    tasks = cs.task(work, executor=apart, tags=["few"])
    assert engine.start([tasks(n) for n in range(8)]).result() == [1] * 8


def test_what_it_prints_is_heard(engine: Engine, place: str) -> None:
    def talk(n: int) -> None:
        print("line", n)  # noqa: T201 - what is heard

    heard = io.StringIO()
    with contextlib.redirect_stdout(heard):
        engine.start(cs.task(talk, executor=place).map(n=[1, 2, 3])).result()
    assert sorted(heard.getvalue().splitlines()) == ["line 1", "line 2", "line 3"]


def test_large_values_go_through_whole_and_are_nobody_elses_to_change(
    engine: Engine, place: str
) -> None:
    make = cs.task(lambda: {"a": np.arange(300_000), "b": [1, 2]}, executor=place)

    def change(value: Any) -> Any:
        value["b"].append(3)
        return int(value["a"].sum()), value["b"]

    change_task = cs.task(change, executor=place)
    made = make().named("made")
    found = engine.start([change_task(made), change_task(made), made]).result()
    assert found[0] == found[1] == (int(np.arange(300_000).sum()), [1, 2, 3])
    assert found[2]["b"] == [1, 2]


def test_a_result_that_can_be_read_only_once_is_refused(engine: Engine, place: str) -> None:
    task = cs.task(lambda: iter([1, 2]), executor=place)
    with pytest.raises(TaskFailedError) as caught:
        engine.start(task()).result()
    assert isinstance(caught.value.__cause__, ResultError)


def test_a_result_is_used_again_until_something_changes(engine: Engine, place: str) -> None:
    task = cs.task(lambda n: n + 1, executor=place)
    reused = []
    for n in (1, 1, 2, 1):
        run = engine.start(task(n).named("target"))
        assert run.result() == n + 1
        reused.append(run.status.reused)
    assert reused == [0, 1, 0, 1]


def test_several_failures_are_told_together(engine: Engine, place: str) -> None:
    fail = cs.task(lambda n: 1 // (n - n), executor=place, name="fail")
    with pytest.raises(RunFailures) as caught:
        engine.start([fail(n) for n in range(3)], on_error="continue").result()
    assert len(caught.value.exceptions) == 3


def test_no_two_places_need_each_other_to_begin(engine: Engine) -> None:
    together = threading.Barrier(2)
    in_thread = cs.task(lambda: together.wait(PATIENCE), executor="thread")
    there = cs.task(lambda n: n, executor="processes")
    found = engine.start([in_thread(), in_thread(), *(there(n) for n in range(10))]).result()
    assert found[2:] == list(range(10))


_number: contextvars.ContextVar[int] = contextvars.ContextVar("number", default=0)


def number_here() -> int:
    return _number.get()


def test_context_variables_are_those_of_whoever_started_the_run(engine: Engine, place: str) -> None:
    token = _number.set(7)
    try:
        run = engine.start(cs.task(number_here, executor=place)())
    finally:
        _number.reset(token)
    assert run.result() == 7
