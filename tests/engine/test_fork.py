"""A child process that was forked in the middle of runs has engines that work."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import cascade_nb as cs
from cascade_nb.engine import Engine
from cascade_nb.errors import RunCancelledError
from tests.engine.conftest import MakeEngine
from tests.engine.tools import PATIENCE, until_blocking

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork on this system"),
    pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning"),
]


@cs.task
def give(x: Any) -> Any:
    return x


@cs.task
async def give_async(x: Any) -> Any:
    return x


@cs.task
def slow(x: int) -> int:
    time.sleep(0.01)
    return x


def _in_child(work: Callable[[], object]) -> str:
    """What `work` gives in a forked child process, in words."""
    reads, writes = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            said = repr(work())
        except BaseException as error:
            said = f"{type(error).__name__}: {error}"
        os.write(writes, said.encode())
        os._exit(0)
    os.close(writes)
    deadline = time.monotonic() + PATIENCE
    while os.waitpid(child, os.WNOHANG) == (0, 0):
        if time.monotonic() > deadline:
            os.kill(child, 9)
            os.waitpid(child, 0)
            pytest.fail("the child did not end")
        time.sleep(0.01)
    with os.fdopen(reads) as said_by_child:
        return said_by_child.read()


def test_a_forked_child_runs_while_its_parent_does() -> None:
    engine = Engine()
    heard: list[object] = []
    engine.bus.subscribe(heard.append)
    run = engine.start(slow.map(x=list(range(20_000))))
    until_blocking(lambda: run.status.done > 3)
    engine.limit("task:nobody", 3)

    def work() -> object:
        with pytest.raises(RunCancelledError, match="goes on in the process"):
            run.result()
        values = engine.start([give(1), give_async(2), slow.map(x=[1, 2, 3])]).result()
        return (
            values,
            len(engine.runs),
            [str(one.scope) for one in engine.constraints.constraints()],
        )

    for _ in range(10):  # at different moments: somebody may have any lock
        assert _in_child(work) == "([1, 2, [1, 2, 3]], 0, ['task:nobody'])"
    assert not run.done()
    run.cancel()
    with pytest.raises(RunCancelledError, match="was cancelled"):
        run.result()
    engine.close()


def test_a_task_may_fork_and_its_child_runs() -> None:
    engine = Engine()

    @cs.task
    def forks() -> str:
        return _in_child(lambda: engine.start(give(5)).result())

    assert engine.start(forks()).result() == "5"
    engine.close()


@pytest.mark.skipif(sys.platform != "linux", reason="a pool that forks is safe on Linux only")
def test_a_pool_that_forks_can_run(tmp_path: Path) -> None:
    assert cs.run(give(0)) == 0
    with multiprocessing.get_context("fork").Pool(2) as pool:
        assert pool.map(_run, [1, 2, 3]) == [1, 2, 3]


def _run(x: int) -> Any:
    return cs.run(give(x))


def test_a_child_has_a_connection_of_its_own_and_does_not_touch_its_parents() -> None:
    import gc

    from cascade_nb.connectors import MqttConnector
    from cascade_nb.events import ConnectorConnected, ConstraintApplied
    from cascade_nb.testing import SpySubscriber
    from tests.support.mosquitto import Mosquitto

    with Mosquitto.start() as broker:
        engine = Engine(connector=MqttConnector(broker.url))
        spy = SpySubscriber(engine.bus)
        run = engine.start([slow(x) for x in range(100_000)])
        until_blocking(lambda: run.status.running)

        def in_child() -> Any:
            heard = SpySubscriber(engine.bus)
            gc.collect()
            value = engine.start(give(7)).result(PATIENCE)
            return value, len(heard.events_of_type(ConnectorConnected))

        assert _in_child(in_child) == "(7, 1)"
        engine.pause("tag:mine")
        other = Engine(connector=MqttConnector(broker.url))
        other.start(_pause_over(broker.url)).result(PATIENCE)
        until_blocking(lambda: len(spy.events_of_type(ConstraintApplied)) == 2)
        assert len(spy.events_of_type(ConnectorConnected)) == 1
        run.cancel()
        until_blocking(run.done)
        engine.close()
        other.close()


@cs.task
async def _pause_over(url: str) -> None:
    from cascade_nb.testing import MqttControllerApp

    async with MqttControllerApp(url) as controller:
        await controller.pause("tag:theirs")
        await controller.answers(2)


@cs.task
async def fork_and_return() -> bool:
    child = os.fork()
    if child:
        await asyncio.to_thread(os.waitpid, child, 0)
    return child > 0


def test_a_child_that_returns_from_a_coroutine_of_an_engine_without_a_loop_ends(
    make_engine: MakeEngine,
) -> None:
    engine = make_engine()
    assert engine.start(fork_and_return()).result(PATIENCE)
    assert engine.start(give_async(1)).result(PATIENCE) == 1  # what it waits with is as it was
