"""A breakpoint with a condition holds what that is true of, and nobody waits for the condition."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

import cascade_nb as cs
from cascade_nb.engine import Engine, NodeState
from cascade_nb.errors import (
    ConstraintError,
    RunCancelledError,
    SerializationError,
    TaskFailedError,
    UsageError,
)
from cascade_nb.events import TaskBlocked
from cascade_nb.graph import from_json, to_json
from cascade_nb.model.options.pause_condition import Expression
from cascade_nb.testing import SpySubscriber, VirtualClock
from tests.engine.conftest import MakeEngine
from tests.engine.test_breakpoints import give, held, train
from tests.engine.test_edits import Names
from tests.engine.test_limits import every_lane, worker
from tests.engine.tools import PATIENCE, Hold, outcome, pass_time, started, until
from tests.support.steps import StepExecutor


def is_large(inputs: Mapping[str, Any]) -> bool:
    return bool(inputs["x"] > 5)


class Condition:
    """Holds what it is asked about until it is let go; notes what that is, and where."""

    def __init__(self, says: object = True) -> None:
        self.asked: list[Any] = []
        self.threads: set[threading.Thread] = set()
        self.says = says
        self._go = threading.Event()

    def __call__(self, inputs: Mapping[str, Any]) -> object:
        self.asked.append(inputs)
        self.threads.add(threading.current_thread())
        assert self._go.wait(PATIENCE), "nobody let go"
        return self.says

    def let_go(self) -> None:
        self._go.set()


@pytest.fixture
def condition() -> Iterator[Condition]:
    """One that hangs, and ends with its test."""
    made = Condition()
    yield made
    made.let_go()
    for thread in made.threads:
        thread.join(PATIENCE)
        assert not thread.is_alive()


@pytest.mark.parametrize("lane", ["inline", "async", "thread"])
async def test_items_of_which_it_is_true_are_held_and_the_others_run(
    engine: Engine, spy: SpySubscriber, lane: str
) -> None:
    work = worker(lane)
    engine.pause("work", before=True, pause_if=is_large)
    run = engine.start(work.map(x=give([4, 5, 6, 7])).named("m"))
    await until(lambda: run.progress_of(run.graph.node("m").index) == (2, 4))
    await held(run, 2)
    await until(lambda: not any("being judged" in run.why(item)[0] for item in ("m[2]", "m[3]")))
    assert sorted(started(spy, "work")) == ["m[0]", "m[1]"]
    assert run.why("m[2]")[0] == (
        "m[2] is held: at a breakpoint before work tasks by you, if is_large says so; its inputs "
        "are there, run.inputs('m[2]') gives them; cs.resume('node:m[2]') lets it start"
    )
    blocked = [one.task_id for one in spy.events_of_type(TaskBlocked)]
    assert sorted(blocked) == ["m[2]", "m[3]"]  # nobody was told of what did not stay
    engine.resume("work")
    assert await run == [4, 5, 6, 7]


async def test_part_of_the_workflow_it_is_judged_for_each_attempt_and_said_in_the_plan(
    engine: Engine,
) -> None:
    asked: list[Any] = []

    def twice(inputs: dict[str, Any]) -> bool:
        inputs["rows"].append(7)  # a copy: nobody else sees it
        asked.append(threading.current_thread())
        return len(asked) == 2

    tries: list[int] = []

    @cs.task(retry=2)
    def flaky(rows: list[int]) -> int:
        tries.append(len(rows))
        if len(tries) == 1:
            raise OSError("not yet")
        return len(rows)

    lazy = flaky(give([1, 2]).named("rows")).named("x").pause_before(pause_if=twice)
    plan = await engine.plan(lazy)
    assert plan.step("x").action == "run"
    assert "held before it starts, if twice says so" in plan.step("x").reason
    run = engine.start(lazy)
    await until(lambda: "if twice says so; its inputs" in run.why("x")[0])
    assert tries == [2]
    assert run.status.held == 1
    assert threading.main_thread() not in asked
    run.resume("node:x")
    assert await run == 2
    assert len(asked) == 2  # what a person let go is asked no more


async def test_while_it_is_judged_the_node_is_held_and_can_be_let_go(
    engine: Engine, condition: Condition
) -> None:
    engine.pause("give", before=True, pause_if=condition)
    run = engine.start(give(1).named("x"))
    await until(lambda: condition.asked)
    assert condition.asked == [{"x": 1}]
    assert run.status.held == 1
    assert run.why("x")[0].startswith(
        "x is held: at a breakpoint before give tasks by you, if its condition says so, which is "
        "being judged; its inputs are there, run.inputs('x') gives them"
    )
    run.resume("node:x")
    assert await run == 1
    condition.let_go()  # what it says now is about nothing


async def test_one_that_is_paused_over_meanwhile_waits_for_the_pause(
    engine: Engine, spy: SpySubscriber, condition: Condition
) -> None:
    condition.says = False
    run = engine.start(give(1).named("x").pause_before(pause_if=condition))
    await until(lambda: condition.asked)
    engine.pause("give")
    assert "give tasks paused" in run.why("x")[0]
    condition.let_go()
    await until(lambda: not any(thread.is_alive() for thread in condition.threads))
    await until(lambda: run.states()["x"] is NodeState.HELD)
    assert started(spy) == []
    engine.resume("give")
    assert await run == 1
    assert len(condition.asked) == 1


class Unsure:
    def __bool__(self) -> bool:
        raise ValueError("who knows")


async def later(inputs: object) -> bool:
    return False


def give_up(inputs: object) -> object:
    raise SystemExit(3)


@pytest.mark.parametrize(
    ("pause_if", "said"),
    [
        (lambda inputs: inputs["y"], "its condition says so, which raised KeyError: 'y'"),
        (give_up, "give_up says so, which raised SystemExit: 3"),
        (lambda _: Unsure(), "its condition says so, which raised ValueError: who knows"),
        (lambda inputs: later([inputs]), "raised UsageError: it gave something to be awaited"),
        (lambda _: give.lazy(1), "which raised LazyValueError"),
        (Expression("x > y", dict), "if `x > y`, which raised NameError: name 'y' is not"),
    ],
)
async def test_one_that_raises_holds_the_node_and_says_why(
    engine: Engine, pause_if: Any, said: str
) -> None:
    run = engine.start(give(1).named("x").pause_before(pause_if=pause_if))
    await until(lambda: said in run.why("x")[0])
    await until(lambda: said in run.status.headline)
    assert run.status.held == 1
    run.resume()
    assert await run == 1


async def test_one_that_hangs_is_named_when_the_grace_is_over_and_the_others_are_judged(
    make_engine: MakeEngine, clock: VirtualClock, condition: Condition
) -> None:
    condition.says = False
    engine = make_engine(clock=clock, grace=2.0)
    first = give(1).named("x").pause_before(pause_if=condition)
    run = engine.start([first, give(9).named("y").pause_before(pause_if=is_large)])
    await until(lambda: condition.asked)
    while "has not answered for 2 s" not in run.why("x")[0]:
        await pass_time(clock, 1)
    await until(lambda: "if is_large says so; its" in run.why("y")[0])
    run.resume("node:y")
    condition.let_go()  # late, and not too late
    assert await run == [1, 9]


async def test_a_run_is_cancelled_although_its_condition_hangs(
    engine: Engine, condition: Condition
) -> None:
    run = engine.start(give(1).pause_before(pause_if=condition))
    await until(lambda: condition.asked)
    run.cancel()
    assert isinstance(await outcome(run), RunCancelledError)
    condition.let_go()


async def test_a_failure_beside_it_ends_the_run(engine: Engine, condition: Condition) -> None:
    @cs.task
    def fail() -> None:
        until_asked.wait(PATIENCE)
        raise ValueError("no")

    until_asked = threading.Event()
    run = engine.start([give(1).pause_before(pause_if=condition), fail()])
    await until(lambda: condition.asked)
    until_asked.set()
    assert isinstance(await outcome(run), TaskFailedError)


async def test_another_condition_judges_anew_what_is_held(engine: Engine) -> None:
    engine.pause("give", before=True)
    run = engine.start(give.map(x=[4, 6]).named("m"))
    await held(run, 2)
    engine.pause("give", before=True, pause_if=is_large)
    await until(lambda: run.progress_of(run.graph.node("m").index) == (1, 2))
    await held(run)
    engine.pause("give", before=True, pause_if=lambda _: False)
    assert await run == [4, 6]
    engine.pause("give", before=True)
    again = engine.start(give(5).named("x"))
    await until(lambda: "before give tasks by you; its inputs" in again.why("x")[0])
    engine.resume("give", before=True)
    assert await again == 5


async def test_another_condition_finds_what_has_passed_the_one_before_and_has_not_begun(
    make_engine: MakeEngine,
) -> None:
    steps = StepExecutor(1)
    engine = make_engine(executor=steps)
    engine.pause("train", before=True, pause_if=lambda _: False)
    run = engine.start(train([1]).named("model"))
    await until(lambda: steps.waiting)
    engine.pause("train", before=True)
    assert not steps.begin()  # the last look
    await held(run)
    engine.resume("model")
    await until(lambda: steps.waiting)
    assert steps.begin()
    steps.end()
    assert await run == 4


async def test_after_an_edit_it_is_judged_of_the_inputs_as_they_are_then(
    engine: Engine, spy: SpySubscriber
) -> None:
    names = Names()
    source = give(6).named("source")
    lazy = give(source).named("x").pause_before(pause_if=is_large)
    engine.pause("node:other", before=True)
    run = engine.start([lazy, give(0).named("other")], bindings=names)
    await held(run, 2)
    names.lazies[source.identity] = give(3).named("source")
    engine.edited()
    run.resume("node:other")
    assert await run == [3, 0]  # it is small now


@every_lane
async def test_who_passes_still_waits_for_a_limit(
    engine: Engine, spy: SpySubscriber, lane: str
) -> None:
    hold = Hold()
    engine.limit("task:work", 1)
    engine.pause("task:work", before=True, pause_if=lambda inputs: inputs["x"] == 2)
    run = engine.start([worker(lane, hold)(n).named(f"n{n}") for n in range(3)])
    await until(lambda: (run.status.held, run.status.queued, len(hold.came)) == (1, 1, 1))
    hold.let_go()
    await until(lambda: run.states()["n1"] is NodeState.DONE)
    run.resume()
    assert await run == [0, 1, 2]


async def test_two_breakpoints_hold_what_either_condition_is_true_of(engine: Engine) -> None:
    engine.pause("give", before=True, pause_if=lambda inputs: inputs["x"] % 2)
    engine.pause(before=True, pause_if=is_large)
    run = engine.start(give.map(x=[1, 2, 7, 8]).named("m"))
    await until(lambda: run.progress_of(run.graph.node("m").index) == (1, 4))
    await held(run, 3)
    engine.resume("give", before=True)
    await until(lambda: run.progress_of(run.graph.node("m").index) == (2, 4))
    await held(run, 2)
    engine.resume("m")
    assert await run == [1, 2, 7, 8]


async def test_a_task_is_a_plain_function_in_it(engine: Engine) -> None:
    @cs.task
    def is_even(n: int) -> bool:
        return n % 2 == 0

    condition = lambda inputs: is_even(inputs["x"])  # noqa: E731
    run = engine.start(give.map(x=[1, 2]).named("m").pause_before(pause_if=condition))
    await until(lambda: run.progress_of(run.graph.node("m").index) == (1, 2))
    await held(run)
    run.resume()
    assert await run == [1, 2]


def test_what_can_be_no_condition_is_refused_at_once(engine: Engine) -> None:
    for wrong in (True, "x > 3", 5):
        with pytest.raises(UsageError, match="pause_if is a function of a node's inputs"):
            give(1).pause_before(pause_if=wrong)  # type: ignore[arg-type]
        with pytest.raises(UsageError, match="pause_if is a function of a node's inputs"):
            engine.pause("give", before=True, pause_if=wrong)  # type: ignore[arg-type]
    for slow in (later, cs.task(later)):
        with pytest.raises(UsageError, match="an async one was given"):
            give(1).pause_before(pause_if=slow)
    for of in (engine, cs):
        with pytest.raises(UsageError, match="a condition belongs to a breakpoint"):
            of.pause("give", pause_if=is_large)
    with pytest.raises(ConstraintError, match="is code, and nobody takes code from outside"):
        engine.constraints.apply("task:give", "breakpoint", {"pause_if": "x > 3"})
    for text in ("", "x >", "x = 3", "\0", "(" * 500):
        with pytest.raises(UsageError, match="is no expression"):
            Expression(text, dict)
    assert engine.constraints.constraints() == []


async def test_it_is_in_force_in_every_engine_also_in_one_made_later(
    make_engine: MakeEngine,
) -> None:
    cs.pause("task:give", before=True, pause_if=is_large)
    try:
        engine = make_engine()
        run = engine.start(give.map(x=[5, 6]).named("m"))
        await until(lambda: run.progress_of(run.graph.node("m").index) == (1, 2))
        await held(run)
        assert "held before it starts, if is_large says so" in str(cs.status())
    finally:
        cs.resume("task:give", before=True)
    assert await run == [5, 6]


async def test_where_a_run_is_taken_up_the_workflow_has_its_condition_and_nobody_elses_is_known(
    make_engine: MakeEngine, tmp_path: Path
) -> None:
    url = f"sqlite:///{tmp_path}/r.db"
    engine = make_engine(state_backend=url)
    lazy = train(give([1]).named("rows")).named("x")
    lazy = lazy.pause_before(pause_if=lambda inputs: inputs["rows"])
    engine.pause("node:rows", before=True, pause_if=is_large, reason="large?")
    run = engine.start(lazy)
    await until(lambda: "is_large says so, which raised TypeError" in run.why("rows")[0])
    run.cancel()
    await outcome(run)
    again = await make_engine(state_backend=url).attach(run.id)
    lost = (
        "by you: large?; it was to hold only if is_large says so, which is lost with its kernel: "
        "it holds all that comes; lift it, or set it again; its"
    )
    await until(lambda: lost in again.why("rows")[0])
    again.resume("node:rows")
    await until(lambda: "by the workflow, if its condition says so; its" in again.why("x")[0])
    again.resume()
    assert await again == 4


def test_json_of_a_graph_has_a_condition_that_can_be_imported() -> None:
    lazy = give(4).named("x").pause_before(pause_if=is_large)
    read = from_json(to_json(cs.build_graph(lazy)), tasks={"give": give})
    assert read.node("x").options.pause_if is is_large
    with pytest.raises(SerializationError, match="the condition of its breakpoint cannot be impor"):
        to_json(cs.build_graph(give(4).pause_before(pause_if=lambda _: True)))
