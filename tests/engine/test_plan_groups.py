"""A plan as people read it: grouped by what becomes of nodes and why, in a run's own numbers."""

from __future__ import annotations

import asyncio
import contextlib
import pathlib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import cascade_nb as cs
from cascade_nb.engine import Engine
from cascade_nb.engine.observing.status import NodeState
from cascade_nb.engine.planning.plan import Plan
from cascade_nb.errors import CascadeError
from cascade_nb.graph import NodeKind
from cascade_nb.state import MemoryState
from tests.graph.cells import Cells
from tests.support.examples import examples
from tests.support.random_programs import Program, forget_tries


@cs.task(executor="inline")
def load(n: Any = 1) -> Any:
    return n


@cs.task(executor="inline")
def both(x: Any, y: Any = None) -> Any:
    return x, y


class _KeepsAll(MemoryState):
    """Keeps every result, as states do that last."""

    keeps_all = True


def headings(plan: Plan) -> list[str]:
    return [group.heading for group in plan.groups]


async def test_what_runs_first_comes_first_and_what_stands_last(engine: Engine) -> None:
    cells = Cells()
    cells.run("def clean(x):\n    y = x\n    return y")
    clean = cs.task(executor="inline")(cells.names["clean"])
    raw = load(1).named("raw")
    rows = clean(raw).named("rows")
    await engine.run(both(rows).named("report"))
    cells.run("def clean(x):\n    y = x\n    return [y]")
    clean.fn.__code__ = cells.names["clean"].__code__
    never = load(2).named("never").run_if(False)
    held = load(3).named("gpu")
    new = [load(4).named("new"), load(5).named("also"), never, held]
    engine.pause("node:gpu", reason="look first", by="Ada")
    plan = await engine.plan([both(rows).named("report"), *new])
    assert headings(plan) == [
        "2 run: `clean` changed, line 3",
        "2 run: never ran here",
        "1 is held: gpu paused by Ada: look first",
        "1 is skipped: the condition is false",
        "1 stands",
    ]
    first = plan.groups[0]
    assert first.difference == ("     y = x", "-    return y", "+    return [y]")
    assert [(line.names, line.own) for line in plan.lines_of(first)] == [
        ("rows", ""),
        ("report", "reads rows"),
    ]
    assert "  new, also" in str(plan).splitlines()


async def test_what_reads_a_list_of_results_runs_for_what_made_one_of_them_another(
    engine: Engine,
) -> None:
    def target(n: int) -> Any:
        return both([load(n).named("a"), load(2).named("b")]).named("report")

    await engine.run(target(1))
    plan = await engine.plan(target(3))
    assert headings(plan) == ["2 run: `a`: its argument n changed: 1 → 3", "1 stands"]


async def test_a_helper_and_a_parameter_are_named_in_the_heading(engine: Engine) -> None:
    cells = Cells()
    cells.run("def _h(x):\n    return x\ndef clean(x): return _h(x)")
    clean = cs.task(executor="inline")(cells.names["clean"])
    size = cs.Param("size", default=1)
    target = [clean(load(1)).named("rows"), both(load(size).named("sized")).named("report")]
    await engine.run(target)
    cells.run("def _h(x):\n    return -x")
    plan = await engine.plan(target, params={"size": 7})
    assert "1 runs: `clean`: its helper _h changed, line 2" in headings(plan)
    assert "2 run: parameter `size` changed: 1 → 7" in headings(plan)
    assert "size = 7" in plan.reading


async def test_what_holds_one_holds_what_waits_for_it_in_one_group(engine: Engine) -> None:
    engine.pause("task:load")
    plan = await engine.plan(both(both(load(1).named("a")).named("b")).named("c"))
    assert headings(plan) == ["3 are held: load tasks paused by you"]
    assert [line.own for line in plan.lines_of(plan.groups[0])] == [
        "",
        "waits for a",
        "waits for b",
    ]


async def test_many_without_a_name_share_a_line_and_few_are_told_apart(engine: Engine) -> None:
    plan = await engine.plan([load(n) for n in range(12)])
    assert [line.names for line in plan.lines_of(plan.groups[0])] == ["load \u00d712"]
    plan = await engine.plan([load(n) for n in range(2)])
    assert [line.names for line in plan.lines_of(plan.groups[0])] == [
        "load#1 = load(0)",
        "load#2 = load(1)",
    ]


async def test_it_says_what_a_run_will_read(engine: Engine, tmp_path: pathlib.Path) -> None:
    file = tmp_path / "in.txt"
    file.write_text("one")

    @cs.task
    def read(where: str) -> str:
        return pathlib.Path(where).read_text()

    raw, text = load(1).named("raw"), read(str(file)).named("text")
    target = both(raw, text).named("report")
    assert (await engine.plan(target)).reading == ""
    await engine.run(target)
    assert (await engine.plan(target)).reading == "It reads the kept result of report."
    file.write_text("other")
    plan = await engine.plan(target)
    assert plan.reading == f"It reads the kept result of raw; file {file}."
    assert headings(plan)[0].startswith("2 run: `text`: its file ")


# One number for what is reused: before a run, while it goes on, and when it is over.


async def agrees(seeds: list[tuple[int, int]], state: type[MemoryState]) -> None:
    engine = Engine(state_backend=state())
    try:
        for seed in seeds:
            forget_tries()
            program = Program(*seed)
            graph = engine.graph_of(program.target)
            plan = await engine.plan(graph, params=program.params)
            grouped = [step.node for group in plan.groups for step in group.steps]
            assert sorted(grouped) == sorted(step.node for step in plan.steps)
            told = sum(line.nodes for group in plan.groups for line in plan.lines_of(group))
            assert told == len(plan.steps)
            str(plan)
            run = engine.start(graph, params=program.params, on_error="continue")
            with contextlib.suppress(CascadeError):
                await run
            work = {node.id for node in graph.nodes if node.kind is not NodeKind.PARAM}
            states = run.states()
            reused = {name for name in work if states[name] is NodeState.REUSED}
            planned = {step.node for step in plan.steps if step.action == "reuse"}
            sure = {step.node for step in plan.steps if step.node in planned and not step.own}
            assert reused <= planned, f"{reused - planned} of {seed} of {seeds}"
            assert sure <= reused, f"{sure - reused} of {seed} of {seeds}"
    finally:
        await engine.aclose()


@settings(max_examples=examples(60))
@given(
    seeds=st.tuples(st.integers(0, 2**32), st.integers(0, 2**32)),
    steps=st.lists(
        st.tuples(st.sampled_from((0, 0, 1)), st.integers(0, 6)), min_size=2, max_size=5
    ),
    keeps_all=st.booleans(),
)
@pytest.mark.may_block("each example has a loop of its own")
def test_a_plan_and_the_run_agree_on_what_is_reused(
    seeds: tuple[int, int], steps: list[tuple[int, int]], keeps_all: bool
) -> None:
    programs = [(seeds[which], variant) for which, variant in steps]
    asyncio.run(agrees(programs, _KeepsAll if keeps_all else MemoryState))
