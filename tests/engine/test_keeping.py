"""A node is completed when the state backend has its result, and not before, whatever happens."""

from __future__ import annotations

import asyncio
import itertools
import threading
from pathlib import Path
from typing import Any

import pytest

import cascade_nb as cs
from cascade_nb.engine import Phase
from cascade_nb.engine.loops import resume_waiter
from cascade_nb.engine.storage.result_saver import UnkeptResultWarning
from cascade_nb.errors import (
    CodecError,
    LeaseHeldError,
    LeaseLostError,
    RunCancelledError,
    StateError,
)
from cascade_nb.events import (
    ConstraintApplied,
    ConstraintLifted,
    RunFinished,
    TaskExecutionFinished,
)
from cascade_nb.protocols.state_backend import Entry
from cascade_nb.testing import SpySubscriber, VirtualClock
from tests.engine.conftest import MakeEngine
from tests.engine.states import PlainState, SlowState
from tests.engine.test_dataflow import every_lane, task_for
from tests.engine.tools import finished, outcome, started, until, until_blocking

FULL = StateError("the disk that holds results.db is full; free some space")


def adding(lane: str) -> cs.LazyResult[Any]:
    work = task_for(lane, lambda x: x + 1)
    return work(work(work(1)))  # type: ignore[no-any-return]


@every_lane
async def test_a_node_is_completed_when_its_result_is_safe(
    make_engine: MakeEngine, lane: str
) -> None:
    go = threading.Event()

    def when_told(entry: Entry) -> None:
        assert go.wait(60)

    state = SlowState(when_told)
    engine = make_engine(state_backend=state)
    spy = SpySubscriber(engine.bus)
    run = engine.start(adding(lane))
    await until(lambda: state.asked)
    assert finished(spy) == []
    assert len(started(spy)) == 1  # nothing reads a result that is not safe
    go.set()
    assert await run == 4
    assert len(finished(spy)) == 3
    assert len(state.entries) == 3


@every_lane
async def test_a_full_disk_pauses_the_run_with_advice_and_loses_nothing(
    make_engine: MakeEngine, lane: str
) -> None:
    trouble: list[StateError] = []
    state = SlowState(lambda entry: trouble[0] if trouble else None)
    engine = make_engine(state_backend=state)
    spy = SpySubscriber(engine.bus)
    trouble.append(FULL)
    run = engine.start(adding(lane))
    await until(lambda: run.status.phase is Phase.PAUSED)
    headline = run.status.headline
    assert "by the state backend: the disk that holds results.db is full" in headline
    assert "1 result not kept yet" in headline
    assert finished(spy) == []
    assert state.entries == {}
    run.resume()  # not mended yet: it is tried, and the run pauses again
    await until(lambda: len(state.asked) == 2 and run.status.phase is Phase.PAUSED)
    assert finished(spy) == []
    trouble.clear()
    run.resume()
    assert await run == 4
    assert len(started(spy)) == 3  # nothing was computed twice
    assert len(finished(spy)) == 3
    assert len(state.entries) == 3


async def test_what_was_computed_before_the_trouble_is_put_again_all_of_it(
    make_engine: MakeEngine,
) -> None:
    trouble = [FULL]

    def when_all_came(entry: Entry) -> Exception | None:
        until_blocking(lambda: len(state.asked) >= 3)
        return trouble[0] if trouble else None

    state = SlowState(when_all_came)
    engine = make_engine(state_backend=state)
    spy = SpySubscriber(engine.bus)
    work = task_for("thread", lambda x: x)
    run = engine.start([work(n) for n in range(3)])
    await until(lambda: "3 results not kept yet" in run.status.headline)
    assert run.status.phase is Phase.PAUSED
    assert "3 results not kept yet" in run.status.headline
    trouble.clear()
    run.resume()
    assert await run == [0, 1, 2]
    assert len(started(spy)) == len(finished(spy)) == len(state.entries) == 3


