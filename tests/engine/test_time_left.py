"""When a run will be over: an estimate that is right for simple shapes, and none where nobody can
know.
"""

from __future__ import annotations

import math
from heapq import heappop, heappush
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import cascade_nb as cs
from cascade_nb.engine import Run
from cascade_nb.engine.timing.estimate import Lane, Work, time_left
from cascade_nb.errors import RunCancelledError
from cascade_nb.testing import VirtualClock
from tests.engine.conftest import MakeEngine
from tests.engine.tools import Hold, pass_time, until


def in_order(works: list[Work], places: int) -> float:
    """What the works take where whatever may begin does, the longest way first."""
    after = [0.0] * len(works)
    for i in range(len(works) - 1, -1, -1):
        for source in works[i].sources:
            after[source] = max(after[source], after[i] + works[i].seconds)
    pieces = [work.pieces for work in works]
    over = [False] * len(works)
    running: list[tuple[float, int]] = []
    left = list(pieces)
    now = 0.0
    while not all(over) or running:
        ready = [
            i
            for i, work in enumerate(works)
            if left[i] and all(over[source] for source in work.sources)
        ]
        ready.sort(key=lambda i: -after[i] - works[i].seconds)
        for i in ready:
            while left[i] and len(running) < places:
                left[i] -= 1
                heappush(running, (now + works[i].seconds, i))
        if not running:
            break
        now, i = heappop(running)
        pieces[i] -= 1
        over[i] = pieces[i] == 0
    return now


nodes = st.lists(
    st.tuples(st.sets(st.integers(0, 9)), st.integers(1, 8), st.integers(1, 5), st.integers(0, 2)),
    max_size=10,
)


def works_of(made: list[tuple[set[int], int, int, int]], lanes: tuple[int, ...]) -> list[Work]:
    return [
        Work(tuple(i for i in sorted(reads) if i < place), float(took), pieces, lanes, group)
        for place, (reads, took, pieces, group) in enumerate(made)
    ]


@given(nodes, st.integers(1, 4))
def test_it_is_never_more_than_a_run_takes_and_never_less_than_half_of_it(
    made: list[tuple[set[int], int, int, int]], places: int
) -> None:
    works = works_of(made, (0,))
    told, taken = time_left(works, [Lane(places)]), in_order(works, places)
    assert 0 <= told <= taken + 1e-9
    assert taken <= 2 * told + 1e-9


@given(nodes, st.integers(1, 4), st.integers(1, 4))
def test_a_second_limit_makes_nothing_shorter(
    made: list[tuple[set[int], int, int, int]], places: int, limit: int
) -> None:
    one = time_left(works_of(made, (0,)), [Lane(places)])
    both = time_left(works_of(made, (0, 1)), [Lane(places), Lane(limit)])
    assert both >= one - 1e-9
    assert both == pytest.approx(time_left(works_of(made, (0,)), [Lane(min(places, limit))]))


@given(st.lists(st.integers(1, 9), min_size=1, max_size=8), st.integers(1, 4))
def test_of_a_chain_it_is_the_sum(seconds: list[int], places: int) -> None:
    chain = [Work((i - 1,) if i else (), float(s), 1, (0,)) for i, s in enumerate(seconds)]
    assert time_left(chain, [Lane(places)]) == sum(seconds)


@given(st.integers(1, 40), st.integers(1, 5), st.integers(1, 9), st.integers(0, 5))
def test_of_fans_and_maps_between_two_nodes_it_is_what_their_rounds_take(
    count: int, places: int, seconds: int, ends: int
) -> None:
    ideal = 2 * ends + math.ceil(count / places) * seconds
    first = Work((), float(ends), 1, (0,), 1)
    last = Work(tuple(range(1, count + 1)), float(ends), 1, (0,), 3)
    fan = [first, *(Work((0,), float(seconds), 1, (0,), 2) for _ in range(count)), last]
    assert time_left(fan, [Lane(places)]) == pytest.approx(ideal)
    mapped = [first, Work((0,), float(seconds), count, (0,), 2), last._replace(sources=(1,))]
    assert time_left(mapped, [Lane(places)]) == pytest.approx(ideal)


def test_without_a_limit_it_is_the_longest_way_and_with_one_of_rate_what_that_lets_begin() -> None:
    fan = [Work(seconds=4.0, pieces=11, lanes=(0,))]
    assert time_left(fan, [Lane()]) == 4
    assert time_left(fan, [Lane(gap=2.0)]) == 24
    assert time_left([], [Lane()]) == 0


