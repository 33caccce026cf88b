"""Resources open lazily, once for each scope, and close exactly once in reverse order."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

import cascade_nb as cs
from cascade_nb.engine import Engine
from cascade_nb.errors import ResourceError, RunCancelledError, TaskFailedError
from cascade_nb.events import ResourceAcquired, ResourceReleased, RunFinished
from cascade_nb.testing import SpySubscriber
from tests.engine.conftest import MakeEngine
from tests.engine.tools import Hold, outcome, until

LANES = ("thread", "async", "inline")


class Yard:
    """Resources of every sort that write down what happens to them."""

    def __init__(self, scope: str, kind: str) -> None:
        self.log: list[str] = []
        log = self.log

        if kind == "sync":

            @cs.resource(scope=scope)
            def outer() -> Iterator[str]:
                log.append("open outer")
                try:
                    yield "outer"
                finally:
                    log.append("close outer")

            @cs.resource(scope=scope)
            def inner(base: Any = cs.inject(outer)) -> Iterator[str]:
                log.append("open inner")
                try:
                    yield f"inner of {base}"
                finally:
                    log.append("close inner")

        else:

            @cs.resource(scope=scope)
            async def outer() -> AsyncIterator[str]:
                log.append("open outer")
                try:
                    yield "outer"
                finally:
                    await asyncio.sleep(0)
                    log.append("close outer")

            @cs.resource(scope=scope)
            async def inner(base: Any = cs.inject(outer)) -> AsyncIterator[str]:
                log.append("open inner")
                await asyncio.sleep(0)
                try:
                    yield f"inner of {base}"
                finally:
                    log.append("close inner")

        self.outer, self.inner = outer, inner

    def task(self, lane: str, end: str = "value", hold: Hold | None = None) -> Any:
        """A task that uses `inner` and ends so."""

        def body(x: int, given: Any) -> Any:
            self.log.append(f"use {given}")
            if end == "failure":
                raise ValueError("no")
            return given

        if lane == "async":

            @cs.task
            async def use(x: int = 0, given: Any = cs.inject(self.inner)) -> Any:
                if hold is not None:
                    await hold.rest()
                return body(x, given)

        else:

            @cs.task(executor=lane)
            def use(x: int = 0, given: Any = cs.inject(self.inner)) -> Any:
                if hold is not None:
                    hold.wait()
                    cs.checkpoint()
                return body(x, given)

        return use


OPEN = ["open outer", "open inner"]
CLOSE = ["close inner", "close outer"]
USE = ["use inner of outer"]

every_sort = pytest.mark.parametrize("kind", ["sync", "async"])
every_scope = pytest.mark.parametrize("scope", ["run", "task"])
every_lane = pytest.mark.parametrize("lane", LANES)


@pytest.fixture
def yard(scope: str, kind: str) -> Yard:
    return Yard(scope, kind)


@every_sort
@every_scope
@every_lane
async def test_it_is_opened_used_and_closed_in_reverse_order(
    engine: Engine, yard: Yard, lane: str
) -> None:
    assert await engine.run(yard.task(lane)()) == "inner of outer"
    assert yard.log == OPEN + USE + CLOSE


@every_sort
@every_scope
@every_lane
async def test_it_is_closed_when_the_task_fails(engine: Engine, yard: Yard, lane: str) -> None:
    with pytest.raises(TaskFailedError):
        await engine.run(yard.task(lane, "failure")())
    assert yard.log == OPEN + USE + CLOSE


@every_sort
@every_scope
@pytest.mark.parametrize("lane", ["thread", "async"])
async def test_it_is_closed_when_the_run_is_cancelled(
    engine: Engine, yard: Yard, lane: str
) -> None:
    hold = Hold()
    run = engine.start(yard.task(lane, hold=hold)())
    await until(lambda: hold.came)
    run.cancel()
    await asyncio.sleep(0)
    hold.let_go()
    assert isinstance(await outcome(run), RunCancelledError)
    assert yard.log == OPEN + CLOSE


@every_sort
@every_scope
@every_lane
async def test_it_is_opened_once_for_each_scope_also_in_a_map(
    engine: Engine, yard: Yard, scope: str, lane: str
) -> None:
    await engine.run(yard.task(lane).map(x=[1, 2, 3]))
    times = 1 if scope == "run" else 3
    assert yard.log.count("open outer") == yard.log.count("close inner") == times
    assert yard.log.count("use inner of outer") == 3


@every_sort
@pytest.mark.parametrize("scope", ["task"])
async def test_each_attempt_opens_its_own(engine: Engine, yard: Yard) -> None:
    with pytest.raises(TaskFailedError):
        await engine.run(yard.task("thread", "failure")().with_retry(2))
    assert yard.log == (OPEN + USE + CLOSE) * 2


@pytest.mark.parametrize(("scope", "kind"), [("run", "sync")])
async def test_what_nobody_uses_is_not_opened(engine: Engine, yard: Yard) -> None:
    use = yard.task("thread")
    assert await engine.run([use(0, "given"), cs.task(lambda: 1)()]) == ["given", 1]
    assert yard.log == ["use given"]


@pytest.mark.parametrize(("scope", "kind"), [("run", "async")])
async def test_two_that_come_at_once_share_one(engine: Engine, yard: Yard) -> None:
    use = yard.task("async")
    await engine.run([use(i) for i in range(10)])
    assert yard.log.count("open outer") == 1


@pytest.mark.parametrize(("scope", "kind"), [("run", "sync")])
async def test_each_run_has_its_own(engine: Engine, yard: Yard) -> None:
    use = yard.task("thread")
    await asyncio.gather(engine.run(use(1)), engine.run(use(2)))
    assert yard.log.count("open outer") == yard.log.count("close outer") == 2


async def test_a_resource_of_the_call_goes_before_that_of_the_signature(engine: Engine) -> None:
    yard, other = Yard("run", "sync"), Yard("run", "sync")
    assert await engine.run(yard.task("thread")(given=cs.inject(other.outer))) == "outer"
    assert yard.log == ["use outer"]
    assert other.log == ["open outer", "close outer"]


async def test_a_resource_can_be_overridden_for_tests(make_engine: MakeEngine) -> None:
    yard, other = Yard("task", "sync"), Yard("run", "async")
    engine = make_engine(overrides={yard.inner: "a thing", other.outer: yard.outer})
    assert await engine.run(yard.task("thread")()) == "a thing"
    assert yard.log == ["use a thing"]
    assert await engine.run(other.task("async")()) == "inner of outer"
    assert "open outer" not in other.log
    assert yard.log[1:] == ["open outer", "close outer"]


async def test_a_task_resource_lives_in_the_thread_of_its_task(engine: Engine) -> None:
    threads: list[Any] = []

    @cs.resource(scope="task")
    def connection() -> Iterator[int]:
        threads.append(threading.current_thread())
        yield 1
        threads.append(threading.current_thread())

    @cs.task
    def use(db: Any = cs.inject(connection)) -> None:
        threads.append(threading.current_thread())

    await engine.run(use())
    assert len(set(threads)) == 1


@every_sort
@every_scope
@pytest.mark.parametrize("lane", ["thread", "async"])
@pytest.mark.parametrize("what", ["open", "close", "nothing", "twice"])
async def test_one_that_does_not_open_or_close_is_a_resource_error(
    engine: Engine, spy: SpySubscriber, scope: str, kind: str, lane: str, what: str
) -> None:
    def parts() -> Iterator[int]:
        if what == "open":
            raise OSError("no door")
        if what == "nothing":
            return
        yield 1
        if what == "close":
            raise OSError("jammed")
        if what == "twice":
            yield 2

    if kind == "sync":
        door: Any = cs.resource(scope=scope, name="door")(parts)
    else:

        @cs.resource(scope=scope, name="door")
        async def door() -> AsyncIterator[int]:
            for part in parts():
                yield part

    @cs.task
    def use(given: Any = cs.inject(door)) -> None: ...

    @cs.task
    async def use_on_loop(given: Any = cs.inject(door)) -> None: ...

    error = await outcome(engine.start((use if lane == "thread" else use_on_loop)()))
    words = {
        "open": "resource door did not open: OSError: no door",
        "nothing": "resource door did not open: RuntimeError: it ended without a yield",
        "close": "resource door did not close: OSError: jammed",
        "twice": "resource door yielded twice",
    }[what]
    assert words in str(error)
    cause = error if isinstance(error, ResourceError) else error.__cause__  # type: ignore[union-attr]
    assert isinstance(cause, ResourceError)
    opened, closed = (len(spy.events_of_type(t)) for t in (ResourceAcquired, ResourceReleased))
    assert opened == closed == (0 if what in ("open", "nothing") else 1)
    assert spy.events_of_type(RunFinished)[0].status == "failed"


async def test_one_that_does_not_close_does_not_keep_the_others_open(engine: Engine) -> None:
    closed: list[str] = []

    @cs.resource
    def first() -> Iterator[int]:
        yield 1
        closed.append("first")

    @cs.resource
    def second() -> Iterator[int]:
        yield 2
        raise OSError("jammed")

    @cs.task
    def use(a: Any = cs.inject(first), b: Any = cs.inject(second)) -> int:
        return int(a + b)

    with pytest.raises(ResourceError, match=r"second did not close: OSError: jammed"):
        await engine.run(use())
    assert closed == ["first"]


async def test_opening_and_closing_is_told_with_who_asked(
    engine: Engine, spy: SpySubscriber
) -> None:
    yard = Yard("task", "sync")
    await engine.run(yard.task("thread").map(x=[1]))
    told = [
        (type(e).__name__, e.resource, e.scope, e.task_id)
        for e in spy.events
        if isinstance(e, (ResourceAcquired, ResourceReleased))
    ]
    assert told == [
        ("ResourceAcquired", "outer", "task", "use#1[0]"),
        ("ResourceAcquired", "inner", "task", "use#1[0]"),
        ("ResourceReleased", "inner", "task", "use#1[0]"),
        ("ResourceReleased", "outer", "task", "use#1[0]"),
    ]


async def test_an_inline_task_under_a_condition_gets_its_resource(engine: Engine) -> None:
    yard = Yard("run", "sync")
    assert await engine.run(yard.task("inline")().run_if(cs.task(lambda: 1)())) == "inner of outer"


async def test_while_resources_close_the_run_is_finishing(engine: Engine) -> None:
    hold = Hold()

    @cs.resource(scope="run")
    async def base() -> AsyncIterator[str]:
        yield "base"
        await hold.rest()

    @cs.task
    async def ask(of: Any = cs.inject(base)) -> Any:
        return of

    run = engine.start(ask())
    await until(lambda: hold.came)
    status = run.status
    assert (status.done, status.waiting, status.headline) == (1, 0, "Finishing")
    hold.let_go()
    assert await run == "base"
