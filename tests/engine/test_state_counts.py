"""What is counted by changes is what counting everything anew would give."""

from __future__ import annotations

import asyncio
import sys
from collections import Counter
from collections.abc import Callable
from types import FrameType
from typing import Any

import pytest

import cascade_nb as cs
from cascade_nb.engine import Engine
from cascade_nb.engine.core.task_groups import TaskGroups
from cascade_nb.engine.observing.state_counts import StateCounts
from cascade_nb.engine.observing.status import NodeState
from cascade_nb.errors import RunError, RunFailures
from tests.engine.test_dataflow import every_lane, task_for
from tests.engine.tools import outcome, until


@cs.task
def give(x: int) -> int:
    return x


def target(lane: str) -> Any:
    """Everything that counts in a way of its own: maps, skips, failures, retries, continuations."""
    tries: list[int] = []

    def give(x: Any = 1) -> Any:
        return x

    def fail(x: Any = 1) -> Any:
        raise ValueError("no")

    def flaky() -> Any:
        tries.append(1)
        if len(tries) < 3:
            raise OSError("not yet")
        return 3

    def go_on(x: int) -> Any:
        return done.lazy(go_on_task.lazy(x - 1)) if x else 0

    done = task_for(lane, give)
    failing = task_for(lane, fail)
    go_on_task = task_for(lane, go_on)
    mapped = done.map(x=done([1, 2, 3]))
    skipped = done(4).run_if(done(0))
    return [
        mapped,
        done.map(x=[]),
        failing.map(x=[1, 2]),
        done(skipped),
        cs.Router(done("a"), {"a": done(5), "b": done(6)}),
        task_for(lane, flaky)().with_retry(5, delay=0.002),
        go_on_task(3),
        cs.Param("p", default=2),
        done(cs.Param("q", default=3)),
        done(failing(7)),
    ]


