"""The longest remaining path first; equal ones in the order of the graph."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import cascade_nb as cs
from cascade_nb.engine import Engine, NativeSolver
from cascade_nb.testing import SpySubscriber, VirtualClock
from tests.engine.conftest import MakeEngine
from tests.engine.tools import started


def longest_by_hand(inputs: list[list[int]], steps: list[int]) -> list[int]:
    readers: list[list[int]] = [[] for _ in inputs]
    for node, sources in enumerate(inputs):
        for source in sources:
            readers[source].append(node)
    longest = [0] * len(inputs)
    for node in reversed(range(len(inputs))):
        longest[node] = steps[node] + max((longest[r] for r in readers[node]), default=0)
    return longest


@st.composite
def graphs(draw: st.DrawFn) -> list[list[int]]:
    size = draw(st.integers(1, 20))
    return [
        draw(st.lists(st.integers(0, node - 1), max_size=3, unique=True)) if node else []
        for node in range(size)
    ]


@given(graphs())
def test_without_measured_times_the_path_is_counted_in_steps(inputs: list[list[int]]) -> None:
    ranks = NativeSolver().ranks(inputs)
    longest = longest_by_hand(inputs, [1] * len(inputs))
    assert [max(longest) - length for length in longest] == ranks


@given(graphs(), st.data())
def test_with_measured_times_the_path_is_measured_in_them(
    inputs: list[list[int]], data: st.DataObject
) -> None:
    seconds = [data.draw(st.none() | st.integers(1, 100)) for _ in inputs]
    known = [s for s in seconds if s is not None]
    mean = sum(known) / len(known) if known else 1
    steps = [round((mean if s is None else s) * 1000) for s in seconds]
    longest = longest_by_hand(inputs, steps if known else [1] * len(inputs))
    ranks = NativeSolver().ranks(inputs, seconds.__getitem__)
    assert [max(longest) - length for length in longest] == ranks


def test_an_empty_graph_has_no_ranks() -> None:
    assert list(NativeSolver().ranks([])) == []


@pytest.mark.parametrize("executor", ["inline", "async", "thread"])
async def test_the_order_is_the_same_each_time(make_engine: MakeEngine, executor: str) -> None:
    orders = set()

    def body(x: Any) -> Any:
        return x

    async def on_loop(x: Any) -> Any:
        return x

    for _ in range(5):
        engine = make_engine()
        spy = SpySubscriber(engine.bus)
        engine.limit("global", 1)
        work: Any = cs.task(executor=executor, name="work")(
            on_loop if executor == "async" else body
        )
        leaves = [work(i) for i in range(8)]
        await engine.run([work(work(leaves[5])), *[work(leaf) for leaf in leaves]])
        orders.add(tuple(started(spy)))
    assert len(orders) == 1


async def test_times_measured_in_earlier_runs_count(
    make_engine: MakeEngine, clock: VirtualClock
) -> None:
    engine = make_engine(clock=clock)
    spy = SpySubscriber(engine.bus)

    @cs.task(reuse=False)
    async def long(x: Any = 0) -> Any:
        clock.advance(60)
        return x

    @cs.task(reuse=False)
    async def short(x: Any = 0) -> Any:
        clock.advance(0.01)
        return x

    engine.limit("global", 1)
    target = [short(short(short(0))), long(0)]
    await engine.run(target)
    assert started(spy)[0].startswith("short")  # by depth, since nothing is known yet
    before = len(started(spy))
    await engine.run(target)
    assert started(spy)[before].startswith("long")


async def test_another_solver_may_be_given(make_engine: MakeEngine) -> None:
    class Backwards:
        def ranks(self, inputs: Any, seconds: Any) -> list[int]:
            return list(range(len(inputs)))[::-1]

    engine = make_engine(solver=Backwards())
    spy = SpySubscriber(engine.bus)
    engine.limit("global", 1)
    give = cs.task(executor="inline", name="give")(lambda x: x)
    await engine.run([give(i) for i in range(4)])
    assert started(spy) == ["give#4", "give#3", "give#2", "give#1"]


async def test_mapped_items_start_in_their_order(engine: Engine, spy: SpySubscriber) -> None:
    engine.limit("global", 1)
    give = cs.task(executor="inline", name="give")(lambda x: x)
    await engine.run(give.map(x=list(range(20))))
    assert started(spy) == [f"give#1[{i}]" for i in range(20)]
