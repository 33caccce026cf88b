"""A run whose state fails in the middle of it pauses itself with advice, loses nothing, and goes on
when the state is mended and somebody resumes: with a real Redis and with a real file.
"""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import cascade_nb as cs
from cascade_nb.engine import Phase, Run
from cascade_nb.state import RedisState, SqliteState
from cascade_nb.testing import SpySubscriber
from tests.engine.conftest import MakeEngine
from tests.engine.tools import PATIENCE, finished, started, until
from tests.support.redis_server import RedisServer
from tests.support.same_in_keys import SameInKeys

KEY = b"k" * 32


class Bodies(SameInKeys):
    """Counts calls, and lets the first of them happen in a moment that a test chooses."""

    def __init__(self) -> None:
        self.calls: Counter[int] = Counter()
        self.go = threading.Event()

    def __reduce__(self) -> tuple[Any, ...]:
        return Bodies, ()  # what a task names is in its key, and its counts are not to be


bodies = Bodies()


@cs.task
def piece(n: int) -> int:
    bodies.calls[n] += 1
    if n >= 10:
        assert bodies.go.wait(PATIENCE)
    return n * n


@cs.task
def total(pieces: list[int]) -> int:
    return sum(pieces)


def workflow() -> cs.LazyResult[Any]:
    """Ten pieces that are done at once, ten that wait, and their sum."""
    return total(piece.map(n=list(range(20))))


@pytest.fixture(autouse=True)
def anew() -> None:
    bodies.calls.clear()
    bodies.go.clear()


async def halfway(run: Run, spy: SpySubscriber) -> None:
    await until(lambda: len(finished(spy)) == 10)


async def paused(run: Run, words: str) -> None:
    """Wait until the run has paused itself."""
    await until(lambda: run.status.phase is Phase.PAUSED, f"a pause because {words}")
    assert "by the state backend" in run.status.headline
    assert words in run.status.headline
    assert "not kept yet" in run.status.headline


async def go_on(run: Run) -> int:
    """Resume, as often as a user would who sees that it was too early; gives the value."""
    for _ in range(100):
        run.resume()
        await until(lambda: run.done() or run.status.phase is Phase.PAUSED, run.status.headline)
        if run.done():
            break
        await asyncio.sleep(0.2)
    return int(await asyncio.wait_for(run, PATIENCE))


@pytest.mark.parametrize("fault", ["killed", "stopped"])
async def test_redis_goes_away_in_the_middle_of_a_run_and_comes_back(
    make_engine: MakeEngine, fault: str
) -> None:
    with RedisServer.start() as server:
        engine = make_engine(state_backend=RedisState(server.url, key=KEY))
        spy = SpySubscriber(engine.bus)
        run = engine.start(workflow())
        await halfway(run, spy)
        if fault == "killed":
            server.kill()
        else:
            server.freeze()
        bodies.go.set()
        await paused(run, "Redis")
        assert len(finished(spy)) == 10  # nothing is called complete that is not safe
        await asyncio.to_thread(server.start_again if fault == "killed" else server.thaw)
        assert await go_on(run) == sum(n * n for n in range(20))
        assert set(bodies.calls.values()) == {1}
        assert sorted(started(spy)) == sorted(set(started(spy)))
        # And a later kernel finds all of it.
        other = make_engine(state_backend=RedisState(server.url, key=KEY))
        assert await other.run(workflow()) == await run
        assert set(bodies.calls.values()) == {1}
        await engine.aclose()
        await other.aclose()


@pytest.mark.parametrize("fault", ["locked", "gone"])
async def test_a_file_that_fails_in_the_middle_of_a_run_and_is_mended(
    make_engine: MakeEngine, tmp_path: Path, fault: str
) -> None:
    path = tmp_path / "results.db"
    engine = make_engine(state_backend=SqliteState(path, key=KEY))
    spy = SpySubscriber(engine.bus)
    run = engine.start(workflow())
    await halfway(run, spy)
    mend = await asyncio.to_thread(lock if fault == "locked" else take_away, path)
    bodies.go.set()
    await paused(run, "results.db")
    assert len(finished(spy)) == 10
    await asyncio.to_thread(mend)
    assert await go_on(run) == sum(n * n for n in range(20))
    assert set(bodies.calls.values()) == {1}
    await engine.aclose()


def lock(path: Path) -> Callable[[], None]:
    """Hold the file's write lock, as another program may."""
    other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    return other.close


def take_away(path: Path) -> Callable[[], None]:
    """Put the file where nobody finds it, as an unmounted disk does."""
    away = path.with_name("elsewhere")
    away.mkdir()
    parts = [*path.parent.glob("results.db*")]
    for part in parts:
        part.rename(away / part.name)

    def put_back() -> None:
        for part in path.parent.glob("results.db*"):
            part.unlink() if part.is_file() else part.rmdir()
        for part in parts:
            (away / part.name).rename(part)

    return put_back
