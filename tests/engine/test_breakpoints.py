"""A breakpoint holds what would start, with its inputs there, until it is let go."""

from __future__ import annotations

from typing import Any

import pytest

import cascade_nb as cs
from cascade_nb.control.gate_kinds.breakpoints import BreakpointGate
from cascade_nb.engine import Engine, NodeState
from cascade_nb.engine.dispatch.admission import Admission
from cascade_nb.errors import HolderError, RunCancelledError, UnknownNameError, UsageError
from cascade_nb.events import TaskBlocked
from cascade_nb.testing import SpySubscriber, VirtualClock
from tests.engine.conftest import MakeEngine
from tests.engine.test_edits import Names, double, named, triple
from tests.engine.test_limits import every_lane, worker
from tests.engine.tools import Hold, outcome, pass_time, started, until
from tests.support.steps import StepExecutor


@cs.task(executor="inline")
def give(x: Any = 1) -> Any:
    return x


@cs.task
def train(rows: list[int], scale: int = 2) -> int:
    rows.append(1000)  # what it is given is its own
    return scale * len(rows)


def let_go(engine: Engine) -> set[object]:
    """What breakpoints remember to have let go."""
    with engine.constraints.lock:
        gates: list[BreakpointGate] = engine.constraints.breakpoints()
        return {called for gate in gates for called in gate.let_go}


async def held(run: Any, count: int = 1) -> None:
    await until(lambda: (run.status.held, run.status.running) == (count, 0))


async def test_what_is_about_to_start_is_held_and_everything_else_goes_on(
    engine: Engine, spy: SpySubscriber
) -> None:
    rows = give([1, 2]).named("rows")
    model = train(rows).named("model")
    engine.pause("task:train", before=True)
    run = engine.start([give(model), give(5).named("other")])
    await held(run)
    await until(lambda: run.states()["other"] is NodeState.DONE)
    assert run.states()["model"] is NodeState.HELD
    assert started(spy, "train") == []
    inputs = run.inputs("train")
    assert inputs == {"rows": [1, 2], "scale": 2}
    inputs["rows"].append(3)  # a copy: nobody else sees it
    assert run.inputs("model") == {"rows": [1, 2], "scale": 2}
    (why,) = run.why("model")
    assert why == (
        "model is held: at a breakpoint before train tasks by you; its inputs are there, "
        "run.inputs('model') gives them; cs.resume('node:model') lets it start"
    )
    assert why.removeprefix("model is held: ") in run.status.headline
    assert [one.task_id for one in spy.events_of_type(TaskBlocked)] == ["model"]
    assert engine.resume("train")
    assert await run == [6, 5]
    assert started(spy, "train") == ["model"]
    assert not engine.resume("train")  # the breakpoint stands, and nothing is held at it
    again = engine.start(give(model))  # a kept result is no start
    assert await again == 6


@pytest.mark.parametrize("lane", ["inline", "async", "thread"])
async def test_each_item_of_a_map_is_held_for_itself_wherever_it_runs(
    engine: Engine, spy: SpySubscriber, lane: str
) -> None:
    work = worker(lane)
    engine.pause("work", before=True)
    run = engine.start(work.map(x=give([5, 6, 7])).named("m"))
    await held(run, 3)
    assert run.inputs("m[1]") == {"x": 6}
    with pytest.raises(UsageError, match=r"say which: m\[0\]"):
        run.inputs("m")
    with pytest.raises(UnknownNameError, match="has 3, from 0"):
        run.inputs("m[3]")
    (why,) = run.why("m")
    assert "run.inputs('m[0]') gives them" in why
    assert why.endswith("; so are 2 more of its items")
    assert run.why("m[1]")[0].startswith("m[1] is held: at a breakpoint before work tasks by you")
    assert engine.resume("m[1]")
    await until(lambda: run.progress_of(run.graph.node("m").index) == (1, 3))
    assert started(spy, "work") == ["m[1]"]
    assert engine.resume("node:m[0]")
    await until(lambda: run.progress_of(run.graph.node("m").index) == (2, 3))
    assert run.inputs("m") == {"x": 7}  # the only one that is held
    assert engine.resume("m")
    assert await run == [5, 6, 7]


