"""How many in a time: a token bucket, live."""

from __future__ import annotations

import asyncio
import math
from typing import Any

import pytest

import cascade_nb as cs
from cascade_nb.events import TaskBlocked
from cascade_nb.testing import SpySubscriber, VirtualClock
from tests.engine.conftest import MakeEngine
from tests.engine.test_limits import worker
from tests.engine.tools import Hold, pass_time, started, until


@pytest.mark.parametrize(
    ("rate", "capacity", "starts"),
    [
        ("10/m", 1, [0, 6, 12, 18]),
        ("10/m", 3, [0, 0, 0, 6, 12]),
        ("2/s", 1, [0, 0.5, 1, 1.5]),
        ("300/h", 1, [0, 12, 24]),
        ("1/30s", 1, [0, 30, 60]),
        (4, 2, [0, 0, 0.25, 0.5]),
        (0.1, 1, [0, 10, 20]),
    ],
)
async def test_a_rate_admits_evenly_and_bursts_only_by_its_capacity(
    make_engine: MakeEngine,
    clock: VirtualClock,
    rate: Any,
    capacity: float,
    starts: list[float],
) -> None:
    engine = make_engine(clock=clock)
    began: list[float] = []
    work = cs.task(executor="inline", name="work")(lambda x: began.append(clock.now()))
    engine.rate("task:work", rate, capacity=capacity)
    run = engine.start(work.map(x=starts))
    await until(lambda: began)
    while not run.done():
        await asyncio.sleep(0.001)
        if clock.next_call < math.inf:
            await pass_time(clock, max(0.0, clock.next_call - clock.now()) + 1e-9)
    assert began == pytest.approx(starts, abs=1e-3)
    await run


async def test_raising_a_rate_counts_at_once_and_keeps_the_tokens(
    make_engine: MakeEngine, clock: VirtualClock
) -> None:
    engine = make_engine(clock=clock)
    spy = SpySubscriber(engine.bus)
    engine.rate("global", "1/h")
    run = engine.start([worker("async")(i) for i in range(2)])
    await until(lambda: len(started(spy)) == 1)
    assert "next in 60 min" in run.status.headline or run.status.running
    engine.rate("global", "1/s")
    await asyncio.sleep(0)
    assert len(started(spy)) == 1  # a new rate is no new token
    await pass_time(clock, 1.1)
    await run


async def test_who_waits_for_a_token_is_told_how_long_anew_when_one_is_gone(
    make_engine: MakeEngine, clock: VirtualClock
) -> None:
    engine = make_engine(clock=clock)
    spy = SpySubscriber(engine.bus)
    holds = [Hold(), Hold()]
    engine.rate("task:work", "1/10s")
    work = worker("async")
    run = engine.start([work(1), *[work(cs.task(hold.wait)(2)) for hold in holds]])
    await until(lambda: len(started(spy, "work")) == 1)
    clock.advance(9.9)
    holds[0].let_go()
    await until(lambda: len(spy.events_of_type(TaskBlocked)) == 1)
    await pass_time(clock, 0.1 + 1e-9)
    await until(lambda: len(started(spy, "work")) == 2)
    holds[1].let_go()
    await until(lambda: len(spy.events_of_type(TaskBlocked)) == 2)
    said = [event.detail.split("; ")[1] for event in spy.events_of_type(TaskBlocked)]
    assert said == ["next in 100 ms", "next in 10 s"]
    engine.rate("task:work", None)
    await run


async def test_lifting_a_rate_frees_all(make_engine: MakeEngine, clock: VirtualClock) -> None:
    engine = make_engine(clock=clock)
    engine.rate("task:work", "1/h")
    run = engine.start([worker("async")(i) for i in range(5)])
    await until(lambda: run.status.queued == 4)
    engine.rate("task:work", None)
    assert await run == [0, 1, 2, 3, 4]