@every_lane
@pytest.mark.parametrize("held", [False, True])
async def test_counting_by_changes_and_counting_anew_agree(
    engine: Engine, lane: str, held: bool
) -> None:
    run = engine.start(target(lane), on_error="continue")
    looks = 0
    while not run.done():
        await asyncio.sleep(0)
        if held and looks < 200:
            (engine.resume if looks % 2 else engine.pause)(f"task:{'give' if looks % 3 else '*'}")
            engine.limit("task:give", (0, 1, None)[looks // 2 % 3])
        elif held:
            engine.limit("task:give", None)
            engine.resume("task:give")
            engine.resume("task:*")
        view = run._observer._view
        if view is not None:
            with view.lock:  # type: ignore[attr-defined]
                anew = StateCounts(view)
                anew.catch_up()
                by_changes = run._observer._kinds()
                assert by_changes == anew.kinds()
                mapped = list(view.core.grown)
                state_counts = run._observer._state_counts
                assert state_counts is not None
                assert [state_counts.items(i) for i in mapped] == [anew.items(i) for i in mapped]
                assert sum(sum(c.values()) for c in by_changes.values()) == _naive(view)
        looks += 1
    with pytest.raises((RunError, RunFailures)):
        await run
    status = run.status
    assert status.running == status.waiting == status.queued == status.held == 0
    counts: Counter[NodeState] = Counter()
    for of_one in run._observer._kinds().values():
        counts.update(of_one)
    assert counts[NodeState.FAILED] == status.failed
    assert status.total == sum(counts.values())


def _naive(view: Any) -> int:
    """How many nodes count: all work of the graph, a mapped node as its items once it has them."""
    grown = view.core.grown
    return sum(
        grown[node.index].count if node.index in grown else 1
        for node in view.core.graph.nodes
        if node.task is not None
    )


async def test_what_was_there_from_the_start_counts_as_reused(engine: Engine) -> None:
    # Nothing in the log of changes says it.
    @cs.task
    def give(x: int) -> int:
        return x

    target = [give(n).named(f"n{n}") for n in range(3)]
    await engine.run(target[:2])
    run = engine.start(target)
    await run
    assert (run.status.reused, run.status.done, run.status.total) == (2, 1, 3)


async def test_who_looks_before_it_begins_is_told_of_what_is_there_from_the_start(
    engine: Engine,
) -> None:
    @cs.task
    def give(x: int) -> int:
        return x

    def made() -> list[Any]:
        return [give(n).named(f"n{n}") for n in range(3)]

    await engine.run(made()[:2])
    run = engine.start([*made(), give(cs.Param("p", default=7))])
    version, told = run.changed_since(-1)
    assert set(told.values()) == {NodeState.WAITING}
    assert len(told) == 5
    assert run.changed_since(version) == (version, {})  # nothing twice, however large the graph
    await run
    told |= run.changed_since(version)[1]
    assert {run.graph.nodes[index].id: state for index, state in told.items()} == run.states()
    assert Counter(told.values()) == {NodeState.REUSED: 2, NodeState.DONE: 3}


@every_lane
async def test_counting_all_at_once_at_the_end_agrees_with_counting_as_it_went(
    engine: Engine, lane: str
) -> None:
    give = task_for(lane, lambda x: x)
    fail = task_for(lane, lambda x: 1 // x)

    def target() -> Any:
        items = give.map(x=[1, 2, 3])
        return [
            items.named("items"),
            give.map(x=items),
            give.map(x=[]),
            fail.map(x=[1, 0, 2]),
            give(give(1).run_if(give(0))),
            give(cs.Param("p", default=7)),
        ]

    for fresh in (True, False):
        run = engine.start(target(), on_error="continue", fresh=fresh)
        with pytest.raises((RunError, RunFailures)):
            await run
        view = run._observer._view
        assert view is not None
        at_once, by_changes = StateCounts(view), StateCounts(view)
        assert at_once._count_plain()
        by_changes._count_plain = lambda: False  # type: ignore[method-assign]
        by_changes.catch_up()
        assert at_once.kinds() == by_changes.kinds()
        every = range(len(run.graph))
        assert at_once.states(every) == by_changes.states(every)
        assert [at_once.items(i) for i in every] == [by_changes.items(i) for i in every]


async def test_a_finalizer_that_asks_in_the_middle_of_counting_does_not_spoil_it(
    engine: Engine,
) -> None:
    run = engine.start([give.map(x=list(range(n))) for n in range(1, 4)])
    await run
    view = run._observer._view
    assert view is not None
    alone, asked = StateCounts(view), StateCounts(view)
    for counts in (alone, asked):
        counts._count_plain = lambda: False  # type: ignore[method-assign]
    alone.catch_up()

    def ask(frame: FrameType, event: str, argument: Any) -> None:
        if event == "call" and frame.f_code.co_name == "_waiting":
            asked.catch_up()

    sys.setprofile(ask)
    try:
        asked.catch_up()
    finally:
        sys.setprofile(None)
    assert asked.kinds() == alone.kinds()


async def test_a_look_at_a_run_costs_the_same_however_many_nodes_are_held_with_a_name_of_their_own(
    engine: Engine,
) -> None:
    give = task_for("thread", lambda x: x)

    async def calls_of_a_look(nodes: int) -> int:
        targets = [
            give(n).named(f"n{n}").tagged("all").with_timeout(60).pause_before()
            for n in range(nodes)
        ]
        run = engine.start(targets)
        await until(lambda: run.status.held == nodes)
        calls = 0

        def count(frame: FrameType, event: str, arg: object) -> None:
            nonlocal calls
            calls += event in ("call", "c_call")

        before = sys.getprofile()
        sys.setprofile(count)
        try:
            assert run.status.held == nodes
        finally:
            sys.setprofile(before)
        run.cancel()
        await outcome(run)
        return calls

    few, many = await calls_of_a_look(10), await calls_of_a_look(300)
    assert many < few + 100


@cs.task
def given(n: int) -> int:
    return n


def above(limit: int) -> Callable[[dict[str, Any]], object]:
    return lambda inputs: inputs["n"] > limit


@pytest.mark.parametrize(
    ("ask", "kinds"),
    [
        (lambda call, n: call.with_retry(3, delay=1, on=(OSError,)), 1),
        (lambda call, n: call.with_retry(3, delay=n), 3),
        (lambda call, n: call.with_retry(3, on=(OSError, (KeyError, ValueError, TypeError)[n])), 3),
        (lambda call, n: call.with_cache(ttl="1d", files=("a.csv",)), 1),
        (lambda call, n: call.with_cache(files=(f"{n}.csv",)), 3),
        (lambda call, n: call.with_constraints(gpu=1, memory=float("0.5")), 1),
        (lambda call, n: call.with_constraints(gpu=n + 1), 3),
        (lambda call, n: call.with_constraints(gpu=given.lazy(n)), 4),  # and that of those
        (lambda call, n: call.pause_before(pause_if=lambda inputs: inputs["n"] > 1), 1),
        (lambda call, n: call.pause_before(pause_if=above(n)), 3),
        (lambda call, n: call.pause_before(pause_if=lambda inputs, n=n: inputs["n"] > n), 3),
    ],
)
def test_calls_that_each_ask_anew_for_the_same_are_of_one_kind(
    ask: Callable[[Any, int], Any], kinds: int
) -> None:
    graph = cs.build_graph([ask(given.lazy(n), n) for n in range(3)])
    assert len(TaskGroups("run", graph).all) == kinds
