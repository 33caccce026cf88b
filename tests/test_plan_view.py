"""A plan as a notebook shows it: a table, and marks on the graph."""

from __future__ import annotations

import re
from typing import Any
from xml.etree import ElementTree as ET

import pytest

import cascade_nb as cs
from cascade_nb.engine import Engine
from cascade_nb.plan_view import ShownPlan


@cs.task(executor="inline")
def load(n: int = 1) -> int:
    return n


@cs.task(executor="inline")
def total(xs: Any, k: int = 1) -> Any:
    return k


async def shown(target: Any, before: Any = None, hold: str | None = None) -> ShownPlan:
    engine = Engine()
    try:
        if before is not None:
            await engine.run(before)
        if hold is not None:
            engine.pause(hold)
        return ShownPlan.of(await engine.plan(target))
    finally:
        await engine.aclose()


def rows(html: str) -> list[str]:
    """The text of each line below the title and its notes, without the time that a busy machine
    expects of a body of nothing.
    """
    below = [line for part in ET.fromstring(html) for line in part.iter("div") if line is not part]
    lines = [line for line in below if line.find("div") is None]
    texts = [" ".join("".join(line.itertext()).split()) for line in lines]
    return [re.sub(r" about [\d.]+ m?s$", "", text) for text in texts]


async def test_what_runs_for_one_reason_stands_together() -> None:
    raw = load(1).named("raw")

    def target(k: int) -> Any:
        return total(total(raw, k).named("rows"), 3).named("report")

    plan = await shown(target(2), before=target(1))
    assert rows(plan.html) == [
        "▷ 2 run: `rows`: its argument k changed: 1 → 2",
        "rows",
        "report reads rows",
        "= 1 stands",
        "raw",
    ]


async def test_nodes_without_a_name_share_a_row_where_the_same_is_said() -> None:
    plan = await shown(total([load(i) for i in range(1000)]).named("report"))
    assert rows(plan.html) == [
        "▷ 1,000 run: the result of a node without a name is not kept",
        "load \u00d71,000 report needs it",
        "▷ 1 runs: never ran here",
        "report",
    ]


async def test_the_marks_are_those_of_the_actions() -> None:
    never = load(3).named("never").run_if(False)
    held = load(4).named("held")
    target = total([total([load(1).named("old"), held], 1), total(never)]).named("report")
    plan = await shown(target, before=load(1).named("old"), hold="node:held")
    states = plan.marks.states
    assert states["old"] == "reused"
    assert states["never"] == "skipped"
    assert states["held"] == "held"
    plan = await shown(load(1).named("new"))
    assert plan.marks.states == {"new": "planned"}
    assert "new ▷ ◎" in plan.visual.text


async def test_a_display_is_asked_for_what_it_can_show() -> None:
    plan = await shown(load(1).named("raw"))
    both = plan._repr_mimebundle_()
    assert set(both) == {"text/plain", "text/html"}
    assert both["text/plain"] == str(plan)
    assert set(plan._repr_mimebundle_(include={"text/plain"})) == {"text/plain"}
    assert set(plan._repr_mimebundle_(exclude={"text/html"})) == {"text/plain"}


@pytest.mark.may_block("a script waits for the plan")
def test_scripts_get_one_too() -> None:
    plan = cs.plan(load(1).named("only_here"))
    assert isinstance(plan, ShownPlan)
    assert str(plan).startswith("only_here: 1 to run")
