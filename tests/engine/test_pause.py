"""Once a pause is acknowledged nothing of its scope starts, and it says so."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

import cascade_nb as cs
from cascade_nb.engine import Engine, NodeState, Phase
from cascade_nb.events import (
    ConstraintApplied,
    ConstraintLifted,
    RunFinished,
    TaskBlocked,
    TaskExecutionStarted,
)
from cascade_nb.testing import SpySubscriber, VirtualClock
from tests.engine.conftest import MakeEngine
from tests.engine.test_limits import every_lane, worker
from tests.engine.tools import Hold, finished, pass_time, started, until


@cs.task(executor="inline")
def give(x: Any = 1) -> Any:
    return x


EVERY = {"a", "b", "c", "give#1", "other"}


async def test_a_scope_in_one_run_is_about_no_other_and_stands_beside_its_like(
    engine: Engine, spy: SpySubscriber
) -> None:
    engine.pause("task:give")
    one, two = engine.start(give(1)), engine.start(give(2))
    await until(lambda: one.status.held == two.status.held == 1)
    in_one = f"{one.scope}/task:give"
    engine.pause(in_one)
    told = spy.events_of_type(ConstraintApplied)
    assert [event.scope for event in told] == ["task:give", in_one]
    assert engine.constraints.lift("task:give", exactly=True)
    assert await two == 2
    assert one.status.held == 1
    assert "give tasks in run" in str(one.why("give#1"))
    engine.resume("task:give")  # in whatever run
    assert await one == 1


@pytest.mark.parametrize(
    ("scope", "held"),
    [
        ("global", EVERY),
        ("task:give", EVERY),
        ("task:g*", EVERY),
        ("task:nothing", set()),
        ("tag:x", {"b", "c"}),
        ("tag:?", {"b", "c", "other"}),
        ("node:b", {"b", "c"}),
        ("node:give#1", {"give#1", "c"}),
        ("from:b", {"b", "c"}),
        ("from:a", {"a", "b", "c"}),
    ],
)
async def test_a_pause_holds_its_scope_and_nothing_else(
    engine: Engine, spy: SpySubscriber, scope: str, held: set[str]
) -> None:
    a = give(1).named("a")
    b = give(a).named("b").tagged("x")
    unnamed = give(5)
    c = give([b, unnamed]).named("c")
    other = give(2).named("other").tagged("y")
    engine.pause(scope)
    run = engine.start([c, other])
    free = EVERY - held
    await until(lambda: free <= set(finished(spy)))
    probe = engine.start(worker("async")(0))
    await until(lambda: probe.done() or probe.status.held)  # who could start has started by now
    assert {e for e in started(spy) if not e.startswith("work")} == free
    if held:
        engine.resume(scope)
    assert await run == [[1, 5], 2]
    assert await probe == 0


async def test_a_pause_of_one_run_leaves_the_other_alone(engine: Engine) -> None:
    hold = Hold()
    runs = [engine.start(give(worker("async", hold)(i))) for i in range(2)]
    await until(lambda: len(hold.came) == 2)
    runs[0].pause(reason="look first")
    hold.let_go()
    assert await runs[1] == 1
    await until(lambda: runs[0].status.phase is Phase.PAUSED)
    assert "look first" in runs[0].status.headline
    runs[0].resume()
    assert await runs[0] == 0


@every_lane
async def test_the_phases_of_a_pause_are_shown(
    make_engine: MakeEngine, clock: VirtualClock, lane: str
) -> None:
    engine = make_engine(clock=clock)
    hold = Hold()
    run = engine.start(give([worker(lane, hold)(i) for i in range(3)]))
    await until(lambda: len(hold.came) == 3)
    engine.pause(reason="lunch", by="Ann")
    assert run.status.headline == "Pausing… 3 finishing · 1 task held · by Ann: lunch"
    hold.let_go()
    await until(lambda: run.status.phase is Phase.PAUSED)
    await pass_time(clock, 12)
    status = run.status
    assert status.headline == ("Paused 12 s ago by Ann: lunch · 1 task held · nothing is running")
    assert status.paused_for == pytest.approx(12)
    assert (status.held, status.waiting) == (1, 0)
    assert run.states()["give#1"] is NodeState.HELD
    engine.resume()
    await run
    assert run.status.phase is Phase.SUCCEEDED


async def test_paused_time_is_neither_duration_nor_in_the_estimate(
    make_engine: MakeEngine, clock: VirtualClock
) -> None:
    engine = make_engine(clock=clock)
    spy = SpySubscriber(engine.bus)

    @cs.task
    async def nap(x: int, *after: Any) -> int:
        await clock.sleep(10)
        return x

    last = nap(3, nap(2, nap(1)))
    run = engine.start(last)
    await until(lambda: len(started(spy)) == 1)
    engine.pause()
    await pass_time(clock, 10)
    await until(lambda: run.status.phase is Phase.PAUSED)
    await pass_time(clock, 1000)
    assert run.status.elapsed == pytest.approx(10)
    assert run.status.remaining is None, "nobody knows when it is resumed"
    engine.resume()
    await until(lambda: run.status.remaining == pytest.approx(20))
    for count in (2, 3):
        await until(lambda count=count: len(started(spy)) == count)  # type: ignore[misc]
        await pass_time(clock, 10)
    await run
    assert spy.events_of_type(RunFinished)[0].duration == pytest.approx(30)


async def test_pausing_twice_is_one_pause_with_the_last_reason(engine: Engine) -> None:
    first = engine.pause("task:give", reason="one")
    second = engine.pause("task:give", reason="two")
    assert second.since == first.since
    assert [c.reason for c in engine.constraints.constraints()] == ["two"]
    assert engine.resume("task:give")
    assert await engine.run(give(1)) == 1


async def test_two_pauses_over_one_node_must_both_be_lifted(
    engine: Engine, spy: SpySubscriber
) -> None:
    engine.pause("global")
    engine.pause("task:give")
    run = engine.start(give(1))
    await until(lambda: run.status.held)
    engine.resume("global")
    await until(lambda: run.status.held)
    assert "give tasks paused" in run.why("give")[0]
    assert started(spy) == []
    engine.resume("task:give")
    assert await run == 1


@every_lane
async def test_a_pause_from_any_thread_is_exact(
    engine: Engine, spy: SpySubscriber, lane: str
) -> None:
    # Other threads pause and resume as fast as they can while hundreds of tasks start: between the
    # acknowledgement of a pause and its end there must be no start at all.
    stop = threading.Event()

    def annoy() -> None:
        while not stop.is_set():
            engine.pause("task:work")
            engine.resume("task:work")

    threads = [threading.Thread(target=annoy)]
    for thread in threads:
        thread.start()
    try:
        run = engine.start(worker(lane).map(x=list(range(300))))
        await until(run.done)
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert await run == list(range(300))
    held = False
    for event in spy.events:
        if isinstance(event, (ConstraintApplied, ConstraintLifted)):
            held = isinstance(event, ConstraintApplied)
        assert not (held and isinstance(event, TaskExecutionStarted))


async def test_a_task_may_pause_its_own_run(engine: Engine) -> None:
    @cs.task
    def stop_here() -> str:
        cs_run.pause()
        return "stopped"

    cs_run = engine.start(give(stop_here()))
    await until(lambda: cs_run.status.phase is Phase.PAUSED)
    cs_run.resume()
    assert await cs_run == "stopped"


async def test_the_short_ways_reach_every_engine_of_the_process(engine: Engine) -> None:
    cs.pause("task:give", reason="all")
    run = engine.start(give(1))
    await until(lambda: run.status.held)
    other = cs.start(give(2))
    await until(lambda: other.status.held)
    assert cs.resume("task:give")
    assert [await run, await other] == [1, 2]
    cs.limit("task:give", 1)
    cs.rate("task:give", "5/s")
    assert len(engine.constraints.constraints()) == 2
    cs.limit("task:give", None)
    cs.rate("task:give", None)
    assert engine.constraints.constraints() == []
    assert not cs.resume()


@pytest.mark.parametrize("lane", ["thread", "inline", "async"])
async def test_many_tasks_are_held_and_freed_without_keeping_the_loop(
    engine: Engine, spy: SpySubscriber, lane: str
) -> None:
    many = 30_000

    def count(values: list[int]) -> int:
        return len(values)

    async def give_async() -> int:
        return 1

    give = cs.task(name="give", executor=None if lane == "async" else lane)(
        give_async if lane == "async" else lambda: 1
    )
    engine.pause("task:give")
    run = engine.start(cs.task(count)([give() for _ in range(many)]))
    turns = 0
    await until(lambda: spy.events_of_type(TaskBlocked))
    while len(spy.events_of_type(TaskBlocked)) < many:
        turns += 1
        await asyncio.sleep(0)
    assert turns >= 3, "it looked at all of them in one go"
    assert run.status.held == many
    assert not started(spy, "give")
    engine.resume("task:give")
    assert run.status.held == 0
    assert await run == many
    assert len(started(spy, "give")) == many


@cs.task
def piece(x: int) -> int:
    return x


@cs.task(executor="inline")
def continued(n: int) -> Any:
    return [piece.lazy(n), piece.lazy(n + 1)]


@pytest.mark.parametrize("scope", ["task:piece", "global"])
@pytest.mark.parametrize("count", [1, 3])
async def test_what_continues_itself_with_what_is_held_is_counted_as_held(
    engine: Engine, scope: str, count: int
) -> None:
    # Its body is over and nothing of it runs: it is one of those that the headline speaks of.
    engine.pause("task:piece")
    run = engine.start(give([continued(n) for n in range(count)]))
    await until(lambda: run.status.held == count and not run.status.running)
    engine.pause(scope)
    status = run.status
    held = count if scope == "task:piece" else count + 1  # and what waits for them
    assert f"{held} task{'s' if held > 1 else ''} held" in status.headline
    assert status.held == held
    assert status.held + status.waiting + status.running + status.done == status.total
    engine.resume("task:piece")
    engine.resume("global")
    assert await run == [[n, n + 1] for n in range(count)]
