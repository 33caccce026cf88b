"""Runs that tasks start: however many, they end, and what is done to their parent reaches them."""

from __future__ import annotations

import asyncio
import re
import threading
import time
from typing import Any

import pytest

import cascade_nb as cs
from cascade_nb.engine import Engine, Phase, Run
from cascade_nb.engine.reporting.report import inside_lines, status_of
from cascade_nb.errors import CascadeError, RunCancelledError, RunError, TaskTimeoutError
from cascade_nb.executors import LocalExecutor
from tests.engine.conftest import MakeEngine
from tests.engine.tools import PATIENCE, outcome, until


def _inner(engine: Engine, target: Any) -> Any:
    return engine.start(target).result()


@cs.task
def give(x: Any) -> Any:
    return x


async def test_more_tasks_wait_for_runs_of_their_own_than_there_are_threads(
    make_engine: MakeEngine,
) -> None:
    engine = make_engine(executor=LocalExecutor(2))
    most = 0

    def deep(x: int, depth: int) -> int:
        nonlocal most
        most = max(most, threading.active_count())
        if depth == 0:
            return x
        found: list[int] = _inner(engine, [task.lazy(x, depth - 1), give.lazy(x)])
        return found[0] + found[1]

    task = cs.task(deep)
    before = threading.active_count()
    assert await asyncio.wait_for(engine.run([task.lazy(x, 3) for x in range(20)]), PATIENCE) == [
        4 * x for x in range(20)
    ]
    # Two for each depth, and no thread for each task that waits.
    assert most - before < 4 * 2 + 6


@pytest.mark.parametrize("is_async", [True, False])
async def test_a_limit_of_one_lets_a_task_wait_for_a_run_of_its_own(
    engine: Engine, is_async: bool
) -> None:
    counts = {"now": 0, "most": 0}

    @cs.task
    def child(x: int) -> int:
        counts["now"] += 1
        counts["most"] = max(counts["most"], counts["now"])
        time.sleep(0.005)
        counts["now"] -= 1
        return x

    @cs.task
    async def waits_on_loop(x: int) -> int:
        return int(await engine.start(child.lazy(x)))

    @cs.task
    def waits_in_thread(x: int) -> int:
        return int(_inner(engine, child.lazy(x)))

    engine.limit("global", 1)
    task: Any = waits_on_loop if is_async else waits_in_thread
    found = await asyncio.wait_for(engine.run(task.map(x=[1, 2, 3, 4])), PATIENCE)
    assert found == [1, 2, 3, 4]
    assert counts["most"] == 1
    engine.limit("global", None)


MANY = 3_000  # more than are over before somebody comes to his turn


async def _parent_of_many(engine: Engine, done: list[int]) -> Any:
    @cs.task
    async def child(i: int) -> int:
        await asyncio.sleep(0.01)
        done.append(i)
        return i

    def parent() -> Any:
        engine.limit("task:child", 1)
        return _inner(engine, [child.lazy(i) for i in range(MANY)])

    run = engine.start(cs.task(parent)())
    await until(lambda: len(done) > 2)
    return run


async def test_a_cancel_reaches_the_runs_that_a_task_started(engine: Engine) -> None:
    done: list[int] = []
    run = await _parent_of_many(engine, done)
    (nested,) = [one for one in engine.runs if one is not run]
    run.cancel()
    with pytest.raises(RunCancelledError):
        await asyncio.wait_for(run, PATIENCE)
    await until(nested.done)
    assert nested.outcome is Phase.CANCELLED
    assert "which started it, was cancelled" in str(nested.exception())
    before = len(done)
    await asyncio.sleep(0.05)
    assert len(done) == before


@pytest.mark.parametrize("scope", [None, "task:parent", "global", "node:parent#1", "from:parent#1"])
async def test_a_pause_of_a_task_or_its_run_holds_the_runs_that_it_started(
    engine: Engine, scope: str | None
) -> None:
    done: list[int] = []
    run = await _parent_of_many(engine, done)
    run.pause(scope)
    before = len(done) + 1  # what runs finishes, and that is one at a time
    await asyncio.sleep(0.15)
    assert len(done) <= before
    run.resume(scope)
    await until(lambda: len(done) > before)
    run.cancel()
    with pytest.raises(RunCancelledError):
        await run


