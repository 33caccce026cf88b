"""Whoever may start is told so, also when it was somebody else who gave way."""

from __future__ import annotations

import asyncio
import math
import threading
from collections.abc import Callable
from typing import Any

from cascade_nb import task
from cascade_nb.engine import Engine
from cascade_nb.errors import RunCancelledError
from cascade_nb.model.tasks.task import Task
from cascade_nb.testing import SpySubscriber, VirtualClock
from tests.engine.conftest import MakeEngine
from tests.engine.tools import PATIENCE, Hold, kinds, outcome, started, until
from tests.support.steps import StepExecutor


@task
def work(x: int = 0) -> int:
    return x


@task
def same(x: Any) -> Any:
    return x


def named(name: str, fn: Callable[..., Any]) -> Task[..., Any]:
    return task(name=name)(fn)


@task(executor="inline")
def fail() -> None:
    raise ValueError("no")


async def test_a_worker_that_was_not_needed_after_all_serves_another_run(
    make_engine: MakeEngine,
) -> None:
    # The only worker was promised to the first run; a pause takes the promise back before it is
    # kept, and the first run has nothing else for it.
    executor = StepExecutor(capacity=1)
    engine = make_engine(executor=executor, reuse=False)
    first = engine.start(work(1))
    await until(lambda: executor.waiting)
    second = engine.start(work(2))
    await until(lambda: second.status.queued)
    first.pause()
    assert not executor.begin()
    assert len(executor.waiting) == 1
    executor.begin()
    executor.end()
    assert await second == 2
    first.resume()
    await until(lambda: executor.waiting)
    while executor.step():
        pass
    assert await first == 1


async def test_a_start_that_came_too_late_gives_its_token_to_another_run(
    make_engine: MakeEngine, clock: VirtualClock
) -> None:
    executor = StepExecutor(capacity=2)
    engine = make_engine(executor=executor, clock=clock, reuse=False)
    engine.rate("global", "1/h")
    first = engine.start(work(1))
    await until(lambda: executor.waiting)
    first.cancel()
    second = engine.start(work(2))
    await until(lambda: second.status.queued)
    assert not executor.begin()
    assert executor.begin(), "the token went with the run that was cancelled"
    executor.end()
    assert await second == 2
    assert await outcome(first) is not None


async def test_a_failed_run_does_not_stand_in_the_queue_of_a_resource(
    make_engine: MakeEngine,
) -> None:
    # Its task needs all of the resource, and waits. What is left of it would do for another run,
    # which must not wait behind one that gave up, while something long still runs there.
    holder, rest = Hold(), Hold()
    engine = make_engine(system_resources={"gpu": 2}, reuse=False)
    holding = engine.start(named("holder", holder.rest)().with_constraints(gpu=1))
    await until(lambda: holder.came)
    fails = fail().after(named("first", rest.wait)())
    greedy = same(same(work(1).with_constraints(gpu=2)))
    failing = engine.start([greedy, fails, named("long", holder.rest)()])
    await until(lambda: rest.came and failing.status.queued)
    other = engine.start(same(work(3)).with_constraints(gpu=1))
    await until(lambda: other.status.queued)
    rest.let_go()
    assert await other == 3
    assert failing.failures
    assert not failing.done()
    holder.let_go()
    await holding
    assert await outcome(failing) is not None


async def test_an_inline_task_that_runs_counts_for_a_limit_that_comes_meanwhile(
    engine: Engine, spy: SpySubscriber
) -> None:
    # It needed no slot when it began, so nobody had noted it down.
    came, go = threading.Event(), threading.Event()

    @task(executor="inline")
    def small() -> int:
        came.set()
        assert go.wait(PATIENCE)
        return 1

    def elsewhere() -> None:
        assert came.wait(PATIENCE)
        engine.limit("global", 1)
        engine.resume("task:work")
        go.set()

    engine.pause("task:work")
    helper = threading.Thread(target=elsewhere)
    helper.start()
    assert await engine.run([small(), work(2)]) == [1, 2]
    helper.join()
    events = [e for e in kinds(spy.events) if e.startswith("TaskExecution")]
    assert events == [
        "TaskExecutionStarted small#1",
        "TaskExecutionFinished small#1",
        "TaskExecutionStarted work#1",
        "TaskExecutionFinished work#1",
    ]


async def test_a_limit_lowered_before_the_start_holds(
    make_engine: MakeEngine,
) -> None:
    executor = StepExecutor(capacity=3)
    engine = make_engine(executor=executor, reuse=False)
    spy = SpySubscriber(engine.bus)
    run = engine.start([work(1), work(2), work(3)])
    await until(lambda: len(executor.waiting) == 3)
    engine.limit("task:work", 1)
    begun = [executor.begin() for _ in range(3)]
    assert begun.count(True) == 1
    assert len(started(spy)) == 1
    while executor.step():
        pass
    assert await run == [1, 2, 3]


async def test_a_thread_that_cannot_be_stopped_keeps_its_slot_until_it_ends(
    make_engine: MakeEngine, clock: VirtualClock
) -> None:
    # The run is over, and its body still uses what it holds.
    stubborn = Hold()
    engine = make_engine(clock=clock, reuse=False, system_resources={"gpu": 1})
    run = engine.start(named("stubborn", stubborn.wait)().with_constraints(gpu=1))
    await until(lambda: stubborn.came)
    run.cancel()
    await until(lambda: clock.next_call < math.inf)
    clock.advance(engine.grace)
    assert isinstance(await outcome(run), RunCancelledError)
    assert run.still_running == ("stubborn",)
    other = engine.start(work(2).with_constraints(gpu=1))
    await until(lambda: other.status.queued)
    assert "stubborn" in " ".join(other.why("work"))
    stubborn.let_go()
    assert await other == 2


async def test_what_never_began_is_not_said_to_be_still_running(
    make_engine: MakeEngine, clock: VirtualClock
) -> None:
    executor = StepExecutor()
    engine = make_engine(executor=executor, clock=clock, reuse=False)
    run = engine.start(work(1))
    await until(lambda: executor.waiting)
    run.cancel()
    await until(lambda: clock.next_call < math.inf)
    clock.advance(engine.grace)
    assert isinstance(await outcome(run), RunCancelledError)
    assert run.still_running == ()
    assert not executor.begin()


def test_a_loop_that_has_stopped_is_not_waited_for() -> None:
    # The loop of an awaited run may stay open without running, as in a terminal's IPython; a run
    # that was given to it then would never begin.
    double = Task(lambda x: 2 * x, name="double")
    engine = Engine()
    loop = asyncio.new_event_loop()
    try:
        assert loop.run_until_complete(engine.run(double(1))) == 2
        assert engine.start(double(2)).result(timeout=60) == 4
    finally:
        loop.close()
        engine.close()
