"""So many failures of a task within a time hold that task, and not the run."""

from __future__ import annotations

import asyncio
import math
import time
from typing import Any

import pytest

import cascade_nb as cs
from cascade_nb.control.gate_kinds.breakers import THE_BREAKER
from cascade_nb.engine import Engine, Phase, Run
from cascade_nb.errors import RunCancelledError, RunFailures
from cascade_nb.events import ConstraintApplied, TaskExecutionStarted
from cascade_nb.testing import ControllerTestApp, InProcessConnector, SpySubscriber, VirtualClock
from tests.engine.conftest import MakeEngine
from tests.engine.tools import PATIENCE, Hold, outcome, pass_time, started, until

LANES = ("thread", "async", "inline", "processes")
every_lane = pytest.mark.parametrize("lane", LANES)


class Server:
    """What a task asks, which may be down."""

    def __init__(self) -> None:
        self.down = True
        self.asked = 0

    def ask(self, x: Any) -> Any:
        self.asked += 1
        if self.down:
            raise ConnectionError(f"no answer to {x}")
        return x


def _refused(x: int) -> int:
    raise ConnectionError(f"no answer to {x}")


def fetcher(lane: str, server: Server | None = None) -> Any:
    """A task `fetch`, one at a time at most where it matters."""
    if lane == "processes":
        return cs.task(_refused, name="fetch", executor="processes")
    assert server is not None
    if lane == "async":

        @cs.task(name="fetch")
        async def on_loop(x: int) -> int:
            await asyncio.sleep(0)
            return int(server.ask(x))

        return on_loop
    return cs.task(server.ask, name="fetch", executor="inline" if lane == "inline" else None)


def pause_of(engine: Engine, scope: str = "task:fetch") -> str:
    """By whom a scope is paused."""
    found = engine.constraints.find(scope)
    return "" if found is None else found.by


async def go_on(clock: VirtualClock, run: Run, condition: Any) -> None:
    """Let time pass from one timer to the next until a condition is true."""
    deadline = time.monotonic() + PATIENCE  # for threads that get no turn
    while time.monotonic() < deadline:
        if condition() or run.done():
            return
        if clock.next_call < math.inf:
            await pass_time(clock, max(0.0, clock.next_call - clock.now()) + 1e-9)
        await asyncio.sleep(0.002)
    raise AssertionError("this never came")


@every_lane
async def test_so_many_failures_hold_a_task_and_not_the_run(engine: Engine, lane: str) -> None:
    server = Server()
    spy = SpySubscriber(engine.bus)
    engine.limit("task:fetch", 1)  # so that it is known how many have begun
    engine.breaker("task:fetch", "3/1m")
    beside = cs.task(lambda x: x, name="beside")
    fetched = fetcher(lane, server).map(x=range(6))
    run = engine.start([fetched, beside.map(x=range(20))], on_error="continue")
    await until(lambda: pause_of(engine) == THE_BREAKER and run.status.held == 3)
    await until(lambda: len(started(spy, "beside")) == 20)
    assert len(started(spy, "fetch")) == 3
    await until(lambda: "fetch tasks paused" in run.status.headline)
    assert "by the breaker: 3 failures of fetch tasks within 1 min: " in run.status.headline
    assert "ConnectionError: no answer to 0; " in run.status.headline
    assert "fetch tasks paused" in " ".join(run.why("map(fetch)[5]"))
    engine.breaker("task:fetch", None)
    error = await outcome(run)
    assert isinstance(error, RunFailures)
    assert len(started(spy, "fetch")) == 6
    assert engine.constraints.find("task:fetch") is None


@pytest.mark.parametrize("lane", ["thread", "async", "inline"])
async def test_an_attempt_that_is_tried_again_counts(engine: Engine, lane: str) -> None:
    server = Server()
    engine.breaker("task:fetch", "3/1m")
    run = engine.start(fetcher(lane, server)(1).with_retry(max_attempts=10))
    await until(lambda: run.status.held == 1)
    assert server.asked == 3
    assert run.status.phase is Phase.PAUSED or run.status.held
    server.down = False
    engine.resume("task:fetch")
    assert await run == 1
    assert server.asked == 4


async def test_failures_that_lie_too_far_apart_trip_nothing(
    make_engine: MakeEngine, clock: VirtualClock
) -> None:
    server = Server()
    engine = make_engine(clock=clock)
    engine.breaker("task:fetch", "3/1m")
    run = engine.start(fetcher("async", server)(1).with_retry(max_attempts=5, delay=31.0))
    await go_on(clock, run, lambda: False)
    assert server.asked == 5
    assert pause_of(engine) == ""
    assert isinstance(await outcome(run), ConnectionError)