def left(run: Run) -> float | None:
    return run.status.remaining


async def test_of_a_chain_that_runs_it_is_what_is_left_and_none_while_it_is_held(
    make_engine: MakeEngine, clock: VirtualClock
) -> None:
    engine = make_engine(clock=clock)
    came: list[int] = []

    @cs.task
    async def nap(x: int, *after: Any) -> int:
        came.append(x)
        await clock.sleep(10)
        return x

    value: Any = nap(0)
    for i in range(1, 5):
        value = nap(i, value)
    run = engine.start(value)
    await until(lambda: len(came) == 1)
    assert left(run) is None, "nothing of it was ever measured"
    await pass_time(clock, 10)
    await until(lambda: len(came) == 2)
    await until(lambda: left(run) == pytest.approx(40))
    await pass_time(clock, 4)
    await until(lambda: left(run) == pytest.approx(36))
    run.pause()
    await until(lambda: left(run) is None)  # an estimate stands for as long as it is worth
    run.resume()
    await until(lambda: left(run) == pytest.approx(36))
    run.pause("task:nap")
    await until(lambda: left(run) is None)
    run.resume("task:nap")
    while not run.done():
        await pass_time(clock, 2)
    assert left(run) is None
    # What one run has measured the next one knows from the beginning.
    again = engine.start(nap(9))
    await until(lambda: len(came) == 6)
    await until(lambda: left(again) == pytest.approx(10))
    while not again.done():
        await pass_time(clock, 10)


async def test_a_limit_counts_and_so_do_the_items_that_a_map_will_have(
    make_engine: MakeEngine, clock: VirtualClock
) -> None:
    engine = make_engine(clock=clock)
    hold = Hold()

    @cs.task
    async def first(i: int) -> int:
        await clock.sleep(10)
        return i

    @cs.task
    async def second(x: int) -> int:
        await clock.sleep(10)
        return x

    @cs.task
    async def ready() -> int:
        await hold.rest()
        return 1

    async def over(run: Run) -> None:
        while not run.done():
            await pass_time(clock, 5)

    hold.let_go()
    await over(engine.start(second(first(1))))
    # Each item of a map of a map's items is counted, though there is none of them yet.
    run = engine.start(second.map(x=first.map(i=[1, 2, 3, 4, 5, 6])))
    await until(lambda: run.status.running == 6)
    await until(lambda: left(run) == pytest.approx(20))
    run.limit("task:second", 2)
    await until(lambda: left(run) == pytest.approx(40))
    run.limit("task:second", 0)
    await until(lambda: left(run) is None)
    run.limit("task:second", 3)
    await until(lambda: left(run) == pytest.approx(30))
    engine.resume("task:second")
    await over(run)


async def test_an_attempt_that_is_to_be_made_again_counts_with_its_wait(
    make_engine: MakeEngine, clock: VirtualClock
) -> None:
    engine = make_engine(clock=clock)
    failed: list[int] = []

    @cs.task
    async def fetch(i: int) -> int:
        await clock.sleep(10)
        if i == 1 and not failed:
            failed.append(i)
            raise ConnectionError("away")
        return i

    @cs.task
    async def total(xs: list[int]) -> int:
        await clock.sleep(10)
        return sum(xs)

    fetched = fetch.map(i=[0, 1, 2]).with_retry(max_attempts=2, delay=100)
    run = engine.start(total(fetched))
    await until(lambda: run.status.running == 3)
    await pass_time(clock, 10)
    await until(lambda: run.status.retries)
    await until(lambda: left(run) == pytest.approx(100 + 10 + 10))
    while not run.done():
        await pass_time(clock, 10)


async def test_of_many_nodes_it_is_made_beside_the_loop(
    make_engine: MakeEngine, clock: VirtualClock
) -> None:
    engine = make_engine(clock=clock)

    @cs.task
    async def nap(x: int, *after: Any) -> int:
        await clock.sleep(1)
        return x

    @cs.task
    async def gather(*values: int) -> int:
        return len(values)

    async def over(run: Run) -> None:
        while not run.done():
            await pass_time(clock, 1)

    await over(engine.start(gather(nap(1))))
    run = engine.start(gather(*(nap(i) for i in range(400))))
    run.limit("task:nap", 40)
    await until(lambda: run.status.running == 40)
    await until(lambda: left(run) == pytest.approx(10))
    run.cancel()
    with pytest.raises(RunCancelledError):
        await run
