"""Why a node runs, waits, or was not reused: in a run, and by the engine that has it."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

import cascade_nb as cs
from cascade_nb.engine import Engine
from cascade_nb.engine.observing.status import NodeState
from cascade_nb.errors import (
    CascadeError,
    DependencyMissingError,
    RunCancelledError,
    UnknownNameError,
    UnusableStateError,
)
from cascade_nb.executors import LocalExecutor
from cascade_nb.state.memory import MemoryState
from tests.engine.conftest import MakeEngine
from tests.engine.tools import Hold, until
from tests.graph.cells import Cells


@cs.task(executor="inline")
def load(n: int = 1) -> int:
    return n


@cs.task(executor="inline")
def clean(x: Any) -> Any:
    return x


async def test_a_node_that_ran_again_says_what_changed(engine: Engine) -> None:
    cells = Cells()
    cells.run("def _h(x):\n    return x + 1\ndef f(x): return _h(x)")
    target = clean(cs.task(cells.names["f"])(load().named("raw"))).named("report")
    first = engine.start(target)
    await first
    assert first.why("report") == ["report is done"]
    cells.run("def _h(x):\n    return x + 2")
    second = engine.start(target)
    await second
    assert second.why("report") == [
        "report is done",
        "no earlier result stands for it: it reads f#1, whose helper _h changed",
        "     def _h(x):",
        "    -    return x + 1",
        "    +    return x + 2",
    ]
    assert second.why("raw") == ["raw is reused"]
    # What is remembered is the last result, not the last edit.
    third = engine.start(target, fresh=True)
    await third
    assert third.why("report") == [
        "report is done",
        "no earlier result stands for it: earlier results are not to be used",
    ]


async def test_a_node_that_waits_says_both(engine: Engine) -> None:
    await engine.run(load(1).named("raw"))
    engine.pause("task:load")
    run = engine.start(load(2).named("raw"))
    await until(lambda: run.status.held)
    lines = run.why("raw")
    assert "load tasks paused" in lines[0]
    assert lines[1] == "no earlier result stands for it: its argument n changed: 1 → 2"
    assert engine.why("raw") == run.why("raw")
    engine.resume("task:load")
    await run


async def test_a_skipped_node_says_only_that(engine: Engine) -> None:
    await engine.run(load(1).named("raw"))
    run = engine.start([load(2).named("raw").run_if(False), load(3)])
    with pytest.raises(cs.errors.DependencyMissingError):
        await run
    assert run.why("raw") == ["raw was skipped (ConditionFalse): its condition is false"]


async def test_a_failed_run_leaves_what_it_completed(engine: Engine) -> None:
    @cs.task
    def fail(x: Any) -> Any:
        raise ValueError(x)

    run = engine.start(fail(load(1).named("raw")).named("report"))
    with pytest.raises(cs.errors.TaskFailedError):
        await run
    plan = await engine.plan(fail(load(1).named("raw")).named("report"))
    assert plan.step("raw").action == "reuse"
    assert plan.step("report").reason == "it failed in run 1: ValueError: 1"


async def test_a_task_that_was_mended_says_what_is_other_than_when_it_failed(
    engine: Engine,
) -> None:
    def made(body: Any, of: int) -> Any:
        return cs.task(name="report")(body)(load(of).named("raw")).named("report")

    def first(x: Any) -> Any:
        return x

    def wrong(x: Any) -> Any:
        raise ValueError(x)

    def mended(x: Any) -> Any:
        return [x]

    await engine.run(made(first, 1))
    with pytest.raises(cs.errors.TaskFailedError):
        await engine.run(made(wrong, 1))
    step = (await engine.plan(made(wrong, 1))).step("report")
    assert "it failed in run 2: ValueError: 1" in step.reason
    assert "first" in step.reason, "still other than what stands"
    step = (await engine.plan(made(mended, 1))).step("report")
    assert "wrong" in step.reason, "other than what failed"
    assert "it failed in run 2: ValueError: 1" in step.reason


async def test_the_engine_answers_for_its_newest_run_with_such_a_node(engine: Engine) -> None:
    hold = Hold()
    rest = cs.task(name="rest", reuse=False)(hold.rest)
    one = engine.start(rest(1).named("one"))
    two = engine.start(rest(2).named("two"))
    await until(lambda: len(hold.came) == 2)
    assert engine.why("one")[0] == "one is running"
    with pytest.raises(UnknownNameError, match=r"there is no node 'tow'.*two"):
        engine.why("tow")
    hold.let_go()
    await one
    await two
    with pytest.raises(UnknownNameError):
        engine.why("one")


async def test_a_task_that_fills_a_global_list_is_told_why_it_never_stands(engine: Engine) -> None:
    cells = Cells()
    cells.run("seen = []\ndef tally(x):\n    seen.append(x)\n    return len(seen)")
    target = cs.task(cells.names["tally"])(load().named("raw")).named("count")
    assert await engine.run(target) == 1
    run = engine.start(target)
    assert await run == 2
    alone, words, *lines = run.why("count")[1:]
    assert alone == "count: one at a time: writes the global `seen`"
    assert words == (
        "no earlier result stands for it: its constant seen was changed in place: [] → [1]"
    )
    assert " ".join(line.strip() for line in lines) == (
        "`seen.append(x)` in function tally changes it each time that it runs, so no earlier "
        "result ever stands; give it as an argument, and return what is to be added"
    )


async def test_what_many_of_one_task_are_waited_for_is_counted(engine: Engine) -> None:
    hold = Hold()
    slow = cs.task(name="slow")(hold.rest)
    run = engine.start(clean([slow(n) for n in range(12)]).named("all"))
    await until(lambda: hold.came)
    assert run.why("all") == ["all waits for 12 of slow"]
    hold.let_go()
    await run


async def test_no_time_is_guessed_where_most_of_what_is_left_was_never_measured(
    engine: Engine,
) -> None:
    hold = Hold()
    slow = cs.task(name="slow", shares_process=True)(hold.rest)
    run = engine.start([clean(slow(load(n))) for n in range(3)])
    await until(lambda: run.status.running)
    assert run.status.remaining is None  # of `load` all is over, of `slow` nothing
    hold.let_go()
    await run


@pytest.mark.parametrize("threads", [1, 2])
async def test_what_is_ready_and_finds_no_thread_is_queued_and_what_has_no_input_waits(
    make_engine: MakeEngine, threads: int
) -> None:
    hold = threading.Event()

    @cs.task(shares_process=True)
    def work(i: int) -> int:
        hold.wait(20)
        return i

    @cs.task
    def total(xs: list[int], y: int) -> int:
        return sum(xs) + y

    engine = make_engine(executor=LocalExecutor(threads))
    each = work.map(i=list(range(5))).named("each")
    target = total(each, work(5).named("one")).named("total")
    run = engine.start(target)
    try:
        await until(lambda: run.status.running == threads)
        status = run.status
        assert (status.queued, status.held, status.waiting) == (6 - threads, 0, 1)
        (kind,) = (kind for kind in status.kinds if kind.name == "work")
        assert kind.queued == 6 - threads
        busy = "the only thread is busy" if threads == 1 else "all 2 threads are busy"
        queued = [i for i in range(5) if run.why(f"each[{i}]")[0].endswith(f"is queued: {busy}")]
        one_queued = run.states()["one"] is NodeState.QUEUED
        assert len(queued) + one_queued == 6 - threads
        if one_queued:
            assert run.why("one") == [f"one is queued: {busy}"]
        assert run.states()["total"] is NodeState.WAITING
        run.pause()
        assert (run.status.queued, run.status.waiting) == (0, 0)
        run.resume()
        await until(lambda: run.status.queued == 6 - threads)
    finally:
        hold.set()
    assert await run == 15
    assert run.status.queued == 0


@cs.task
async def never_ends() -> None:
    await asyncio.sleep(3600)


@cs.task
def after(x: Any) -> Any:
    return x


async def test_a_run_that_ended_before_it_began_does_not_say_that_it_is_starting(
    engine: Engine,
) -> None:
    run = engine.start(after(never_ends()))
    assert run.why("after") == ["after#1 waits: the run is starting"]
    run.cancel()
    with pytest.raises(RunCancelledError):
        await run
    assert run.why("after") == ["after#1 was not started: the run was cancelled before it began"]


async def test_a_run_that_failed_before_it_began_says_with_what() -> None:
    class Broken(MemoryState):
        async def open(self) -> None:
            raise UnusableStateError("what is there is damaged; move it away")

    engine = Engine(state_backend=Broken())
    run = engine.start(after(1))
    with pytest.raises(CascadeError):
        await run
    (said,) = run.why("after")
    assert said.startswith("after#1 was not started: after: ")
    assert said.endswith("what is there is damaged; move it away")
    assert run.status.headline.endswith("what is there is damaged; move it away")
    await engine.aclose()


async def test_the_headline_of_a_run_whose_target_was_skipped_says_so(engine: Engine) -> None:
    run = engine.start(after(after(1).run_if(after(0))))
    with pytest.raises(DependencyMissingError):
        await run
    assert "· after: was skipped: its condition" in run.status.headline
