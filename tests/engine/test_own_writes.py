"""What a task changes itself, a counter of its own, is no edit while its run goes on."""

from __future__ import annotations

import pathlib
from typing import Any

import pytest

import cascade_nb as cs
from cascade_nb.engine import Engine, Run
from cascade_nb.testing import SpySubscriber
from tests.engine.test_edits import Names
from tests.engine.tools import started, until
from tests.graph.cells import Cells

SOURCE = """
import numpy as np
cells = np.zeros(3)
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
def around(kept):
    def of_a_variable_around(x):
        kept.append(x)
        return len(kept) + x
    return of_a_variable_around
of_a_variable_around = around([])
class Kept:
    rows = []
def of_a_class(x):
    Kept.rows.append(x)
    return len(Kept.rows) + x
def in_an_array(x):
    cells[0] += 1
    return int(cells[0]) + x
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
# What these change, nobody has to look after for them.
LOOKED_AFTER = ["of_a_variable_around", "of_a_class", "in_an_array"]


def set_back(tasks: dict[str, Any]) -> None:
    """As the cell does that made all that tasks change."""
    names = tasks["names"]
    names["counter"] = 0
    for kept in (names["rows"], names["Kept"].rows):
        kept.clear()
    names["table"]["n"] = names["box"].n = names["cells"][0] = 0
    names["of_a_default"].__defaults__[0].clear()
    names["of_a_variable_around"].__closure__[0].cell_contents.clear()


EVERY = [*WRITERS, *LOOKED_AFTER, "last", "edited"]


async def held_at_last(engine: Engine, lazy: Any, names: Names) -> Run:
    """A run of which all is done but what is called last, which is paused."""
    engine.pause("task:last")
    run = engine.start(lazy, bindings=names)
    await until(lambda: run.status.held == 1 and run.status.running == 0)
    return run


@pytest.fixture
def tasks() -> dict[str, Any]:
    names = Cells().run(SOURCE).names
    return {"names": names, **{one: cs.task(names[one]) for one in EVERY}}


@pytest.mark.parametrize("writer", WRITERS)
async def test_what_a_task_wrote_itself_is_no_edit_of_its_run(
    engine: Engine, spy: SpySubscriber, tasks: dict[str, Any], writer: str
) -> None:
    first = tasks[writer](10).named("first")
    run = await held_at_last(engine, tasks["last"](first), Names())
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
    run = await held_at_last(engine, tasks["last"](items, tasks[writer](30).named("one")), names)
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
    run = await held_at_last(engine, tasks["last"](first), Names())
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


@pytest.mark.parametrize("lasting", [False, True], ids=["in memory", "on disk"])
@pytest.mark.parametrize("writer", [*WRITERS, *LOOKED_AFTER])
async def test_what_was_made_after_a_change_stands_for_nothing_before_it(
    tmp_path: pathlib.Path, tasks: dict[str, Any], writer: str, lasting: bool
) -> None:
    task = cs.task(executor="inline")(tasks["names"][writer])
    state = f"sqlite:///{tmp_path}/state.db" if lasting else None
    engine = Engine(state_backend=state)
    one, other = task(10).named("one"), task(20).named("other")
    wholes: list[tuple[Any, Any]] = [
        ([one, other], [11, 22]),
        (task.map(x=[10, 20]).named("items"), [11, 22]),
        (other, 21),
    ]
    try:
        for whole, fresh in wholes * 2:
            set_back(tasks)
            assert await engine.run(whole) == fresh
    finally:
        await engine.aclose()


@pytest.mark.parametrize("to", [0, 100])
async def test_what_the_user_sets_back_is_an_edit_of_all_that_reads_it(
    engine: Engine, spy: SpySubscriber, tasks: dict[str, Any], to: int
) -> None:
    names, writer = tasks["names"], tasks["rebinds"]
    items = writer.map(x=[10, 20]).named("items")
    run = await held_at_last(
        engine, tasks["last"](items, tasks["appends"](30).named("beside")), Names()
    )
    engine.editing()
    names["counter"] = to
    engine.edited()
    engine.resume("task:last")
    (values, beside), _ = await run
    assert sorted([values[0] - 10, values[1] - 20]) == [to + 1, to + 2]
    assert beside == 31
    assert len(started(spy, "rebinds")) == 4
    assert started(spy).count("beside") == 1


async def test_a_cell_that_leaves_alone_what_tasks_changed_is_no_edit_of_it(
    engine: Engine, spy: SpySubscriber, tasks: dict[str, Any]
) -> None:
    first = tasks["rebinds"](10).named("first")
    run = await held_at_last(engine, tasks["last"](first), Names())
    for _ in range(2):
        engine.editing()
        tasks["names"]["unrelated"] = 1
        engine.edited()
    engine.resume("task:last")
    assert await run == ((11,), 1)
    assert started(spy) == ["first", "last#1"]


async def test_locks_and_slots_that_tasks_take_are_no_change(engine: Engine) -> None:
    cells = Cells().run(
        """
        import asyncio, threading
        slots, places, told = threading.Semaphore(9), asyncio.Semaphore(9), threading.Condition()
        def takes(x):
            slots.acquire()
            with told:
                return x
        async def waits(x):
            await places.acquire()
            return x
        """
    )
    targets = [cs.task(cells.names[name])(1).named(name) for name in ("takes", "waits")]
    assert [await engine.run(one) for one in targets] == [1, 1]
    for one in targets:
        again = engine.start(one)
        await again
        assert again.status.reused == 1