async def test_a_breakpoint_holds_each_attempt_and_lifting_it_lets_all_go(
    engine: Engine, spy: SpySubscriber
) -> None:
    tries: list[int] = []

    @cs.task(retry=3)
    def flaky() -> int:
        tries.append(1)
        if len(tries) < 3:
            raise OSError("not yet")
        return len(tries)

    engine.pause("flaky", before=True)
    run = engine.start(flaky())
    for number in (0, 1):
        await held(run)
        assert len(tries) == number
        run.resume("flaky")
        await until(lambda: len(tries) == number + 1)  # noqa: B023
    await held(run)
    assert engine.resume("flaky", before=True)
    assert await run == 3
    assert not engine.resume("flaky", before=True)


async def test_what_was_edited_while_held_runs_once_it_is_let_go(
    engine: Engine, spy: SpySubscriber
) -> None:
    names = Names()
    scale, new = named(double), named(triple)
    first = give(2).named("first")
    engine.pause("task:scale", before=True)
    run = engine.start(give([first, scale(first)]), bindings=names)
    await held(run)
    names.tasks[scale] = new
    engine.edited()
    run.resume()  # it was let go before it was edited anew: that is the same attempt
    assert await run == [2, 6]
    assert run.edits == ("scale",)
    assert started(spy, "scale") == ["scale#1"]


async def test_what_was_tried_again_is_held_once_more_when_an_edit_has_it_run_anew(
    engine: Engine,
) -> None:
    names, tries = Names(), list[str]()

    def before(x: int) -> int:
        tries.append("before")
        if len(tries) < 2:
            raise OSError("not yet")
        return x

    def after(x: int) -> int:
        tries.append("after")
        return x + 1

    old, new = named(before), named(after)
    first = old(1).named("first").with_retry(3)
    engine.pause(before=True)
    run = engine.start(give(first).named("last"), bindings=names)
    for number in (1, 2):
        await held(run)
        run.resume("node:first")
        await until(lambda: len(tries) == number)  # noqa: B023
    await until(lambda: run.states()["last"] is NodeState.HELD)
    assert let_go(engine) == set()  # both attempts are over
    names.tasks[old] = new
    engine.edited()
    run.resume("node:last")
    await until(lambda: run.states()["first"] is NodeState.HELD)
    assert tries == ["before", "before"]
    engine.resume(before=True)
    assert await run == 2


async def test_nothing_is_remembered_of_a_run_that_is_over(engine: Engine) -> None:
    engine.pause("give", before=True)
    engine.limit("give", 0)
    run = engine.start(give(1).named("x"))
    await held(run)
    run.resume("node:x")
    await until(lambda: run.status.queued == 1)
    assert len(let_go(engine)) == 1  # it has not begun
    run.cancel()
    assert isinstance(await outcome(run), RunCancelledError)
    assert let_go(engine) == set()


