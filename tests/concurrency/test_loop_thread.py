"""The loop of a state that lasts: everything on it is done before it ends, and it always ends."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import textwrap
import threading
import time

import pytest

from cascade_nb.concurrency import loop_thread
from cascade_nb.concurrency.loop_thread import LoopThread
from tests.support.patience import PATIENCE
from tools.environments import ROOT


async def test_what_was_submitted_is_done_before_it_ends() -> None:
    done: list[str] = []

    async def work() -> None:
        await asyncio.sleep(0.05)
        done.append("work")

    async def last() -> None:
        done.append("last")

    thread = LoopThread("test-loop", last)
    future = thread.submit(work())
    thread.call(lambda: done.append("call"))
    await thread.end()
    assert done == ["call", "work", "last"]
    assert future.done()


async def test_what_fails_at_the_end_is_told_to_who_ended_it() -> None:
    async def last() -> None:
        raise OSError("no more")

    thread = LoopThread("test-loop", last)
    with pytest.raises(OSError, match="no more"):
        await thread.end()


async def test_who_gives_up_waiting_ends_the_work() -> None:
    # A cell that is interrupted must not leave its question going on for ever.
    async def last() -> None:
        pass

    thread = LoopThread("test-loop", last)
    started = threading.Event()
    cancelled = threading.Event()

    async def work() -> None:
        started.set()
        try:
            await asyncio.sleep(600)
        except asyncio.CancelledError:
            cancelled.set()
            raise

    waiting = asyncio.ensure_future(asyncio.wrap_future(thread.submit(work())))
    await asyncio.to_thread(started.wait, 20)
    waiting.cancel()
    await asyncio.to_thread(cancelled.wait, 20)
    assert cancelled.is_set()
    await thread.end()


async def test_who_gives_up_waiting_for_the_end_does_not_prevent_it() -> None:
    ended = threading.Event()

    async def last() -> None:
        ended.set()

    thread = LoopThread("test-loop", last)
    release = asyncio.Event()

    async def work() -> None:
        await release.wait()

    thread.submit(work())
    ending = asyncio.ensure_future(thread.end())
    await asyncio.sleep(0)
    ending.cancel()
    thread.call(release.set)
    assert await asyncio.to_thread(ended.wait, 60)
    await thread.end()


def test_what_nobody_waits_for_hears_of_the_end_and_does_not_prevent_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(loop_thread, "GIVEN_UP", 0.2)
    thread, began, heard = LoopThread("test-loop"), threading.Event(), list[str]()

    async def looks() -> None:
        began.set()
        try:
            await asyncio.sleep(600)
        except asyncio.CancelledError:
            heard.append("looks")
            late = thread.loop.create_task(exits())  # what comes in the last moment hears of it too
            late.add_done_callback(lambda late: late.exception())
            raise

    async def exits() -> None:
        try:
            await asyncio.sleep(600)
        finally:
            heard.append("exits")
            raise SystemExit

    async def goes_on() -> None:
        while True:
            try:
                await asyncio.sleep(600)
            except asyncio.CancelledError:
                heard.append("goes on")

    for work in (goes_on, looks):
        thread.submit(work())
    assert began.wait(PATIENCE)
    thread.stop()
    assert {"looks", "exits", "goes on"} == set(heard)
    assert thread.loop.is_closed()


def test_only_its_owner_ends_it() -> None:
    thread = LoopThread("test-loop")

    async def stops() -> None:
        asyncio.get_running_loop().stop()

    async def fine() -> int:
        return 1

    thread.submit(stops()).result(PATIENCE)
    assert thread.submit(fine()).result(PATIENCE) == 1
    thread.stop()


SCRIPT = """
import asyncio
import sys
sys.path.insert(0, {root!r})
from cascade_nb.concurrency.loop_thread import LoopThread

async def last():
    print("last", flush=True)

async def work():
    await asyncio.sleep({seconds})
    print("work", flush=True)

thread = LoopThread("test-loop", last)
{wait}thread.submit(work())
print("main", flush=True)
"""


def run(**words: object) -> tuple[list[str], float]:
    began = time.monotonic()
    script = textwrap.dedent(SCRIPT).format(root=str(ROOT), **words)
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True
    )
    assert not done.stderr
    return done.stdout.split(), time.monotonic() - began


def test_a_process_that_forgot_it_ends_when_its_work_is_done() -> None:
    said, seconds = run(seconds=0.3, wait="")
    assert said == ["main", "work", "last"]
    assert seconds < 50  # else it would never end


def test_a_process_that_forgot_it_does_not_wait_for_ever() -> None:
    said, seconds = run(
        seconds=600, wait="import cascade_nb.concurrency.loop_thread as m; m.AT_EXIT = 0.5; "
    )
    assert said == ["main"]
    assert seconds < 20
