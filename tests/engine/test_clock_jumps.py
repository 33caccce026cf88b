"""The time of day jumps by hours while runs go on, and no timer of theirs minds.

A laptop wakes, a machine finds its time server, somebody corrects a clock: what is waited for is
measured on a clock that none of this moves.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

import cascade_nb as cs
from cascade_nb.engine import Engine, Phase
from cascade_nb.engine.runs.services import SystemClock
from cascade_nb.errors import TaskTimeoutError
from cascade_nb.events import RunFinished, TaskExecutionFinished, TaskRetrying
from cascade_nb.testing import SpySubscriber
from tests.engine.conftest import MakeEngine
from tests.engine.tools import started, until
from tests.support.patience import tries

HOURS = 7_200.0
SOON = 60.0  # seconds, for a machine that is busy; each wait below is of two at most


class TimeOfDay:
    """What `time.time()` says: the truth, and a mistake that can be changed."""

    def __init__(self) -> None:
        self._true = time.time
        self.mistake = 0.0

    def __call__(self) -> float:
        return self._true() + self.mistake


@pytest.fixture
def day(monkeypatch: pytest.MonkeyPatch) -> TimeOfDay:
    made = TimeOfDay()
    monkeypatch.setattr(time, "time", made)
    monkeypatch.setattr(SystemClock, "wall", staticmethod(made))
    return made


@pytest.fixture(params=["memory", "sqlite"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return "memory:" if request.param == "memory" else f"sqlite:///{tmp_path}/results.db"


@pytest.fixture(params=[HOURS, -HOURS], ids=["ahead", "back"])
def jump(request: pytest.FixtureRequest) -> float:
    return float(request.param)


@pytest.fixture
async def jumping(day: TimeOfDay) -> AsyncIterator[None]:
    """It jumps to and fro all the time."""

    async def go_on() -> None:
        rng = random.Random(7)
        while True:
            day.mistake = rng.choice([-HOURS, 0.0, HOURS])
            await asyncio.sleep(0.005)

    going = asyncio.ensure_future(go_on())
    yield
    going.cancel()


async def test_a_retry_comes_when_its_wait_is_over(
    make_engine: MakeEngine, day: TimeOfDay, jump: float
) -> None:
    numbers = iter(range(1, 1_000_000))  # a count cannot be pickled since Python 3.14

    @cs.task
    def flaky() -> int:
        if (number := next(numbers)) < 3:
            raise OSError("not yet")
        return number

    engine = make_engine()
    spy = SpySubscriber(engine.bus)
    run = engine.start(flaky().with_retry(3, delay=0.1))
    await until(lambda: spy.events_of_type(TaskRetrying))
    day.mistake = jump
    assert await asyncio.wait_for(run, SOON) == 3
    assert 0.2 <= run.elapsed < SOON


async def test_a_timeout_is_neither_early_nor_late(
    make_engine: MakeEngine, day: TimeOfDay, jump: float
) -> None:
    @cs.task
    async def rest(seconds: float) -> str:
        await asyncio.sleep(seconds)
        return "done"

    engine = make_engine()
    spy = SpySubscriber(engine.bus)
    quick, slow = rest(0.1).with_timeout(SOON), rest(2 * SOON).with_timeout(0.1)
    run = engine.start([quick, slow], on_error="continue")
    await until(lambda: len(started(spy)) == 2)
    day.mistake = jump
    with pytest.raises(TaskTimeoutError):
        await asyncio.wait_for(run, SOON)
    ended = {event.task_id: event.status for event in spy.events_of_type(TaskExecutionFinished)}
    assert sorted(ended.values()) == ["completed", "failed"]


async def test_a_pause_with_a_time_to_live_ends_when_that_is_over(
    make_engine: MakeEngine, day: TimeOfDay, jump: float
) -> None:
    for attempt in tries(2.0):
        with attempt as seconds:
            day.mistake = 0.0
            engine = make_engine()
            engine.pause(ttl=seconds)
            run = engine.start(cs.task(lambda: 1, name="one")())
            await until(lambda run=run: run.done() or run.status.phase is Phase.PAUSED)  # type: ignore[misc]
            day.mistake = jump
            await asyncio.sleep(0.05)
            assert run.status.phase is Phase.PAUSED  # not before its time
            assert await asyncio.wait_for(run, SOON) == 1


async def test_a_rate_stays_what_it_is(
    make_engine: MakeEngine, day: TimeOfDay, jumping: None
) -> None:
    engine = make_engine()
    spy = SpySubscriber(engine.bus)
    engine.rate("task:one", "20/s")
    one = cs.task(lambda n: n, name="one")
    began = time.monotonic()
    assert await asyncio.wait_for(engine.run(one.map(n=range(9))), SOON) == list(range(9))
    assert time.monotonic() - began >= 8 / 20 - 0.01
    assert len(started(spy)) == 9


async def test_a_time_to_live_of_a_result_begins_when_it_was_made(
    make_engine: MakeEngine, day: TimeOfDay, url: str, jump: float
) -> None:
    @cs.task
    def daily(x: int) -> int:
        return x

    engine = make_engine(state_backend=url)
    spy = SpySubscriber(engine.bus)
    target = daily(1).with_cache(ttl="1h").named("daily")
    assert [await engine.run(target) for _ in range(2)] == [1, 1]
    assert len(started(spy)) == 1
    day.mistake = jump
    assert [await engine.run(target) for _ in range(2)] == [1, 1]
    # Two hours later it is too old; one that is dated ahead counts as made now.
    assert len(started(spy)) == (2 if jump > 0 else 1)


async def test_a_run_that_is_written_down_stays_its_kernels_own(
    make_engine: MakeEngine, day: TimeOfDay, tmp_path: Path, jumping: None
) -> None:
    engine = make_engine(state_backend=f"sqlite:///{tmp_path}/results.db", lease=1.0)

    @cs.task
    def nap(n: int) -> int:
        time.sleep(0.3)
        return n

    engine.limit("task:nap", 1)  # more than two leases long
    assert await asyncio.wait_for(engine.run(nap.map(n=range(8))), SOON) == list(range(8))
    assert [record.status for record in await engine.recorded()] == ["succeeded"]


async def test_everything_at_once_ends_with_what_it_would_have_had(
    make_engine: MakeEngine, url: str, jumping: None
) -> None:
    attempts = iter(range(1_000_000))

    @cs.task
    def flaky(x: int) -> int:
        if next(attempts) % 3 == 0:
            raise OSError("again")
        time.sleep(0.005)
        return x

    @cs.task
    async def add(xs: list[int]) -> int:
        await asyncio.sleep(0.01)
        return sum(xs)

    engine: Engine = make_engine(state_backend=url)
    spy = SpySubscriber(engine.bus)
    engine.rate("task:flaky", "200/s")
    engine.limit("task:flaky", 3)
    many = flaky.map(x=range(30)).with_retry(9, delay=0.01).with_timeout(SOON)
    run = engine.start(add(many).with_cache(ttl="1h"))
    await until(lambda: run.status.done)
    run.pause(ttl=0.1)
    assert await asyncio.wait_for(run, SOON) == sum(range(30))
    (end,) = spy.events_of_type(RunFinished)
    assert 0 < end.duration < SOON
    assert all(e.duration >= 0 for e in spy.events_of_type(TaskExecutionFinished))
    assert not run.status.headline.startswith("-")
