"""Whatever factory of tasks a loop's owner has set, a run on that loop begins and ends."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from typing import Any, Final

import pytest

import cascade_nb as cs
from cascade_nb.engine import Engine
from cascade_nb.testing import InProcessConnector
from tests.engine.tools import until
from tests.project.sources import PACKAGE


class RefusalError(RuntimeError):
    """What a factory raises."""


def _raises(loop: asyncio.AbstractEventLoop, coro: Any, **_: Any) -> Any:
    coro.close()
    raise RefusalError


def _raises_within(loop: asyncio.AbstractEventLoop, coro: Any, **_: Any) -> Any:
    """For the tasks of this package but for the first, which asyncio's own runner makes."""
    if "/cascade_nb/engine/" in coro.cr_code.co_filename:
        return _raises(loop, coro)
    return asyncio.Task(coro, loop=loop)


def _nothing(loop: asyncio.AbstractEventLoop, coro: Any, **_: Any) -> Any:
    coro.close()


FACTORIES: Final[dict[str, Callable[..., Any]]] = {
    "raises": _raises,
    "makes nothing": _nothing,
}
if sys.version_info >= (3, 12):
    # Its first step is made at once, within what makes it.
    FACTORIES["is eager"] = asyncio.eager_task_factory


@cs.resource
async def place() -> AsyncIterator[int]:
    await asyncio.sleep(0)
    yield 1


@cs.task
async def waits(x: int, at: int = cs.inject(place)) -> int:
    await asyncio.sleep(0.001)
    return x + at


@cs.task
def in_a_thread(xs: list[int]) -> int:
    return sum(xs)


@cs.task(executor="inline")
def at_once(x: int) -> int:
    return x


@cs.task
async def for_ever() -> None:
    await asyncio.sleep(3600)


@pytest.mark.parametrize("name", FACTORIES)
async def test_a_run_begins_and_ends_whatever_makes_the_tasks_of_its_loop(name: str) -> None:
    loop = asyncio.get_running_loop()
    engine = Engine(connector=InProcessConnector())
    loop.set_task_factory(FACTORIES[name])
    try:
        # More at once than a stack is deep, where one begins within the other.
        many = in_a_thread(waits.map(x=list(range(2_000))))
        assert await engine.start(at_once(many)) == sum(range(1, 2_001))
        run = engine.start(for_ever())
        engine.pause("task:waits")
        held = engine.start(waits(1))
        await until(lambda: bool(run.status.running and held.status.held))
        run.cancel()
        engine.resume("task:waits")
        assert await held == 2
        with pytest.raises(cs.errors.RunCancelledError):
            await run
        await engine.aclose()
    finally:
        loop.set_task_factory(None)


def test_a_loop_of_an_engine_made_by_somebodys_policy_does_too() -> None:
    class Policy(asyncio.DefaultEventLoopPolicy):
        def new_event_loop(self) -> asyncio.AbstractEventLoop:
            loop = super().new_event_loop()
            loop.set_task_factory(_raises_within)
            return loop

    before = asyncio.get_event_loop_policy()
    asyncio.set_event_loop_policy(Policy())
    try:
        engine = Engine()
        assert engine.start(in_a_thread(waits.map(x=[1, 2]))).result() == 5
        engine.close()
    finally:
        asyncio.set_event_loop_policy(before)


def test_no_task_is_made_in_another_way() -> None:
    made = "create_task("
    assert [
        path.name for path in PACKAGE.rglob("*.py") if made in path.read_text(encoding="utf-8")
    ] == ["begun_tasks.py"]
