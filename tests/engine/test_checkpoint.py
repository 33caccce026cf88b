"""Finer points inside a task: rest while paused, stop when cancelled, say how far it is."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

import cascade_nb as cs
from cascade_nb.engine import Engine, Phase
from cascade_nb.errors import BlockingError, RunCancelledError, TaskFailedError, UsageError
from cascade_nb.events import TaskExecutionFinished, TaskProgress
from cascade_nb.testing import SpySubscriber, VirtualClock
from tests.engine.conftest import MakeEngine
from tests.engine.tools import Hold, pass_time, until

every_lane = pytest.mark.parametrize("lane", ["thread", "async"])


def tracker(lane: str, hold: Hold | None = None, total: int | None = None) -> Any:
    """A task `work` that goes through items and gives those it saw."""

    def in_thread(xs: Any) -> list[Any]:
        seen = []
        for x in cs.track(xs, total=total):
            if hold is not None:
                hold.wait(x)
            seen.append(x)
        return seen

    async def on_loop(xs: Any) -> list[Any]:
        seen = []
        async for x in cs.track(xs, total=total):
            if hold is not None:
                await hold.rest(x)
            seen.append(x)
        return seen

    return cs.task(name="work")(in_thread if lane == "thread" else on_loop)


class Unsized:
    """Something to go through, of a length that nobody knows."""

    def __iter__(self) -> Iterator[int]:
        return iter([1])


@every_lane
async def test_it_tells_how_far_it_is(engine: Engine, spy: SpySubscriber, lane: str) -> None:
    assert await engine.run(tracker(lane)([5, 6, 7])) == [5, 6, 7]
    told = [(e.task_id, e.done, e.total) for e in spy.events_of_type(TaskProgress)]
    assert told == [("work#1", 1, 3), ("work#1", 2, 3), ("work#1", 3, 3)]


@every_lane
async def test_the_total_may_be_given_or_unknown(
    engine: Engine, spy: SpySubscriber, lane: str
) -> None:
    await engine.run([tracker(lane)(Unsized()), tracker(lane, total=9)(Unsized())])
    assert {e.total for e in spy.events_of_type(TaskProgress)} == {None, 9}


@every_lane
async def test_a_mapped_task_tells_of_each_item(
    engine: Engine, spy: SpySubscriber, lane: str
) -> None:
    assert await engine.run(tracker(lane).map(xs=[[1, 2], [3]])) == [[1, 2], [3]]
    told = [(e.task_id, e.done) for e in spy.events_of_type(TaskProgress)]
    assert sorted(told) == [("work#1[0]", 1), ("work#1[0]", 2), ("work#1[1]", 1)]


@every_lane
@pytest.mark.parametrize("scope", ["global", "task:work", "node:work#1", "run", "tag:t"])
async def test_a_paused_task_rests_at_its_next_item(
    make_engine: MakeEngine, clock: VirtualClock, lane: str, scope: str
) -> None:
    engine = make_engine(clock=clock)
    spy = SpySubscriber(engine.bus)
    hold = Hold()
    run = engine.start(tracker(lane, hold)([1, 2, 3]).tagged("t"))
    await until(lambda: hold.came)
    scope = run.scope if scope == "run" else scope
    engine.pause(scope)
    hold.let_go()
    await until(lambda: run.status.running == 0)
    assert hold.came == [1]
    if scope in ("global", run.scope):
        assert run.status.phase is Phase.PAUSED
    await pass_time(clock, 100)
    engine.resume(scope)
    assert await run == [1, 2, 3]
    assert spy.events_of_type(TaskExecutionFinished)[0].duration == pytest.approx(0)


@every_lane
async def test_a_pause_of_something_else_does_not_make_it_rest(engine: Engine, lane: str) -> None:
    engine.pause("task:other")
    engine.limit("task:work", 1)
    assert await engine.run(tracker(lane)([1, 2])) == [1, 2]


@every_lane
async def test_a_pause_that_expires_ends_the_rest(
    make_engine: MakeEngine, clock: VirtualClock, lane: str
) -> None:
    engine = make_engine(clock=clock)
    hold = Hold()
    run = engine.start(tracker(lane, hold)([1, 2]))
    await until(lambda: hold.came)
    engine.pause(ttl=30)
    hold.let_go()
    await until(lambda: run.status.running == 0)
    await pass_time(clock, 31)
    assert await run == [1, 2]


async def test_they_may_be_nested(engine: Engine, spy: SpySubscriber) -> None:
    @cs.task
    def work() -> int:
        count = 0
        for outer in cs.track([1, 2]):
            for inner in cs.track(range(3)):
                cs.checkpoint()
                count += outer * inner
        return count

    assert await engine.run(work()) == 9
    assert len(spy.events_of_type(TaskProgress)) == 8


async def test_an_async_iterable_is_gone_through(engine: Engine, spy: SpySubscriber) -> None:
    async def rows() -> AsyncIterator[int]:
        for i in range(3):
            await asyncio.sleep(0)
            yield i

    @cs.task
    async def work() -> list[int]:
        return [x async for x in cs.track(rows(), total=3)]

    assert await engine.run(work()) == [0, 1, 2]
    assert spy.events_of_type(TaskProgress)[-1].done == 3


async def test_a_plain_for_in_an_async_task_is_refused_with_the_way_out(engine: Engine) -> None:
    @cs.task
    async def work() -> None:
        for _ in cs.track([1]):
            pass

    with pytest.raises(TaskFailedError, match=r"write `async for") as caught:
        await engine.run(work())
    assert isinstance(caught.value.__cause__, BlockingError)


@pytest.mark.parametrize("wrong", [3, None, object()])
def test_only_what_has_items_can_be_tracked(wrong: Any) -> None:
    with pytest.raises(UsageError, match=r"goes through the items of something"):
        cs.track(wrong)


async def test_outside_a_run_they_do_nothing() -> None:
    cs.checkpoint()
    await cs.checkpoint()
    assert list(cs.track([1, 2])) == [1, 2]
    assert [x async for x in cs.track([1, 2])] == [1, 2]
    with pytest.raises(UsageError, match=r"write `async for`"):
        list(cs.track(_rows()))


async def _rows() -> AsyncIterator[int]:
    yield 1


async def test_in_an_inline_task_they_do_nothing(engine: Engine) -> None:
    # A slice on the loop cannot rest; and it must not be taken for the task that started the run.
    @cs.task(executor="inline")
    def tiny() -> list[int]:
        cs.checkpoint()
        return list(cs.track([1, 2]))

    @cs.task
    async def nested() -> Any:
        return await engine.run(tiny.lazy())

    assert await engine.run([tiny(), nested()]) == [[1, 2], [1, 2]]


async def test_who_is_stopped_by_its_time_stops_at_the_checkpoint(
    make_engine: MakeEngine, clock: VirtualClock
) -> None:
    engine = make_engine(clock=clock)
    hold = Hold()
    seen: list[str] = []

    @cs.task(timeout=5)
    def work() -> None:
        hold.wait()
        try:
            cs.checkpoint()
        except RunCancelledError:
            seen.append("stopped")
            raise

    run = engine.start(work())
    await until(lambda: hold.came)
    await pass_time(clock, 6)
    hold.let_go()
    await until(run.done)
    await until(lambda: seen == ["stopped"])
    run.exception()
