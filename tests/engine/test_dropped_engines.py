"""Engines that nobody closes leave no thread; runs whose loop was closed count as ended."""

from __future__ import annotations

import asyncio
import gc
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

import cascade_nb as cs
from cascade_nb.engine import Engine
from cascade_nb.errors import RunCancelledError
from cascade_nb.events import RunFinished
from cascade_nb.testing import SpySubscriber
from tests.engine.tools import PATIENCE, until


@cs.task
def give(x: int) -> int:
    return x


def _threads() -> list[str]:
    names = [thread.name for thread in threading.enumerate()]
    # The door is the process's: a machine that takes its time for forty runs has one.
    return [name for name in names if name.startswith("cascade-") and name != "cascade-door"]


def test_many_engines_that_are_dropped_leave_no_thread() -> None:
    before = len(_threads())
    for x in range(40):
        engine = Engine()
        assert engine.start(give(x)).result() == x
        del engine
    _see_them_end(before)


def _see_them_end(before: int) -> None:
    deadline = time.monotonic() + PATIENCE
    while len(_threads()) > before and time.monotonic() < deadline:
        gc.collect()  # a thread may still have been in the middle of a round
        time.sleep(0.02)
    assert len(_threads()) <= before


def test_engines_with_a_database_are_dropped_in_the_middle_of_anything(tmp_path: Path) -> None:
    # A finalizer that took a lock of a pool's met its own thread, which held it.
    url = f"sqlite:///{tmp_path}/results.db"
    before, threads = gc.get_threshold(), len(_threads())
    gc.set_threshold(20)

    async def main() -> None:
        for x in range(25):
            engine = Engine(state_backend=url)
            assert await engine.run(give(x)) == x
            del engine

    try:
        asyncio.run(asyncio.wait_for(main(), PATIENCE))
    finally:
        gc.set_threshold(*before)
    _see_them_end(threads + 1)  # one for the process closes what is left


@cs.task
async def forever() -> None:
    await asyncio.sleep(3600)


def _left_behind(engine: Engine) -> Any:
    """A run whose loop is closed while it goes on."""

    async def begin() -> Any:
        run = engine.start(forever())
        await until(lambda: run.status.running)
        return run

    loop = asyncio.new_event_loop()
    run = loop.run_until_complete(begin())
    for task in asyncio.all_tasks(loop):  # or each would complain that it was destroyed
        task._log_destroy_pending = False  # type: ignore[attr-defined]
    loop.close()
    return run


def test_a_run_whose_loop_was_closed_counts_as_ended_and_stops_no_other() -> None:
    engine = Engine()
    spy = SpySubscriber(engine.bus)
    first, second = _left_behind(engine), None
    assert engine.start(give(1)).result() == 1
    with pytest.raises(RunCancelledError, match="its event loop was closed"):
        first.result()
    second = _left_behind(engine)
    assert second.done()
    assert [event.status for event in spy.events_of_type(RunFinished)] == [
        "cancelled",
        "succeeded",
        "cancelled",
    ]

    async def use() -> int:
        return int(await engine.start(give(2)))

    assert asyncio.run(use()) == 2
    engine.close()


def test_who_waits_in_a_thread_hears_that_the_loop_was_closed() -> None:
    engine = Engine()
    heard: list[BaseException] = []
    waits: list[threading.Thread] = []

    def wait(run: Any) -> None:
        try:
            run.result()
        except RunCancelledError as error:
            heard.append(error)

    async def begin() -> None:
        run = engine.start(forever())
        waits.append(threading.Thread(target=wait, args=(run,)))
        waits[0].start()
        await until(lambda: run.status.running)

    loop = asyncio.new_event_loop()
    loop.run_until_complete(begin())
    for task in asyncio.all_tasks(loop):
        task._log_destroy_pending = False  # type: ignore[attr-defined]
    loop.close()
    waits[0].join(PATIENCE)
    assert len(heard) == 1
    engine.close()


def test_a_loop_that_is_closed_in_the_middle_of_a_run_leaves_nothing_half_begun(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Steps were made and never awaited, and said so in the middle of whatever came next.
    seen: list[str] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda one: seen.append(str(one.exc_value)))

    @cs.task
    async def rest() -> None:
        await asyncio.sleep(30)

    async def begin(steps: int) -> None:
        Engine().start(rest())
        for _ in range(steps):
            await asyncio.sleep(0)

    for steps in range(30):
        loop = asyncio.new_event_loop()
        loop.run_until_complete(begin(steps))
        for task in asyncio.all_tasks(loop):
            task._log_destroy_pending = False  # type: ignore[attr-defined]
            coroutine = task.get_coro()
            assert coroutine is not None
            coroutine.close()  # one that has not begun, too
        loop.close()
        del loop, task
        gc.collect()
    assert seen == []