@pytest.mark.parametrize("lane", ["thread", "async", "inline"])
@pytest.mark.parametrize("recovers", [True, False])
async def test_a_probe_closes_it_by_its_success_and_trips_it_again_by_its_failure(
    make_engine: MakeEngine, clock: VirtualClock, lane: str, recovers: bool
) -> None:
    server = Server()
    engine = make_engine(clock=clock)
    engine.limit("task:fetch", 1)
    engine.breaker("task:fetch", "2/1m", probe_after=300)
    run = engine.start(fetcher(lane, server).map(x=range(6)), on_error="continue")
    await until(lambda: run.status.held == 4)
    await pass_time(clock, 299)
    assert server.asked == 2
    server.down = not recovers
    await pass_time(clock, 1.1)
    if recovers:
        await go_on(clock, run, run.done)
        assert server.asked == 6
        assert isinstance(await outcome(run), RunFailures)
        assert pause_of(engine) == ""
    else:
        await until(lambda: server.asked == 3 and run.status.held == 3)
        found = engine.constraints.find("task:fetch")
        assert found is not None
        assert found.reason.startswith("its probe failed: ")
        run.cancel()
        await outcome(run)


async def test_only_one_probe_goes_at_a_time_and_the_others_say_what_they_wait_for(
    make_engine: MakeEngine, clock: VirtualClock
) -> None:
    engine = make_engine(clock=clock)
    hold, broken = Hold(), [True]

    @cs.task(name="fetch")
    async def fetch(x: int) -> int:
        if broken:
            broken.pop()
            raise ConnectionError("no")
        return int(await hold.rest(x))

    engine.limit("task:fetch", 1)
    engine.breaker("task:fetch", "1/1m", probe_after=10)
    run = engine.start(fetch.map(x=range(4)), on_error="continue")
    await until(lambda: run.status.held == 3)
    engine.limit("task:fetch", None)
    await pass_time(clock, 10.1)
    await until(lambda: len(hold.came) == 1)
    await until(lambda: run.status.held == 2)
    assert len(hold.came) == 1
    assert "waits for its probe" in (run.status.blocked_by or "")
    assert any("waits for its probe" in line for line in run.why("fetch"))
    hold.let_go()
    await outcome(run)
    assert len(hold.came) == 3


async def test_to_resume_by_hand_frees_it_and_counts_anew(engine: Engine) -> None:
    server = Server()
    engine.limit("task:fetch", 1)
    engine.breaker("task:fetch", "2/1m")
    run = engine.start(fetcher("thread", server).map(x=range(7)), on_error="continue")
    for asked in (2, 4, 6):
        await until(lambda n=asked: run.status.held == 7 - n)  # type: ignore[misc]
        assert server.asked == asked
        assert engine.resume("task:fetch")
    await outcome(run)
    assert server.asked == 7
    assert pause_of(engine) == ""  # one failure since


async def test_what_was_cancelled_is_no_failure(engine: Engine) -> None:
    hold = Hold()
    engine.breaker("global", "1/1h")

    @cs.task
    async def rest(x: int) -> int:
        return int(await hold.rest(x))

    run = engine.start(rest.map(x=range(3)))
    await until(lambda: len(hold.came) == 3)
    run.cancel()
    assert isinstance(await outcome(run), RunCancelledError)
    assert engine.constraints.find("global") is None


@pytest.mark.parametrize("lane", ["thread", "async"])
async def test_an_attempt_whose_time_is_up_counts(engine: Engine, lane: str) -> None:
    hold = Hold()
    body = hold.wait if lane == "thread" else hold.rest
    slow = cs.task(body, name="fetch")
    engine.breaker("task:fetch", "1/1h")
    run = engine.start(slow(1).with_timeout(0.02))
    await outcome(run)
    found = engine.constraints.find("task:fetch")
    assert found is not None
    assert "TaskTimeoutError" in found.reason
    hold.let_go()


async def test_what_fails_in_a_run_that_a_task_started_counts_for_the_task_that_failed(
    engine: Engine,
) -> None:
    server = Server()
    engine.breaker("task:fetch", "2/1m")
    fetch = fetcher("thread", server)

    @cs.task
    def outer() -> Any:
        return engine.start(fetch.lazy(1).with_retry(max_attempts=5)).result()

    run = engine.start(outer())
    await until(lambda: pause_of(engine) == THE_BREAKER)
    await until(lambda: server.asked == 2)
    server.down = False
    engine.resume("task:fetch")
    assert await run == 1


