"""Kernels that need the same node compute it once, when they are asked to."""

from __future__ import annotations

import asyncio
import re
import threading
from collections.abc import Iterator
from typing import Any

import pytest

import cascade_nb as cs
from cascade_nb.engine import Engine
from cascade_nb.engine.storage.sharing import LOOK
from cascade_nb.errors import RunCancelledError, TaskFailedError, UsageError
from tests.engine.conftest import MakeEngine
from tests.engine.states import PaperState
from tests.engine.tools import outcome, until
from tests.support.same_in_keys import SameInKeys


class Probe(SameInKeys):
    """What tasks did, and when they may go on. It counts as the same whatever they did, since what
    a task names is in its key.
    """

    def __init__(self) -> None:
        self.calls: list[int] = []
        self.gate = threading.Event()
        self.wrong: list[Exception] = []

    def __reduce__(self) -> tuple[Any, ...]:
        return Probe, ()

    def answer(self, x: int) -> int:
        if self.wrong:
            raise self.wrong.pop()
        return x * 2


probe = Probe()


def slow(x: int) -> int:
    probe.calls.append(x)
    assert probe.gate.wait(60)
    return probe.answer(x)


async def slow_on_loop(x: int) -> int:
    probe.calls.append(x)
    await until(probe.gate.is_set)
    return probe.answer(x)


LANES = {"thread": cs.task(name="slow")(slow), "async": cs.task(name="slow")(slow_on_loop)}


@pytest.fixture(autouse=True)
def anew() -> Iterator[None]:
    probe.calls.clear()
    probe.wrong.clear()
    probe.gate.clear()
    yield
    probe.gate.set()


@pytest.fixture(params=LANES)
def task(request: pytest.FixtureRequest) -> Any:
    return LANES[request.param]


async def two(make_engine: MakeEngine, target: Any) -> tuple[PaperState, Any, Any]:
    """Two kernels at one state that need the same, the second when the first has begun."""
    state = PaperState()
    one = make_engine(state_backend=state).start(target, share="wait")
    await until(lambda: probe.calls)
    other = make_engine(state_backend=state).start(target, share="wait")
    await asyncio.sleep(3 * LOOK)
    return state, one, other


async def test_a_node_that_two_kernels_need_is_computed_once(
    make_engine: MakeEngine, task: Any
) -> None:
    state, one, other = await two(make_engine, task(3))
    assert probe.calls == [3]
    (said,) = other.why(task(3).label)
    assert re.fullmatch(
        r"slow#1 waits for process \d+ on .*, which computes the same just now", said
    )
    assert one.why("slow") == ["slow#1 is running"]
    probe.gate.set()
    assert await one == await other == 6
    assert "computes the same" not in str(other.why("slow"))
    assert probe.calls == [3]
    await until(lambda: not any(name.startswith("node.") for name in state.paper.leases))


async def test_items_are_shared_one_by_one(make_engine: MakeEngine, task: Any) -> None:
    _, one, other = await two(make_engine, task.map(x=[1, 2]))
    probe.gate.set()
    assert await one == await other == [2, 4]
    assert sorted(probe.calls) == [1, 2]


async def test_when_the_first_fails_the_other_tries(make_engine: MakeEngine, task: Any) -> None:
    probe.wrong.append(ValueError("not here"))
    _, one, other = await two(make_engine, task(3))
    probe.gate.set()
    assert isinstance(await outcome(one), TaskFailedError)
    assert await other == 6
    assert probe.calls == [3, 3]


async def test_when_the_first_is_cancelled_the_other_computes(
    make_engine: MakeEngine, task: Any
) -> None:
    _, one, other = await two(make_engine, task(3))
    one.engine.grace = 0.05
    one.cancel()
    assert isinstance(await outcome(one), RunCancelledError)
    await until(lambda: len(probe.calls) == 2)
    probe.gate.set()
    assert await other == 6


async def test_who_waits_for_another_can_be_cancelled(make_engine: MakeEngine, task: Any) -> None:
    _, one, other = await two(make_engine, task(3))
    other.cancel()
    assert isinstance(await outcome(other), RunCancelledError)
    probe.gate.set()
    assert await one == 6


async def test_a_claim_is_kept_alive_while_its_node_runs(
    make_engine: MakeEngine, task: Any
) -> None:
    state = PaperState()
    now = 0.0
    state.paper.now = lambda: now  # or a kernel that gets no processor for a while would lose it
    one = make_engine(state_backend=state, lease=0.5).start(task(3), share="wait")
    await until(lambda: probe.calls)
    other = make_engine(state_backend=state, lease=0.5).start(task(3), share="wait")
    (claim,) = [name for name in state.paper.leases if name.startswith("node.")]
    for _ in range(5):
        now += 0.4
        await until(lambda now=now: state.paper.leases[claim][2] == now + 0.5)  # type: ignore[misc]
    await asyncio.sleep(3 * LOOK)
    assert probe.calls == [3]
    probe.gate.set()
    assert await one == await other == 6


async def test_without_being_asked_to_nobody_waits(make_engine: MakeEngine) -> None:
    state = PaperState()
    runs = [make_engine(state_backend=state).start(LANES["thread"](3)) for _ in range(2)]
    await until(lambda: len(probe.calls) == 2)
    probe.gate.set()
    assert [await run for run in runs] == [6, 6]


async def test_a_state_that_nobody_else_sees_cannot_be_shared_and_that_is_said(
    engine: Engine,
) -> None:
    with pytest.raises(UsageError, match=r"results where other kernels find them"):
        engine.start(LANES["thread"](1), share="wait")
    with pytest.raises(UsageError, match=r"share is 'no' or 'wait', not 'yes'"):
        engine.start(LANES["thread"](1), share="yes")
