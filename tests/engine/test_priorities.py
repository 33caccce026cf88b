"""The highest priority first: among the nodes of a run, and among runs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import cascade_nb as cs
from cascade_nb.engine import Engine
from cascade_nb.engine.core.priorities import level_of, node_level, run_level, with_levels
from cascade_nb.executors import LocalExecutor, ProcessExecutor
from cascade_nb.graph import from_json, to_json
from cascade_nb.testing import SpySubscriber
from tests.engine.conftest import MakeEngine
from tests.engine.tools import started, until

EXECUTORS = ("inline", "async", "thread", "processes")


def body(x: Any = None, *more: Any) -> Any:
    return x


async def on_loop(x: Any = None, *more: Any) -> Any:
    return x


def task_on(executor: str, name: str, **options: Any) -> Any:
    function: Any = on_loop if executor == "async" else body
    return cs.task(executor=executor, name=name, reuse=False, **options)(function)


def holds(run: cs.Run, count: int) -> bool:
    return run.status.held == count


@pytest.fixture
def one_place(make_engine: MakeEngine) -> Callable[[str], Engine]:
    """Makes an engine where one node runs at a time, by limit only where nothing else does it."""

    def make(executor: str) -> Engine:
        if executor == "processes":
            return make_engine(executor=ProcessExecutor(1))
        engine = make_engine(executor=LocalExecutor(1))
        if executor == "async":
            engine.limit("global", 1)
        return engine

    return make


@pytest.mark.parametrize("executor", EXECUTORS)
async def test_the_higher_starts_first(one_place: Callable[[str], Engine], executor: str) -> None:
    engine = one_place(executor)
    spy = SpySubscriber(engine.bus)
    plain, important = task_on(executor, "plain"), task_on(executor, "important", priority=2)
    last = task_on(executor, "last", priority=-1)
    # The longest way would come first, and what comes last is still done.
    chain = plain(plain(plain()).named("a")).named("b")
    await engine.run(
        [last(0).named("z"), chain, important().named("i"), plain().with_priority(3).named("top")]
    )
    names = started(spy)
    assert names[:2] == ["top", "i"]
    assert names[-1] == "z"
    assert len(names) == 6


@pytest.mark.parametrize("executor", EXECUTORS)
async def test_a_run_with_a_higher_priority_comes_before_another(
    one_place: Callable[[str], Engine], executor: str
) -> None:
    engine = one_place(executor)
    spy = SpySubscriber(engine.bus)
    work = task_on(executor, "work")
    engine.pause()

    async def begin(name: str, priority: int | None) -> cs.Run:
        # What is said of a task counts within its run only.
        first = [work(i).named(f"{name}{i}").with_priority(9 if name == "low" else 1) for i in (0,)]
        run = engine.start(
            first + [work(i).named(f"{name}{i}") for i in range(1, 5)], priority=priority
        )
        await until(lambda: run.status.held == 5)
        return run

    runs = [await begin(*one) for one in (("low", -3), ("usual", None), ("high", 7))]
    engine.resume()
    await asyncio.gather(*runs)
    order = [name.rstrip("01234") for name in started(spy)]
    assert order == ["high"] * 5 + ["usual"] * 5 + ["low"] * 5


async def test_what_is_behind_a_pause_lets_the_other_run_pass(make_engine: MakeEngine) -> None:
    # The other run's comes before what this run has behind its held first.
    engine = make_engine(executor=LocalExecutor(1))
    spy = SpySubscriber(engine.bus)
    work = task_on("thread", "work")
    engine.pause("tag:all")
    high = [work().named("kept").with_priority(5).tagged("kept"), work().named("later")]
    runs = [
        engine.start([one.tagged("all") for one in high]),
        engine.start(work().named("between").with_priority(3).tagged("all")),
    ]
    for run, count in zip(runs, (2, 1), strict=True):
        await until(partial(holds, run, count))
    engine.pause("tag:kept")
    engine.resume("tag:all")
    await until(lambda: len(started(spy)) == 2)
    assert started(spy) == ["between", "later"]
    engine.resume("tag:kept")
    await asyncio.gather(*runs)


async def test_a_limit_lets_the_higher_pass_first(engine: Engine, spy: SpySubscriber) -> None:
    work = task_on("async", "work")
    engine.limit("task:work", 0)
    runs = []
    for priority in (0, 4, -4, 9):
        runs.append(engine.start(work().named(f"p{priority}"), priority=priority))
        await until(lambda: runs[-1].status.queued == 1)
    engine.limit("task:work", 1)
    await asyncio.gather(*runs)
    assert started(spy) == ["p9", "p4", "p0", "p-4"]


async def test_what_an_important_one_needs_is_as_important(make_engine: MakeEngine) -> None:
    engine = make_engine(executor=LocalExecutor(1))
    spy = SpySubscriber(engine.bus)
    load = task_on("thread", "load")
    shared = load().named("shared")
    background = load(load().named("of_last")).with_priority(-2).named("last")
    engine.pause()
    run = engine.start(
        [load(load().named("x")), background, load(load(shared)).with_priority(1).named("wanted")]
    )
    await until(lambda: run.status.phase.value == "paused")
    engine.resume()
    await run
    order = started(spy)
    assert order[0] == "shared"
    assert order.index("wanted") == 2
    assert order[-2:] == ["of_last", "last"]


async def test_items_and_what_a_body_returns_have_it_too(make_engine: MakeEngine) -> None:
    engine = make_engine(executor=LocalExecutor(1))
    spy = SpySubscriber(engine.bus)
    work = task_on("thread", "work")

    @cs.task(reuse=False)
    def fan_out() -> Any:
        return [work.lazy(0).named("grown"), work.lazy(1).with_priority(9).named("first")]

    await engine.run(
        [work(7).named("plain"), fan_out().with_priority(2), work.map(x=[1, 2]).with_priority(1)]
    )
    order = started(spy)
    assert order[0].startswith("fan_out")
    assert [name.split("#")[0] for name in order[1:3]] == ["first", "grown"]
    assert order[-1] == "plain"


async def test_a_run_inside_of_a_task_has_its_priority(make_engine: MakeEngine) -> None:
    engine = make_engine(executor=LocalExecutor(1))
    spy = SpySubscriber(engine.bus)
    work = task_on("async", "work")
    engine.limit("task:work", 0)

    @cs.task(reuse=False)
    async def outer(name: str, own: int | None = None) -> Any:
        return await engine.run(work.lazy().named(name), priority=own)

    run = engine.start(
        [outer("low"), outer("high").with_priority(3), outer("highest", 1), outer("own", -1)]
    )
    await until(lambda: sum(r.status.queued for r in engine.runs if r.depth) == 4)
    engine.limit("task:work", 1)
    await run
    assert started(spy, "work") == ["highest", "high", "low", "own"]


async def test_it_is_no_part_of_what_a_result_stands_on(engine: Engine, spy: SpySubscriber) -> None:
    @cs.task
    def once() -> int:
        return 1

    for lazy, priority in ((once(), None), (once().with_priority(5), None), (once(), -5)):
        await engine.run(lazy, priority=priority)
    assert len(started(spy)) == 1


def test_a_graph_keeps_it_as_json() -> None:
    graph = cs.build_graph(cs.sequence(double(1).with_priority(-7)))
    loaded = from_json(to_json(graph))
    assert [node.options.priority for node in loaded.nodes] == [
        node.options.priority for node in graph.nodes
    ]
    assert -7 in [node.options.priority for node in loaded.nodes]


@cs.task
def double(x: int) -> int:
    return 2 * x


@st.composite
def said_graphs(draw: st.DrawFn) -> tuple[list[list[int]], list[int | None]]:
    size = draw(st.integers(1, 12))
    inputs = [
        draw(st.lists(st.integers(0, node - 1), max_size=3, unique=True)) if node else []
        for node in range(size)
    ]
    return inputs, [draw(st.none() | st.integers(-3, 3)) for _ in range(size)]


@given(said_graphs(), st.integers(-2, 2))
def test_what_is_said_counts_and_else_the_highest_of_what_needs_it(
    graph: tuple[list[list[int]], list[int | None]], run: int
) -> None:
    inputs, said = graph
    within = run_level(run)

    def by_hand(node: int) -> int:
        own = said[node]
        if own is not None:
            return node_level(own, within)
        readers = [other for other in range(len(inputs)) if node in inputs[other]]
        return max(map(by_hand, readers), default=within)

    solved = list(range(len(inputs)))
    ranks = with_levels(solved, inputs, said, within)
    expected = sorted(solved, key=lambda node: (-by_hand(node), node))
    assert sorted(solved, key=ranks.__getitem__) == expected
    assert [level_of(rank) for rank in ranks] == [by_hand(node) for node in solved]


@given(st.integers(-1000, 1000), st.integers(-1000, 1000), st.integers(-1000, 1000))
def test_a_priority_of_a_run_is_above_all_those_in_it(run: int, node: int, other: int) -> None:
    assert node_level(other, node_level(node, run_level(run))) == node_level(other, run_level(run))
    if run < 1000:
        assert node_level(node, run_level(run)) < node_level(other, run_level(run + 1))
