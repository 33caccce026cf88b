"""What a task changes itself, a counter of its own, is no edit while its run goes on."""

from __future__ import annotations

from typing import Any

import pytest

import cascade_nb as cs
from cascade_nb.engine import Engine
from cascade_nb.testing import SpySubscriber
from tests.engine.test_edits import Names
from tests.engine.tools import started, until
from tests.graph.cells import Cells

SOURCE = """
counter, rows, table, K = 0, [], {"n": 0}, 1
class Box:
    n = 0
box = Box()
def rebinds(x):
    global counter
    counter += 1
    return counter + x
def through_a_helper(x): return rebinds(x)
def appends(x):
    mine = rows
    mine.append(x)
    return len(rows) + x
def sets_an_item(x):
    table["n"] += 1
    return table["n"] + x
def sets_an_attribute(x):
    box.n += 1
    return box.n + x
def of_a_default(x, kept=[]):
    kept.append(x)
    return len(kept) + x
def reads(x): return counter + x
def last(*xs): return xs, K
def edited(*xs): return xs, K, "edited"
"""
WRITERS = [
    "rebinds",
    "through_a_helper",
    "appends",
    "sets_an_item",
    "sets_an_attribute",
    "of_a_default",
]


@pytest.fixture
def tasks() -> dict[str, Any]:
    names = Cells().run(SOURCE).names
    return {"names": names, **{one: cs.task(names[one]) for one in [*WRITERS, "last", "edited"]}}


@pytest.mark.parametrize("writer", WRITERS)
async def test_what_a_task_wrote_itself_is_no_edit_of_its_run(
    engine: Engine, spy: SpySubscriber, tasks: dict[str, Any], writer: str
) -> None:
    first = tasks[writer](10).named("first")
    engine.pause("task:last")
    run = engine.start(tasks["last"](first), bindings=Names())
    await until(lambda: run.status.held == 1 and run.status.running == 0)
    engine.edited()
    engine.resume("task:last")
    assert await run == ((11,), 1)
    assert started(spy) == ["first", "last#1"]
    assert run.edits == ()


@pytest.mark.parametrize("writer", WRITERS)
async def test_with_an_edit_of_something_else_it_is_not_done_twice_either(
    engine: Engine, spy: SpySubscriber, tasks: dict[str, Any], writer: str
) -> None:
    names, items = Names(), tasks[writer].map(x=[10, 20]).named("items")
    engine.pause("task:last")
    run = engine.start(tasks["last"](items, tasks[writer](30).named("one")), bindings=names)
    await until(lambda: run.status.held == 1 and run.status.running == 0)
    tasks["names"]["K"] = 2
    engine.edited()
    engine.resume("task:last")
    values, k = await run
    assert k == 2
    assert sorted([values[0][0] - 10, values[0][1] - 20, values[1] - 30]) == [1, 2, 3]
    assert started(spy).count("one") == 1
    assert len(started(spy, writer)) == 3
    assert run.edits == ("last",)


async def test_an_edit_of_the_task_itself_counts(
    engine: Engine, spy: SpySubscriber, tasks: dict[str, Any]
) -> None:
    first = tasks["rebinds"](10).named("first")
    engine.pause("task:last")
    run = engine.start(tasks["last"](first), bindings=Names())
    await until(lambda: run.status.held == 1 and run.status.running == 0)
    other = Cells().run("def rebinds(x):\n    global counter\n    counter += 1\n    return -x")
    tasks["rebinds"].fn.__code__ = other.names["rebinds"].__code__
    engine.edited()
    engine.resume("task:last")
    assert await run == ((-10,), 1)
    assert started(spy).count("first") == 2


async def test_what_was_made_after_a_task_changed_what_it_reads_is_not_kept_for_later_runs(
    engine: Engine, tasks: dict[str, Any]
) -> None:
    rebinds, names = tasks["rebinds"], tasks["names"]
    engine.pause("task:last")
    one, other = (
        rebinds(10).named("one"),
        rebinds(20).named("other").after(rebinds(10).named("one")),
    )
    run = engine.start(tasks["last"](one, other), bindings=Names())
    await until(lambda: run.status.held == 1 and run.status.running == 0)
    names["K"] = 2
    engine.edited()
    engine.resume("task:last")
    await run
    names["counter"] = 0
    again = engine.start(rebinds(20).named("other"))
    assert await again == 21
    assert again.status.reused == 0
