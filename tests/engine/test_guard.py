"""While memory is scarce nothing starts, and it is said why; processes may stand still."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest

import cascade_nb as cs
from cascade_nb.control.gate_kinds.machine_memory import Reading, User
from cascade_nb.engine import Engine
from cascade_nb.engine.loops.memory_watch import NAME
from cascade_nb.errors import RunCancelledError
from cascade_nb.executors import ProcessExecutor
from cascade_nb.testing import SpySubscriber
from tests.engine.conftest import MakeEngine
from tests.engine.tools import Hold, started, until


@cs.task(reuse=False)
def in_thread(x: Any = 0) -> Any:
    return x


@cs.task(reuse=False)
async def on_loop(x: Any = 0) -> Any:
    return x


@cs.task(reuse=False, executor="inline")
def inline(x: Any = 0) -> Any:
    return x


def watches() -> bool:
    return any(thread.name == NAME for thread in threading.enumerate())


class Memory:
    """Stands for what is read of the memory, to be as full as a test wants it."""

    def __init__(self, engine: Engine, part: float) -> None:
        self.part = part
        self.users: Callable[[], list[User]] = list
        self.trouble: Exception | None = None
        watch = engine.loop_binding._alarm.memory
        watch.every, watch._read, watch._users = 0.02, self.read, self._listed

    def _listed(self) -> list[User]:
        return self.users()

    async def closes(self, engine: Engine) -> None:
        self.part = 0.9
        await until(lambda: engine.constraints.guards()[0].closed)

    def read(self) -> Reading:
        assert threading.current_thread().name == NAME, "never on the kernel's loop"
        if self.trouble is not None:
            raise self.trouble
        return Reading(round(self.part * 1000), 1000)


@pytest.mark.parametrize("task", [in_thread, on_loop, inline], ids=lambda task: str(task.name))
async def test_nothing_starts_while_the_memory_is_above(
    engine: Engine, spy: SpySubscriber, task: Any
) -> None:
    engine.guard("0.1%")  # of the real memory of this machine
    run = engine.start(task.map(x=[1, 2, 3]))
    await until(lambda: "above the 0.1% of a guard by you" in run.status.headline)
    assert started(spy) == []
    status = run.status
    assert status.queued == 3
    assert "Nothing is running: 3 tasks queued" in status.headline
    assert "used by" in status.headline
    assert "cs.guard(None) lifts it" in (status.blocked_by or "")
    assert "is queued: the memory of the" in run.why(f"map({task.name})[1]")[0]
    engine.guard("100%")
    assert await run == [1, 2, 3]
    await until(lambda: not watches(), "the end of who looks")


async def test_a_guard_that_is_lifted_lets_everything_start(engine: Engine) -> None:
    engine.guard("0.1%")
    run = engine.start([in_thread(1), on_loop(2)])
    await until(lambda: run.status.queued == 2)
    engine.guard(None)
    assert await run == [1, 2]
    await until(lambda: not watches())


async def test_it_opens_when_the_memory_is_free_and_closes_in_the_middle_of_a_run(
    engine: Engine, spy: SpySubscriber
) -> None:
    memory, hold = Memory(engine, 0.9), Hold()
    work = cs.task(name="work", reuse=False)(hold.wait)
    engine.guard("85%")
    run = engine.start([work(1), in_thread(work(2))])
    await until(lambda: run.status.queued == 2)
    memory.part = 0.5
    await until(lambda: len(hold.came) == 2)
    await memory.closes(engine)
    hold.let_go()
    await until(lambda: "above the 85%" in run.status.headline)
    assert len(started(spy)) == 2
    memory.part = 0.84
    await until(lambda: "lets start below 82%" in run.status.headline)
    memory.part = 0.8
    assert await run == [1, 2]


async def test_it_is_said_while_something_runs_too(engine: Engine) -> None:
    memory, hold = Memory(engine, 0.2), Hold()
    work = cs.task(name="work", reuse=False)(hold.wait)
    engine.guard("85%", reason="the notebook of ada needs it")
    engine.limit("task:work", 1)
    run = engine.start(work(1))
    await until(lambda: hold.came)
    memory.users = lambda: [User(1, "init\x1b[31m", 3_000_000_000)]
    await memory.closes(engine)
    other = engine.start([in_thread(5)])
    await until(lambda: "above" in other.status.headline)
    told = other.status.headline
    assert (
        "of a guard by you: the notebook of ada needs it; used by init (process 1) 3.0 GB" in told
    )
    memory.part = 0.1
    assert await other == [5]
    hold.let_go()
    await run


async def test_a_pause_and_a_limit_beside_it_are_theirs(engine: Engine) -> None:
    memory = Memory(engine, 0.9)
    engine.guard("85%", "task:in_thread")
    engine.pause("task:in_thread", reason="not now")
    run = engine.start([in_thread(1), on_loop(2)])
    await until(lambda: run.status.held == 1)
    assert "not now" in run.why("in_thread")[0]
    engine.resume("task:in_thread")
    await until(lambda: run.status.queued == 1)
    memory.part = 0.1
    assert await run == [1, 2]


async def test_memory_that_cannot_be_read_holds_nothing(engine: Engine) -> None:
    memory = Memory(engine, 0.9)
    memory.trouble = OSError("no /proc here")
    engine.guard("85%")
    assert await engine.run(in_thread(1)) == 1


async def test_a_run_that_waits_for_memory_can_be_cancelled(engine: Engine) -> None:
    engine.guard("0.1%")
    run = engine.start(in_thread(1))
    await until(lambda: run.status.queued == 1)
    run.cancel()
    with pytest.raises(RunCancelledError):
        await run
    await until(lambda: not watches())


async def test_of_one_run_alone(engine: Engine) -> None:
    Memory(engine, 0.9)
    engine.pause()
    run, other = engine.start(in_thread(1)), engine.start(in_thread(2))
    run.guard("85%")
    engine.resume()
    assert await other == 2
    await until(lambda: "above the 85%" in run.status.headline)
    run.guard(None)
    assert await run == 1


def test_for_engines_that_are_made_later_too(fresh_default_engine: None) -> None:
    cs.guard("0.1%")
    engine = cs.Engine()
    assert engine.constraints.find("global", "guard") is not None
    cs.guard(None)
    assert engine.constraints.find("global", "guard") is None
    engine.close()


@cs.task(executor="processes", reuse=False)
def spins(path: str) -> int:
    import os
    import time
    from pathlib import Path

    while not Path(path).exists():
        time.sleep(0.01)
    return os.getpid()


async def test_processes_stand_still_the_largest_first_and_go_on(
    make_engine: MakeEngine, tmp_path: Any
) -> None:
    engine = make_engine(executor=ProcessExecutor(3))
    memory = Memory(engine, 0.2)
    engine.guard("85%", suspend=True)
    done = [str(tmp_path / name) for name in "abc"]
    run = engine.start([spins(path).named(path[-1]) for path in done])

    def pids() -> dict[str, int]:
        with engine.constraints.lock:
            found = engine.constraints._in_processes()
        return {ticket.owner.names_of(ticket)[0]: pid for pid, ticket in found.items()}

    await until(lambda: len(pids()) == 3)
    at = pids()
    memory.users = lambda: [User(at["b"], "python", 300), User(at["c"], "python", 200)]
    memory.part = 0.9
    await until(lambda: run.status.suspended == 2)
    assert "2 tasks suspended" in run.status.headline
    guard = engine.constraints.guards()[0]
    assert [t.owner.names_of(t)[0] for t in guard.stopped] == ["b", "c"]
    # The one that runs ends: the smallest of the others goes on, though memory is still scarce.
    (tmp_path / "a").touch()
    await until(lambda: run.status.suspended == 1)
    assert [t.owner.names_of(t)[0] for t in guard.stopped] == ["b"]
    (tmp_path / "c").touch()
    await until(lambda: run.status.suspended == 0)
    memory.part = 0.9
    (tmp_path / "b").touch()
    assert sorted(await run) == sorted(at.values())


async def test_what_stands_still_goes_on_when_the_guard_goes(
    make_engine: MakeEngine, tmp_path: Any
) -> None:
    engine = make_engine(executor=ProcessExecutor(2))
    Memory(engine, 0.9)
    run = engine.start([spins(str(tmp_path / "x")), spins(str(tmp_path / "x")).named("y")])
    await until(lambda: len(engine.constraints._in_processes()) == 2)
    engine.guard("85%", suspend=True)
    await until(lambda: run.status.suspended == 1)
    engine.guard(None)
    await until(lambda: run.status.suspended == 0)
    (tmp_path / "x").touch()
    assert len(await asyncio.wait_for(run._wait(), 60)) == 2
