"""Conditions, branches, order, and the reasons for what did not run."""

from __future__ import annotations

from typing import Any

import pytest

import cascade_nb as cs
from cascade_nb.engine import Engine, NodeState
from cascade_nb.errors import DependencyMissingError, RouteError, TaskFailedError
from cascade_nb.testing import SpySubscriber
from tests.engine.tools import finished, outcome, skips, started


@cs.task(executor="inline")
def give(x: Any = 1) -> Any:
    return x


@cs.task(executor="inline")
def total(*values: Any) -> Any:
    return sum(values)


@cs.task(executor="inline")
def optional(x: Any, y: Any = "default") -> Any:
    return x, y


@cs.task
def broken() -> Any:
    raise ValueError("broken")


@pytest.mark.parametrize("condition", [True, give(True), give([1]), give(give(5))])
async def test_a_true_condition_lets_it_run(engine: Engine, condition: Any) -> None:
    assert await engine.run(give(2).run_if(condition)) == 2


@pytest.mark.parametrize("condition", [False, 0, give(False), give([]), give(None)])
async def test_a_false_condition_skips_it_with_its_reason(
    engine: Engine, spy: SpySubscriber, condition: Any
) -> None:
    target = give(2).named("target").run_if(condition)
    with pytest.raises(DependencyMissingError, match=r"target was skipped: its condition .*is fal"):
        await engine.run(target)
    assert skips(spy)["target"] == "ConditionFalse"


async def test_what_only_a_skipped_node_needs_does_not_run(
    engine: Engine, spy: SpySubscriber
) -> None:
    costly, flag = give(1).named("costly"), give(False).named("flag")
    with pytest.raises(DependencyMissingError):
        await engine.run(total(costly).run_if(flag))
    assert skips(spy) == {"total#1": "ConditionFalse", "costly": "Pruned"}
    assert started(spy) == ["flag"]


async def test_the_condition_is_looked_at_before_the_inputs(
    engine: Engine, spy: SpySubscriber
) -> None:
    await engine.run(total(give(1).named("input")).run_if(give(True).named("flag")))
    assert started(spy)[:2] == ["flag", "input"]


async def test_skips_go_down_with_the_first_cause(engine: Engine, spy: SpySubscriber) -> None:
    first = give(1).named("first").run_if(give(False).named("flag"))
    last = total(total(total(first)).named("middle")).named("last")
    with pytest.raises(
        DependencyMissingError,
        match=r"last was skipped: first was skipped: its condition flag is false",
    ):
        await engine.run(last)
    assert skips(spy) == {
        "first": "ConditionFalse",
        "total#1": "UpstreamSkipped",
        "middle": "UpstreamSkipped",
        "last": "UpstreamSkipped",
    }


async def test_a_long_chain_of_skips_needs_no_deep_stack(engine: Engine) -> None:
    lazy = give(1).run_if(give(False))
    for _ in range(20_000):
        lazy = total(lazy)
    with pytest.raises(DependencyMissingError, match=r"total was skipped: give was skipped"):
        await engine.run(lazy)


async def test_a_skipped_optional_input_takes_its_default(engine: Engine) -> None:
    gone = give(1).run_if(False)
    assert await engine.run(optional(1, gone)) == (1, "default")
    assert await engine.run(optional(1, y=gone)) == (1, "default")
    assert await engine.run(optional.partial(y=gone).map(x=[1, 2])) == [
        (1, "default"),
        (2, "default"),
    ]