async def test_a_pause_of_a_node_holds_what_is_below_it_and_nothing_else(engine: Engine) -> None:
    begun: list[str] = []

    @cs.task
    def leaf(name: str, depth: int) -> str:
        begun.append(f"{name}{depth}")
        return name

    def branch(name: str, depth: int) -> Any:
        found = [_inner(engine, leaf.lazy(name, n)) for n in range(40) if not time.sleep(0.01)]  # type: ignore[func-returns-value]
        return found if depth == 0 else _inner(engine, cs.task(branch).lazy(name, depth - 1))

    task = cs.task(branch)
    a, b = task("a", 1).named("a"), task("b", 1).named("b")
    run = engine.start([leaf("end of a", 0).after(a), b])
    await until(lambda: "a0" in begun and "b0" in begun)
    run.pause("from:a")
    held = [one for one in begun if one.startswith("a")]
    await until(lambda: begun.count("b39") == 2)
    # What runs finishes: its thread may not have come to say so yet, and there is only one.
    assert len([one for one in begun if one.startswith("a")]) <= len(held) + 1
    run.resume("from:a")
    await asyncio.wait_for(run, PATIENCE)
    assert begun.count("a39") == 2
    assert begun.count("end of a0") == 1


@pytest.mark.parametrize("kind", ["limit", "rate"])
async def test_a_limit_of_a_run_counts_what_its_tasks_have_started(
    engine: Engine, kind: str
) -> None:
    counts = {"now": 0, "most": 0, "begun": 0}

    @cs.task
    async def child(x: int) -> int:
        counts["begun"] += 1
        counts["now"] += 1
        counts["most"] = max(counts["most"], counts["now"])
        await asyncio.sleep(0.005)
        counts["now"] -= 1
        return x

    @cs.task
    def parent(x: int) -> Any:
        return _inner(engine, child.map(x=list(range(x, x + 6))))

    engine.pause()
    run = engine.start(parent.map(x=[0, 10]))
    if kind == "limit":
        run.limit(None, 2)
    else:
        run.rate(None, "1/h", capacity=5)
    engine.resume()
    if kind == "rate":
        await until(lambda: counts["begun"] == 3)
        await asyncio.sleep(0.1)
        assert counts["begun"] == 3  # two parents have taken the other tokens
        run.rate(None, None)
    found = await asyncio.wait_for(run, PATIENCE)
    assert [len(of_one) for of_one in found] == [6, 6]
    assert kind == "rate" or counts["most"] == 2


async def test_status_and_why_show_a_nested_run_under_the_task_that_started_it(
    engine: Engine,
) -> None:
    done: list[int] = []
    run = await _parent_of_many(engine, done)
    (inside,) = run.status.nested
    assert (inside.node, inside.task, inside.status.number) == ("parent#1", "parent", 2)
    assert inside.status.parent == run.id
    assert inside.status.total == MANY
    held = "at most 1 of child tasks at once by you"
    assert held in str(inside.status.blocked_by)
    words = "parent#1 is running; run 2 of child, child, child …: Running 1 task"
    await until(lambda: run.why("parent")[0].startswith(words))
    (line,) = run.why("parent")
    assert f"of {MANY:,} done" in line
    assert held in line
    assert "parent: " in run.status.headline
    assert f"of {MANY:,} done inside" in run.status.headline
    run.pause()
    await until(lambda: run.status.phase is Phase.PAUSED)  # though its task waits for the other run
    assert re.search(
        rf"^Paused \w+.* by you · nothing is running · parent: \d+ of {MANY:,} done inside "
        r"\([\d,]+ held\)$",
        run.status.headline,
    )
    told = str(status_of([engine])).splitlines()
    below = told.index(next(one for one in told if "↳ parent: run 2 of child" in one))
    assert told[0].startswith("parent · run 1")
    assert not any(one.startswith("child, child") for one in told), "it is told once, below its own"
    assert below < next(i for i, one in enumerate(told) if one.startswith("In force"))
    run.resume()
    run.cancel()
    with pytest.raises(RunCancelledError):
        await run
    await until(lambda: not engine.runs)
    parents = {ended.status.number: ended.status.parent for ended in engine.history.runs}
    assert parents == {1: None, 2: run.id}


