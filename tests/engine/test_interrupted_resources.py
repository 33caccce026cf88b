"""A cancellation may come at any moment, also while a resource is being opened or closed."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

import cascade_nb as cs
from cascade_nb.engine import Engine
from cascade_nb.errors import ResourceError, RunCancelledError, TaskFailedError
from cascade_nb.events import ResourceAcquired, ResourceReleased
from cascade_nb.testing import SpySubscriber
from tests.engine.tools import PATIENCE, outcome, until


class Door:
    """A sync resource that takes its time, and notes what happened to it."""

    def __init__(self, scope: str) -> None:
        self.notes: list[str] = []
        self.opening, self.closing = threading.Event(), threading.Event()
        self.may_open, self.may_close = threading.Event(), threading.Event()

        @cs.resource(scope="task")
        def first() -> Iterator[str]:
            self.notes.append("first opened")
            yield "first"
            self.notes.append("first closed")

        @cs.resource(scope=scope)
        def slow() -> Iterator[str]:
            self.opening.set()
            assert self.may_open.wait(PATIENCE)
            self.notes.append("slow opened")
            yield "slow"
            self.closing.set()
            assert self.may_close.wait(PATIENCE)
            self.notes.append("slow closed")

        self.first, self.slow = first, slow


@cs.task
async def use(*things: Any) -> int:
    return len(things)


@cs.task
def use_in_thread(*things: Any) -> int:
    return len(things)


def told(spy: SpySubscriber) -> list[str]:
    return [
        f"{e.resource} {'opened' if isinstance(e, ResourceAcquired) else 'closed'}"
        for e in spy.events
        if isinstance(e, (ResourceAcquired, ResourceReleased))
    ]


async def test_cancelled_while_it_closes_it_is_closed_all_the_same(
    engine: Engine, spy: SpySubscriber
) -> None:
    # The thread that closes it cannot be stopped, and what was opened before it must be closed too.
    door = Door("task")
    door.may_open.set()
    run = engine.start(use(cs.inject(door.first), cs.inject(door.slow)))
    await until(door.closing.is_set)
    run.cancel()
    door.may_close.set()
    assert isinstance(await outcome(run), RunCancelledError)
    assert door.notes == ["first opened", "slow opened", "slow closed", "first closed"]
    assert told(spy) == door.notes


@pytest.mark.parametrize("scope", ["task", "run"])
async def test_cancelled_while_it_opens_it_is_opened_and_closed(
    engine: Engine, spy: SpySubscriber, scope: str
) -> None:
    door = Door(scope)
    door.may_close.set()
    run = engine.start(use(cs.inject(door.first), cs.inject(door.slow)))
    await until(door.opening.is_set)
    run.cancel()
    door.may_open.set()
    assert isinstance(await outcome(run), RunCancelledError)
    assert sorted(door.notes) == ["first closed", "first opened", "slow closed", "slow opened"]
    assert told(spy) == door.notes


async def test_an_async_one_that_is_interrupted_keeps_no_other_one_open(
    engine: Engine, spy: SpySubscriber
) -> None:
    door = Door("task")
    closing = threading.Event()

    @cs.resource(scope="task")
    async def patient() -> AsyncIterator[str]:
        yield "patient"
        closing.set()
        await until(lambda: False)

    run = engine.start(use(cs.inject(door.first), cs.inject(patient)))
    await until(closing.is_set)
    run.cancel()
    assert isinstance(await outcome(run), RunCancelledError)
    assert told(spy)[2:] == ["patient closed", "first closed"]


@pytest.mark.parametrize("task", [use, use_in_thread])
async def test_one_that_does_not_close_keeps_no_other_one_of_its_task_open(
    engine: Engine, spy: SpySubscriber, task: Any
) -> None:
    door = Door("task")

    @cs.resource(scope="task")
    def stuck() -> Iterator[str]:
        yield "stuck"
        raise OSError("the lock is jammed")

    with pytest.raises(TaskFailedError, match="stuck did not close") as caught:
        await engine.run(task(cs.inject(door.first), cs.inject(stuck)))
    assert isinstance(caught.value.__cause__, ResourceError)
    assert told(spy)[2:] == ["stuck closed", "first closed"]