async def test_to_let_one_of_many_go_asks_once_which_nodes_are_meant(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    members = Admission.members

    def counted(self: Admission, scope: Any) -> frozenset[int]:
        asked.append(str(scope))
        return members(self, scope)

    monkeypatch.setattr(Admission, "members", counted)
    engine.pause("give", before=True)
    run = engine.start([give(n).named(f"n{n}") for n in range(5)])
    await held(run, 5)
    assert engine.resume("node:n3")
    await held(run, 4)
    assert not engine.resume("node:n3")  # it is not held any more
    assert asked == ["node:n3", "node:n3"]
    engine.resume("give")
    assert await run == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("scope", ["node:m[1]", "m[1]"])
async def test_a_breakpoint_may_be_before_one_item_of_a_map(
    engine: Engine, spy: SpySubscriber, scope: str
) -> None:
    mapped = give.map(x=[5, 6, 7]).named("m")
    engine.pause("global")
    run = engine.start(mapped)
    await held(run, 3)
    engine.pause(scope, before=True)
    engine.resume("global")
    await until(lambda: run.progress_of(run.graph.node("m").index) == (2, 3))
    await held(run)
    assert "m[1]" not in started(spy, "give")
    assert run.inputs("m") == {"x": 6}
    assert engine.resume("m[1]")
    assert await run == [5, 6, 7]
    assert engine.resume(scope if ":" in scope else f"node:{scope}", before=True)


async def test_who_is_let_go_passes_every_breakpoint_that_one_may_overrule(engine: Engine) -> None:
    engine.pause("give", before=True, by="agent:claude")
    engine.pause(before=True, by="agent:claude")
    engine.pause("node:x", before=True, by="ada")
    run = engine.start(give(1).named("x"))
    await held(run)
    engine.resume("node:x", by="ada")  # a person overrules agents: once for all three
    assert await run == 1
    run = engine.start(give(2).named("x"))
    await held(run)
    engine.resume("node:x", before=True, by="ada")
    await until(lambda: "by the agent claude" in run.why("x")[0])
    engine.resume("node:x", by="agent:claude")  # once for both of its own
    assert await run == 2


async def test_a_run_lets_go_only_what_is_its_own(
    engine: Engine,
) -> None:
    engine.pause("give", before=True)
    run, other = (engine.start(give(n).named("x")) for n in (1, 2))
    await held(run)
    await held(other)
    for scope in ("node:x", "give", "global"):
        run.resume(scope)
        assert other.status.held == 1
    assert await run == 1
    assert other.status.held == 1
    assert engine.resume("node:x")  # of all runs
    assert await other == 2


async def test_a_pause_of_the_same_scope_is_lifted_first(
    engine: Engine, spy: SpySubscriber
) -> None:
    engine.pause("give")
    engine.pause("give", before=True)
    run = engine.start(give(3).named("x"))
    await held(run)
    assert "give tasks paused" in run.why("x")[0]
    assert engine.resume("give")
    await until(lambda: "at a breakpoint" in run.why("x")[0])
    assert started(spy) == []
    assert engine.resume("give")
    assert await run == 3


@pytest.mark.parametrize(
    ("scope", "stops"),
    [
        ("global", {"a", "b", "c"}),
        ("tag:x", {"b"}),
        ("node:b", {"b"}),
        ("from:b", {"b", "c"}),
        ("task:g*", {"a", "b", "c"}),
    ],
)
async def test_a_breakpoint_is_for_each_sort_of_scope_and_steps(
    engine: Engine, scope: str, stops: set[str]
) -> None:
    a = give(1).named("a")
    b = give(a).named("b").tagged("x")
    engine.pause(scope, before=True)
    run = engine.start(give(b).named("c"))
    met = set()
    for _ in stops:
        await held(run)
        met |= {name for name, state in run.states().items() if state is NodeState.HELD}
        run.resume()
    assert await run == 1
    assert met == stops


async def test_a_breakpoint_has_an_end_and_held_time_counts_for_no_timeout(
    make_engine: MakeEngine, clock: VirtualClock
) -> None:
    engine = make_engine(clock=clock)
    engine.pause("give", before=True, ttl=60)
    run = engine.start(give(1).named("x").with_timeout(5))
    await held(run)
    await pass_time(clock, 50)
    assert run.status.held == 1
    assert run.status.remaining is None
    await pass_time(clock, 10)
    assert await run == 1
    assert engine.constraints.constraints() == []
    assert run.elapsed < 5  # it was held, and took no time


async def test_a_person_lets_go_what_anybody_holds_and_an_agent_only_its_own(
    engine: Engine,
) -> None:
    engine.pause("give", before=True)
    run = engine.start(give(1).named("x"))
    await held(run)
    with pytest.raises(HolderError, match="at a breakpoint by you; the agent claude lifts only"):
        engine.resume("node:x", by="agent:claude")
    assert run.status.held == 1
    engine.resume("give", before=True)
    assert await run == 1
    engine.pause("give", before=True, by="agent:claude")
    run = engine.start(give(2).named("x"))
    await held(run)
    assert engine.resume("x", by="ada")
    assert await run == 2


async def test_a_run_that_is_held_at_a_breakpoint_can_be_cancelled(engine: Engine) -> None:
    engine.pause("give", before=True)
    run = engine.start(give(1))
    await held(run)
    run.cancel()
    assert isinstance(await outcome(run), RunCancelledError)
    engine.resume("give", before=True)
    assert await engine.start(give(2)) == 2


async def test_a_breakpoint_finds_what_was_admitted_and_has_not_begun(
    make_engine: MakeEngine,
) -> None:
    steps = StepExecutor(1)
    engine = make_engine(executor=steps)
    run = engine.start(train([1]).named("model"))
    await until(lambda: steps.waiting)
    engine.pause("train", before=True)
    assert not steps.begin()  # the last look
    await held(run)
    assert run.inputs("model") == {"rows": [1], "scale": 2}
    engine.resume("model")
    await until(lambda: steps.waiting)
    assert steps.begin()
    steps.end()
    assert await run == 4


@every_lane
async def test_who_is_let_go_still_waits_for_its_turn_in_a_limit(
    engine: Engine, spy: SpySubscriber, lane: str
) -> None:
    hold = Hold()
    engine.limit("task:work", 1)
    engine.pause("task:work", before=True)
    run = engine.start([worker(lane, hold)(n) for n in range(3)])
    await held(run, 3)  # none of them has a place of the limit
    run.resume()
    await until(lambda: len(hold.came) == 1)
    assert (run.status.queued, run.status.held) == (2, 0)
    hold.let_go()
    assert await run == [0, 1, 2]


async def test_nested_runs_have_breakpoints_of_their_own_and_continuations_step(
    engine: Engine, spy: SpySubscriber
) -> None:
    @cs.task
    def inner(x: int) -> int:
        return x + 1

    @cs.task
    def count(n: int) -> Any:
        return n if n == 0 else count.lazy(n - 1)

    @cs.task
    def outer() -> Any:
        return engine.start(inner.lazy(1)).result(60)

    engine.pause("task:inner", before=True)
    run = engine.start(outer())
    nested = await until(lambda: next((one for one in engine.runs if one is not run), None))
    await held(nested)
    assert nested.inputs("inner") == {"x": 1}
    (why,) = [line for line in run.why("outer") if "at a breakpoint" in line]
    assert "its inputs are there; cs.resume('node:inner#1') lets it start" in why
    with pytest.raises(UnknownNameError):
        run.inputs("inner")  # which is why no reason of this run says so
    run.resume("node:inner#1")  # what a run has started is of it
    assert await run == 2
    engine.pause("task:count", before=True)
    run = engine.start(count(2).named("down"))
    for n in range(3):
        await held(run)
        assert len(started(spy, "count")) == n
        run.resume()
    assert await run == 0
    engine.resume("task:count", before=True)
    engine.pause("node:down", before=True)
    run = engine.start(count(3).named("down"))
    await held(run)
    run.resume()
    assert await run == 0  # what continues it is no start of it


async def test_inputs_are_told_at_other_times_too_or_it_is_said_why_not(engine: Engine) -> None:
    hold = Hold()
    slow = cs.task(name="slow")(hold.wait)(1).named("s")
    target = train(give([1]).named("rows"), slow).named("model")
    run = engine.start(target)
    await until(lambda: hold.came)
    with pytest.raises(UsageError, match="s, which it reads, is not there yet"):
        run.inputs("model")
    assert run.inputs("s") == {"who": 1}
    hold.let_go()
    assert await run == 2
    with pytest.raises(UnknownNameError, match="did you mean 'model'"):
        run.inputs("modle")
