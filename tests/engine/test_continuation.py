"""A task that returns a lazy value is continued by it: loops and recursion."""

from __future__ import annotations

import gc
import sys
from typing import Any

import pytest

import cascade_nb as cs
from cascade_nb.engine import Engine
from cascade_nb.errors import DependencyMissingError, TaskFailedError
from cascade_nb.graph import Node
from cascade_nb.testing import SpySubscriber
from tests.engine.test_dataflow import every_lane
from tests.engine.tools import Hold, finished, outcome, skips, started, until


@cs.task(executor="inline")
def add(*values: Any) -> Any:
    return sum(values)


@cs.task(executor="inline")
def count(n: int, until_n: int) -> Any:
    return n if n == until_n else count.lazy(n + 1, until_n)


@cs.task(executor="inline")
def fib(n: int) -> Any:
    return n if n < 2 else add.lazy(fib.lazy(n - 1), fib.lazy(n - 2))


@pytest.mark.slow
async def test_a_loop_of_100_000_steps_has_constant_depth_and_bounded_memory(
    engine: Engine,
) -> None:
    nodes: list[int] = []
    depths: list[int] = []

    @cs.task(executor="inline")
    def step(n: int) -> Any:
        if n % 25_000 == 10:
            gc.collect()
            nodes.append(sum(isinstance(o, Node) for o in gc.get_objects()))
            depths.append(_depth())
        return n if n == 100_000 else step.lazy(n + 1)

    assert await engine.run(step(0)) == 100_000
    assert len(nodes) == 4
    assert max(nodes) - min(nodes) <= 4  # objects, not seconds: no node of an earlier step is left
    assert len(set(depths)) == 1


def _depth() -> int:
    frame, deep = sys._getframe(), 0
    while frame.f_back is not None:
        frame, deep = frame.f_back, deep + 1
    return deep


@every_lane
async def test_a_loop_works_in_every_lane(engine: Engine, spy: SpySubscriber, lane: str) -> None:
    if lane == "async":

        @cs.task
        async def step(n: int) -> Any:
            return "done" if n == 200 else step.lazy(n + 1)

    else:

        @cs.task(executor=lane)
        def step(n: int) -> Any:
            return "done" if n == 200 else step.lazy(n + 1)

    assert await engine.run(step(0)) == "done"
    assert len(started(spy)) == len(finished(spy)) == 201


async def test_a_loop_through_several_tasks_and_values(engine: Engine) -> None:
    @cs.task(executor="inline")
    def collatz(n: int, steps: int) -> Any:
        if n == 1:
            return steps
        return collatz.lazy(
            half(n) if n % 2 == 0 else add.lazy(add.lazy(n, n), n, 1), add(steps, 1)
        )

    @cs.task(executor="inline")
    def half(n: int) -> int:
        return n // 2

    assert await engine.run(collatz(27, 0)) == 111


async def test_recursion_meets_in_one_value(engine: Engine) -> None:
    assert await engine.run(fib(15)) == 610


@every_lane
async def test_mapped_items_are_continued_each_for_itself(engine: Engine, lane: str) -> None:
    if lane == "async":

        @cs.task
        async def item(x: int) -> Any:
            return add.lazy(x, x) if x % 2 else count.lazy(0, x)

    else:

        @cs.task(executor=lane)
        def item(x: int) -> Any:
            return add.lazy(x, x) if x % 2 else count.lazy(0, x)

    assert await engine.run(item.map(x=[1, 2, 3, 4])) == [2, 2, 6, 4]


async def test_a_task_may_be_continued_by_a_map_a_router_or_a_parameter(engine: Engine) -> None:
    kinds: dict[str, Any] = {
        "map": add.map(x=[1]) if False else count.partial(until_n=3).map(n=[1, 2, 3]),
        "router": cs.Router(add(1), {1: add(5), 2: 0}),
        "param": cs.Param("p", default=7),
        "condition": add(3).run_if(add(1)),
    }

    @cs.task
    def choose(kind: str) -> Any:
        return kinds[kind]

    assert await engine.run([choose(kind) for kind in kinds]) == [[3, 3, 3], 5, 7, 3]


async def test_a_continuation_shares_what_the_run_has(engine: Engine, spy: SpySubscriber) -> None:
    base = add(1, 2).named("base")

    @cs.task
    def more(x: int) -> Any:
        return add.lazy(base, x)

    assert await engine.run([more(base), more(base), base]) == [6, 6, 3]
    assert started(spy).count("base") == 1


async def test_what_was_pruned_runs_after_all_when_a_task_asks_for_it(
    engine: Engine, spy: SpySubscriber
) -> None:
    unchosen = add(5).named("unchosen")
    router = cs.Router(add(1), {1: add(2), 2: unchosen})

    @cs.task
    def more(x: int) -> Any:
        return add.lazy(unchosen, x)

    assert await engine.run(more(router)) == 7
    assert skips(spy)["unchosen"] == "Pruned"