@pytest.mark.parametrize(
    "target",
    [
        lambda gone: optional(gone, 1),
        lambda gone: optional(gone, gone),
        lambda gone: optional(1, [gone]),
        lambda gone: optional([gone], gone),
        lambda gone: total(gone, 1),
        lambda gone: optional.map(x=gone),
        lambda gone: optional.map(x=[1, gone]),
        lambda gone: optional.map(x=[1], y=gone),
        lambda gone: optional(1).with_constraints(gpu=gone),
        lambda gone: optional(1, gone).with_constraints(gpu=gone),
        lambda gone: cs.Router(gone, {1: give()}),
        lambda gone: cs.Router(give(1), {1: gone, 2: give()}),
    ],
)
async def test_an_input_that_is_needed_skips_who_needs_it(make_engine: Any, target: Any) -> None:
    engine = make_engine(system_resources={"gpu": 2})
    gone = give(1).named("gone").run_if(False)
    with pytest.raises(DependencyMissingError, match=r"gone was skipped: its condition is false"):
        await engine.run(target(gone))


async def test_a_failed_optional_input_is_a_failure_not_a_default(
    engine: Engine, spy: SpySubscriber
) -> None:
    run = engine.start([optional(1, broken()), optional(2, give(broken()))], on_error="continue")
    await outcome(run)
    assert skips(spy) == {
        "optional#1": "UpstreamFailed",
        "give#1": "UpstreamFailed",
        "optional#2": "UpstreamFailed",
    }


async def test_a_condition_that_fails_or_is_skipped_takes_its_node_along(
    engine: Engine, spy: SpySubscriber
) -> None:
    with pytest.raises(TaskFailedError, match=r"target could not be computed, because broken fail"):
        await engine.run(give(1).named("target").run_if(broken()))
    with pytest.raises(DependencyMissingError, match=r"give was skipped: its condition is false"):
        await engine.run(give(1).run_if(give(2).run_if(False)))


async def test_a_condition_without_truth_is_a_failure_of_its_node(engine: Engine) -> None:
    class Odd:
        def __bool__(self) -> bool:
            raise RuntimeError("neither")

    with pytest.raises(TaskFailedError, match=r"give failed: RuntimeError: neither"):
        await engine.run(give(1).run_if(give(Odd())))


@pytest.mark.parametrize("key", ["left", "right", "plain"])
async def test_a_router_runs_only_the_chosen_branch(
    engine: Engine, spy: SpySubscriber, key: str
) -> None:
    shared = give(10).named("shared")
    router = cs.Router(
        give(key),
        {
            "left": total(shared, give(1).named("only left")).named("left"),
            "right": total(shared, give(2).named("only right")).named("right"),
            "plain": 5,
        },
    )
    assert await engine.run(router) == {"left": 11, "right": 12, "plain": 5}[key]
    ran = {name for name in started(spy) if not name.startswith("give")}
    chosen = {key, "shared", f"only {key}"} if key != "plain" else set()
    assert ran == chosen
    everything = {"left", "right", "shared", "only left", "only right"}
    assert {n for n, reason in skips(spy).items() if reason == "Pruned"} == everything - chosen


async def test_branches_share_what_both_need_and_it_runs_once(
    engine: Engine, spy: SpySubscriber
) -> None:
    shared = give(10).named("shared")
    routes = {1: total(shared, 1), 2: total(shared, 2)}
    target = [cs.Router(give(1), routes), cs.Router(give(2), routes), shared]
    assert await engine.run(target) == [11, 12, 10]
    assert started(spy).count("shared") == 1


@pytest.mark.parametrize("key", ["lft", 3, None, [1]])
async def test_an_unknown_key_is_refused_with_the_known_ones(engine: Engine, key: Any) -> None:
    router = cs.Router(give(key), {"left": give(1), "right": give(2)}).named("choice")
    with pytest.raises(
        TaskFailedError, match=r"choice has no route .*; it has 'left', 'right'"
    ) as e:
        await engine.run(router)
    assert isinstance(e.value.__cause__, RouteError)


async def test_a_router_with_a_plain_key_and_routers_in_routers(engine: Engine) -> None:
    inner = cs.Router("b", {"a": broken(), "b": give(3)})
    assert await engine.run(cs.Router(give("x"), {"x": inner, "y": broken()})) == 3


