"""`.pause_before()` is part of the workflow: each run stops there, and no key knows of it."""

from __future__ import annotations

from typing import Any

import pytest

import cascade_nb as cs
from cascade_nb.engine import Engine, NodeState
from cascade_nb.errors import (
    ConstraintError,
    HolderError,
    RunCancelledError,
    TaskFailedError,
    UsageError,
)
from cascade_nb.events import TaskBlocked
from cascade_nb.graph import from_json, to_json
from cascade_nb.testing import SpySubscriber
from tests.engine.test_breakpoints import give, held, let_go, train
from tests.engine.test_edits import Names
from tests.engine.test_limits import every_lane, worker
from tests.engine.tools import Hold, outcome, started, until


async def test_a_run_stops_before_it_and_goes_on_when_it_is_let_go(
    engine: Engine, spy: SpySubscriber
) -> None:
    model = train(give([1, 2]).named("rows")).named("model").pause_before()
    run = engine.start([give(model), give(5).named("other")])
    await held(run)
    await until(lambda: run.states()["other"] is NodeState.DONE)
    assert run.states()["model"] is NodeState.HELD
    assert run.inputs("model") == run.inputs("train") == {"rows": [1, 2], "scale": 2}
    (why,) = run.why("model")
    assert why == (
        "model is held: at a breakpoint before model by the workflow; its inputs are there, "
        "run.inputs('model') gives them; cs.resume('node:model') lets it start"
    )
    assert why.removeprefix("model is held: ") in run.status.headline
    assert [one.task_id for one in spy.events_of_type(TaskBlocked)] == ["model"]
    assert engine.constraints.constraints() == []  # nobody has put it there
    assert engine.resume("train")
    assert await run == [6, 5]
    assert started(spy, "train") == ["model"]
    assert let_go(engine) == set()


async def test_it_changes_no_key_and_a_kept_result_is_no_start(engine: Engine) -> None:
    assert await engine.run(train(give([1])).named("model")) == 4
    again = train(give([1])).named("model").pause_before()
    assert await engine.run(again) == 4
    assert (await engine.plan(again)).step("model").action == "reuse"


async def test_the_plan_says_where_a_run_will_stop(engine: Engine) -> None:
    model = train(give([1]).named("rows")).named("model").pause_before()
    plan = await engine.plan(give(model).named("last"))
    assert plan.step("rows").action == "run"
    assert (plan.step("model").action, plan.step("last").action) == ("hold", "hold")
    assert plan.step("model").reason == "a breakpoint before it by the workflow"
    assert plan.step("last").reason == "it waits for model, which is held"
    assert "2 are held: a breakpoint before it by the workflow" in str(plan)


@pytest.mark.parametrize("lane", ["inline", "async", "thread"])
async def test_each_item_of_a_map_is_held_for_itself(
    engine: Engine, spy: SpySubscriber, lane: str
) -> None:
    work = worker(lane)
    plain = work.map(x=give([7, 8])).named("plain")
    run = engine.start([work.map(x=give([5, 6])).named("m").pause_before(), plain])
    await held(run, 2)
    await until(lambda: run.states()["plain"] is NodeState.DONE)
    assert run.inputs("m[1]") == {"x": 6}
    assert engine.resume("m[1]")
    await until(lambda: run.progress_of(run.graph.node("m").index) == (1, 2))
    assert "m[0]" not in started(spy)
    run.resume("map(work)[0]")  # by what it calls, since it is the only one that is held
    await until(lambda: run.progress_of(run.graph.node("m").index) == (2, 2))
    assert await run == [[5, 6], [7, 8]]


async def test_each_attempt_is_held(engine: Engine, spy: SpySubscriber) -> None:
    @cs.task
    def flaky() -> None:
        raise OSError("not today")

    run = engine.start(flaky().named("x").with_retry(2).pause_before())
    for number in (0, 1):
        await held(run)
        await until(lambda: len(started(spy)) == number)  # noqa: B023
        run.resume("node:x")
        await until(lambda: len(started(spy)) == number + 1)  # noqa: B023
    assert isinstance(await outcome(run), TaskFailedError)


async def test_a_run_that_is_held_there_is_cancelled_or_paused_as_well(engine: Engine) -> None:
    run = engine.start(give(1).named("x").pause_before())
    await held(run)
    engine.pause("give")
    run.resume("node:x")  # which the pause does not let start
    await until(lambda: "give tasks paused" in run.why("x")[0])
    engine.resume("give")
    assert await run == 1
    run = engine.start(give(2).pause_before())
    await held(run)
    run.cancel()
    assert isinstance(await outcome(run), RunCancelledError)
    assert let_go(engine) == set()


