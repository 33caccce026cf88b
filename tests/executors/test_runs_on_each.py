"""What every run keeps to, wherever the bodies of its tasks are: threads, processes, the loop, a
cluster, or a pool of somebody's own.
"""

from __future__ import annotations

import contextlib
import contextvars
import io
import pathlib
import threading
import time
from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
import pytest

import cascade_nb as cs
from cascade_nb.engine import Engine, NodeState
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
from tests.engine.tools import until_blocking
from tests.executors.pools import POOLS, warm_pool
from tests.support.patience import PATIENCE, until, wait_for_file

OWN = ("thread", "processes", "dask", "inline")
PLACES = (*OWN, *POOLS)
#: Where a body may touch the disk, or take its time: on the loop that would hold up the kernel.
APART = [place for place in PLACES if place != "inline"]
apart = pytest.mark.parametrize("place", APART, indirect=True, scope="module")


@pytest.fixture
def engine(cluster: DaskExecutor) -> Iterator[Engine]:
    made = Engine(executor=ProcessExecutor(2))  # which starts none before one is needed
    made.adapters.executors._made["dask"] = DaskExecutor(cluster.address)  # nor connects
    yield made
    made.close()


@pytest.fixture(params=PLACES, scope="module")
def place(request: pytest.FixtureRequest) -> Iterator[Any]:
    """What `executor=` takes; a pool is warm, and used by all tests of it."""
    if request.param in OWN:
        yield request.param
        return
    with warm_pool(request.param) as pool:
        yield pool


def test_results_go_from_task_to_task(engine: Engine, place: Any) -> None:
    add = cs.task(lambda a, b: a + b, executor=place)
    target = add(1, 2)
    for n in range(10):
        target = add(target, n)
    assert engine.start(target).result() == 48


def test_a_map_gives_its_items_in_order(engine: Engine, place: Any) -> None:
    square = cs.task(lambda x: x * x, executor=place)
    assert engine.start(square.map(x=list(range(40)))).result() == [x * x for x in range(40)]


def test_each_begins_once_and_ends_once(engine: Engine, place: Any) -> None:
    spy = SpySubscriber(engine.bus)
    work = cs.task(lambda n: n, executor=place)
    engine.start([work(n) for n in range(10)]).result()
    begun = [one.task_id for one in spy.events_of_type(TaskExecutionStarted)]
    ended = [one.task_id for one in spy.events_of_type(TaskExecutionFinished)]
    assert sorted(begun) == sorted(ended)
    assert len(set(begun)) == len(begun) == 10


def test_a_breakpoint_holds_each_before_its_body_with_its_inputs_there(
    engine: Engine, place: Any
) -> None:
    spy = SpySubscriber(engine.bus)
    double = cs.task(lambda xs: [2 * x for x in xs], executor=place, name="double")
    target = double(double([1]).named("first")).named("second")
    engine.pause("double", before=True)
    run = engine.start(target)
    for name, given in (("first", [1]), ("second", [2])):
        until_blocking(partial(lambda name: run.states()[name] is NodeState.HELD, name))
        assert run.inputs(name) == {"xs": given}
        assert name not in [one.task_id for one in spy.events_of_type(TaskExecutionStarted)]
        run.resume()
    assert run.result() == [4]


