"""What a move frees is handed out at its end, and not only when something else happens to move."""

from __future__ import annotations

from typing import Any

import cascade_nb as cs
from cascade_nb.engine import Engine
from cascade_nb.events import TaskBlocked
from cascade_nb.testing import SpySubscriber
from tests.engine.conftest import MakeEngine
from tests.engine.tools import Hold, outcome, until
from tests.support.steps import StepExecutor


@cs.task
def first(x: Any = 1) -> Any:
    return x


@cs.task
def second(x: Any = 1) -> Any:
    return x


async def test_who_is_held_back_before_it_begins_leaves_its_slot_to_the_next(
    make_engine: MakeEngine,
) -> None:
    steps = StepExecutor(2)
    engine = make_engine(executor=steps)
    spy = SpySubscriber(engine.bus)
    engine.limit("tag:shared", 1)
    run = engine.start([first().tagged("shared"), second().tagged("shared")])
    (blocked,) = await until(lambda: spy.events_of_type(TaskBlocked))
    assert len(steps.waiting) == 1
    engine.pause(f"task:{'first' if blocked.task_name == 'second' else 'second'}")
    assert not steps.begin()  # the last look finds the pause
    assert len(steps.waiting) == 1, "its slot is free, and nobody was told"
    assert steps.begin()
    steps.end()
    run.cancel()
    await outcome(run)


async def test_a_task_that_comes_to_wait_for_a_run_leaves_its_slot_to_what_it_waits_for(
    engine: Engine, spy: SpySubscriber
) -> None:
    hold = Hold()

    @cs.task
    def outer() -> Any:
        run = engine.start(first.lazy(2))
        hold.wait()  # until what it started waits for its slot
        return run.result(30)

    engine.limit("task:*", 1)
    run = engine.start(outer())
    await until(lambda: spy.events_of_type(TaskBlocked))
    hold.let_go()
    assert await run == 2


async def test_what_stops_leaves_its_turn_to_who_stands_behind_it(make_engine: MakeEngine) -> None:
    engine = make_engine(system_resources={"gpu": 2})
    spy, hold, fails = SpySubscriber(engine.bus), Hold(), Hold()
    taken = engine.start(cs.task(name="holder")(hold.wait)().with_constraints(gpu=1))
    await until(lambda: hold.came)

    @cs.task
    def broken() -> None:
        fails.wait()
        raise ValueError("no")

    big = second(second(first().with_constraints(gpu=2)))
    # What still runs of it keeps it from its end, with which everything is handed out.
    stops = engine.start([big, broken(), cs.task(name="rests")(hold.wait)(2)])
    await until(lambda: len(hold.came) == 2 and fails.came)
    await until(lambda: spy.events_of_type(TaskBlocked))
    small = second().with_constraints(gpu=1).named("small")
    goes = engine.start([first(first(first())), small])
    await until(lambda: len(spy.events_of_type(TaskBlocked)) == 2)
    fails.let_go()
    assert await goes == [1, 1]
    hold.let_go()
    assert await outcome(stops) is not None
    await taken
