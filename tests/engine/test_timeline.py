"""When attempts were under way, what paused the run, and what its end waited for."""

from __future__ import annotations

import itertools
import threading
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import cascade_nb as cs
from cascade_nb.engine import Engine, Run
from cascade_nb.engine.inspection.timeline import Timeline, timeline_of
from cascade_nb.engine.observing.status import Phase
from cascade_nb.engine.timing.attempt_times import EACH
from cascade_nb.engine.timing.critical_path import longest_wait
from cascade_nb.engine.timing.folded_times import CELLS, KINDS, FoldedTimes
from cascade_nb.errors import RunError, RunFailures
from cascade_nb.testing import VirtualClock
from tests.engine.conftest import MakeEngine
from tests.engine.tools import Hold, pass_time, until


def timeline(run: Run, since: int = 0, most: int = 500) -> Timeline:
    found = run.look(lambda view, _: timeline_of(view, since, True, run.ended_at, most))
    assert found is not None
    return found


async def test_each_attempt_is_there_with_its_time_and_what_it_came_to(
    make_engine: MakeEngine, clock: VirtualClock
) -> None:
    engine = make_engine(clock=clock)
    tries = []

    @cs.task
    async def flaky() -> int:
        tries.append(1)
        await clock.sleep(10)
        if len(tries) < 2:
            raise OSError("no")
        return 1

    @cs.task
    async def after(x: int) -> int:
        await clock.sleep(3)
        return x

    run = engine.start(after(flaky().with_retry(max_attempts=3, delay=5.0).named("data")))
    await until(lambda: len(tries) == 1)
    assert [(bar.name, bar.outcome, bar.ended) for bar in timeline(run).going] == [
        ("data", "running", None)
    ]
    while not run.done():
        await pass_time(clock, 1)
    told = timeline(run)
    assert [(bar.name, bar.number, bar.outcome) for bar in told.bars] == [
        ("data", 1, "failed"),
        ("data", 2, "done"),
        ("after#1", 1, "done"),
    ]
    lengths = [round((bar.ended or 0) - bar.started) for bar in told.bars]
    assert lengths == [10, 10, 3]
    assert told.going == ()
    assert {bar.place for bar in told.bars} == {"loop"}
    assert [run.graph.nodes[node].id for node, _ in told.path] == ["after#1", "data"]


async def test_pauses_are_there_from_when_they_came_to_when_they_went(
    make_engine: MakeEngine, clock: VirtualClock
) -> None:
    engine = make_engine(clock=clock)
    hold = Hold()

    @cs.task
    async def rest(i: int) -> Any:
        return await hold.rest(i)

    engine.pause("task:rest", reason="before it began")
    run = engine.start(rest(1))
    await until(lambda: run.status.held == 1)
    await pass_time(clock, 4)
    run.pause(reason="lunch")
    await pass_time(clock, 6)
    run.resume()
    engine.resume("task:rest")
    await until(lambda: hold.came)
    hold.let_go()
    await run
    of_task, whole = timeline(run).pauses
    assert (of_task.kind, whole.kind) == ("rest", "")
    assert "before it began" in of_task.words
    assert "lunch" in whole.words
    assert of_task.since < whole.since
    assert of_task.until is not None
    assert whole.until is not None
    assert round(whole.until - whole.since) == 6
    assert round(of_task.until - of_task.since) == 10
    # A pause of another run is none of this one's.
    other = engine.start(rest(2))
    run_of = engine.start(rest(3))
    other.pause()
    other.resume()
    await other
    await run_of
    assert timeline(run_of).pauses == ()


async def test_an_attempt_that_stands_still_at_a_checkpoint_says_when(engine: Engine) -> None:
    came, go = threading.Event(), threading.Event()

    @cs.task
    def slow() -> int:
        came.set()
        assert go.wait(60)
        cs.checkpoint()
        return 1

    run = engine.start(slow())
    await until(came.is_set)
    run.pause()
    go.set()
    await until(lambda: run.status.phase is Phase.PAUSED)
    (going,) = timeline(run).going
    ((_, end),) = going.rests
    assert end is None
    run.resume()
    await run
    (bar,) = timeline(run).bars
    assert bar.ended is not None
    ((since, until_),) = bar.rests
    assert until_ is not None
    assert bar.started <= since <= until_ <= bar.ended


async def test_a_thread_whose_time_is_up_is_an_attempt_that_failed(engine: Engine) -> None:
    go = threading.Event()

    @cs.task
    def stuck() -> None:
        go.wait(60)

    run = engine.start(stuck().with_timeout(0.05))
    with pytest.raises(RunError):
        await run
    assert [bar.outcome for bar in timeline(run).bars] == ["failed"]
    go.set()


