"""Tasks that return lazy values: what they return is run in their place, once, and to its end."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from cascade_nb import task
from cascade_nb.engine import Engine
from cascade_nb.errors import CycleError, TaskFailedError
from cascade_nb.events import TaskExecutionStarted
from cascade_nb.model.lazy.lazy import Lazy
from cascade_nb.testing import SpySubscriber
from tests.engine.tools import PATIENCE, Hold, finished, outcome, until


@task(executor="inline")
def add(x: Any, y: Any = 1) -> int:
    return int(x + y)


async def test_each_step_of_a_loop_has_all_its_attempts(engine: Engine) -> None:
    # A step takes the place of an earlier one, but must not inherit the attempts it had used up.
    tries: dict[int, int] = {}

    @task(executor="inline")
    def step(n: int) -> Any:
        tries[n] = tries.get(n, 0) + 1
        if tries[n] < 3:
            raise ValueError(f"{n} is not ready")
        return step.lazy(n - 1).with_retry(3) if n else "landed"

    assert await engine.run(step(5).with_retry(3)) == "landed"
    assert tries == dict.fromkeys(range(6), 3)


async def test_each_step_of_a_loop_needs_what_it_says(make_engine: Any) -> None:
    # … nor the amounts of resources that the earlier one had asked for.
    engine = make_engine(system_resources={"gpu": 9}, reuse=False)
    free: list[float] = []

    @task(executor="inline")
    def step(n: int) -> Any:
        free.append(engine.constraints.pools["gpu"].free)
        return step.lazy(n - 1).with_constraints(gpu=n) if n else "landed"

    assert await engine.run(step(4)) == "landed"
    assert free == [9, 5, 6, 7, 8]


async def test_steps_that_take_one_place_have_ids_of_their_own(
    engine: Engine, spy: SpySubscriber
) -> None:
    @task(executor="inline")
    def step(n: int) -> Any:
        return step.lazy(n - 1) if n else "landed"

    assert await engine.run(step(20)) == "landed"
    starts = [(e.task_id, e.attempt) for e in spy.events_of_type(TaskExecutionStarted)]
    assert len(set(starts)) == 21


async def test_a_task_that_returns_itself_fails_instead_of_waiting_for_ever(
    engine: Engine, spy: SpySubscriber
) -> None:
    known: list[Lazy] = []

    @task(executor="inline")
    def tail() -> Any:
        return add(known[0])

    known.append(tail())
    with pytest.raises(TaskFailedError, match="tail needs itself: tail → add → tail") as caught:
        await engine.run(known[0])
    assert isinstance(caught.value.__cause__, CycleError)
    assert finished(spy, "failed") == ["tail#1"]


async def test_an_item_that_returns_its_own_map_fails(engine: Engine) -> None:
    known: list[Lazy] = []

    @task(executor="inline")
    def part(x: int) -> Any:
        return add(1, known[0]) if x else 0

    known.append(part.map(x=[0, 1]))
    with pytest.raises(TaskFailedError, match="needs itself"):
        await engine.run(known[0])


async def test_two_tasks_may_return_the_same_lazy_value(engine: Engine) -> None:
    # It is continued in its turn; whoever had it first must not take its result from the other.
    hold = Hold()

    @task
    async def slow() -> Any:
        await hold.rest()
        return add.lazy(41)

    shared = slow()

    @task(executor="inline")
    def part(x: int) -> Any:
        return shared

    run = engine.start(part.map(x=[1, 2, 3]))
    await until(lambda: hold.came)
    hold.let_go()
    assert await run == [42, 42, 42]
    assert len(hold.came) == 1


async def test_a_cancelled_run_tells_the_end_of_what_was_to_be_continued(
    engine: Engine, spy: SpySubscriber
) -> None:
    forever = Hold()

    @task(executor="inline")
    def first() -> Any:
        return task(name="rest")(forever.rest).lazy()

    run = engine.start(first())
    await until(lambda: forever.came)
    run.cancel()
    await outcome(run)
    assert sorted(finished(spy, "cancelled")) == ["first#1", "rest#2"]
    await asyncio.sleep(0)


async def test_what_a_skipped_continuation_sets_free_starts(engine: Engine) -> None:
    # It was over long before it was returned, so nothing else will come and start what is ready.
    never = add(1).run_if(False)

    @task(executor="inline")
    def give_up() -> Any:
        return never

    @task
    def go_on(a: Any = 5, b: Any = 6) -> tuple[Any, Any]:
        return a, b

    assert await asyncio.wait_for(engine.run(go_on(never, give_up())), PATIENCE) == (5, 6)


async def test_a_skip_is_remembered_when_nobody_reads_it_any_more(engine: Engine) -> None:
    never = add(1).run_if(False)

    @task(executor="inline")
    def with_default(x: Any = 7) -> Any:
        return x

    @task(executor="inline")
    def again(first: Any) -> Any:
        return with_default(never)

    assert await engine.run(again(with_default(never))) == 7
