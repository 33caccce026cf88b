"""How many at once, how many in a time, and how much of what there is."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import cascade_nb as cs
from cascade_nb.engine import Engine, NodeState
from cascade_nb.errors import ConstraintError, PolicyError, TaskFailedError
from cascade_nb.events import (
    ConstraintApplied,
    ConstraintLifted,
    TaskBlocked,
    TaskExecutionFinished,
    TaskExecutionStarted,
)
from cascade_nb.testing import SpySubscriber, VirtualClock
from tests.engine.conftest import MakeEngine
from tests.engine.tools import Hold, finished, started, until
from tests.support.examples import examples


def most_at_once(spy: SpySubscriber, name: str | None = None) -> int:
    """How many were under way at the same time at most."""
    now = most = 0
    for event in spy.events:
        if name in (None, getattr(event, "task_name", None)):
            now += isinstance(event, TaskExecutionStarted)
            now -= isinstance(event, TaskExecutionFinished)
            most = max(most, now)
    return most


def worker(lane: str, hold: Hold | None = None) -> Any:
    """A task `work` that takes a moment, or until it is let go."""
    if lane == "async":

        @cs.task(name="work")
        async def on_loop(x: int = 0) -> int:
            await (hold.rest(x) if hold is not None else asyncio.sleep(0.001))
            return x

        return on_loop

    @cs.task(name="work", executor=lane)
    def with_a_thread(x: int = 0) -> int:
        if hold is not None:
            hold.wait(x)
        return x

    return with_a_thread


every_lane = pytest.mark.parametrize("lane", ["thread", "async"])


@every_lane
@pytest.mark.parametrize(
    "scope", ["global", "task:work", "task:w*", "tag:gpu", "tag:g?u", "node:all", "from:source"]
)
async def test_a_limit_holds_for_each_sort_of_scope(
    engine: Engine, spy: SpySubscriber, lane: str, scope: str
) -> None:
    source = cs.task(lambda: list(range(12)))().named("source")
    engine.limit(scope, 3)
    run = engine.start(worker(lane).map(x=source).tagged("gpu").named("all"))
    assert await run == list(range(12))
    assert most_at_once(spy, "work") <= 3


@every_lane
async def test_a_limit_of_one_run_leaves_the_other_alone(engine: Engine, lane: str) -> None:
    hold = Hold()
    work = worker(lane, hold)
    engine.pause()
    runs = [engine.start([work(i) for i in range(3)]) for _ in range(2)]
    engine.limit(runs[0].scope, 1)
    runs[1].limit(None, 2)
    engine.resume()
    await until(lambda: len(hold.came) == 3)
    assert [run.status.running for run in runs] == [1, 2]
    runs[0].limit(None, None)
    await until(lambda: len(hold.came) == 5)
    hold.let_go()
    assert [await run for run in runs] == [[0, 1, 2]] * 2


@every_lane
async def test_lowering_a_limit_stops_new_starts_only(engine: Engine, lane: str) -> None:
    hold = Hold()
    engine.limit("task:work", 3)
    run = engine.start([worker(lane, hold)(i) for i in range(6)])
    await until(lambda: len(hold.came) == 3)
    engine.limit("task:work", 1)
    assert run.status.running == 3
    hold.let_go()
    assert await run == [0, 1, 2, 3, 4, 5]


@every_lane
async def test_a_new_limit_counts_what_runs_already(engine: Engine, lane: str) -> None:
    hold = Hold()
    work = worker(lane, hold)
    engine.limit("global", 2)
    run = engine.start([work(i) for i in range(4)])
    await until(lambda: len(hold.came) == 2)
    engine.limit("task:work", 2)
    engine.limit("global", None)
    await asyncio.sleep(0)
    assert len(hold.came) == 2
    assert "at most 2 of work tasks at once" in run.why("work#4")[0]
    hold.let_go()
    await run


async def test_zero_lets_everything_queue_and_says_so(engine: Engine) -> None:
    engine.limit("task:work", 0, reason="night")
    run = engine.start(worker("async")(1))
    await until(lambda: run.status.queued)
    assert "at most 0 of work tasks at once by you: night" in run.status.headline
    engine.limit("task:work", 1)
    assert await run == 1


@pytest.mark.parametrize("limit", ["at once", "a rate", "a resource"])
async def test_what_a_limit_stops_is_queued_and_held_once_a_pause_is_over_it(
    make_engine: MakeEngine, clock: VirtualClock, limit: str
) -> None:
    engine, hold = make_engine(clock=clock, system_resources={"gpu": 1}), Hold()
    needs = {"gpu": 1.0} if limit == "a resource" else {}
    work = worker("async", hold)
    if limit == "at once":
        engine.limit("task:work", 1)
    if limit == "a rate":
        engine.rate("task:work", "1/h")
    calls = [work(i).named(f"w{i}").with_constraints(**needs) for i in range(3)]
    run = engine.start(calls)

    def stand(word: str) -> bool:
        status, other = run.status, {"held": "queued", "queued": "held"}[word]
        kind = next(one for one in status.kinds if one.name == "work")
        return (
            (getattr(status, word), getattr(status, other)) == (2, 0)
            and (getattr(kind, word), getattr(kind, other)) == (2, 0)
            and [run.states()[f"w{i}"].value for i in (1, 2)] == [word, word]
            and f"2 tasks {word}" in status.headline
            and run.why("w1")[0].startswith(f"w1 is {word}: ")
            and ("paused" in run.why("w1")[0]) == (word == "held")
            and ("paused" in str(status.blocked_by)) == (word == "held")
        )

    await until(lambda: hold.came and stand("queued"))
    version, _ = run.changed_since(-1)
    engine.pause("task:work")
    assert stand("held")
    version, changed = run.changed_since(version)
    assert [changed[i] for i, node in enumerate(run.graph.nodes) if node.name in ("w1", "w2")] == [
        NodeState.HELD,
        NodeState.HELD,
    ], "whoever draws the graph is told"
    assert (await engine.plan(work(7).named("new"))).step("new").action == "hold"
    engine.resume("task:work")
    assert stand("queued")
    assert NodeState.QUEUED in run.changed_since(version)[1].values()
    hold.let_go()
    engine.rate("task:work", None)
    await run


async def test_who_waits_is_told_who_holds_what(engine: Engine, spy: SpySubscriber) -> None:
    hold = Hold()
    engine.limit("task:work", 1)
    run = engine.start(
        [worker("async", hold)(1).named("one"), worker("async", hold)(2).named("two")]
    )
    await until(lambda: spy.events_of_type(TaskBlocked))
    (event,) = spy.events_of_type(TaskBlocked)
    waits, works = ("two", "one") if event.task_id == "two" else ("one", "two")
    assert event.constraint == "concurrency of task:work"
    assert event.detail == f"at most 1 of work tasks at once by you; now: {works}"
    assert run.why(waits) == [f"{waits} is queued: {event.detail}"]
    assert run.why(works) == [f"{works} is running"]
    hold.let_go()
    await run


async def test_whoever_is_blocked_is_told_what_holds_it_then(
    engine: Engine, spy: SpySubscriber
) -> None:
    # The words are put together once for many, and must not outlive what they say.
    first, second = Hold(), Hold()
    engine.pause("task:work", reason="lunch")
    work = worker("async")
    before = [cs.task(name="before")(hold.wait)() for hold in (first, second)]
    run = engine.start([work(1), *map(work, before)])
    await until(lambda: len(spy.events_of_type(TaskBlocked)) == 1)
    engine.pause("task:work", reason="dinner")
    first.let_go()
    await until(lambda: len(spy.events_of_type(TaskBlocked)) == 2)
    engine.resume("task:work")
    engine.limit("task:work", 0, reason="night")
    second.let_go()
    await until(lambda: run.status.queued == 3)
    details = [event.detail.split("; ")[0] for event in spy.events_of_type(TaskBlocked)]
    reasons = [detail.split(": ")[1] for detail in details]
    assert list(dict.fromkeys(reasons)) == ["lunch", "dinner", "night"]
    assert reasons.count("night") == 3
    engine.limit("task:work", None)
    await run


async def test_who_holds_what_is_told_as_it_is_when_some_are_done(make_engine: MakeEngine) -> None:
    # No words are said anew because time has passed.
    engine = make_engine(clock=VirtualClock())
    spy = SpySubscriber(engine.bus)
    holds = {name: Hold() for name in "abcd"}
    work = {name: worker("async", holds[name])(0).named(name) for name in "ab"}
    later = {name: worker("async")(cs.task(holds[name].wait)(0)).named(name) for name in "cd"}
    engine.limit("task:work", 2)
    run = engine.start([*work.values(), *later.values()])
    await until(lambda: holds["a"].came and holds["b"].came)
    engine.limit("task:work", 1)
    for name, ended, held in (("c", "a", 1), ("d", "b", 2)):
        holds[name].let_go()
        await until(lambda held=held: len(spy.events_of_type(TaskBlocked)) == held)  # type: ignore[misc]
        if ended == "a":
            holds[ended].let_go()
            await until(lambda: "a" in finished(spy))
    first, second = (event.detail for event in spy.events_of_type(TaskBlocked))
    assert first.endswith("; now: a, b")
    assert second.endswith("; now: b")
    holds["b"].let_go()
    await run


async def test_the_longest_remaining_path_gets_the_slot_first(
    engine: Engine, spy: SpySubscriber
) -> None:
    step = cs.task(executor="inline", name="step")(lambda *x: len(x))
    short = step().named("short")
    deep = step().named("deep")
    chain = deep
    for _ in range(4):
        chain = step(chain)
    engine.limit("global", 1)
    await engine.run([short, chain])
    assert started(spy)[0] == "deep"
    assert started(spy)[-1] != "short" or len(started(spy)) == 6


# Capacities.


@every_lane
async def test_declared_capacities_are_never_exceeded(make_engine: MakeEngine, lane: str) -> None:
    engine = make_engine(system_resources={"gpu": 2, "ram": 10})
    spy = SpySubscriber(engine.bus)
    work = worker(lane)
    needs = [{"gpu": 1}, {"gpu": 2}, {"ram": 6}, {"gpu": 1, "ram": 5}, {"ram": 0.5}, {"gpu": 0}] * 4
    targets = [work(i).with_constraints(**need) for i, need in enumerate(needs)]  # type: ignore[arg-type]
    assert await engine.run(targets) == list(range(len(needs)))
    held = {"gpu": 0.0, "ram": 0.0}
    by_id = {node.id: node for node in cs.build_graph(targets).nodes}
    for event in spy.events:
        sign = isinstance(event, TaskExecutionStarted) - isinstance(event, TaskExecutionFinished)
        if sign:
            for name, amount in by_id[event.task_id].options.needs.items():  # type: ignore[attr-defined]
                held[name] += sign * amount
        assert held["gpu"] <= 2
        assert held["ram"] <= 10


async def test_a_lazy_need_is_computed_first(make_engine: MakeEngine) -> None:
    engine = make_engine(system_resources={"ram": 8})
    spy = SpySubscriber(engine.bus)
    size = cs.task(lambda: 6)().named("size")
    work = worker("thread")
    await engine.run([work(i).with_constraints(ram=size) for i in range(3)])
    assert most_at_once(spy, "work") == 1
    with pytest.raises(TaskFailedError, match=r"work needs 9 ram, and there is only 8") as caught:
        await engine.run(work(10).with_constraints(ram=cs.task(lambda: 9)()))
    assert isinstance(caught.value.__cause__, PolicyError)
    with pytest.raises(TaskFailedError, match=r"ram='much': an amount is a number"):
        await engine.run(work(11).with_constraints(ram=cs.task(lambda: "much")()))


async def test_one_that_needs_much_is_not_overtaken_for_ever(make_engine: MakeEngine) -> None:
    engine = make_engine(system_resources={"gpu": 2})
    hold, order = Hold(), []
    first = cs.task(name="first")(hold.rest)

    @cs.task
    async def note(x: str) -> None:
        order.append(x)

    deep = note("large").with_constraints(gpu=2)
    for _ in range(3):
        deep = note("after").after(deep)  # the longest path, so it is first in line
    engine.start(first().with_constraints(gpu=1))
    await until(lambda: hold.came)
    run = engine.start([deep, *[note("small").with_constraints(gpu=1) for _ in range(5)]])
    await until(lambda: run.status.queued == 6)
    assert order == []
    hold.let_go()
    await run
    assert order[0] == "large"


# All of them together.

SCOPES = st.sampled_from(["global", "task:work", "tag:odd", "from:source", "node:n3"])


@settings(max_examples=examples(25))
@given(
    st.dictionaries(SCOPES, st.integers(1, 3), max_size=4),
    st.dictionaries(SCOPES, st.sampled_from([1, 2, 3]), max_size=3),
    st.lists(st.sampled_from([0, 0.5, 1, 2]), min_size=1, max_size=8),
    st.booleans(),
    st.sampled_from(["thread", "async", "inline"]),
)
async def test_no_combination_of_map_limit_rate_and_capacity_deadlocks(
    limits: dict[str, int], rates: dict[str, float], needs: list[float], mapped: bool, lane: str
) -> None:
    engine = Engine(system_resources={"gpu": 2})
    body = cs.task(executor=None if lane == "async" else lane, name="work")
    work: Any = body(worker(lane).fn if lane != "inline" else lambda x: x)
    source = cs.task(lambda: 1)().named("source")
    for scope, limit in limits.items():
        engine.limit(scope, limit)
    for scope, rate in rates.items():
        engine.rate(scope, rate * 1000, capacity=rate)
    targets: list[Any] = []
    for i, need in enumerate(needs):
        lazy = work(i).named(f"n{i}").with_constraints(gpu=need).after(source)
        targets.append(lazy.tagged("odd") if i % 2 else lazy)
    if mapped:
        targets.append(work.map(x=targets[:]).with_constraints(gpu=2).tagged("odd"))
    value = await asyncio.wait_for(engine.run(targets, fresh=True), 60)
    assert value[: len(needs)] == list(range(len(needs)))
    assert not engine.constraints.pools["gpu"].shares  # all is given back
    await engine.aclose()


@pytest.mark.parametrize(
    "call",
    [
        lambda engine: engine.limit("task:work", -1),
        lambda engine: engine.limit("task:work", 1.5),
        lambda engine: engine.limit("task:work", True),
        lambda engine: engine.limit("nowhere", 1),
        lambda engine: engine.limit("task:", 1),
        lambda engine: engine.limit("global:x", 1),
        lambda engine: engine.rate("global", 0),
        lambda engine: engine.rate("global", -1),
        lambda engine: engine.rate("global", "fast"),
        lambda engine: engine.rate("global", "1/fortnight"),
        lambda engine: engine.rate("global", 1, capacity=0),
        lambda engine: engine.rate("global", float("nan")),
        lambda engine: engine.pause("global", ttl=0),
        lambda engine: engine.pause("global", ttl=float("inf")),
        lambda engine: engine.pause(3),
        lambda engine: engine.resume("nowhere"),
    ],
)
async def test_numbers_and_scopes_that_make_no_sense_change_nothing(
    engine: Engine, spy: SpySubscriber, call: Any
) -> None:
    engine.limit("task:work", 2)
    before = engine.constraints.constraints()
    with pytest.raises(ConstraintError):
        call(engine)
    assert engine.constraints.constraints() == before
    assert len(spy.events) == 1


async def test_what_is_applied_and_lifted_is_told(engine: Engine, spy: SpySubscriber) -> None:
    engine.limit("task:work", 2, reason="few licences", ttl=60, by="ops")
    engine.limit("task:work", None)
    assert not engine.resume("task:work")
    applied, lifted = spy.events
    assert isinstance(applied, ConstraintApplied)
    assert (applied.scope, applied.type, applied.params) == (
        "task:work",
        "concurrency",
        {"limit": 2},
    )
    assert (applied.reason, applied.by, applied.expires_in) == ("few licences", "ops", 60.0)
    assert isinstance(lifted, ConstraintLifted)
    assert (lifted.scope, lifted.type, lifted.cause) == ("task:work", "concurrency", "lifted")
    assert finished(spy) == []