async def test_an_attempt_that_comes_again_is_told_by_its_item(engine: Engine) -> None:
    go = threading.Event()
    tries: list[int] = []

    @cs.task
    def flaky(x: int) -> int:
        if x == 2:
            tries.append(x)
            if len(tries) == 1:
                raise OSError("busy")
            go.wait(60)
        return x

    run = engine.start(flaky.map(x=[1, 2, 3]).named("m").with_retry(3))
    await until(lambda: len(tries) == 2)
    assert run.why("m") == [
        "m[1] is running: attempt 1 of 3 failed: OSError: busy; attempt 2 is under way"
    ]
    assert run.why("m[1]")[0] == (
        "m[1] is running: attempt 1 of 3 failed: OSError: busy; attempt 2 is under way"
    )
    (again,) = run.status.retries
    assert (again.node, again.attempt, again.most, again.wait) == ("m", 2, 3, None)
    assert "  ↻ m[1]: attempt 2 of 3, after OSError: busy" in inside_lines(run.status)
    go.set()
    assert await run == [1, 2, 3]
    assert run.status.retries == ()


async def test_a_task_whose_time_is_up_takes_its_runs_with_it_and_starts_no_more(
    engine: Engine,
) -> None:
    begun: list[int] = []
    refused: list[BaseException] = []

    @cs.task
    def child() -> None:
        begun.append(1)
        time.sleep(0.05)

    def parent() -> None:
        while True:
            try:
                _inner(engine, child.lazy())
            except CascadeError as error:
                refused.append(error)
                if len(refused) == 2:
                    return

    run = engine.start(cs.task(parent)().with_timeout(0.15))
    with pytest.raises(RunError) as caught:
        await run
    assert isinstance(caught.value, TaskTimeoutError)
    await until(lambda: len(refused) == 2)
    assert "parent was cancelled, so it starts no run any more" in str(refused[1])


async def test_threads_whose_time_is_up_do_not_take_the_places_of_others(
    make_engine: MakeEngine,
) -> None:
    let_go = threading.Event()
    engine = make_engine(executor=LocalExecutor(2), grace=0.1)

    @cs.task
    def hangs(x: int) -> None:
        let_go.wait(30)

    run = engine.start(hangs.map(x=list(range(10))).with_timeout(0.05), on_error="continue")
    with pytest.raises(cs.errors.RunFailures):
        await asyncio.wait_for(run, PATIENCE)
    assert await asyncio.wait_for(engine.run(give(1)), PATIENCE) == 1
    # A cancelled run leaves its threads behind too, and they are replaced as well.
    stopped = engine.start(hangs.map(x=[1, 2]))
    await until(lambda: stopped.status.running == 2)
    stopped.cancel()
    with pytest.raises(RunCancelledError):
        await stopped
    assert await asyncio.wait_for(engine.run(give(2)), PATIENCE) == 2
    let_go.set()
    workers = engine.loop_binding.services().workers.threads
    await until(lambda: workers.lost == 0)
    assert workers.free == 2


async def test_not_all_threads_are_replaced_and_why_says_where_they_are(
    make_engine: MakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    from cascade_nb.engine.dispatch import workers as queues

    monkeypatch.setattr(queues, "LOST", 0)
    let_go = threading.Event()
    engine = make_engine(executor=LocalExecutor(1), grace=0.1)

    @cs.task
    def hangs(x: int) -> None:
        let_go.wait(30)

    run = engine.start(hangs.map(x=list(range(9))).with_timeout(0.02), on_error="continue")
    await until(lambda: len(run.failures) == 5)  # four were replaced, and the fifth is not
    waits = engine.start(give(1))
    await until(lambda: waits.status.phase is Phase.RUNNING)
    words = "is queued: the only thread is busy; 4 more are left with tasks that cannot be"
    assert words in waits.why("give")[0]
    let_go.set()
    assert await asyncio.wait_for(waits, PATIENCE) == 1
    with pytest.raises(cs.errors.RunFailures):
        await run


@pytest.mark.parametrize("inner", [False, True])
async def test_a_task_that_waits_for_its_own_run_fails_instead_of_waiting_for_ever(
    engine: Engine, inner: bool
) -> None:
    runs: list[Run] = []

    @cs.task
    async def waits() -> Any:
        return await runs[0]

    @cs.task
    def blocks() -> Any:
        return runs[0].result()

    def within(one: Any) -> Any:
        @cs.task
        async def outer() -> Any:
            return await engine.start(one.lazy())

        return outer

    for one in (waits, blocks):
        runs[:] = [engine.start((within(one) if inner else one)())]
        error = await outcome(runs[0])
        assert f"{one.name} cannot wait for the run that it is part of" in str(error)
