"""Work runs on a loop of its own while the caller's goes on running, and is waited for."""

from __future__ import annotations

import asyncio
import contextvars
import threading

import pytest

from cascade_nb.concurrency.own_loop import StillWorkingError, on_own_loop

pytestmark = pytest.mark.may_block("a thread is waited for, which is what this is for")


async def test_it_works_where_a_loop_runs_already_and_context_travels() -> None:
    who: contextvars.ContextVar[str] = contextvars.ContextVar("who")
    who.set("me")

    async def work() -> tuple[str, bool]:
        await asyncio.sleep(0)
        return who.get(), asyncio.get_running_loop() is here

    here = asyncio.get_running_loop()
    assert on_own_loop(work()) == ("me", False)


def test_an_error_arrives() -> None:
    async def fail() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        on_own_loop(fail())


def test_who_has_no_more_time_is_told_that_it_goes_on() -> None:
    go, done = threading.Event(), threading.Event()

    async def work() -> None:
        go.wait()
        done.set()

    with pytest.raises(StillWorkingError):
        on_own_loop(work(), timeout=0.01)
    assert not done.is_set()
    go.set()
    assert done.wait(60)
