"""Cancel is cooperative first, then honest: what still runs is named."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

import cascade_nb as cs
from cascade_nb.engine import Engine, NodeState, Phase
from cascade_nb.engine.observing.headline import HeadlineFacts, headline
from cascade_nb.engine.runs import connector_supervisor
from cascade_nb.errors import RunCancelledError
from cascade_nb.events import RunFinished, TaskExecutionFinished
from cascade_nb.executors import LocalExecutor
from cascade_nb.testing import InProcessConnector, SpySubscriber, VirtualClock
from tests.engine.conftest import MakeEngine
from tests.engine.tools import PATIENCE, Hold, finished, outcome, pass_time, started, until


@cs.task
async def give(x: Any = 1) -> Any:
    return x


async def test_async_tasks_are_cancelled_and_nothing_new_starts(
    engine: Engine, spy: SpySubscriber
) -> None:
    cleaned: list[int] = []

    @cs.task
    async def work(x: int) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            cleaned.append(x)

    engine.limit("task:work", 2)
    run = engine.start(give([work(i) for i in range(5)]))
    await until(lambda: len(started(spy)) == 2)
    run.cancel("enough")
    error = await outcome(run)
    assert isinstance(error, RunCancelledError)
    assert str(error) == "give was cancelled: enough"
    assert len(cleaned) == 2
    assert len(started(spy)) == len(finished(spy, "cancelled")) == 2
    assert run.status.phase is Phase.CANCELLED
    assert run.status.headline.startswith("Cancelled after")
    assert set(run.states().values()) == {NodeState.CANCELLED}


@pytest.mark.parametrize("how", ["checkpoint", "track"])
async def test_a_thread_that_looks_stops_by_itself(
    engine: Engine, spy: SpySubscriber, how: str
) -> None:
    hold = Hold()
    after: list[int] = []

    @cs.task
    def work() -> None:
        if how == "checkpoint":
            hold.wait()
            cs.checkpoint()
            after.append(1)
        else:
            for item in cs.track([1, 2]):
                hold.wait()
                after.append(item)

    run = engine.start(work())
    await until(lambda: hold.came)
    engine.grace = PATIENCE  # its thread may get no turn for a while
    run.cancel()
    await until(lambda: run.status.phase is Phase.CANCELLING)
    hold.let_go()
    error = await outcome(run)
    assert isinstance(error, RunCancelledError)
    assert str(error) == "work was cancelled"
    assert after == ([] if how == "checkpoint" else [1])
    assert finished(spy, "cancelled") == ["work#1"]
    assert spy.events_of_type(RunFinished)[0].still_running == ()


async def test_a_thread_that_does_not_look_may_finish_within_the_grace(
    engine: Engine, spy: SpySubscriber
) -> None:
    hold = Hold()
    run = engine.start(give(cs.task(name="work")(hold.wait)("kept")))
    await until(lambda: hold.came)
    engine.grace = PATIENCE  # its thread may get no turn for a while
    run.cancel()
    await until(lambda: run.status.phase is Phase.CANCELLING)
    hold.let_go()
    assert isinstance(await outcome(run), RunCancelledError)
    assert finished(spy) == ["work#1"]  # in flight finishes, its result is kept
    assert spy.events_of_type(RunFinished)[0].still_running == ()


async def test_a_thread_that_cannot_be_stopped_is_named_and_its_late_result_dropped(
    make_engine: MakeEngine, clock: VirtualClock
) -> None:
    engine = make_engine(clock=clock, grace=3)
    spy = SpySubscriber(engine.bus)
    hold = Hold()
    work = cs.task(name="work")(hold.wait)
    run = engine.start(give([work(1), work.map(x=[2]) if False else work(2).named("second")]))
    await until(lambda: len(hold.came) == 2)
    run.cancel()
    await until(lambda: run.status.phase is Phase.CANCELLING)
    assert run.status.headline == "Cancelling · waiting for 2 tasks to end"
    assert not run.done()
    await pass_time(clock, 3.1)
    assert isinstance(await outcome(run), RunCancelledError)
    (end,) = spy.events_of_type(RunFinished)
    assert sorted(end.still_running) == sorted(run.still_running) == ["second", "work"]
    assert "cannot be stopped and still running" in run.status.headline
    told = len(spy.events)
    hold.let_go()
    await until(lambda: engine.adapters.executors("thread")._idle == 2)  # type: ignore[attr-defined]
    assert len(spy.events) == told
    # Its thread serves the next run.
    assert await engine.run(cs.task(lambda: 3)()) == 3


@pytest.mark.parametrize(
    ("running", "words"),
    [
        (0, "Cancelling"),
        (1, "Cancelling · waiting for 1 task to end"),
    ],
)
def test_a_run_that_is_broken_off_waits_for_what_runs_and_for_nothing_else(
    running: int, words: str
) -> None:
    facts = HeadlineFacts(
        phase=Phase.CANCELLING,
        running=running,
        queued=0,
        held=0,
        failed=0,
        elapsed=1.0,
        pauses=(),
        paused_for=None,
        blocker=None,
        retrying=None,
        failure=None,
        still_running=(),
    )
    assert headline(facts) == words


async def test_an_async_task_that_will_not_end_is_left_behind_and_named(
    make_engine: MakeEngine, clock: VirtualClock
) -> None:
    engine = make_engine(clock=clock, grace=3)
    hold = Hold()

    @cs.task
    async def stubborn() -> None:
        while not hold._go.is_set():
            try:
                await hold.rest()
            except asyncio.CancelledError:
                hold.came.append("cancelled")

    run = engine.start(stubborn())
    await until(lambda: hold.came)
    run.cancel()
    await until(lambda: "cancelled" in hold.came)
    await pass_time(clock, 3.1)
    assert isinstance(await outcome(run), RunCancelledError)
    assert run.still_running == ("stubborn",)
    hold.let_go()
    await asyncio.sleep(0.01)


async def test_work_that_was_admitted_but_had_not_begun_never_begins(
    engine: Engine, spy: SpySubscriber
) -> None:
    # Cancelled in the very moment in which its coroutines are made and not yet run.
    run = engine.start([give(i) for i in range(100)])
    run.cancel()
    assert isinstance(await outcome(run), RunCancelledError)
    assert started(spy) == []
    assert [e.status for e in spy.events_of_type(RunFinished)] == ["cancelled"]


async def test_cancelling_a_paused_run_ends_it(engine: Engine, spy: SpySubscriber) -> None:
    engine.pause()
    run = engine.start(give(1))
    await until(lambda: run.status.phase is Phase.PAUSED)
    run.cancel()
    assert isinstance(await outcome(run), RunCancelledError)
    assert started(spy) == []


@pytest.mark.parametrize("lane", ["thread", "async"])
async def test_what_rests_at_a_checkpoint_stops_at_once(
    engine: Engine, spy: SpySubscriber, lane: str
) -> None:
    hold = Hold()

    def in_thread() -> None:
        hold.wait()
        cs.checkpoint()

    async def on_loop() -> None:
        await hold.rest()
        await cs.checkpoint()

    body: Any = in_thread if lane == "thread" else on_loop
    run = engine.start(cs.task(name="work")(body)())
    await until(lambda: hold.came)
    engine.pause()
    hold.let_go()
    await until(lambda: run.status.phase is Phase.PAUSED)
    run.cancel()
    assert isinstance(await outcome(run), RunCancelledError)
    assert finished(spy, "cancelled") == ["work#1"]


async def test_cancelling_while_a_retry_waits(make_engine: MakeEngine, clock: VirtualClock) -> None:
    engine = make_engine(clock=clock)
    spy = SpySubscriber(engine.bus)

    @cs.task
    async def flaky() -> None:
        raise OSError("not yet")

    run = engine.start(flaky().with_retry(5, delay=100))
    await until(lambda: "attempt 2 of 5 in" in run.status.headline)
    run.cancel()
    assert isinstance(await outcome(run), RunCancelledError)
    await pass_time(clock, 200)
    assert len(started(spy)) == 1


async def test_cancelling_one_run_leaves_the_other_alone(engine: Engine) -> None:
    hold = Hold()
    work = cs.task(name="work")(hold.rest)
    one, two = engine.start(give(work(1))), engine.start(give(work(2)))
    await until(lambda: len(hold.came) == 2)
    one.cancel()
    assert isinstance(await outcome(one), RunCancelledError)
    hold.let_go()
    assert await two == 2


async def test_cancelling_twice_or_when_it_is_over_does_nothing(
    engine: Engine, spy: SpySubscriber
) -> None:
    run = engine.start(give(1))
    assert await run == 1
    run.cancel()
    assert run.outcome is Phase.SUCCEEDED
    hold = Hold()
    run = engine.start(cs.task(name="work")(hold.rest)())
    await until(lambda: hold.came)
    run.cancel("first")
    run.cancel("second")
    assert "first" in str(await outcome(run))
    assert len(spy.events_of_type(RunFinished)) == 2


async def test_cancel_comes_from_any_thread(engine: Engine) -> None:
    hold = Hold()
    run = engine.start(cs.task(name="work")(hold.rest)())
    await until(lambda: hold.came)
    thread = threading.Thread(target=run.cancel)
    thread.start()
    assert isinstance(await outcome(run), RunCancelledError)
    thread.join()


async def test_a_run_that_waits_for_its_connector_can_be_cancelled_at_once(
    make_engine: MakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connector_supervisor, "PATIENCE", 3600.0)
    connecting = asyncio.Event()

    class Deaf(InProcessConnector):
        async def connect(self) -> None:
            connecting.set()
            await asyncio.Event().wait()

    engine = make_engine(connector=Deaf())
    run = engine.start(give(1))
    await connecting.wait()
    run.cancel()
    error = await asyncio.wait_for(outcome(run), PATIENCE)  # not when its patience is over
    assert isinstance(error, RunCancelledError)


async def test_closing_the_engine_cancels_what_runs(spy: SpySubscriber, engine: Engine) -> None:
    hold = Hold()
    runs = [engine.start(cs.task(name="work")(hold.rest)(i)) for i in range(3)]
    await until(lambda: len(hold.came) == 3)
    await engine.aclose()
    assert [run.outcome for run in runs] == [Phase.CANCELLED] * 3
    assert len(spy.events_of_type(RunFinished)) == 3
    cancelled = [e.error for e in spy.events_of_type(TaskExecutionFinished)]
    assert cancelled == ["cancelled"] * 3


async def test_a_second_cancel_with_a_shorter_grace_ends_the_run_sooner(
    make_engine: MakeEngine, clock: VirtualClock
) -> None:
    # An interrupt cancels with the usual grace, then the kernel is told to end and cannot wait.
    held = Hold()
    engine = make_engine(clock=clock, grace=60)
    run = engine.start(cs.task(name="stubborn")(held.wait)())
    await until(lambda: held.came)
    run.cancel("interrupted")
    await until(lambda: run.status.phase is Phase.CANCELLING)
    engine.grace = 1
    run.cancel("the end is near")
    await asyncio.sleep(0)
    clock.advance(1)
    assert isinstance(await outcome(run), RunCancelledError)
    assert run.still_running == ("stubborn",)
    held.let_go()


async def test_what_waits_for_the_thread_of_a_run_that_was_given_up_gets_another(
    make_engine: MakeEngine, clock: VirtualClock
) -> None:
    # Nothing else happens then that would have it looked for.
    engine = make_engine(clock=clock, grace=3, executor=LocalExecutor(1))
    hold = Hold()
    stuck = engine.start(cs.task(hold.wait)())
    await until(lambda: hold.came)
    other = engine.start(cs.task(lambda: "went on")())
    await until(lambda: len(engine.loop_binding.services().workers.threads.runs_with_work) == 1)
    stuck.cancel()
    await pass_time(clock, 4)
    assert await asyncio.wait_for(other, PATIENCE) == "went on"
    hold.let_go()
    await outcome(stuck)
