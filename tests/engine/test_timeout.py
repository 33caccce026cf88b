"""A task that takes too long fails, and what cannot be stopped is said to go on."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

import cascade_nb as cs
from cascade_nb.engine import Engine
from cascade_nb.engine.dispatch.timeouts import ENDS_WITHIN
from cascade_nb.errors import RunFailures, TaskTimeoutError
from cascade_nb.events import RunFinished, TaskExecutionFinished, TaskRetrying
from cascade_nb.testing import SpySubscriber, VirtualClock
from tests.engine.conftest import MakeEngine
from tests.engine.tools import Hold, outcome, pass_time, started, until


@pytest.fixture
def engine(make_engine: MakeEngine, clock: VirtualClock) -> Engine:
    return make_engine(clock=clock)


async def test_an_async_task_is_cancelled_when_its_time_is_up(
    engine: Engine, spy: SpySubscriber, clock: VirtualClock
) -> None:
    cleaned: list[str] = []

    @cs.task(timeout=5)
    async def slow() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            cleaned.append("up")

    run = engine.start(slow())
    await until(lambda: started(spy))
    await pass_time(clock, 5.1)
    error = await outcome(run)
    assert isinstance(error, TaskTimeoutError)
    assert "slow took longer than 5 s" in str(error)
    assert cleaned == ["up"]
    assert spy.events_of_type(RunFinished)[0].still_running == ()


async def test_an_async_task_that_swallows_its_cancellation_fails_all_the_same(
    engine: Engine, spy: SpySubscriber, clock: VirtualClock
) -> None:
    @cs.task
    async def stubborn() -> str:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            return "late"
        return "never"

    run = engine.start(stubborn().with_timeout(1))
    await until(lambda: started(spy))
    await pass_time(clock, 2)
    assert isinstance(await outcome(run), TaskTimeoutError)


async def test_an_async_task_that_never_ends_though_it_is_cancelled_is_left_behind_and_named(
    engine: Engine, spy: SpySubscriber, clock: VirtualClock
) -> None:
    enough, cancelled = asyncio.Event(), asyncio.Event()

    @cs.task
    async def stubborn() -> None:
        while not enough.is_set():
            try:
                await enough.wait()
            except asyncio.CancelledError:
                cancelled.set()

    run = engine.start([stubborn().with_timeout(1)])
    await until(lambda: started(spy))
    await pass_time(clock, 1.1)
    await asyncio.wait_for(cancelled.wait(), 30)
    await pass_time(clock, ENDS_WITHIN + 0.1)
    error = await outcome(run)
    enough.set()
    assert isinstance(error, TaskTimeoutError)
    assert "took longer than 1 s; it was told to end and goes on" in str(error)
    assert run.still_running == ("stubborn",)


@pytest.mark.parametrize("executor", ["thread", "inline"])
async def test_a_thread_that_cannot_be_stopped_is_named_and_its_late_result_dropped(
    engine: Engine, spy: SpySubscriber, clock: VirtualClock, executor: str
) -> None:
    hold = Hold()
    # A task that asks for a time limit cannot run on the loop, which nothing could stop.
    slow = cs.task(name="slow", executor=executor)(lambda: hold.wait("late"))
    run = engine.start(slow().with_timeout(5))
    await until(lambda: hold.came)
    await pass_time(clock, 6)
    error = await outcome(run)
    assert isinstance(error, TaskTimeoutError)
    assert "its thread cannot be stopped and goes on, its result will be dropped" in str(error)
    assert spy.events_of_type(RunFinished)[0].still_running == ("slow",)
    assert run.still_running == ("slow",)
    told = len(spy.events)
    hold.let_go()
    await until(lambda: engine.adapters.executors("thread")._idle)  # type: ignore[attr-defined]
    assert len(spy.events) == told


async def test_what_a_late_thread_holds_is_not_free_while_it_runs(
    make_engine: MakeEngine, clock: VirtualClock
) -> None:
    engine = make_engine(clock=clock, system_resources={"gpu": 1})
    spy = SpySubscriber(engine.bus)
    hold = Hold()
    slow = cs.task(name="slow")(hold.wait)
    other = cs.task(name="other")(lambda: "ran")
    target = [slow().with_timeout(5).with_constraints(gpu=1), other().with_constraints(gpu=1)]
    run = engine.start(target, on_error="continue")
    await until(lambda: hold.came)
    await pass_time(clock, 6)
    await until(lambda: run.failures)
    assert not started(spy, "other")
    assert run.status.queued == 1
    hold.let_go()
    assert isinstance(await outcome(run), TaskTimeoutError)
    assert started(spy, "other") == ["other#1"]


async def test_a_timeout_is_worth_a_retry(
    engine: Engine, spy: SpySubscriber, clock: VirtualClock
) -> None:
    times: list[int] = []

    @cs.task(timeout=5, retry=2)
    async def slow_once() -> str:
        times.append(1)
        if len(times) == 1:
            await asyncio.Event().wait()
        return "there"

    run = engine.start(slow_once())
    await until(lambda: times)
    await pass_time(clock, 6)
    assert await run == "there"
    assert "took longer than 5 s" in spy.events_of_type(TaskRetrying)[0].error


async def test_each_item_of_a_map_has_its_own_time(
    engine: Engine, spy: SpySubscriber, clock: VirtualClock
) -> None:
    @cs.task
    async def nap(x: int) -> int:
        await clock.sleep(x)
        return x

    run = engine.start(nap.map(x=[1, 9, 2, 9]).with_timeout(5), on_error="continue")
    await until(lambda: len(started(spy)) == 4)
    await pass_time(clock, 10, step=1)
    error = await outcome(run)
    assert isinstance(error, RunFailures)
    assert [e.task for e in error.exceptions] == ["map(nap)[1]", "map(nap)[3]"]  # type: ignore[union-attr]


async def test_a_task_in_time_leaves_no_timer(engine: Engine, clock: VirtualClock) -> None:
    assert await engine.run(cs.task(lambda: 1)().with_timeout(100)) == 1
    assert clock.advance(200) == 0


@pytest.mark.parametrize("lane", ["thread", "async"])
async def test_time_at_a_checkpoint_is_not_time_of_the_task(
    engine: Engine, spy: SpySubscriber, clock: VirtualClock, lane: str
) -> None:
    hold = Hold()

    def work() -> Any:
        hold.wait()
        cs.checkpoint()
        return "there"

    async def work_on_loop() -> Any:
        await hold.rest()
        await cs.checkpoint()
        return "there"

    task: Any = cs.task(name="work", timeout=5)(work if lane == "thread" else work_on_loop)
    run = engine.start(task())
    await until(lambda: hold.came)
    engine.pause()
    hold.let_go()
    await until(lambda: run.status.running == 0)
    await pass_time(clock, 60, step=3)
    engine.resume()
    assert await run == "there"
    (end,) = spy.events_of_type(TaskExecutionFinished)
    assert end.duration < 5


async def test_a_time_that_is_up_is_caught_as_a_timeout_also_around_a_run_in_a_body(
    engine: Engine, spy: SpySubscriber, clock: VirtualClock
) -> None:
    @cs.task(timeout=5)
    async def slow() -> None:
        await asyncio.Event().wait()

    @cs.task
    async def outer() -> None:
        await engine.start(slow.lazy())

    for target in (slow(), outer()):
        before = len(started(spy, "slow"))
        run = engine.start(target)
        await until(lambda before=before: len(started(spy, "slow")) > before)  # type: ignore[misc]
        await pass_time(clock, 5.1)
        with pytest.raises(TimeoutError, match="slow took longer than 5 s"):
            await run
