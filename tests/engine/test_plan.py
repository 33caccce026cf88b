"""What a plan says: an action and a reason for each node, times, and the critical path."""

from __future__ import annotations

import pathlib
import sys
from typing import Any

import pytest

import cascade_nb as cs
from cascade_nb.engine import Engine
from cascade_nb.engine.planning.plan import Plan
from cascade_nb.errors import UnknownNameError
from cascade_nb.graph import Graph
from cascade_nb.state.sqlite.backend import SqliteState
from tests.engine.conftest import MakeEngine
from tests.graph.cells import Cells


@cs.task(executor="inline")
def load(n: int = 1) -> int:
    return n


@cs.task(executor="inline")
def clean(x: Any) -> Any:
    return x


@cs.task(executor="inline")
def both(x: Any, y: Any = None) -> Any:
    return x, y


def actions(plan: Plan) -> dict[str, str]:
    return {step.node: step.action for step in plan.steps}


def reasons(plan: Plan) -> dict[str, str]:
    return {step.node: step.reason for step in plan.steps}


async def test_everything_runs_the_first_time_and_nothing_the_second(engine: Engine) -> None:
    target = both(clean(load(1)).named("rows")).named("report")
    plan = await engine.plan(target)
    assert set(reasons(plan).values()) == {"its result is not in this kernel's memory"}
    assert plan.summary == "report: 3 to run"
    await engine.run(target)
    plan = await engine.plan(target)
    assert set(actions(plan).values()) == {"reuse"}
    assert plan.step("rows").reason == "nothing that runs needs it"
    assert plan.step("report").reason == "its code and inputs are the same"


async def test_an_argument_that_changed_is_told_with_both_values(engine: Engine) -> None:
    def target(n: int) -> Any:
        return both(clean(load(n)).named("rows")).named("report")

    await engine.run(target(1))
    assert reasons(await engine.plan(target(2))) == {
        "load#1": "its argument n changed: 1 → 2",
        "rows": "it reads load#1, whose argument n changed: 1 → 2",
        "report": "it depends on load#1, whose argument n changed: 1 → 2",
    }


async def test_a_parameter_that_changed_is_told_by_its_name(engine: Engine) -> None:
    target = clean(load(cs.Param("size", default=1))).named("report")
    await engine.run(target)
    plan = await engine.plan(target, params={"size": 7})
    assert plan.step("report").reason == (
        "it depends on the parameter size, whose value changed: 1 → 7"
    )


async def test_a_node_without_a_name_says_who_needs_it(engine: Engine) -> None:
    def target(y: int) -> Any:
        return both(load(1), y).named("report")

    await engine.run(target(1))
    assert reasons(await engine.plan(target(2))) == {
        "load#1": "the result of a node without a name is not kept, and report needs it",
        "report": "its argument y changed: 1 → 2",
    }


async def test_an_edited_helper_is_told_with_its_difference(engine: Engine) -> None:
    cells = Cells()
    cells.run("def _h(x):\n    return x + 1\ndef f(x): return _h(x)")
    target = clean(cs.task(cells.names["f"])(load(1))).named("report")
    await engine.run(target)
    cells.run("def _h(x):\n    return x + 2")
    plan = await engine.plan(target)
    assert plan.step("f").reason == "its helper _h changed"
    assert plan.step("report").reason == "it reads f#1, whose helper _h changed"
    difference = (" def _h(x):", "-    return x + 1", "+    return x + 2")
    assert plan.step("f").difference == plan.step("report").difference == difference


async def test_in_a_large_graph_the_code_of_forgotten_nodes_is_still_known(
    engine: Engine,
) -> None:
    cells = Cells()
    cells.run("def f(x): return x + 1")
    chain: Any = load(1)
    made = cs.task(executor="inline")(cells.names["f"])
    for _ in range(700):
        chain = made(chain)
    target = clean(chain).named("report")
    await engine.run(target)
    cells.run("def f(x): return x + 2")
    made.fn.__code__ = cells.names["f"].__code__  # as %autoreload does it
    plan = await engine.plan(target)
    assert plan.step("f#350").reason == "its code changed"
    assert plan.step("report").reason == "it reads f#700, whose code changed"


async def test_what_cannot_be_keyed_says_so(engine: Engine) -> None:
    target = clean(sys._getframe()).named("report")
    plan = await engine.plan(target)
    assert plan.step("report").reason == (
        "its argument x (a frame) cannot be keyed: cannot pickle 'frame' object, so no "
        "earlier result can stand for it"
    )


async def test_a_result_that_had_to_go_says_so(make_engine: MakeEngine) -> None:
    from cascade_nb.state.memory import MemoryState

    engine = make_engine(state_backend=MemoryState(limit_bytes=100_000))
    await engine.run(load(1).named("small"))
    await engine.run(clean(b"x" * 99_950).named("large"))
    plan = await engine.plan(load(1).named("small"))
    assert plan.step("small").reason == "its last result is no longer kept"