async def test_a_branch_whose_inputs_failed_long_ago_does_not_run(
    engine: Engine, spy: SpySubscriber
) -> None:
    # The branch is asked for only when its input is over already: nothing will tell it again.
    wrong = broken()
    late = total(total(wrong))
    slow_key = give("late").after(wrong_but_done := give(0).after(give(1)))
    run = engine.start(
        [wrong, cs.Router(slow_key, {"late": late}), wrong_but_done], on_error="continue"
    )
    assert isinstance(await outcome(run), TaskFailedError)
    assert not started(spy, "total")
    assert [f.task for f in run.failures] == ["broken"]


@pytest.mark.parametrize("how", ["condition", "route"])
@pytest.mark.parametrize("end", ["skipped", "failed"])
async def test_what_is_asked_for_late_hears_of_an_end_that_was_early(
    engine: Engine, spy: SpySubscriber, how: str, end: str
) -> None:
    early = broken().named("early") if end == "failed" else give(1).named("early").run_if(False)
    between = total(early).named("between")
    flag = give("key").named("flag").after(give(0).after(give(1)))
    watch = optional(1, early) if end == "skipped" else early
    late: Any = (
        total(between).run_if(flag) if how == "condition" else cs.Router(flag, {"key": between})
    )
    run = engine.start([watch, late.named("late")], on_error="continue")
    await outcome(run)
    assert "between" not in started(spy)
    reason = "UpstreamFailed" if end == "failed" else "UpstreamSkipped"
    assert skips(spy)["between"] == skips(spy)["late"] == reason


async def test_after_is_an_order_without_data(engine: Engine, spy: SpySubscriber) -> None:
    first, second = give(1).named("first"), give(2).named("second")
    assert await engine.run([give(3).named("third").after(first, second), second, first]) == [
        3,
        2,
        1,
    ]
    assert started(spy)[-1] == "third"


async def test_after_a_skipped_one_it_runs_and_after_a_failed_one_it_does_not(
    engine: Engine, spy: SpySubscriber
) -> None:
    assert await engine.run(give(1).after(give(2).run_if(False))) == 1
    run = engine.start(give("anew").named("later").after(broken()), on_error="continue")
    await outcome(run)
    assert skips(spy)["later"] == "UpstreamFailed"


async def test_a_sequence_of_one_tasks_calls_says_once_which_step_was_skipped(
    engine: Engine,
) -> None:
    steps = cs.sequence(give(1), give(2).run_if(give(False)), give(3), give(4))
    with pytest.raises(DependencyMissingError) as caught:
        await engine.run(steps)
    assert str(caught.value) == "give was skipped: its condition give is false (give#3)"
    mixed = cs.sequence(give(2).run_if(False), total([1]), give(3))
    with pytest.raises(DependencyMissingError) as caught:
        await engine.run(mixed)
    assert str(caught.value) == "give was skipped: its condition is false"


async def test_a_sequence_runs_in_order_and_gives_the_last(
    engine: Engine, spy: SpySubscriber
) -> None:
    steps = [give(i).named(f"step {i}") for i in range(5)]
    assert await engine.run(cs.sequence(*steps)) == 4
    assert started(spy) == [f"step {i}" for i in range(5)]


async def test_a_pipeline_hands_on(engine: Engine) -> None:
    assert await engine.run(cs.pipeline(1, total, lambda x: total(x, 10), optional)) == (
        11,
        "default",
    )


async def test_an_empty_map_and_a_skipped_map_are_not_the_same(
    engine: Engine, spy: SpySubscriber
) -> None:
    assert await engine.run(optional(give.map(x=[]))) == ([], "default")
    assert await engine.run(optional(1, give.map(x=[1]).run_if(False))) == (1, "default")
    assert finished(spy)[-1] == "optional#1"


async def test_states_show_what_was_skipped(engine: Engine) -> None:
    run = engine.start(optional(1, give(2).named("gone").run_if(False)))
    await run
    assert run.states()["gone"] is NodeState.SKIPPED
    assert run.status.skipped == 1
    assert run.why("gone") == ["gone was skipped (ConditionFalse): its condition is false"]
