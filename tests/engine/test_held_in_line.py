"""What waits in line for a worker is held from the moment of a pause on, and is told as held."""

from __future__ import annotations

from typing import Any

import pytest

import cascade_nb as cs
from cascade_nb.engine import Engine, NodeState
from cascade_nb.engine.inspection.causes import pause_of
from cascade_nb.engine.runs.run import Run
from cascade_nb.executors import LocalExecutor
from tests.engine.conftest import MakeEngine
from tests.engine.tools import Hold, until

ITEMS = 7
BUSY = 2


class Line:
    """A run whose workers are busy, so that a map, two single nodes and a sum wait behind."""

    def __init__(self, engine: Engine) -> None:
        self.hold = hold = Hold()

        @cs.task
        def busy(i: int) -> int:
            hold.wait(i)
            return i

        @cs.task(tags=["heavy"])
        def work(i: int) -> int:
            return i

        @cs.task
        def other(i: int) -> int:
            return i

        @cs.task
        def total(*xs: Any) -> int:
            return sum(x if isinstance(x, int) else sum(x) for x in xs)

        front = [busy(i) for i in range(BUSY)]
        each = work.map(i=list(range(ITEMS))).named("each")
        one = work(ITEMS).named("one")
        apart = other(0).named("apart")
        self.sum = sum(range(BUSY)) + sum(range(ITEMS + 1))
        self.run: Run = engine.start(total(*front, each, one, apart).named("total"))

    async def stands(self) -> None:
        await until(lambda: self.run.status.running == BUSY and self.run.status.queued == ITEMS + 2)

    def held(self) -> set[str]:
        return {name for name, state in self.run.states().items() if state is NodeState.HELD}

    def numbers(self) -> tuple[int, int, int, int]:
        status = self.run.status
        return status.running, status.held, status.queued, status.waiting


def freed_by(run: Run, name: str) -> str | None:
    """With which scope the panel lets a node go."""
    index = run.graph.node(name).index
    return run.look(lambda view, _: pause_of(view, index))


@pytest.fixture
async def engine(make_engine: MakeEngine) -> Engine:
    return make_engine(executor=LocalExecutor(BUSY))


ALL = {"each", "one", "apart"}
SCOPES = {
    "task:work": {"each", "one"},
    "task:w*": {"each", "one"},
    "tag:heavy": {"each", "one"},
    "node:each": {"each"},
    "node:one": {"one"},
    "from:each": {"each"},
    "task:nothing": set(),
    "node:total": set(),
}


@pytest.mark.parametrize(("scope", "names"), SCOPES.items(), ids=SCOPES.keys())
async def test_all_that_is_told_of_it_says_held(
    engine: Engine, scope: str, names: set[str]
) -> None:
    line = Line(engine)
    run, count = line.run, (ITEMS if "each" in names else 0) + len(names - {"each"})
    await line.stands()
    version, _ = run.changed_since(-1)
    engine.pause(scope, reason="a look at the data")
    assert line.numbers() == (BUSY, count, ITEMS + 2 - count, 1)
    assert line.held() == names
    later, changed = run.changed_since(version)
    ids = {run.graph.nodes[index].id for index, state in changed.items() if state == "held"}
    assert ids == names
    kinds = {kind.name: (kind.held, kind.queued) for kind in run.status.kinds}
    assert sum(held for held, _ in kinds.values()) == count
    assert sum(queued for _, queued in kinds.values()) == ITEMS + 2 - count
    if count:
        assert run.status.headline.startswith(f"Running {BUSY} tasks · {count} task")
        assert "a look at the data" in str(run.status.blocked_by)
        assert run.status.remaining is None
    for name in ALL:
        told = "is held: " if name in names else "is queued: "
        assert told in run.why(name)[0]
        assert ("a look at the data" in run.why(name)[0]) == (name in names)
        assert freed_by(run, name) == (scope if name in names else "")
    told = "is held: " if "each" in names else "is queued: "
    assert told in run.why(f"each[{ITEMS - 1}]")[0]

    engine.resume(scope)
    assert line.numbers() == (BUSY, 0, ITEMS + 2, 1)
    assert not line.held()
    _, changed = run.changed_since(later)
    assert {run.graph.nodes[i].id for i, state in changed.items() if state == "queued"} >= names
    line.hold.let_go()
    assert await run == line.sum


async def test_a_pause_of_everything_or_of_the_run_holds_each_kind_of_it(engine: Engine) -> None:
    line = Line(engine)
    await line.stands()
    for scope in ("global", line.run.scope):
        engine.pause(scope)
        assert line.held() == ALL
        assert {kind.name: kind.held for kind in line.run.status.kinds}["work"] == ITEMS + 1
        engine.resume(scope)
        assert not line.held()
    line.hold.let_go()
    await line.run


async def test_what_came_to_a_gate_and_what_did_not_are_counted_once(engine: Engine) -> None:
    # Each worker that is free asks for one of them, which then waits at the pause itself.
    line = Line(engine)
    await line.stands()
    engine.pause("node:each")
    engine.pause("task:work")
    line.hold.let_go()
    await until(lambda: line.numbers() == (0, ITEMS + 1, 0, 1))
    engine.resume("task:work")
    await until(lambda: line.run.states()["one"] is NodeState.DONE)
    await until(lambda: line.numbers() == (0, ITEMS, 0, 1))
    engine.resume("node:each")
    assert await line.run == line.sum


async def test_a_limit_in_line_is_queued_and_a_pause_above_it_holds(engine: Engine) -> None:
    line = Line(engine)
    await line.stands()
    engine.limit("task:work", 0)
    assert line.numbers() == (BUSY, 0, ITEMS + 2, 1)
    engine.pause("task:work")
    assert line.numbers() == (BUSY, ITEMS + 1, 1, 1)
    engine.limit("task:work", None)
    engine.resume("task:work")
    line.hold.let_go()
    assert await line.run == line.sum


async def test_a_pause_of_a_task_holds_what_its_run_inside_has_in_line(
    make_engine: MakeEngine,
) -> None:
    engine, hold, inside = make_engine(executor=LocalExecutor(1)), Hold(), []

    @cs.task
    def busy(i: int) -> int:
        hold.wait(i)
        return i

    @cs.task
    def outer() -> Any:
        run = engine.start([busy.lazy(i) for i in range(3)])
        inside.append(run)
        return run.result()

    run = engine.start(outer().named("outside"))
    await until(lambda: bool(inside) and inside[0].status.running == 1)
    assert inside[0].status.queued == 2
    for scope in ("node:outside", "task:outer"):
        engine.pause(scope)
        assert (inside[0].status.held, inside[0].status.queued) == (2, 0)
        engine.resume(scope)
        assert (inside[0].status.held, inside[0].status.queued) == (0, 2)
    hold.let_go()
    assert await run == [0, 1, 2]


async def test_a_pause_of_a_name_in_one_run_holds_nothing_in_line_in_another(
    engine: Engine,
) -> None:
    first, second = Line(engine), Line(engine)
    await first.stands()
    await until(lambda: second.run.states()["each"] is NodeState.QUEUED)
    engine.pause(f"{first.run.scope}/node:each")
    assert (first.held(), second.held()) == ({"each"}, set())
    assert first.run.status.held == ITEMS
    assert not second.run.status.held
    engine.resume(f"{first.run.scope}/node:each")
    first.hold.let_go()
    second.hold.let_go()
    assert await first.run == await second.run == first.sum