async def test_what_failed_or_was_skipped_stands_for_whoever_asks_for_it_later(
    engine: Engine, spy: SpySubscriber
) -> None:
    @cs.task
    def broken() -> None:
        raise ValueError("no")

    bad, gone = broken(), add(1).run_if(False)

    @cs.task
    async def more(what: str) -> Any:
        await until(lambda: spy_run.failures)
        return add({"bad": bad, "gone": gone}[what])

    spy_run = engine.start([bad, gone, more("bad"), more("gone")], on_error="continue")
    await outcome(spy_run)
    assert [failure.task for failure in spy_run.failures] == ["broken"]  # once
    assert skips(spy)["more#1"] == "UpstreamFailed"
    assert skips(spy)["more#2"] == "UpstreamSkipped"


async def test_what_waits_for_a_task_gets_what_continues_it(engine: Engine) -> None:
    assert await engine.run(add(count(0, 10), add(count(0, 5)))) == 15


@pytest.mark.parametrize("mapped", [False, True])
async def test_a_continuation_that_fails_fails_the_run_with_its_cause(
    engine: Engine, mapped: bool
) -> None:
    @cs.task
    def broken() -> None:
        raise ValueError("no")

    @cs.task
    def start(x: int) -> Any:
        return add.lazy(broken.lazy())

    target = start.map(x=[1]) if mapped else start(1)
    with pytest.raises(TaskFailedError, match=r"because broken failed: ValueError: no") as caught:
        await engine.run(target)
    assert caught.value.target == ("map(start)" if mapped else "start")


@pytest.mark.parametrize("mapped", [False, True])
async def test_a_continuation_that_is_skipped_skips_who_it_continues(
    engine: Engine, spy: SpySubscriber, mapped: bool
) -> None:
    @cs.task
    def start(x: int) -> Any:
        return add.lazy(x).run_if(False)

    target = start.map(x=[1, 2]) if mapped else start(1)
    label = r"map\(start\)" if mapped else "start"
    with pytest.raises(DependencyMissingError, match=rf"{label} was skipped: add was skipped: its"):
        await engine.run(target)
    assert set(skips(spy).values()) == {"ConditionFalse", "UpstreamSkipped"}


async def test_a_failed_continuation_fails_only_its_own_item(
    engine: Engine, spy: SpySubscriber
) -> None:
    @cs.task
    def broken(x: int) -> None:
        raise ValueError(x)

    @cs.task
    def item(x: int) -> Any:
        return broken.lazy(x) if x == 2 else add.lazy(x)

    run = engine.start(item.map(x=[1, 2, 3]), on_error="continue")
    assert isinstance(await outcome(run), TaskFailedError)
    assert {f"item#1[{i}]" for i in (0, 2)} <= set(finished(spy))
    assert skips(spy) == {"item#1[1]": "UpstreamFailed", "item#1": "UpstreamFailed"}


async def test_constraints_reach_what_a_task_adds(engine: Engine, spy: SpySubscriber) -> None:
    hold = Hold()

    @cs.task
    async def first() -> Any:
        await hold.rest()
        return add.lazy(1, 2)

    engine.start(add(1))
    run = engine.start(first().named("loop"))
    await until(lambda: hold.came)
    engine.pause("node:loop")
    hold.let_go()
    await until(lambda: run.status.phase.value == "running" and run.status.running == 0)
    await until(lambda: any("held" in line or "paused" in line for line in run.why("loop")))
    engine.resume("node:loop")
    assert await run == 3


async def test_a_step_that_names_itself_again_is_found_by_its_name(engine: Engine) -> None:
    @cs.task(executor="inline")
    def step(n: int) -> Any:
        return n if n == 50 else step.lazy(n + 1).named("step").tagged("loop")

    engine.limit("tag:loop", 1)
    assert await engine.run(step(0)) == 50


async def test_a_continuation_obeys_retry_and_timeout_of_its_own(engine: Engine) -> None:
    tries: list[int] = []

    @cs.task
    async def flaky() -> int:
        tries.append(1)
        if len(tries) < 3:
            raise OSError("not yet")
        return 3

    @cs.task
    async def start() -> Any:
        return flaky.lazy().with_retry(3)

    assert await engine.run(start()) == 3


async def test_a_task_that_returns_itself_as_it_waits_is_refused(engine: Engine) -> None:
    @cs.task
    async def again() -> Any:
        return target

    target = again()
    error = await outcome(engine.start(target))
    assert isinstance(error, TaskFailedError)
    assert "again" in str(error)
