"""What every state backend keeps to. Another one adds its name and how to make it to `ADAPTERS`."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

import cascade_nb as cs
from cascade_nb.engine import Engine, NodeState
from cascade_nb.events import TaskExecutionStarted
from cascade_nb.protocols import StateBackend
from cascade_nb.state import MemoryState
from cascade_nb.testing import SpySubscriber
from tests.engine.tools import until

ADAPTERS: dict[str, Callable[[], StateBackend]] = {"memory": MemoryState}

VALUES: dict[str, Any] = {
    "None": None,
    "number": 3,
    "text": "ü",
    "bytes": b"\x00\xff",
    "containers": {"k": [(1, 2), {3}]},
    "large": b"x" * 1_000_000,
    "false": False,
}


@pytest.fixture(params=ADAPTERS)
async def state(request: pytest.FixtureRequest) -> AsyncIterator[StateBackend]:
    made = ADAPTERS[request.param]()
    await made.open()
    yield made
    await made.close()


async def put(state: StateBackend, key: str, value: Any, seconds: float = 1.0) -> None:
    safe = state.put(key, value, seconds)
    assert (safe is None) == state.instant
    if safe is not None:
        await safe


@pytest.mark.parametrize("value", VALUES.values(), ids=VALUES)
async def test_what_is_kept_comes_back(state: StateBackend, value: Any) -> None:
    await put(state, "key", value, 2.5)
    assert await state.known(["key"]) == {"key": 2.5}
    back = await state.get("key")
    assert back == value
    assert type(back) is type(value)


async def test_what_was_never_kept_is_not_known_and_cannot_be_had(state: StateBackend) -> None:
    assert await state.known([]) == {}
    assert await state.known(["nothing"]) == {}
    with pytest.raises(KeyError):
        await state.get("nothing")


async def test_only_the_known_ones_of_many_are_named(state: StateBackend) -> None:
    for i in range(0, 100, 3):
        await put(state, f"k{i}", i, float(i))
    found = await state.known([f"k{i}" for i in range(100)])
    assert dict(found) == {f"k{i}": float(i) for i in range(0, 100, 3)}


async def test_a_later_value_replaces_the_earlier(state: StateBackend) -> None:
    await put(state, "key", 1, 1.0)
    await put(state, "key", 2, 9.0)
    assert await state.get("key") == 2
    assert await state.known(["key"]) == {"key": 9.0}


async def test_opening_again_loses_nothing(state: StateBackend) -> None:
    await put(state, "key", 1)
    await state.open()
    await state.open()
    assert await state.get("key") == 1


async def test_values_may_be_kept_from_any_thread(state: StateBackend) -> None:
    loop = asyncio.get_running_loop()

    def keep(n: int) -> None:
        for i in range(50):
            safe = state.put(f"{n}.{i}", i, 0.0)
            if safe is not None:
                asyncio.run_coroutine_threadsafe(_wait(safe), loop).result()

    threads = [threading.Thread(target=keep, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    await until(lambda: not any(thread.is_alive() for thread in threads))
    keys = [f"{n}.{i}" for n in range(4) for i in range(50)]
    assert len(await state.known(keys)) == 200


async def _wait(safe: Any) -> None:
    await safe


@cs.task
def load(n: int) -> list[int]:
    return list(range(n))


@cs.task
def total(xs: list[int], plus: int = 0) -> int:
    return sum(xs) + plus


async def test_completed_work_does_not_run_again(state: StateBackend) -> None:
    engine = Engine(state_backend=state)
    spy = SpySubscriber(engine.bus)
    rows = load(5).named("rows")
    assert await engine.run(total(rows)) == 10
    first = len(spy.events_of_type(TaskExecutionStarted))
    run = engine.start(total(rows))
    assert await run == 10
    assert len(spy.events_of_type(TaskExecutionStarted)) == first == 2
    assert run.states()["total#1"] is NodeState.REUSED
    assert await engine.run(total(rows, plus=1)) == 11  # only what is stale runs
    assert len(spy.events_of_type(TaskExecutionStarted)) == 3
    assert await engine.run(total(rows), fresh=True) == 10
    assert len(spy.events_of_type(TaskExecutionStarted)) == 5
    await engine.aclose()
