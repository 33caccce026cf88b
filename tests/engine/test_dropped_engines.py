"""Engines that nobody closes leave no thread, and no finalizer of theirs takes a lock."""

from __future__ import annotations

import asyncio
import gc
import threading
import time
from pathlib import Path

import cascade_nb as cs
from cascade_nb.engine import Engine


@cs.task
def give(x: int) -> int:
    return x


def _threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("cascade-")]


def test_many_engines_that_are_dropped_leave_no_thread() -> None:
    before = len(_threads())
    for x in range(40):
        engine = Engine()
        assert engine.start(give(x)).result() == x
        del engine
    _see_them_end(before)


def _see_them_end(before: int) -> None:
    deadline = time.monotonic() + 5
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
        asyncio.run(asyncio.wait_for(main(), 30))
    finally:
        gc.set_threshold(*before)
    _see_them_end(threads + 1)  # one for the process closes what is left
