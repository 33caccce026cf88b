"""Two runs that are over, compared: what changed, what got slower, which values differ."""

from __future__ import annotations

import dataclasses
from typing import Any

import cascade_nb as cs
from cascade_nb.engine import Engine
from cascade_nb.engine.planning.comparison import Comparison, Remembered, compare
from cascade_nb.state.memory import MemoryState
from tests.engine.conftest import MakeEngine
from tests.graph.cells import Cells


@cs.task(executor="inline")
def load(n: Any = 1) -> Any:
    return n


@cs.task(executor="inline")
def both(x: Any, y: Any = None) -> Any:
    return x, y


async def of_the_last_two(engine: Engine) -> Comparison:
    before, after = (
        Remembered(one.status, engine.history.nodes_of(one.status.run_id), engine.state)
        for one in engine.history.runs[-2:]
    )
    return await compare(before, after)


def told(comparison: Comparison) -> list[tuple[str, tuple[str, ...]]]:
    return [(one.words, one.nodes) for one in comparison.changed]


async def test_an_edit_is_told_once_with_its_line_and_the_values_that_differ(
    engine: Engine,
) -> None:
    cells = Cells()
    cells.run("def clean(x):\n    return x + 1")
    clean = cs.task(executor="inline")(cells.names["clean"])
    raw = load(1).named("raw")
    target = both([clean(raw).named("rows")], clean(5).named("five")).named("report")
    await engine.run(target)
    cells.run("def clean(x):\n    return x + 2")
    clean.fn.__code__ = cells.names["clean"].__code__
    await engine.run(target)
    seen = await of_the_last_two(engine)
    assert told(seen) == [("`clean` changed, line 2", ("rows", "five"))]
    assert seen.changed[0].lines == (" def clean(x):", "-    return x + 1", "+    return x + 2")
    assert [tuple(one) for one in seen.values] == [
        ("rows", "2", "3"),
        ("five", "6", "7"),
        ("report", "([2], 6)", "([3], 7)"),
    ]
    assert "`clean` changed, line 2 · rows, five" in str(seen)
    assert "  report: ([2], 6) → ([3], 7)" in str(seen)


async def test_a_parameter_and_nodes_that_came_and_went_are_told(engine: Engine) -> None:
    size = cs.Param("size", default=1)
    await engine.run([both(load(size).named("sized")).named("report"), load(8).named("old")])
    await engine.run(
        [both(load(size).named("sized")).named("report"), load(9).named("other")],
        params={"size": 7},
    )
    assert told(await of_the_last_two(engine)) == [
        ("parameter `size` changed: 1 → 7", ("size",)),
        ("new", ("other",)),
        ("gone", ("old",)),
    ]


async def test_what_is_made_anew_and_comes_out_the_same_does_not_differ(engine: Engine) -> None:
    await engine.run(both(load([1]).named("a"), 1).named("report"))
    await engine.run(both(load([1]).named("a"), 1).named("report"))
    seen = await of_the_last_two(engine)
    assert (seen.changed, seen.values, seen.notes) == ((), (), [])
    assert "Nothing changed in code, arguments and parameters." in str(seen)


async def test_what_is_not_kept_any_more_is_counted(make_engine: MakeEngine) -> None:
    engine = make_engine(state_backend=MemoryState(limit_bytes=100_000))
    await engine.run(load(b"x" * 60_000).named("large"))
    await engine.run(load(b"y" * 60_000).named("large"))
    seen = await of_the_last_two(engine)
    assert seen.unkept == 1
    assert seen.notes == ["1 result cannot be compared: not kept any more."]


async def test_a_run_whose_nodes_are_forgotten_says_so(engine: Engine) -> None:
    await engine.run(load(1).named("raw"))
    one = Remembered(engine.history.runs[-1].status, None, engine.state)
    assert (await compare(one, one)).notes == [
        "What one of them was made of is not remembered any more."
    ]


async def test_a_task_that_takes_longer_each_time_is_told_by_its_average(engine: Engine) -> None:
    await engine.run(load(1).named("raw"))
    (kind,) = engine.history.runs[-1].status.kinds

    def run(each: float, times: int) -> Remembered:
        slow = dataclasses.replace(kind, attempts=times, seconds=each * times)
        status = dataclasses.replace(engine.history.runs[-1].status, kinds=(slow,))
        return Remembered(status, None, engine.state)

    assert [one.words for one in (await compare(run(2.0, 10), run(3.5, 4))).slower] == [
        "load: 2 s → 3.5 s each, 4 times"
    ]
    seen = await compare(run(3.5, 1), run(2.0, 1))
    assert [one.words for one in seen.faster] == ["load: 3.5 s → 2 s"]
    seen = await compare(run(2.0, 10), run(2.1, 10))
    assert (seen.slower, seen.faster) == ((), ()), "that is chance"
