"""What runs, where, and what it is given."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Callable
from typing import Any

import pytest

import cascade_nb as cs
from cascade_nb.engine import Engine, NodeState, Phase
from cascade_nb.errors import (
    BlockingError,
    MapError,
    PolicyError,
    TargetError,
    TaskFailedError,
    UsageError,
)
from cascade_nb.events import RunFinished
from cascade_nb.testing import SpySubscriber
from tests.engine.conftest import MakeEngine
from tests.engine.tools import Hold, started, until, until_blocking
from tests.graph.test_build import Names

LANES = ("thread", "async", "inline")
every_lane = pytest.mark.parametrize("lane", LANES)


def task_for(lane: str, body: Callable[..., Any], **options: Any) -> Any:
    """`body` as a task that runs in a lane."""
    if lane == "async":

        async def on_loop(*args: Any, **kwargs: Any) -> Any:
            return body(*args, **kwargs)

        return cs.task(name=body.__name__, **options)(on_loop)
    return cs.task(executor=lane, name=body.__name__, **options)(body)


@cs.task
def double(x: int) -> int:
    return 2 * x


@cs.task
async def add(*values: int) -> int:
    return sum(values)


@every_lane
async def test_a_task_runs_where_it_says(engine: Engine, lane: str) -> None:
    where = await engine.run(task_for(lane, threading.current_thread)())
    on_loop = where is threading.current_thread()
    assert on_loop == (lane != "thread")


@every_lane
async def test_a_graph_of_every_shape_has_its_value(engine: Engine, lane: str) -> None:
    def total(*values: int, plus: int = 0) -> int:
        return sum(values) + plus

    plus = task_for(lane, total)
    leaves = [plus(i) for i in range(20)]
    tree = plus(plus(*leaves[:10]), plus(*leaves[10:]), plus=leaves[0])
    chain = plus(1)
    for _ in range(50):
        chain = plus(chain, plus=1)
    assert await engine.run({"tree": [tree], "chain": chain}) == {"tree": [190], "chain": 51}


async def test_a_chain_of_10_000_runs(engine: Engine) -> None:
    step = cs.task(executor="inline")(lambda x: x + 1)
    lazy = step(0)
    for _ in range(9_999):
        lazy = step(lazy)
    assert await engine.run(lazy) == 10_000


@every_lane
async def test_contextvars_of_the_caller_travel_and_do_not_leak(engine: Engine, lane: str) -> None:
    who: contextvars.ContextVar[str] = contextvars.ContextVar("who", default="nobody")

    def look() -> str:
        return who.get()

    @cs.task
    async def change() -> str:
        who.set("another task")
        await asyncio.sleep(0)
        return who.get()

    who.set("me")
    seen = task_for(lane, look)
    # What comes after `change` must not see what it set for itself.
    assert await engine.run([change(), seen().after(change()), seen()]) == [
        "another task",
        "me",
        "me",
    ]
    assert who.get() == "me"


@pytest.mark.parametrize(
    ("target", "value"),
    [
        (lambda a: a, 2),
        (lambda a: [a, 1, [a]], [2, 1, [2]]),
        (lambda a: (a, {"k": a}), (2, {"k": 2})),
        (lambda a: {a}, {2}),
    ],
)
async def test_a_target_keeps_its_shape(engine: Engine, target: Any, value: Any) -> None:
    assert await engine.run(target(double(1))) == value


async def test_a_node_runs_once_however_many_read_it(engine: Engine, spy: SpySubscriber) -> None:
    a = double(1)
    assert await engine.run(add(a, a, double(a), double(a))) == 12
    assert started(spy).count("double#1") == 1


@every_lane
@pytest.mark.parametrize("source", ["literal", "lazy", "lazy items", "nothing", "lazy nothing"])
async def test_a_map_gives_the_results_in_order(engine: Engine, lane: str, source: str) -> None:
    def triple(x: int, plus: int) -> int:
        return 3 * x + plus

    given = {
        "literal": [1, 2, 3],
        "lazy": cs.task(lambda: (1, 2, 3))(),
        "lazy items": [1, cs.task(lambda: 2)(), 3],
        "nothing": [],
        "lazy nothing": cs.task(lambda: ())(),
    }[source]
    mapped = task_for(lane, triple).partial(plus=1).map(x=given) if lane != "async" else None
    if mapped is None:

        @cs.task
        async def triple_on_loop(x: int, plus: int) -> int:
            return 3 * x + plus

        mapped = triple_on_loop.partial(plus=1).map(x=given)
    assert await engine.run(mapped) == ([] if "nothing" in source else [4, 7, 10])


async def test_maps_go_side_by_side_and_into_one_another(engine: Engine) -> None:
    pair = cs.task(lambda x, y: (x, y))
    first = double.map(x=[1, 2])
    assert await engine.run(pair.map(x=first, y=["a", "b"])) == [(2, "a"), (4, "b")]
    assert await engine.run(add(*[1], 2)) == 3
    assert await engine.run(double.map(x=double.map(x=first))) == [8, 16]


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (3, r"map\(double\): x goes through the items of a collection, and int has none"),
        ("text", r"map\(double\): x goes .*is text"),
        ({"a": 1}, r"map\(double\): x got a mapping"),
    ],
)
async def test_a_lazy_collection_without_items_fails_as_the_map(
    engine: Engine, value: Any, words: str
) -> None:
    with pytest.raises(TaskFailedError, match=words) as caught:
        await engine.run(double.map(x=cs.task(lambda: value)()))
    assert isinstance(caught.value.__cause__, MapError)


async def test_lazy_collections_of_unequal_lengths_fail_with_the_lengths(engine: Engine) -> None:
    pair = cs.task(lambda x, y: (x, y))
    with pytest.raises(TaskFailedError, match=r"map\(lambda\).*x has 2, y has 3"):
        await engine.run(pair.map(x=[1, 2], y=cs.task(lambda: [1, 2, 3])()))


async def test_a_run_is_a_handle_that_can_be_looked_at_and_awaited(engine: Engine) -> None:
    hold = Hold()
    run = engine.start(add(cs.task(name="held")(hold.rest)(2), double(3)))
    await until(lambda: hold.came and run.states()["double#1"] is NodeState.DONE)
    assert not run.done()
    assert run.exception() is None
    assert (run.number, run.status.total, run.status.done) == (1, 3, 1)
    assert run.status.phase is Phase.RUNNING
    assert run.states()["held#1"] is NodeState.RUNNING
    hold.let_go()
    assert await run == 8
    assert await run == 8  # as often as one likes
    assert run.result() == 8
    assert run.outcome is Phase.SUCCEEDED
    assert engine.runs == []


async def test_closing_where_the_loop_runs_is_refused(engine: Engine) -> None:
    run = engine.start(double(1))
    with pytest.raises(BlockingError, match=r"await aclose"):
        engine.close()
    assert await run == 2


async def test_cancelling_the_wait_cancels_the_run(engine: Engine) -> None:
    hold = Hold()
    waiting = asyncio.create_task(engine.run(cs.task(name="held")(hold.rest)()))
    await until(lambda: hold.came)
    (run,) = engine.runs
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert run.outcome is Phase.CANCELLED  # its end was waited for


@pytest.mark.parametrize("wrong", [3, None, double, [1, double]])
async def test_a_target_that_is_no_lazy_value_starts_nothing(engine: Engine, wrong: Any) -> None:
    with pytest.raises(TargetError, match=r"is no lazy value"):
        engine.start(wrong)
    assert engine.runs == []


async def test_what_makes_no_sense_starts_nothing(make_engine: MakeEngine) -> None:
    engine = make_engine(system_resources={"gpu": 1})
    with pytest.raises(UsageError, match=r"'stop' or 'continue', not 'ignore'"):
        engine.start(double(1), on_error="ignore")
    with pytest.raises(PolicyError, match=r"double needs 2 gpu, and there is only 1 in all"):
        engine.start(double(1).with_constraints(gpu=2))
    with pytest.raises(PolicyError, match=r"needs 'cpu', and the engine was not told of any"):
        engine.start(double(1).with_constraints(cpu=1))
    assert engine.runs == []
    assert engine.start(double(1)).number == 1
    await until(lambda: not engine.runs)


def test_a_run_needs_no_loop_of_the_caller() -> None:
    engine = Engine()
    run = engine.start(add(double(1), 2))
    assert run.result(timeout=60) == 4
    hold = Hold()
    run = engine.start(cs.task(name="held")(hold.wait)(5))
    with pytest.raises(TimeoutError, match=r"held is not there after 0\.01 s"):
        run.result(timeout=0.01)
    hold.let_go()
    assert run.result(timeout=60) == 5
    engine.close()
    until_blocking(lambda: not [t for t in threading.enumerate() if t.name == "cascade-loop"])


def test_an_engine_goes_from_loop_to_loop_but_not_while_it_runs() -> None:
    engine = Engine()
    assert asyncio.run(engine.run(double(1))) == 2
    assert asyncio.run(engine.run(double(2))) == 4
    hold = Hold()
    run = engine.start(cs.task(name="held")(hold.wait)())

    async def other_loop() -> None:
        with pytest.raises(BlockingError, match=r"another event loop"):
            engine.start(double(1))

    asyncio.run(other_loop())
    hold.let_go()
    run.result(timeout=60)
    engine.close()


def test_a_loop_that_ends_ends_its_runs() -> None:
    engine = Engine(grace=0.1)
    spy = SpySubscriber(engine.bus)

    async def leave() -> Any:
        hold = Hold()
        run = engine.start(cs.task(name="held")(hold.rest)())
        await until(lambda: hold.came)
        return run

    # What asyncio.run does at its end; a kernel that shuts down does the same.
    loop = asyncio.new_event_loop()
    run = loop.run_until_complete(leave())
    left = asyncio.all_tasks(loop)
    for task in left:
        task.cancel()
    loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
    loop.close()
    assert run.outcome is Phase.CANCELLED
    assert [e.status for e in spy.events_of_type(RunFinished)] == ["cancelled"]
    engine.close()


async def test_runs_start_and_are_controlled_from_any_thread(engine: Engine) -> None:
    hold = Hold()
    engine.start(double(0))  # the engine lives on this loop
    runs: list[Any] = []

    def elsewhere() -> None:
        run = engine.start(add(cs.task(name="held")(hold.rest)(1), double(1)))
        runs.append(run)
        run.pause()
        runs.append(run.result(timeout=60))

    thread = threading.Thread(target=elsewhere)
    thread.start()
    await until(lambda: runs)
    run = runs[0]
    await until(lambda: run.status.phase in (Phase.PAUSED, Phase.PAUSING))
    await asyncio.to_thread(run.resume)
    hold.let_go()
    await until(lambda: len(runs) == 2)
    thread.join()
    assert runs[1] == 3


@every_lane
@pytest.mark.parametrize("needing", [False, True])
async def test_two_arguments_that_have_come_to_mean_one_value_are_both_given(
    make_engine: MakeEngine, lane: str, needing: bool
) -> None:
    # Its node has one input for the two of them then, and another one for what it needs.
    give = task_for("inline", lambda x: x)
    pair = task_for(lane, lambda x, y: (x, y))
    a, b = give(5), give(6)
    both = pair(a, b).with_constraints(gpu=give(1)) if needing else pair(a, b)
    engine = make_engine(system_resources={"gpu": 1})
    assert await engine.start(both, bindings=Names((b, a))) == (5, 5)