@pytest.mark.parametrize(
    "error",
    [ValueError("no"), SystemExit(2), KeyboardInterrupt(), StopIteration(), OSError(2, "x")],
    ids=lambda error: type(error).__name__,
)
def test_whatever_a_body_raises_is_its_failure_alone(
    engine: Engine, place: Any, error: BaseException
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


class WantsMoreError(Exception):
    def __init__(self, what: str, why: str) -> None:
        super().__init__(f"{what} because {why}")
        self.why = why


class LockedError(Exception):
    def __init__(self) -> None:
        super().__init__("it holds a lock")
        self.lock = threading.Lock()


def test_an_exception_with_a_constructor_of_its_own_arrives_as_it_was(
    engine: Engine, place: Any
) -> None:
    def fail() -> None:
        raise WantsMoreError("no", "never")

    with pytest.raises(TaskFailedError, match="no because never") as caught:
        engine.start(cs.task(fail, executor=place)()).result()
    cause = caught.value.__cause__
    assert isinstance(cause, WantsMoreError)
    assert (str(cause), cause.why) == ("no because never", "never")


def test_of_an_exception_that_cannot_travel_the_words_arrive(engine: Engine, place: Any) -> None:
    def fail() -> None:
        raise LockedError

    with pytest.raises(TaskFailedError, match="LockedError: it holds a lock"):
        engine.start(cs.task(fail, executor=place)()).result()


def test_classes_that_nobody_can_import_go_there_and_come_back(engine: Engine, place: Any) -> None:
    class Point:
        def __init__(self, x: int) -> None:
            self.x = x

    moved = cs.task(lambda point: Point(point.x + 1), executor=place)
    point = engine.start(moved(moved(Point(1)))).result()
    assert type(point) is Point
    assert point.x == 3


@apart
def test_it_is_tried_as_often_as_was_said(
    engine: Engine, place: Any, tmp_path: pathlib.Path
) -> None:
    file = tmp_path / "tries"

    def flaky(least: int) -> int:
        with file.open("a") as out:
            out.write("x")
        if len(file.read_text()) < least:
            raise OSError("not yet")
        return len(file.read_text())

    task = cs.task(flaky, executor=place, retry=3, reuse=False)
    assert engine.start(task(3)).result() == 3
    with pytest.raises(TaskFailedError, match="not yet"):
        engine.start(task(100)).result()
    assert len(file.read_text()) == 6


def test_time_that_is_up_is_its_failure(engine: Engine, place: Any, tmp_path: pathlib.Path) -> None:
    go = tmp_path / "go"
    slow = cs.task(wait_for_file, executor=place, timeout=0.1, name="slow", track_files=False)
    with pytest.raises(TaskTimeoutError, match="slow took longer than 100 ms"):
        engine.start(slow(str(go))).result()
    go.touch()


def test_what_needs_a_failed_one_does_not_run(engine: Engine, place: Any) -> None:
    fail = cs.task(lambda: 1 / 0, executor=place, name="fail")
    after = cs.task(lambda x: x, executor=place, name="after")
    with pytest.raises(TaskFailedError, match="after could not be computed, because fail failed"):
        engine.start(after(fail())).result()


def test_a_condition_decides_whether_it_runs(engine: Engine, place: Any) -> None:
    is_even = cs.task(lambda n: n % 2 == 0, executor=place)
    half = cs.task(lambda n: n // 2, executor=place)
    assert engine.start(half(8).run_if(is_even(8))).result() == 4
    with pytest.raises(DependencyMissingError):
        engine.start(half(7).run_if(is_even(7))).result()


def marking(folder: pathlib.Path) -> Any:
    """A body that leaves a mark; the later ones end when they may, however long that takes here."""

    def mark(n: int) -> int:
        (folder / str(n)).touch()
        if n >= 10:
            wait_for_file(str(folder / "go"))
        time.sleep(0.005)
        return n

    return mark


def marks(folder: pathlib.Path) -> list[str]:
    return [file.name for file in folder.iterdir() if file.name != "go"]


@apart
def test_a_cancel_ends_the_run_and_starts_nothing_more(
    engine: Engine, place: Any, tmp_path: pathlib.Path
) -> None:
    work = cs.task(marking(tmp_path), executor=place)
    run = engine.start([work(n) for n in range(200)])
    until(lambda: marks(tmp_path))
    run.cancel("enough")
    (tmp_path / "go").touch()
    with pytest.raises(RunCancelledError, match="enough"):
        run.result()

    def stands_still() -> bool:  # when what was about to begin there has begun
        there = len(marks(tmp_path))
        time.sleep(0.1)
        return len(marks(tmp_path)) == there

    until(stands_still)
    there = len(marks(tmp_path))
    assert there < 200
    time.sleep(0.1)
    assert len(marks(tmp_path)) == there


@apart
def test_nothing_begins_from_the_pause_to_the_resume(
    engine: Engine, place: Any, tmp_path: pathlib.Path
) -> None:
    work = cs.task(marking(tmp_path), executor=place)
    run = engine.start([work(n) for n in range(60)])
    until(lambda: marks(tmp_path))
    run.pause()
    (tmp_path / "go").touch()
    until(lambda: not run.status.running)  # what had begun finishes
    there = len(marks(tmp_path))
    time.sleep(0.1)
    assert len(marks(tmp_path)) == there < 60
    run.resume()
    assert run.result() == list(range(60))


@apart
def test_a_limit_holds(engine: Engine, place: Any, tmp_path: pathlib.Path) -> None:
    def work(n: int) -> int:
        mine = tmp_path / f"in-{n}"
        mine.touch()
        there = len(list(tmp_path.iterdir()))
        time.sleep(0.01)
        mine.unlink()
        return there

    engine.limit("tag:few", 1)
    tasks = cs.task(work, executor=place, tags=["few"])
    assert engine.start([tasks(n) for n in range(8)]).result() == [1] * 8


def test_what_it_prints_is_heard(engine: Engine, place: Any) -> None:
    def talk(n: int) -> None:
        print("line", n)  # noqa: T201 - what is heard

    heard = io.StringIO()
    with contextlib.redirect_stdout(heard):
        engine.start(cs.task(talk, executor=place).map(n=[1, 2, 3])).result()
    assert sorted(heard.getvalue().splitlines()) == ["line 1", "line 2", "line 3"]


def test_large_values_go_through_whole_and_are_nobody_elses_to_change(
    engine: Engine, place: Any
) -> None:
    make = cs.task(lambda: {"a": np.arange(1_250_000), "b": [1, 2]}, executor=place)

    def change(value: Any) -> Any:
        value["b"].append(3)
        return int(value["a"].sum()), value["b"]

    change_task = cs.task(change, executor=place)
    made = make().named("made")
    found = engine.start([change_task(made), change_task(made), made]).result()
    assert found[0] == found[1] == (int(np.arange(1_250_000).sum()), [1, 2, 3])
    assert found[2]["b"] == [1, 2]


def test_a_result_that_can_be_read_only_once_is_refused(engine: Engine, place: Any) -> None:
    task = cs.task(lambda: iter([1, 2]), executor=place)
    with pytest.raises(TaskFailedError) as caught:
        engine.start(task()).result()
    assert isinstance(caught.value.__cause__, ResultError)


def test_a_result_is_used_again_until_something_changes(engine: Engine, place: Any) -> None:
    task = cs.task(lambda n: n + 1, executor=place)
    reused = []
    for n in (1, 1, 2, 1):
        run = engine.start(task(n).named("target"))
        assert run.result() == n + 1
        reused.append(run.status.reused)
    assert reused == [0, 1, 0, 1]


def test_several_failures_are_told_together(engine: Engine, place: Any) -> None:
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


def test_context_variables_are_those_of_whoever_started_the_run(engine: Engine, place: Any) -> None:
    token = _number.set(7)
    try:
        run = engine.start(cs.task(number_here, executor=place)())
    finally:
        _number.reset(token)
    assert run.result() == 7