async def test_a_run_that_waits_for_its_state_can_be_cancelled(make_engine: MakeEngine) -> None:
    state = SlowState(lambda entry: FULL)
    engine = make_engine(state_backend=state)
    spy = SpySubscriber(engine.bus)
    run = engine.start(adding("thread"))
    await until(lambda: run.status.phase is Phase.PAUSED)
    run.cancel("no more")
    assert isinstance(await outcome(run), RunCancelledError)
    assert finished(spy) == []
    assert [e.status for e in spy.events_of_type(RunFinished)] == ["cancelled"]


async def test_a_state_that_cannot_be_opened_pauses_the_run_before_its_first_task(
    make_engine: MakeEngine,
) -> None:
    class Away(PlainState):
        there = False

        async def open(self) -> None:
            if not self.there:
                raise StateError("no Redis answers at localhost:1; start it")

    state = Away()
    engine = make_engine(state_backend=state)
    spy = SpySubscriber(engine.bus)
    run = engine.start(adding("async"))
    await until(lambda: run.status.phase is Phase.PAUSED)
    assert "no Redis answers at localhost:1; start it, and the run goes on" in run.status.headline
    run.resume()
    await until(lambda: len(spy.events_of_type(ConstraintApplied)) == 2)
    assert started(spy) == []
    state.there = True
    run.resume()
    assert await run == 4


@every_lane
async def test_a_run_goes_on_when_its_results_can_be_kept_again_and_nobody_need_resume_it(
    make_engine: MakeEngine, lane: str
) -> None:
    trouble = [FULL]
    state = SlowState(lambda entry: trouble[0] if trouble else None)
    clock = VirtualClock()
    engine = make_engine(state_backend=state, clock=clock)
    spy = SpySubscriber(engine.bus)
    work = task_for(lane, lambda x: x)
    run = engine.start([work(n) for n in range(9)])
    await until(lambda: run.status.phase is Phase.PAUSED)
    await until(lambda: f"{len(started(spy))} result" in run.status.headline)
    begun = len(started(spy))
    looks = [clock.now()]
    for _ in range(4):
        asked = len(state.asked)
        while len(state.asked) == asked:
            clock.advance(0.25)
            await asyncio.sleep(0.001)
        looks.append(clock.now())
        await until(lambda: f"{begun} result" in run.status.headline)
        assert len(started(spy)) == begun
    waits = [after - before for before, after in itertools.pairwise(looks)]
    assert all(wait >= least for wait, least in zip(waits, (1, 2, 4, 8), strict=True))
    held = [event for event in spy.events_of_type(ConstraintApplied) if event.type == "pause"]
    assert len(held) == 1  # the pause keeps its time
    trouble.clear()
    while not run.done():
        clock.advance(0.25)
        await asyncio.sleep(0.001)
    assert await run == list(range(9))
    assert len(started(spy)) == 9


async def test_what_was_refused_is_kept_while_a_person_holds_the_run(
    make_engine: MakeEngine,
) -> None:
    trouble = [FULL]
    state = SlowState(lambda entry: trouble[0] if trouble else None)
    clock = VirtualClock()
    engine = make_engine(state_backend=state, clock=clock)
    spy = SpySubscriber(engine.bus)
    run = engine.start(adding("thread"))
    await until(lambda: "1 result not kept yet" in run.status.headline)
    run.pause(reason="lunch")
    trouble.clear()
    while not finished(spy):
        clock.advance(0.25)
        await asyncio.sleep(0.001)
    assert len(started(spy)) == 1
    assert "lunch" in run.status.headline
    assert "disk" not in run.status.headline
    run.resume()
    assert await run == 4


