"""Coroutines that never wait share a task of asyncio, and nothing else."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import time
import weakref
from typing import Any

import pytest

import cascade_nb as cs
from cascade_nb.engine import Engine
from cascade_nb.events import TaskExecutionStarted
from cascade_nb.testing import SpySubscriber
from tests.engine.tools import until


def link(fn: Any) -> Any:
    """A task whose calls can be put one after the other, and do not wait by themselves."""

    @cs.task(name=fn.__name__, shares_process=True)  # what it counts with is the test's
    async def body(number: int, before: Any = None) -> Any:
        return await fn(number)

    return body


def chained(body: Any, length: int) -> Any:
    node = body(0)
    for number in range(1, length):
        node = body(number, node)
    return node


async def test_coroutines_that_never_wait_share_a_task(engine: Engine) -> None:
    tasks: list[Any] = []

    async def note(number: int) -> None:
        tasks.append(asyncio.current_task())

    await engine.run(chained(link(note), 50))
    assert len(tasks) == 50
    # Not one for all: a slice may be over in between, on a machine that is busy.
    assert len(set(tasks)) < 50


async def test_each_that_waits_has_a_task_of_its_own_and_all_wait_together(engine: Engine) -> None:
    tasks: set[Any] = set()
    all_here = asyncio.Event()

    async def wait(number: int) -> None:
        tasks.add(asyncio.current_task())
        if len(tasks) == 60:
            all_here.set()
        await all_here.wait()

    body = link(wait)
    await asyncio.wait_for(engine.run([body(number) for number in range(60)]), 60)
    assert len(tasks) == 60


async def test_what_one_sets_in_its_context_the_next_does_not_see(engine: Engine) -> None:
    who: contextvars.ContextVar[str] = contextvars.ContextVar("who", default="nobody")
    seen: list[str] = []

    async def look(number: int) -> None:
        seen.append(who.get())
        who.set(f"task {number}")
        if number % 3 == 0:
            await asyncio.sleep(0)
        assert who.get() == f"task {number}"

    await engine.run(chained(link(look), 12))
    assert seen == ["nobody"] * 12


async def test_a_task_cancelled_by_its_own_coroutine_carries_no_other(engine: Engine) -> None:
    # It asks for its own end and is over before it comes to a place where it could hear of it:
    # the next one, carried by the same task, would be cancelled at its first wait.
    async def ask_for_the_end(number: int) -> int:
        if number == 3:
            me = asyncio.current_task()
            assert me is not None
            me.cancel()
        elif number > 3:
            await asyncio.sleep(0)
        return number

    assert await engine.run(chained(link(ask_for_the_end), 6)) == 5


async def test_a_timeout_inside_one_leaves_the_next_alone(engine: Engine) -> None:
    async def be_late(number: int) -> str:
        try:
            await asyncio.wait_for(asyncio.sleep(30), 0.001)
        except asyncio.TimeoutError:
            return f"late {number}"
        return "in time"

    assert await engine.run(chained(link(be_late), 4)) == "late 3"


async def test_errors_thrown_into_one_that_waits_arrive_where_it_waits(engine: Engine) -> None:
    future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    caught: list[BaseException] = []

    async def wait(number: int) -> str:
        try:
            await future
        except LookupError as error:
            caught.append(error)
        await asyncio.sleep(0)
        return "gone on"

    run = engine.start(link(wait)(0))
    await until(lambda: run.status.running == 1)
    future.set_exception(LookupError("no"))
    assert await run == "gone on"
    assert [str(error) for error in caught] == ["no"]


async def test_a_pause_from_inside_one_holds_the_next(engine: Engine) -> None:
    # Both are carried by one task, and the second is begun in the step that ended the first.
    spy = SpySubscriber(engine.bus)

    async def pause(number: int) -> None:
        if number == 2:
            engine.pause()

    run = engine.start(chained(link(pause), 5))
    await until(lambda: run.status.phase.value == "paused")
    assert len(spy.events_of_type(TaskExecutionStarted)) == 3
    engine.resume()
    await run
    assert len(spy.events_of_type(TaskExecutionStarted)) == 5


async def test_an_exit_fails_its_node_and_the_other_nodes_are_done_all_the_same(
    engine: Engine,
) -> None:
    async def leave(number: int) -> int:
        if number == 1:
            raise SystemExit(3)
        return number

    body = link(leave)
    run = engine.start([body(number) for number in range(4)], on_error="continue")
    with pytest.raises(cs.errors.TaskFailedError):
        await run
    assert (run.status.done, run.status.failed) == (3, 1)


async def test_arguments_live_as_long_as_their_coroutine(engine: Engine) -> None:
    class Big:
        pass

    alive: list[Any] = []
    gone: list[bool] = []

    @cs.task
    async def make() -> Big:
        big = Big()
        alive.append(weakref.ref(big))
        return big

    @cs.task
    async def take(big: Big) -> int:
        return 1

    @cs.task
    async def look(before: int) -> int:
        gc.collect()
        gone.append(alive[0]() is None)
        return before

    await engine.run(look(take(make())))
    assert gone == [True]


async def most_between_turns(run: Any, done: list[int]) -> int:
    """How many bodies ended, at most, before somebody else on the loop had a turn again."""
    most = seen = 0
    while not run.done():
        await asyncio.sleep(0.001)
        most, seen = max(most, len(done) - seen), len(done)
    return most


@pytest.mark.parametrize("before", ["a pause", "others that wait"])
async def test_runners_that_begin_together_leave_the_loop_to_others(
    engine: Engine, before: str
) -> None:
    done: list[int] = []

    async def busy(number: int) -> None:
        until_then = time.perf_counter() + 0.0002
        while time.perf_counter() < until_then:
            pass
        done.append(number)

    async def wait(number: int) -> None:
        await asyncio.sleep(0.001)

    body, waits = link(busy), link(wait)
    if before == "a pause":
        engine.pause()
        run = engine.start([body(number) for number in range(4_500)])
        await until(lambda: run.status.held == 4_500)
        engine.resume()
    else:  # so that a crowd of carriers is begun at a stretch when the busy ones come
        run = engine.start([body(n, waits(n)) for n in range(4_500)])
    # A slice is 50 of them; a crowd in which each had its own would do a thousand and more.
    assert await most_between_turns(run, done) < 300
    await run
    assert len(done) == 4_500


async def test_who_gives_a_slot_free_goes_on_with_who_waited_for_it(engine: Engine) -> None:
    tasks: set[Any] = set()
    most = now = 0

    async def nap(number: int) -> int:
        nonlocal most, now
        tasks.add(asyncio.current_task())
        now += 1
        most = max(most, now)
        await asyncio.sleep(0.001)
        now -= 1
        return number

    engine.limit("task:nap", 5)
    body = link(nap)
    assert await engine.run([body(number) for number in range(100)]) == list(range(100))
    assert most == 5
    # One for each slot; a few more where a slice was over, on a machine that is busy.
    assert len(tasks) < 50
