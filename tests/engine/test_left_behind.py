"""What does not stop is waited for no longer than the engine's grace, named, and left behind."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import AsyncIterator, Iterator

import pytest

import cascade_nb as cs
from cascade_nb.engine import Run
from cascade_nb.engine.dispatch.failures import LeftBehindWarning
from cascade_nb.engine.inspection.timeline import timeline_of
from cascade_nb.engine.runs import lifecycle as execution
from cascade_nb.errors import RunCancelledError, TaskTimeoutError
from cascade_nb.events import RunFinished, TaskExecutionFinished
from cascade_nb.testing import SpySubscriber, VirtualClock
from tests.engine.conftest import MakeEngine
from tests.engine.tools import PATIENCE, Hold, pass_time, until

pytestmark = pytest.mark.filterwarnings(
    "ignore::cascade_nb.engine.dispatch.failures.LeftBehindWarning"
)


@pytest.mark.parametrize("is_async", [True, False])
@pytest.mark.parametrize("where", ["opening", "closing"])
async def test_a_resource_that_hangs_does_not_hold_a_cancelled_run(
    make_engine: MakeEngine, is_async: bool, where: str
) -> None:
    let_go, hangs = threading.Event(), threading.Event()

    @cs.resource(scope="run")
    def db() -> Iterator[int]:
        if where == "opening":
            hangs.set()
            let_go.wait()
        yield 1
        if where == "closing":
            hangs.set()
            let_go.wait()

    @cs.resource(scope="run")
    async def session() -> AsyncIterator[int]:
        while where == "opening" and not let_go.is_set():
            hangs.set()
            with contextlib.suppress(asyncio.CancelledError):  # nothing helps with one like that
                await asyncio.sleep(0.02)
        yield 1
        while not let_go.is_set():
            hangs.set()
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.sleep(0.02)

    @cs.task
    async def use(it: int = cs.inject(session if is_async else db)) -> int:
        if where == "closing":
            await asyncio.sleep(3600)
        return it

    engine = make_engine(grace=0.1)
    spy = SpySubscriber(engine.bus)
    run = engine.start(use())
    await until(hangs.is_set if where == "opening" else lambda: run.status.running)
    await asyncio.sleep(0.05)
    run.cancel()
    began = time.monotonic()
    with pytest.raises(RunCancelledError):
        await run
    assert time.monotonic() - began < 30  # else an hour
    name = "session" if is_async else "db"
    assert f"resource {name}" in spy.events_of_type(RunFinished)[0].still_running
    assert f"resource {name}" in run.still_running
    let_go.set()
    await asyncio.sleep(0.2)


async def test_a_run_with_its_value_gives_it_though_a_resource_does_not_close(
    make_engine: MakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(execution, "CLOSING", 0.2)
    let_go = threading.Event()

    @cs.resource(scope="run")
    def db() -> Iterator[int]:
        yield 1
        let_go.wait()

    @cs.task
    def use(it: int = cs.inject(db)) -> int:
        return it

    engine = make_engine(grace=0.1)
    run = engine.start(use())
    with pytest.warns(LeftBehindWarning, match="without db"):
        assert await run == 1
    assert run.still_running == ("resource db",)
    let_go.set()


async def test_a_cancel_ends_the_wait_for_a_resource_that_closes_slowly(
    make_engine: MakeEngine,
) -> None:
    let_go, closing = threading.Event(), threading.Event()

    @cs.resource(scope="run")
    def db() -> Iterator[int]:
        yield 1
        closing.set()
        let_go.wait()

    @cs.task
    def use(it: int = cs.inject(db)) -> int:
        return it

    engine = make_engine(grace=0.1)
    run = engine.start(use())
    await until(closing.is_set)
    run.cancel()
    assert await asyncio.wait_for(run, PATIENCE) == 1
    let_go.set()


async def test_what_was_told_at_the_end_of_a_run_is_not_told_again_while_it_leaves_something_behind(
    make_engine: MakeEngine,
) -> None:
    hold = Hold()
    stuck = cs.task(name="stuck")(hold.wait)

    @cs.task
    def continued() -> object:
        return stuck.lazy()

    engine = make_engine(grace=0.05)
    spy = SpySubscriber(engine.bus)
    engine.pause("task:other")
    run = engine.start(continued())
    await until(lambda: hold.came)
    run.cancel()
    with pytest.raises(RunCancelledError):
        await run
    told = len(spy.events_of_type(TaskExecutionFinished))
    engine.resume("task:other")  # whoever is held by it looks again, the run that is over too
    hold.let_go()
    await until(lambda: not engine.loop_binding.services().workers.threads.lost)
    assert [e.status for e in spy.events_of_type(TaskExecutionFinished)] == ["cancelled"] * told


@pytest.mark.parametrize("kind", ["thread", "async", "async with a thread's"])
async def test_a_task_counts_though_its_own_resource_does_not_close(
    make_engine: MakeEngine, clock: VirtualClock, kind: str
) -> None:
    let_go, hangs = threading.Event(), threading.Event()

    @cs.resource(scope="task")
    def db() -> Iterator[int]:
        yield 1
        hangs.set()
        assert let_go.wait(PATIENCE)

    @cs.resource(scope="task")
    async def session() -> AsyncIterator[int]:
        yield 1
        hangs.set()
        while not let_go.is_set():
            with contextlib.suppress(asyncio.CancelledError):  # nothing helps with one like that
                await asyncio.sleep(0.02)

    @cs.task
    def use(it: int = cs.inject(db)) -> int:
        return it

    @cs.task
    async def use_there(it: int = cs.inject(session if kind == "async" else db)) -> int:
        return it

    @cs.task
    def reads(x: int) -> int:
        return x + 1

    async def end_of(run: Run) -> None:
        while not run.done():
            await pass_time(clock, 1.0)

    engine = make_engine(clock=clock)
    spy = SpySubscriber(engine.bus)
    run = engine.start(reads((use if kind == "thread" else use_there)()))
    await until(hangs.is_set)
    name = "session" if kind == "async" else "db"
    with pytest.warns(LeftBehindWarning, match=f"ended without resource {name}: not closed"):
        await end_of(run)
    assert await run == 2
    assert run.status.failed == 0
    (end,) = spy.events_of_type(RunFinished)
    assert [one.partition("#")[0] for one in end.still_running] == [
        "use" if kind == "thread" else "use_there"
    ]
    let_go.set()
    await engine.aclose()


async def _end(run: Run, clock: VirtualClock) -> None:
    while not run.done():
        await pass_time(clock, 1.0)


async def test_a_timeout_is_one_and_is_retried_though_a_resource_of_the_task_does_not_close(
    make_engine: MakeEngine, clock: VirtualClock
) -> None:
    @cs.resource(scope="task")
    async def session() -> AsyncIterator[int]:
        yield 1
        await asyncio.Event().wait()  # until it is left behind, and told to end

    came: list[int] = []

    @cs.task
    async def use(it: int = cs.inject(session)) -> None:
        came.append(it)
        await asyncio.Event().wait()

    engine = make_engine(clock=clock)
    run = engine.start(use().named("use").with_timeout(1.0).with_retry(2))
    await _end(run, clock)
    with pytest.raises(TaskTimeoutError, match=r"use took longer than 1 s"):
        await run
    assert len(came) == 2


async def test_what_is_cancelled_is_no_failure_though_a_resource_of_it_does_not_close(
    make_engine: MakeEngine, clock: VirtualClock
) -> None:
    let_go, begun = threading.Event(), threading.Event()

    @cs.resource(scope="task")
    def db() -> Iterator[int]:
        yield 1
        assert let_go.wait(PATIENCE)

    @cs.task
    def use(it: int = cs.inject(db)) -> None:
        begun.set()
        while True:
            time.sleep(0.002)
            cs.checkpoint()

    engine = make_engine(clock=clock, grace=60.0)
    engine.breaker("task:use", "1/1m")
    run = engine.start(use().named("use"))
    await until(begun.is_set)
    run.cancel()
    await _end(run, clock)
    with pytest.raises(RunCancelledError):
        await run
    assert [one.type for one in engine.constraints.constraints()] == ["breaker"]
    told = run.look(lambda view, _: timeline_of(view, 0, True, run.ended_at, 500))
    assert told is not None
    assert [bar.outcome for bar in told.bars] == ["cancelled"]
    let_go.set()
    await engine.aclose()
