"""A worker that ends one task goes straight on to the next, and wakes no other without need."""

from __future__ import annotations

import threading
from typing import Any

import pytest

import cascade_nb as cs
from cascade_nb.engine import Engine
from cascade_nb.errors import RunError, TaskFailedError
from cascade_nb.events import TaskExecutionFinished, TaskExecutionStarted
from cascade_nb.executors import LocalExecutor
from cascade_nb.protocols.execution import Job
from cascade_nb.testing import SpySubscriber
from tests.engine.conftest import MakeEngine
from tests.engine.tools import Hold, until


@cs.task
def where(before: Any = None) -> tuple[int, ...]:
    return (*(before or ()), threading.get_ident())


class Counting(LocalExecutor):
    """Counts how often a worker is woken for a job."""

    def __init__(self) -> None:
        super().__init__(4)
        self.woken = 0

    def submit(self, job: Job) -> None:
        self.woken += 1
        super().submit(job)


async def test_a_chain_stays_with_one_worker(make_engine: MakeEngine) -> None:
    # Others wait for work: to wake one of them for each link would cost more than the link.
    executor = Counting()
    node = where()
    for _ in range(30):
        node = where(node)
    assert len(set(await make_engine(executor=executor).run(node))) == 1
    assert executor.woken == 1


async def test_what_one_end_makes_ready_beyond_the_next_goes_to_others(engine: Engine) -> None:
    hold = Hold()
    rest = cs.task(name="rest")(hold.wait)

    @cs.task
    def first() -> int:
        return 1

    begin = first()
    run = engine.start([rest(number).after(begin) for number in range(3)])
    await until(lambda: len(hold.came) == 3)  # all at once, though one worker freed them all
    hold.let_go()
    await run


async def test_the_end_of_one_is_told_before_the_begin_of_the_next(engine: Engine) -> None:
    spy = SpySubscriber(engine.bus)
    node = where()
    for _ in range(5):
        node = where(node)
    await engine.run(node)
    kinds = [
        type(e) for e in spy.events if isinstance(e, (TaskExecutionStarted, TaskExecutionFinished))
    ]
    assert kinds == [TaskExecutionStarted, TaskExecutionFinished] * 6


async def test_a_pause_from_inside_a_task_holds_what_its_end_makes_ready(engine: Engine) -> None:
    # The end and the next begin are one step, so the pause must be seen within it.
    @cs.task
    def pause() -> None:
        engine.pause()

    @cs.task
    def after(before: Any) -> str:
        return "went on"

    run = engine.start(after(pause()))
    await until(lambda: run.status.phase.value == "paused")
    assert (run.status.done, run.status.held) == (1, 1)
    engine.resume()
    assert await run == "went on"


async def test_one_whose_call_cannot_be_made_does_not_end_the_worker(engine: Engine) -> None:
    # It fails between the end of one and the begin of the next, in the same step.
    @cs.task
    def listed() -> list[int]:
        return [threading.get_ident()]

    first = listed()
    broken = cs.task(name="broken")(lambda x: x)({first})
    run = engine.start([broken, where(first)], on_error="continue")
    with pytest.raises(TaskFailedError, match="unhashable"):
        await run
    assert (run.status.done, run.status.failed) == (2, 1)


class Full(LocalExecutor):
    """Takes nothing the first time."""

    def __init__(self) -> None:
        super().__init__(1)
        self.asked = 0

    def submit(self, job: Job) -> None:
        self.asked += 1
        if self.asked == 1:
            raise RuntimeError("can't start new thread")
        super().submit(job)


async def test_a_place_that_an_executor_did_not_give_is_free_again(make_engine: MakeEngine) -> None:
    engine = make_engine(executor=Full())
    with pytest.raises(RunError, match="start new thread"):
        await engine.run(where())
    assert await engine.run(where())