async def test_an_engine_without_reuse_says_so(make_engine: MakeEngine) -> None:
    engine = make_engine(reuse=False)
    await engine.run(load(1).named("raw"))
    assert reasons(await engine.plan(load(1).named("raw"))) == {
        "raw": "earlier results are not to be used"
    }


# Skips.


async def test_a_false_condition_skips_the_node_and_what_only_it_needs(engine: Engine) -> None:
    never = clean(load(1)).named("never").run_if(False)
    plan = await engine.plan(both(load(2), never).named("report"))
    assert actions(plan) == {
        "load#1": "run",
        "load#2": "skip",
        "never": "skip",
        "report": "run",  # its parameter has a default
    }
    assert plan.step("never").reason == "its condition is false"


async def test_what_needs_a_skipped_result_is_skipped_too(engine: Engine) -> None:
    never = load(1).named("never").run_if(False)
    plan = await engine.plan(clean(never).named("report"))
    assert plan.step("report").action == "skip"
    assert plan.step("report").reason == "it needs never, which is skipped"


async def test_a_condition_that_is_computed_already_decides_in_the_plan(engine: Engine) -> None:
    asked = load(0).named("asked")
    target = both(1, clean(2).named("maybe").run_if(asked)).named("report")
    plan = await engine.plan(target)
    assert plan.step("maybe").action == "run"
    assert (
        plan.step("maybe").reason
        == "its result is not in this kernel's memory; only if asked is true"
    )
    await engine.run(asked)
    plan = await engine.plan(target)
    assert actions(plan) == {"asked": "reuse", "maybe": "skip", "report": "run"}
    assert plan.step("maybe").reason == "its condition asked is false"


async def test_a_plan_of_skips_agrees_with_the_run(engine: Engine) -> None:
    never = load(1).named("never").run_if(False)
    target = [both(never, clean(load(2)).named("beside")).named("report"), load(3).named("other")]
    plan = await engine.plan(target)
    run = engine.start(target)
    with pytest.raises(cs.errors.DependencyMissingError):
        await run
    states = {name: state.value for name, state in run.states().items()}
    words = {"run": "done", "skip": "skipped"}
    assert states == {step.node: words[step.action] for step in plan.steps}


async def test_what_only_a_condition_or_a_choice_may_need_says_so(engine: Engine) -> None:
    asked = load(0).named("asked")
    maybe = clean(load(1).named("deep")).named("maybe").run_if(asked)
    choice = cs.Router(load(2), {2: load(3).named("two"), 3: load(4).named("three")})
    target = both(choice.named("choice"), maybe).named("report")
    told = {step.node: step.reason.partition("; ")[2] for step in (await engine.plan(target)).steps}
    assert told == {
        "asked": "",
        "deep": "only if asked is true",
        "maybe": "only if asked is true",
        "load#1": "",
        "two": "only if choice takes it",
        "three": "only if choice takes it",
        "choice": "",
        "report": "",
    }


async def test_what_somebody_needs_for_sure_is_not_doubted(engine: Engine) -> None:
    shared = load(1).named("shared")
    maybe = clean(shared).named("maybe").run_if(load(0).named("asked"))
    plan = await engine.plan(both(shared, maybe).named("report"))
    assert plan.step("shared").reason == "its result is not in this kernel's memory"


# Holds.


@pytest.mark.parametrize(
    ("scope", "held"),
    [
        ("global", {"a", "b", "c"}),
        ("task:clean", {"b", "c"}),
        ("tag:slow", {"c"}),
        ("node:b", {"b", "c"}),
        ("from:b", {"b", "c"}),
        ("from:nothing", set()),
        ("run:123", set()),
    ],
)
async def test_a_pause_holds_what_it_is_about_and_all_that_waits_for_it(
    engine: Engine, scope: str, held: set[str]
) -> None:
    b = clean(load(1).named("a")).named("b")
    target = both(b).named("c").tagged("slow")
    engine.pause(scope)
    plan = await engine.plan(target)
    assert {step.node for step in plan.steps if step.action == "hold"} == held


async def test_a_hold_says_by_whom_and_why(engine: Engine) -> None:
    engine.pause("task:clean", reason="look first", by="Ada")
    plan = await engine.plan(both(clean(load(1)).named("rows")).named("report"))
    assert plan.step("rows").reason == "clean tasks paused by Ada: look first"
    assert plan.step("report").reason == "it waits for rows, which is held"


async def test_what_a_limit_of_none_at_once_stops_is_queued(engine: Engine) -> None:
    engine.limit("task:load", 0)
    plan = await engine.plan(load(1).named("raw"))
    assert plan.step("raw").action == "queue"
    assert plan.step("raw").reason == "at most 0 of load tasks at once by you"
    engine.limit("task:load", 1)
    assert (await engine.plan(load(1).named("raw"))).step("raw").action == "run"