async def test_a_run_begins_when_its_state_can_be_opened_and_nobody_need_resume_it(
    make_engine: MakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Away(PlainState):
        tries = 0

        async def open(self) -> None:
            self.tries += 1
            if self.tries < 4:
                raise StateError("no Redis answers at localhost:1; start it")

    monkeypatch.setattr(resume_waiter, "waits_between_looks", lambda: itertools.repeat(0.01))
    state = Away()
    engine = make_engine(state_backend=state)
    spy = SpySubscriber(engine.bus)
    assert await engine.run(adding("async")) == 4
    assert state.tries == 4
    assert len(spy.events_of_type(ConstraintApplied)) == 1
    assert len(spy.events_of_type(ConstraintLifted)) == 1


async def test_a_run_that_waits_for_a_state_to_open_can_be_cancelled(
    make_engine: MakeEngine,
) -> None:
    class Away(PlainState):
        async def open(self) -> None:
            raise StateError("no Redis answers")

    engine = make_engine(state_backend=Away())
    run = engine.start(adding("async"))
    await until(lambda: run.status.phase is Phase.PAUSED)
    run.cancel()
    assert isinstance(await outcome(run), RunCancelledError)


async def test_a_run_that_belongs_to_another_kernel_does_not_wait_for_it(
    make_engine: MakeEngine,
) -> None:
    class Held(PlainState):
        async def open(self) -> None:
            raise LeaseHeldError("abc", "process 7 on ada", 3.0)

    engine = make_engine(state_backend=Held())
    error = await outcome(engine.start(adding("async")))
    assert isinstance(error, LeaseHeldError)
    assert "process 7 on ada" in str(error)


@pytest.mark.filterwarnings("always::cascade_nb.engine.storage.result_saver.UnkeptResultWarning")
async def test_a_result_that_has_no_bytes_is_used_and_not_kept_and_that_is_said(
    make_engine: MakeEngine,
) -> None:
    state = SlowState(lambda entry: CodecError("a lock cannot be pickled"))
    engine = make_engine(state_backend=state)
    spy = SpySubscriber(engine.bus)
    with pytest.warns(UnkeptResultWarning, match=r"not kept: a lock cannot be pickled"):
        assert await engine.run(adding("thread")) == 4
    assert len(finished(spy)) == 3
    assert state.entries == {}


@pytest.mark.filterwarnings("always::cascade_nb.engine.storage.result_saver.UnkeptResultWarning")
async def test_the_plan_says_why_a_result_that_has_no_bytes_is_made_again(
    make_engine: MakeEngine, tmp_path: Path
) -> None:
    @cs.task(name="lock")
    def made() -> Any:
        return threading.Lock()

    engine = make_engine(state_backend=f"sqlite:///{tmp_path}/results.db")
    target = made().named("mine")
    with pytest.warns(UnkeptResultWarning, match=r"mine is used in this run but not kept"):
        await engine.run(target)
    reason = (await engine.plan(target)).step("mine").reason
    assert reason.startswith("its last result could not be kept: a value of type _thread.lock can")
    assert reason.endswith("return what it is made of instead: plain data, arrays, tables")


async def test_a_run_that_was_taken_over_ends_here_and_says_who_has_it(
    make_engine: MakeEngine,
) -> None:
    state = SlowState(lambda entry: LeaseLostError("abc", "process 7 on ada"))
    engine = make_engine(state_backend=state)
    spy = SpySubscriber(engine.bus)
    error = await outcome(engine.start(adding("thread")))
    assert isinstance(error, RunCancelledError)
    assert "was taken over by process 7 on ada" in str(error)
    completed = [e for e in spy.events_of_type(TaskExecutionFinished) if e.status == "completed"]
    assert completed == []


async def test_what_fails_late_for_a_trouble_that_is_over_does_not_pause_the_run_again(
    make_engine: MakeEngine,
) -> None:
    # Two results are on their way when the trouble comes; of one it is heard only after the resume.
    resumed = threading.Event()

    def decide(entry: Entry) -> Exception | None:
        until_blocking(lambda: len(state.asked) >= 2)
        if len(state.asked) > 2:
            return None
        if entry.value == 1:
            until_blocking(resumed.is_set)
        return FULL

    state = SlowState(decide)
    engine = make_engine(state_backend=state)
    spy = SpySubscriber(engine.bus)
    work = task_for("thread", lambda x: x)
    run = engine.start([work(0), work(1)])
    await until(lambda: run.status.phase is Phase.PAUSED)
    run.resume()
    resumed.set()
    assert await run == [0, 1]
    assert len(spy.events_of_type(ConstraintApplied)) == 1