@every_lane
async def test_who_is_let_go_still_waits_for_a_limit(engine: Engine, lane: str) -> None:
    hold = Hold()
    engine.limit("task:work", 1)
    run = engine.start([worker(lane, hold)(n).pause_before() for n in range(3)])
    await held(run, 3)
    run.resume()
    await until(lambda: len(hold.came) == 1)
    assert (run.status.queued, run.status.held) == (2, 0)
    hold.let_go()
    assert await run == [0, 1, 2]


async def test_one_run_is_let_go_and_not_the_other(engine: Engine) -> None:
    lazy = give(1).named("x").pause_before()
    run, other = engine.start(lazy), engine.start(give(2).named("x").pause_before())
    await held(run)
    await held(other)
    run.resume("node:x")
    assert await run == 1
    assert other.status.held == 1
    other.resume()
    assert await other == 2


async def test_a_person_lets_it_go_and_no_agent_and_it_is_taken_away_where_it_is_written(
    engine: Engine,
) -> None:
    run = engine.start(give(1).named("x").pause_before())
    await held(run)
    with pytest.raises(HolderError, match="x: at a breakpoint by the workflow; the agent claude"):
        engine.resume("give", by="agent:claude")
    for scope in ("global", "node:x", "give"):
        with pytest.raises(
            ConstraintError,
            match=r"the breakpoint before x is part of the workflow: cs\.resume\('node:x'\) lets",
        ):
            engine.resume(scope, before=True)
    assert not engine.resume("node:y", before=True)
    assert run.status.held == 1
    engine.pause("give", before=True)  # both are passed at once
    engine.resume("give", before=True)
    run.resume()
    assert await run == 1
    assert not engine.resume("node:x", before=True)


async def test_where_it_is_defined_anew_without_it_the_run_stops_there_no_more(
    engine: Engine, spy: SpySubscriber
) -> None:
    names = Names()
    first = give(2).named("first").pause_before()
    second = give(first).named("second").pause_before()
    run = engine.start(give(second).named("third"), bindings=names)
    await held(run)
    names.lazies[second.identity] = give(first).named("second")
    engine.edited()
    run.resume()
    assert await run == 2
    assert run.edits == ("second",)
    assert started(spy) == ["first", "second", "third"]


async def test_where_it_is_defined_anew_with_one_the_run_stops_there_from_then_on(
    engine: Engine, spy: SpySubscriber
) -> None:
    names = Names()
    first = give(2).named("first").pause_before()
    second = give(first).named("second")
    run = engine.start(give(second).named("third"), bindings=names)
    await held(run)
    names.lazies[second.identity] = give(first).named("second").pause_before()
    engine.edited()
    run.resume()
    await until(lambda: run.states()["second"] is NodeState.HELD)
    assert run.states()["first"] is NodeState.DONE
    run.resume()
    assert await run == 2
    assert started(spy) == ["first", "second", "third"]


async def test_nested_runs_and_continuations_stop_where_they_say_so(
    engine: Engine, spy: SpySubscriber
) -> None:
    @cs.task
    def inner() -> int:
        value: int = engine.start(give.lazy(3).named("deep").pause_before()).result(60)
        return value

    run = engine.start(inner().named("outer"))
    nested = await until(lambda: next((one for one in engine.runs if one is not run), None))
    await held(nested)
    run.resume("node:deep")  # what a run has started is of it
    assert await run == 3

    @cs.task
    def count(n: int) -> Any:
        return n if n == 0 else count.lazy(n - 1).pause_before()

    run = engine.start(count(2).named("down"))
    for number in (1, 2):
        await held(run)
        assert len(started(spy, "count")) == number
        run.resume()
    assert await run == 0


async def test_json_of_a_graph_keeps_it(engine: Engine) -> None:
    lazy = give(4).named("x").pause_before()
    read = from_json(to_json(cs.build_graph(lazy)), tasks={"give": give})
    run = engine.start(read)
    await held(run)
    run.resume()
    assert await run == 4


@pytest.mark.parametrize(
    "lazy", [cs.Router("a", {"a": give(1)}), cs.Param("n", default=1)], ids=["router", "param"]
)
def test_what_runs_nothing_itself_has_none(lazy: Any) -> None:
    with pytest.raises(UsageError, match="runs nothing itself"):
        lazy.pause_before()