async def test_items_are_told_apart_and_the_path_names_the_one_that_was_last(
    engine: Engine,
) -> None:
    last = threading.Event()

    @cs.task
    def part(i: int) -> int:
        if i == 2:
            assert last.wait(60)
        return i

    @cs.task
    def whole(parts: list[int]) -> int:
        return sum(parts)

    run = engine.start(whole(part.map(i=[0, 1, 2, 3]).named("parts")))
    await until(lambda: run.status.done == 3)
    last.set()
    assert await run == 6
    told = timeline(run)
    assert sorted(bar.item for bar in told.bars if bar.kind == "part") == [0, 1, 2, 3]
    names = {bar.name for bar in told.bars if bar.item >= 0}
    assert names == {f"parts[{i}]" for i in range(4)}
    (end, no_item), (parts, item) = told.path
    assert (run.graph.nodes[end].task_name, no_item) == ("whole", -1)
    assert (run.graph.nodes[parts].id, item) == ("parts", 2)


async def test_tiny_tasks_on_the_loop_are_slices_and_no_attempts(engine: Engine) -> None:
    @cs.task(executor="inline")
    def tiny(x: int) -> int:
        return x + 1

    chain: Any = tiny(0)
    for _ in range(300):
        chain = tiny(chain)
    run = engine.start(chain)
    assert await run == 301
    told = timeline(run)
    assert told.bars == ()
    assert sum(count for _, _, count in told.slices) == 301
    assert told.ended == 0


async def test_of_very_many_attempts_the_last_are_there_one_by_one_and_the_rest_together(
    engine: Engine,
) -> None:
    @cs.task
    def give(i: int) -> int:
        if not i % 500:
            raise ValueError("a fifth hundred")
        return i

    many = EACH + 500
    run = engine.start(give.map(i=range(many)), on_error="continue")
    with pytest.raises(RunFailures):
        await run
    told = timeline(run, most=EACH)
    assert (told.ended, told.first, told.last) == (many, 500, many)
    assert len(told.bars) == EACH
    cells = told.folded["give"].values()
    assert sum(count for count, _, _ in cells) == 500
    failed = sum(bar.outcome == "failed" for bar in told.bars)
    assert sum(badly for _, _, badly in cells) + failed == many / 500
    # They come some at a time, each once.
    since, seen = 0, 0
    while since < told.ended:
        some = timeline(run, since)
        assert len(some.bars) <= 500
        seen += len(some.bars)
        since = some.last
    assert seen == EACH


async def test_what_ran_before_an_edit_stays_with_its_name(engine: Engine) -> None:
    hold = Hold()

    @cs.task
    def first() -> int:
        return 1

    @cs.task
    def second(x: int) -> Any:
        return hold.wait(x)

    run = engine.start(second(first()))
    await until(lambda: hold.came)
    before = timeline(run)
    hold.let_go()
    await run

    def edited(view: Any, _: Any) -> Any:
        return view.times.after_edit(view.core, view.core.shown_id)

    times = run.look(edited)
    assert times is not None
    assert times.ended == 2
    assert [times.at(time.node, str) for time in times.each] == [*times.before]
    assert [one.name for one in times.before] == ["first#1", "second#1"]
    # and once more, when nothing of the graph before is there
    again = times.after_edit(None, str)
    assert again.before == times.before
    assert before.bars[0].name == "first#1"


spans = st.tuples(
    st.integers(0, 3000), st.integers(0, 400), st.integers(0, KINDS + 3), st.booleans()
)


@given(st.lists(spans, max_size=60))
def test_what_is_put_together_loses_no_attempt_and_no_second(
    attempts: list[tuple[int, int, int, bool]],
) -> None:
    folded = FoldedTimes(0.0)
    for started, length, kind, badly in attempts:
        folded.add(str(kind), started / 8, (started + length) / 8, badly)
    cells = [(n, cell) for of in folded.of.values() for n, cell in of.items()]
    assert sum(cell[0] for _, cell in cells) == folded.count == len(attempts)
    assert sum(cell[1] for _, cell in cells) == pytest.approx(sum(a[1] for a in attempts) / 8)
    assert sum(cell[2] for _, cell in cells) == sum(a[3] for a in attempts)
    assert all(0 <= n < CELLS for n, _ in cells)
    assert len(folded.of) <= KINDS + 1


@given(st.lists(st.tuples(st.sets(st.integers(0, 11)), st.integers(1, 9)), max_size=12))
def test_the_path_is_a_chain_that_leaves_no_time_between_when_nothing_else_is_waited_for(
    nodes: list[tuple[set[int], int]],
) -> None:
    # As if there were a place for each: a node begins when the last of its sources ends.
    sources = [tuple(i for i in reads if i < place) for place, (reads, _) in enumerate(nodes)]
    ends: dict[int, float] = {}
    for place, (_, took) in enumerate(nodes):
        ends[place] = max((ends[i] for i in sources[place]), default=0) + took
    way = longest_wait(ends, sources.__getitem__)
    assert sum(nodes[i][1] for i in way) == max(ends.values(), default=0)
    assert all(before in sources[after] for after, before in itertools.pairwise(way))