async def test_what_is_reused_is_not_held(engine: Engine) -> None:
    await engine.run(load(1).named("raw"))
    engine.pause()
    assert actions(await engine.plan(load(1).named("raw"))) == {"raw": "reuse"}


# Times.


def timed(engine: Engine) -> Graph:
    """Two ways to one end: a long task, and a map of many shorter ones."""
    engine.means.update(load=1.0, clean=5.0, both=0.5)
    raw = load(1).named("raw")
    many = clean.map(x=[1, 2, 3]).named("many")
    return cs.build_graph(both(clean(raw).named("rows"), many).named("report"))


async def test_the_critical_path_is_the_longest_chain(engine: Engine) -> None:
    plan = await engine.plan(timed(engine))
    assert plan.step("many").seconds == 15.0
    assert plan.seconds == 1.0 + 5.0 + 15.0 + 0.5
    assert plan.path == ("raw", "rows", "report")  # the items of a map run side by side
    assert plan.path_seconds == 6.5
    assert plan.timing == (
        "About 22 s of work; the longest way is raw → rows → report, about 6.5 s."
    )


async def test_what_never_ran_is_said_to_be_unknown(engine: Engine) -> None:
    engine.means["load"] = 2.0
    plan = await engine.plan(clean(load(1).named("raw")).named("report"))
    assert plan.timing == (
        "About 2 s of work, beside 1 node of unknown length; the longest way is raw → report, "
        "about 2 s."
    )
    engine.means.clear()
    assert (await engine.plan(load(1))).timing == ""


async def test_a_nodes_own_history_counts_more_than_its_tasks(engine: Engine) -> None:
    await engine.run(load(1).named("raw"))
    engine.means["load"] = 1000.0  # others of the task took long
    plan = await engine.plan(load(2).named("raw"))
    seconds = plan.step("raw").seconds
    assert seconds is not None
    assert seconds < 500
    assert (await engine.plan(load(2).named("new"))).step("new").seconds == 1000.0


# As text.


async def test_a_plan_prints_itself(engine: Engine) -> None:
    text = str(await engine.plan(timed(engine)))
    assert text.splitlines()[0] == "report: 4 to run"
    assert "4 run: never ran here, about 22 s" in text
    assert "  rows    about 5 s" in text
    assert repr(await engine.plan(load(1))).startswith("load: 1 to run")


async def test_nodes_without_a_name_are_told_apart_by_their_calls(engine: Engine) -> None:
    once = load(1)
    nodes = [load(once), once + 1, load.map(n=[1, 2]), load(3).named("three"), load("x" * 99)]
    text = str(await engine.plan(nodes))
    told = [line.strip() for line in text.splitlines()[3:]]
    assert set(told) == {
        "load#1 = load(1)",
        "load#2 = load(load#1)",
        "(add)#1 = load + 1",
        "load#3 = load.map(n=[1, 2])",
        "three",
        f"load#4 = load('{'x' * 18}…)",
    }


async def test_a_long_plan_is_cut(engine: Engine) -> None:
    engine.means["load"] = 2.0
    text = str(await engine.plan([load(i).named(f"n{i}") for i in range(100)]))
    assert len(text.splitlines()) == 45
    assert text.endswith("… and 60 more nodes")


async def test_a_step_is_found_by_its_name(engine: Engine) -> None:
    plan = await engine.plan(clean(load(cs.Param("n", default=1))))
    assert plan.step("load").node == "load#1"
    for name in ("n", "nothing"):
        with pytest.raises(UnknownNameError):
            plan.step(name)


# Results of other kernels.


async def test_a_new_kernel_that_finds_results_knows_what_they_were_made_of(
    make_engine: MakeEngine, tmp_path: pathlib.Path
) -> None:
    def kernel() -> Engine:
        return make_engine(state_backend=SqliteState(tmp_path / "results.db", key=b"k" * 32))

    cells = Cells()
    cells.run("def _h(x): return x\ndef f(x): return _h(x)")
    target = clean(cs.task(cells.names["f"])(load(1))).named("report")
    await kernel().run(target)
    second = kernel()
    assert actions(await second.plan(target)) == {
        "load#1": "reuse",
        "f#1": "reuse",
        "report": "reuse",
    }
    cells.run("def _h(x): return -x")
    plan = await second.plan(target)
    assert plan.step("f").reason == "its helper _h changed"
    assert plan.step("report").reason == "it reads f#1, whose helper _h changed"
    # One that never saw the earlier state cannot tell.
    plan = await kernel().plan(target)
    assert plan.step("f").reason == "it never ran before, or not with this code and these inputs"
