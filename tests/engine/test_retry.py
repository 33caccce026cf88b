"""Attempts are counted in all, waits hold nothing, and what is not worth it is not tried."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

import cascade_nb as cs
from cascade_nb.engine import Engine
from cascade_nb.errors import TaskFailedError
from cascade_nb.events import TaskExecutionFinished, TaskExecutionStarted, TaskRetrying
from cascade_nb.testing import SpySubscriber, VirtualClock
from tests.engine.conftest import MakeEngine
from tests.engine.test_dataflow import every_lane, task_for
from tests.engine.tools import outcome, pass_time, skips, started, until


class Flaky:
    """A body that fails so many times first."""

    def __init__(self, times: int, error: type[BaseException] = OSError) -> None:
        self.left = times
        self.error = error
        self.__name__ = "flaky"

    def __call__(self, x: Any = "there") -> Any:
        if self.left:
            self.left -= 1
            raise self.error("not yet")
        return x


@pytest.fixture
def engine(make_engine: MakeEngine, clock: VirtualClock) -> Engine:
    return make_engine(clock=clock)


@every_lane
async def test_attempts_are_counted_in_all(engine: Engine, spy: SpySubscriber, lane: str) -> None:
    assert await engine.run(task_for(lane, Flaky(2))().with_retry(3)) == "there"
    assert [e.attempt for e in spy.events_of_type(TaskExecutionStarted)] == [1, 2, 3]
    (end,) = spy.events_of_type(TaskExecutionFinished)
    assert (end.status, end.attempt) == ("completed", 3)
    with pytest.raises(TaskFailedError, match=r"OSError: not yet"):
        await engine.run(task_for(lane, Flaky(3))().with_retry(3))


@every_lane
async def test_a_waiting_retry_says_so_and_comes_in_time(
    engine: Engine, spy: SpySubscriber, clock: VirtualClock, lane: str
) -> None:
    flaky = task_for(lane, Flaky(2), retry=cs.Retry(3, delay=4, backoff=2))()
    run = engine.start(flaky)
    await until(lambda: "attempt 2 of 3 in 4 s, after OSError: not yet" in run.status.headline)
    assert run.why("flaky") == [
        "flaky#1 waits: attempt 1 of 3 failed: OSError: not yet; attempt 2 begins in 4 s"
    ]
    assert run.status.running == 0
    await pass_time(clock, 3.9)
    assert len(started(spy)) == 1
    await pass_time(clock, 0.2)
    await until(lambda: "attempt 3 of 3 in" in run.status.headline)
    await pass_time(clock, 8)
    assert await run == "there"
    waits = [(e.attempt, e.max_attempts, e.delay) for e in spy.events_of_type(TaskRetrying)]
    assert waits == [(2, 3, 4), (3, 3, 8)]
    assert "OSError: not yet" in spy.events_of_type(TaskRetrying)[0].error


@every_lane
async def test_what_is_not_worth_another_attempt_fails_at_once(
    engine: Engine, spy: SpySubscriber, lane: str
) -> None:
    flaky = task_for(lane, Flaky(1, ValueError))().with_retry(5, on=(OSError, KeyError))
    with pytest.raises(TaskFailedError, match=r"ValueError") as caught:
        await engine.run(flaky)
    assert isinstance(caught.value.__cause__, ValueError)
    assert len(started(spy)) == 1


@every_lane
async def test_each_item_of_a_map_is_tried_for_itself(
    engine: Engine, spy: SpySubscriber, lane: str
) -> None:
    failed: set[int] = set()

    def odd(x: int) -> int:
        if x % 2 and x not in failed:
            failed.add(x)
            raise OSError(x)
        return x

    if lane == "async":

        @cs.task
        async def on_loop(x: int) -> int:
            return odd(x)

        item: Any = on_loop
    else:
        item = cs.task(executor=lane)(odd)
    assert await engine.run(item.map(x=[0, 1, 2, 3]).with_retry(2)) == [0, 1, 2, 3]
    assert sorted(e.task_id[-3:] for e in spy.events_of_type(TaskRetrying)) == ["[1]", "[3]"]


async def test_no_retry_comes_after_the_run_is_stopping(
    engine: Engine, spy: SpySubscriber, clock: VirtualClock
) -> None:
    @cs.task
    async def wrong() -> None:
        raise ValueError("for good")

    flaky = task_for("async", Flaky(1))().with_retry(2, delay=5)
    after = cs.task(lambda x: x, name="after") if False else cs.task(name="after")(lambda *x: x)
    run = engine.start(after(flaky, wrong().after(cs.task(lambda: clock.advance(1))())))
    await outcome(run)
    await pass_time(clock, 10)
    assert len(started(spy, "flaky")) == 1
    assert [f.task for f in run.failures] == ["wrong"]
    assert skips(spy) == {}


async def test_a_retry_obeys_a_limit_when_it_comes_again(
    engine: Engine, spy: SpySubscriber, clock: VirtualClock
) -> None:
    flaky = task_for("async", Flaky(1))().with_retry(2, delay=5)
    run = engine.start(flaky)
    await until(lambda: spy.events_of_type(TaskRetrying))
    engine.limit("task:flaky", 0)
    await pass_time(clock, 6)
    assert len(started(spy)) == 1
    stops = "at most 0 of flaky tasks at once by you; cs.limit('task:flaky', None) lifts it"
    assert run.why("flaky") == [f"flaky#1 is queued: {stops}"]
    engine.limit("task:flaky", 1)
    assert await run == "there"


async def test_a_wait_counts_from_when_it_was_asked_for_however_late_the_loop_hears_of_it(
    engine: Engine, clock: VirtualClock
) -> None:
    await engine.run(cs.task(lambda: 1)())
    rung: list[float] = []
    engine.loop_binding.services().timer(5, lambda: rung.append(clock.now()))
    clock.advance(3)  # meanwhile the loop was busy with something else
    await asyncio.sleep(0)
    clock.advance(1.9)
    assert rung == []
    clock.advance(0.2)
    assert rung == [5.0]


@pytest.mark.parametrize("wrong", ["generator", "lazy"])
def test_what_cannot_succeed_is_not_tried_again(wrong: str) -> None:
    tries = []

    @cs.task(retry=3)
    def broken() -> Any:
        tries.append(1)
        return iter([1]) if wrong == "generator" else len(broken.lazy())

    with pytest.raises(cs.errors.UsageError):
        cs.run(broken())
    assert tries == [1]