async def test_two_scopes_trip_each_for_itself(engine: Engine) -> None:
    server = Server()
    engine.limit("global", 1)
    engine.breaker("task:fetch", "2/1m")
    engine.breaker("tag:net", "3/1m")
    fetch, post = fetcher("thread", server), cs.task(server.ask, name="post")
    first = engine.start(fetch.map(x=range(4)).tagged("net"), on_error="continue")
    await until(lambda: first.status.held == 2)
    assert engine.constraints.find("tag:net") is None
    second = engine.start(post.map(x=range(2)).tagged("net"), on_error="continue")
    await until(lambda: second.status.held == 1)
    assert pause_of(engine, "tag:net") == pause_of(engine) == THE_BREAKER
    assert engine.resume("tag:net")
    await outcome(second)
    assert pause_of(engine) == THE_BREAKER
    assert server.asked == 4
    first.cancel()
    await outcome(first)


async def test_it_ends_by_its_time_and_its_pause_with_it(
    make_engine: MakeEngine, clock: VirtualClock
) -> None:
    server = Server()
    engine = make_engine(clock=clock)
    engine.limit("task:fetch", 1)
    engine.breaker("task:fetch", "1/1m", ttl=100)
    run = engine.start(fetcher("thread", server).map(x=range(3)), on_error="continue")
    await until(lambda: run.status.held == 2)
    await pass_time(clock, 100.1)
    await outcome(run)
    assert server.asked == 3


@pytest.mark.parametrize("lane", ["thread", "async", "inline"])
async def test_nothing_starts_once_its_pause_is_told(engine: Engine, lane: str) -> None:
    server = Server()
    spy = SpySubscriber(engine.bus)
    engine.breaker("task:fetch", "3/1m")
    run = engine.start(fetcher(lane, server).map(x=range(50)), on_error="continue")
    await until(lambda: pause_of(engine) and not run.status.running)
    events = spy.events
    told = [isinstance(e, ConstraintApplied) and e.type == "pause" for e in events].index(True)
    later = [event for event in events[told:] if isinstance(event, TaskExecutionStarted)]
    assert later == []
    run.cancel()
    await outcome(run)


async def test_a_breaker_that_comes_while_a_body_runs_hears_of_its_failure(engine: Engine) -> None:
    def body(x: int) -> int:
        engine.breaker("task:fetch", "1/1m")
        raise ConnectionError("no")

    run = engine.start(cs.task(body, name="fetch", executor="inline")(1))
    await outcome(run)
    assert pause_of(engine) == THE_BREAKER


async def test_a_run_has_a_breaker_of_its_own(engine: Engine) -> None:
    server = Server()
    run = engine.start(fetcher("async", server)(1).with_retry(max_attempts=10))
    run.breaker(None, "1/1m")
    await until(lambda: run.status.phase is Phase.PAUSED)
    assert pause_of(engine, run.scope) == THE_BREAKER
    run.breaker(None, None)
    assert isinstance(await outcome(run), ConnectionError)


async def test_the_plan_says_that_it_would_be_held(engine: Engine) -> None:
    engine.breaker("task:fetch", "1/1m")
    await outcome(engine.start(fetcher("async", Server())(1)))
    plan = await engine.plan(fetcher("async", Server())(2))
    assert "fetch tasks paused by the breaker: 1 failure of fetch tasks" in str(plan)


async def test_a_controller_elsewhere_sets_and_lifts_it_and_frees_what_it_holds(
    make_engine: MakeEngine,
) -> None:
    connector, server = InProcessConnector(), Server()
    engine = make_engine(connector=connector)
    controller = ControllerTestApp(connector)
    await controller.breaker("task:fetch", "2/1m", probe_after=3600)
    run = engine.start(fetcher("async", server)(1).with_retry(max_attempts=10))
    await until(lambda: run.status.held)
    assert server.asked == 2
    await controller.resume("task:fetch")
    await until(lambda: server.asked == 4 and run.status.held)
    server.down = False
    await controller.lift("task:fetch")  # all of it, its own pause, too
    assert await run == 1
    assert engine.constraints.constraints() == []


async def test_a_probe_that_is_left_behind_makes_way_and_decides_nothing(
    make_engine: MakeEngine, clock: VirtualClock
) -> None:
    engine = make_engine(clock=clock)
    hold, down = Hold(), [True]

    @cs.task(name="fetch")
    def fetch(x: int) -> Any:
        if down:
            down.pop()
            raise ConnectionError("no")
        return hold.wait(x)

    engine.breaker("task:fetch", "1/1m", probe_after=10)
    await outcome(engine.start(fetch.lazy(0)))
    first = engine.start(fetch.lazy(1))
    await until(lambda: first.status.held)
    await pass_time(clock, 10.1)
    await until(lambda: hold.came == [1])
    second = engine.start([fetch.lazy(2), fetch.lazy(3)])
    await until(lambda: second.status.held == 2)
    first.cancel(within=1)
    await pass_time(clock, 1.1)
    await outcome(first)
    await until(lambda: len(hold.came) == 2)
    assert second.status.held == 1  # the other one waits for the new probe
    hold.let_go()
    assert await second == [2, 3]
