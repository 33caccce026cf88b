"""What went wrong in earlier engines of this kind, one test for each, in the order of the list."""

from __future__ import annotations

import asyncio
import gc
import json
import threading
import weakref
from collections.abc import Iterator
from typing import Any

import pytest

import cascade_nb as cs
from cascade_nb.engine import Engine, Phase
from cascade_nb.engine.runs import connector_supervisor
from cascade_nb.errors import ConstraintError, ParamError, RunCancelledError, TaskFailedError
from cascade_nb.events import (
    ConnectorDisconnected,
    ConstraintApplied,
    ConstraintLifted,
    ConstraintRejected,
    Event,
    RunFinished,
    SubscriberWarning,
    TaskExecutionStarted,
)
from cascade_nb.protocols.connector import Payload
from cascade_nb.testing import (
    ControllerTestApp,
    InProcessConnector,
    SpySubscriber,
    VirtualClock,
)
from tests.engine.conftest import MakeEngine
from tests.engine.tools import PATIENCE, Hold, finished, outcome, pass_time, skips, started, until


@cs.task
async def give(x: Any = 1) -> Any:
    return x


@cs.task
async def gather(*values: Any) -> list[Any]:
    return list(values)


async def test_a_stage_does_not_wait_for_an_unrelated_sibling(
    engine: Engine, spy: SpySubscriber
) -> None:
    hold = Hold()

    @cs.task
    async def slow() -> str:
        return await hold.rest()  # type: ignore[no-any-return]

    @cs.task
    async def after_quick(x: int) -> int:
        return x

    run = engine.start(gather(slow(), after_quick(give(1))))
    # `after_quick` is one step further than `slow`: with stages it would wait for it.
    await until(lambda: "after_quick#1" in finished(spy))
    assert "slow#1" not in finished(spy)
    hold.let_go()
    await run


@pytest.mark.parametrize("lane", ["async", "thread", "inline"])
async def test_neither_a_slot_waiting_nor_a_mapped_task_starts_after_pause(
    engine: Engine, spy: SpySubscriber, lane: str
) -> None:
    hold = Hold()

    @cs.task
    async def first() -> Any:
        return await hold.rest()

    executor = None if lane == "async" else lane
    item: Any = cs.task(name="item", executor=executor)(give.fn if lane == "async" else lambda x: x)
    engine.limit("global", 1)
    holder = engine.start(first())
    await until(lambda: hold.came)
    run = engine.start(gather(item.map(x=list(range(5))), item(9)))
    await until(lambda: run.status.queued == 6)
    engine.pause("global")
    hold.let_go()  # the slot is free now, and six wait for it
    await holder
    assert run.status.phase is Phase.PAUSED
    assert started(spy) == ["first#1"]
    engine.resume("global")
    assert await run == [[0, 1, 2, 3, 4], 9]
    assert_held(spy.events)


def assert_held(events: list[Event]) -> None:
    """Between a pause of everything and its end nothing starts."""
    held = False
    for event in events:
        if isinstance(event, ConstraintApplied) and event.type == "pause":
            held = True
        elif isinstance(event, ConstraintLifted) and event.type == "pause":
            held = False
        assert not (held and isinstance(event, TaskExecutionStarted)), event


@pytest.mark.parametrize("limit", [1, 2, None])
async def test_a_map_with_a_capacity_of_one_does_not_deadlock(
    make_engine: MakeEngine, limit: int | None
) -> None:
    engine = make_engine(system_resources={"gpu": 1})
    engine.limit("global", limit)

    @cs.task
    def train(x: int, base: int) -> int:
        return x + base

    base = give(1).with_constraints(gpu=1)
    mapped = train.partial(base=base).map(x=give([1, 2, 3])).with_constraints(gpu=1)
    again = train.partial(base=1).map(x=mapped).with_constraints(gpu=1)
    assert await asyncio.wait_for(engine.run(again), PATIENCE) == [3, 4, 5]


async def test_a_rate_below_one_a_second_admits_one_after_the_other(
    make_engine: MakeEngine, clock: VirtualClock
) -> None:
    engine = make_engine(clock=clock)
    spy = SpySubscriber(engine.bus)
    engine.rate("task:give", "10/m")
    run = engine.start(gather(*[give(i) for i in range(4)]))
    await until(lambda: len(started(spy, "give")) == 1)
    for count in (2, 3, 4):
        await pass_time(clock, 5.9)
        assert len(started(spy, "give")) == count - 1
        await pass_time(clock, 0.1)
        assert len(started(spy, "give")) == count
    assert await run == [0, 1, 2, 3]


@pytest.mark.parametrize("change", ["raised", "lifted"])
@pytest.mark.parametrize("lane", ["async", "thread"])
async def test_raising_or_lifting_a_limit_frees_who_waits_at_once(
    engine: Engine, change: str, lane: str
) -> None:
    hold = Hold()
    work: Any = cs.task(name="work")(hold.rest if lane == "async" else hold.wait)
    engine.limit("task:work", 1)
    run = engine.start(gather(*[work(i) for i in range(3)]))
    await until(lambda: len(hold.came) == 1)
    engine.limit("task:work", 3 if change == "raised" else None)
    await until(lambda: len(hold.came) == 3)  # although nothing has ended
    hold.let_go()
    assert await run == [0, 1, 2]


@pytest.mark.parametrize("when", ["before the first run", "between two runs", "during a run"])
@pytest.mark.parametrize("type", ["pause", "concurrency", "rate_limit"])
async def test_a_ttl_on_any_constraint_expires(
    make_engine: MakeEngine, clock: VirtualClock, type: str, when: str
) -> None:
    engine = make_engine(clock=clock)
    spy = SpySubscriber(engine.bus)
    params = {"pause": {}, "concurrency": {"limit": 0}, "rate_limit": {"rate": "1/h"}}[type]
    if when == "between two runs":
        await engine.run(give(1))
    hold = Hold()
    if when == "during a run":
        run = engine.start(gather(cs.task(name="hold")(hold.rest)(), give(2), give(3)))
    engine.constraints.apply("task:give", type, params, ttl=60)  # type: ignore[arg-type]
    if when != "during a run":
        run = engine.start(gather(give(2), give(3)))
    hold.let_go()
    kept = "held" if type == "pause" else "queued"
    await until(lambda: getattr(run.status, kept))
    await pass_time(clock, 59)
    assert getattr(run.status, kept)
    await pass_time(clock, 2)
    await asyncio.wait_for(run, PATIENCE)
    assert [event.cause for event in spy.events_of_type(ConstraintLifted)] == ["expired"]


async def test_no_rate_token_is_spent_when_a_pause_refuses(
    make_engine: MakeEngine, clock: VirtualClock
) -> None:
    engine = make_engine(clock=clock)
    spy = SpySubscriber(engine.bus)
    engine.rate("task:give", "1/h")  # its one token must still be there after the pause
    engine.pause("task:give")
    run = engine.start(give(1))
    await until(lambda: run.status.held)
    engine.resume("task:give")
    assert await asyncio.wait_for(run, PATIENCE) == 1
    assert started(spy) == ["give#1"]


async def test_a_retry_obeys_pause_and_holds_no_slot_while_it_waits(
    make_engine: MakeEngine, clock: VirtualClock
) -> None:
    engine = make_engine(clock=clock)
    spy = SpySubscriber(engine.bus)
    tries: list[int] = []

    @cs.task
    async def flaky() -> str:
        tries.append(1)
        if len(tries) == 1:
            raise OSError("not yet")
        return "there"

    engine.limit("global", 1)
    run = engine.start(gather(flaky().with_retry(2, delay=10), give(1)))
    # The only slot is free while the retry waits, so the other task runs.
    await until(lambda: "give#1" in finished(spy))
    engine.pause("global")
    await pass_time(clock, 11)
    assert len(tries) == 1
    assert run.status.phase is Phase.PAUSED
    engine.resume("global")
    assert await run == ["there", 1]


def test_a_pause_leaves_the_limit_of_its_scope_and_resume_lifts_only_the_pause() -> None:
    engine = Engine()
    constraints = engine.constraints
    engine.limit("task:give", 2)
    engine.rate("task:give", 5)
    engine.pause("task:give")
    assert {c.type for c in constraints.constraints()} == {"concurrency", "rate_limit", "pause"}
    assert engine.resume("task:give")
    assert {c.type for c in constraints.constraints()} == {"concurrency", "rate_limit"}
    found = constraints.find("task:give", "concurrency")
    assert found is not None
    assert found.limit == 2
    engine.close()


async def test_an_unknown_scope_or_type_is_never_silently_ignored(
    make_engine: MakeEngine, connector: InProcessConnector
) -> None:
    engine = make_engine(connector=connector)
    spy = SpySubscriber(engine.bus)
    with pytest.raises(ConstraintError, match=r"no scope 'tasks:give'.*did you mean 'task'"):
        engine.pause("tasks:give")
    with pytest.raises(ConstraintError, match=r"no constraint of type 'paus'"):
        engine.constraints.apply("global", "paus")
    assert engine.constraints.constraints() == []
    hold = Hold()
    run = engine.start(cs.task(name="hold")(hold.rest)())
    await until(lambda: hold.came)
    for topic in ("tasks/give/pause", "global/paus", "task/give/pause"):
        wrong = {"type": "hold"} if topic == "task/give/pause" else {}
        await connector.publish(f"cascade/constraints/{topic}", json.dumps(wrong))
    assert len(spy.events_of_type(ConstraintRejected)) == 3
    hold.let_go()
    await run


async def test_siblings_do_not_go_on_after_a_run_raised(engine: Engine, spy: SpySubscriber) -> None:
    hold = Hold()

    @cs.task
    async def fail() -> None:
        await until(lambda: len(hold.came) == 2)
        raise ValueError("no")

    @cs.task
    async def sibling(i: int) -> Any:
        return await hold.rest(i)

    engine.limit("task:sibling", 2)
    run = engine.start(gather(fail(), *[sibling(i) for i in range(6)]))
    await until(lambda: run.failures)
    assert not run.done()  # what runs may finish, and is waited for
    hold.let_go()
    with pytest.raises(TaskFailedError):
        await run
    assert len(hold.came) == 2
    assert len(started(spy, "sibling")) == len(finished(spy)) == 2


@pytest.mark.parametrize("end", ["value", "failure", "cancel", "uncooperative cancel"])
async def test_no_event_follows_run_finished_and_cancel_emits_its_own(
    make_engine: MakeEngine, end: str
) -> None:
    engine = make_engine(grace=0.05)
    spy = SpySubscriber(engine.bus)
    hold = Hold()

    @cs.resource(scope="task")
    def thing() -> Iterator[int]:
        yield 1

    @cs.task
    def work(one: Any = cs.inject(thing)) -> Any:
        for item in cs.track([1, 2]):
            hold.wait(item)
        if end == "failure":
            raise ValueError("no")
        return one

    @cs.task
    async def waiting() -> None:
        await asyncio.Event().wait()

    cancelled = "cancel" in end
    run = engine.start(gather(work(), waiting()) if cancelled else work())
    await until(lambda: hold.came)
    if cancelled:  # the thread may be sooner there than the loop
        await until(lambda: "waiting#1" in started(spy))
    if end == "uncooperative cancel":
        run.cancel()
        await outcome(run)
        hold.let_go()  # the thread goes on, and nothing of it may be told any more
        await until(lambda: not any("worker" in t.name for t in busy_threads(hold)))
    else:
        if cancelled:
            run.cancel()
        hold.let_go()
        await outcome(run)
    events = [e for e in spy.events if e.run_id == run.id]
    assert isinstance(events[-1], RunFinished)
    assert sum(isinstance(e, RunFinished) for e in events) == 1
    if cancelled:
        assert isinstance(run.exception(), RunCancelledError)
        assert events[-1].status == "cancelled"
        assert "waiting#1" in finished(spy, "cancelled")


def busy_threads(hold: Hold) -> list[threading.Thread]:
    """Threads that are inside the body of a held task."""
    frames = __import__("sys")._current_frames()
    found = []
    for thread in threading.enumerate():
        frame = frames.get(thread.ident or 0)
        while frame is not None:
            if frame.f_code is Hold.wait.__code__ or frame.f_code.co_name == "work":
                found.append(thread)
            frame = frame.f_back
    return found


async def test_an_exception_in_a_subscriber_does_not_end_the_run(engine: Engine) -> None:
    heard = SpySubscriber(engine.bus)

    def broken(event: Event) -> None:
        raise RuntimeError("subscriber")

    words = r"broken raised RuntimeError.*the run goes on"
    with pytest.warns(SubscriberWarning, match=words):  # noqa: PT031 - it comes from a thread
        engine.bus.subscribe(broken)
        assert await engine.run(gather(give(1), give(2))) == [1, 2]
        await until(lambda: engine.bus.flush(0.0))
    assert len(finished(heard)) == 3


async def test_the_first_of_two_runs_to_end_does_not_disconnect_the_other(
    make_engine: MakeEngine, connector: InProcessConnector
) -> None:
    engine = make_engine(connector=connector)
    spy = SpySubscriber(engine.bus)
    controller = ControllerTestApp(connector)
    hold = Hold()

    @cs.task
    async def long() -> Any:
        return await hold.rest()

    other = engine.start(gather(long(), after_long(long())))
    await until(lambda: hold.came)
    await engine.run(give(1))
    assert not spy.events_of_type(ConnectorDisconnected)
    await controller.pause("task:after_long")  # so it still hears
    hold.let_go()
    await until(lambda: other.status.held)
    await controller.resume("task:after_long")
    await other
    await until(lambda: spy.events_of_type(ConnectorDisconnected))


@cs.task
async def after_long(x: Any) -> Any:
    return x


@pytest.mark.parametrize("scope", ["run", "task"])
@pytest.mark.parametrize("lane", ["async", "thread", "inline"])
async def test_a_task_with_inject_works_when_it_is_mapped(
    engine: Engine, scope: str, lane: str
) -> None:
    opened: list[int] = []

    @cs.resource(scope=scope)
    def counter() -> Iterator[int]:
        opened.append(1)
        yield 10

    if lane == "async":

        @cs.task
        async def use(x: int, base: Any = cs.inject(counter)) -> int:
            return x + base  # type: ignore[no-any-return]

    else:

        @cs.task(executor=lane)
        def use(x: int, base: Any = cs.inject(counter)) -> int:
            return x + base  # type: ignore[no-any-return]

    assert await engine.run(use.map(x=[1, 2, 3])) == [11, 12, 13]
    assert len(opened) == (1 if scope == "run" else 3)


async def test_defaults_and_types_of_params_are_not_ignored(engine: Engine) -> None:
    rate, count = cs.Param("rate", 0.5), cs.Param("count", type=int)
    target = gather(rate, count)
    assert await engine.run(target, params={"count": "3"}) == [0.5, 3]
    assert await engine.run(target, params={"count": 4, "rate": 1}) == [1, 4]
    for wrong in ({"count": "many"}, {}, {"count": 1, "rte": 2}):
        with pytest.raises(ParamError):
            await engine.run(target, params=wrong)


async def test_two_different_lambdas_do_not_share_a_result(engine: Engine) -> None:
    one, two = cs.task(lambda: 1), cs.task(lambda: 2)
    assert await engine.run(one()) == 1
    assert await engine.run(two()) == 2
    assert await engine.run([one(), two()]) == [1, 2]
    # Nor two of one line, which only what they closed over tells apart.
    closed = [cs.task(lambda n=n: n) for n in (3, 4)]
    assert [await engine.run(task()) for task in closed] == [3, 4]


async def test_a_lazy_value_inside_a_dict_does_not_crash(engine: Engine) -> None:
    value = give(2)
    assert await engine.run(give({"k": [value], "plain": (value,)})) == {"k": [2], "plain": (2,)}
    assert await engine.run({"target": {"deep": value}}) == {"target": {"deep": 2}}


@pytest.mark.parametrize("shared", [False, True])
async def test_an_unchosen_branch_neither_runs_nor_does_its_failure_count(
    engine: Engine, spy: SpySubscriber, shared: bool
) -> None:
    @cs.task
    async def broken() -> None:
        raise ValueError("not chosen")

    wrong = broken()
    router = cs.Router(give("right"), {"right": give(2), "wrong": wrong})
    if not shared:
        assert await engine.run(router) == 2
        assert skips(spy)["broken#1"] == "Pruned"
        return
    # Asked for by another target it runs and fails, which is not the router's failure.
    run = engine.start([router, wrong], on_error="continue")
    await outcome(run)
    assert [failure.task for failure in run.failures] == ["broken"]
    assert run.states()["router#1" if "router#1" in run.states() else "Router#1"] == "done"


async def test_late_telemetry_is_not_lost_at_shutdown(
    make_engine: MakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connector_supervisor, "FLUSH", 60.0)

    class SlowConnector(InProcessConnector):
        sent: list[str]

        async def publish(self, topic: str, payload: Payload, retain: bool = False) -> None:
            await asyncio.sleep(0.002)
            self.sent.append(json.loads(payload)["body"]["event"])  # type: ignore[arg-type]

    connector = SlowConnector()
    connector.sent = []
    engine = make_engine(connector=connector)
    await engine.run(give.map(x=list(range(20))))
    assert connector.sent[-1] == "RunFinished"  # when the run is over its last word is out
    assert connector.sent.count("TaskExecutionFinished") == 20


@pytest.mark.parametrize("lane", ["async", "thread"])
async def test_no_wake_up_is_lost_with_two_waiters(engine: Engine, lane: str) -> None:
    # Two limits, and waiters of both behind one of them: whoever is freed at the first and refused
    # by the second must not keep the next one asleep.
    both: Any = cs.task(name="both")((lambda i: i) if lane == "thread" else give.fn)
    engine.limit("task:both", 1)
    engine.limit("tag:b", 1)
    for _ in range(30):
        target = [both(i).tagged("b") if i % 2 else both(i) for i in range(6)]
        other = [give(i).tagged("b") for i in range(6)]
        assert await asyncio.wait_for(engine.run([target, other], fresh=True), PATIENCE)


async def test_results_of_unnamed_nodes_are_not_kept_alive_after_their_last_reader(
    make_engine: MakeEngine,
) -> None:
    engine = make_engine()

    class Big:
        pass

    born: list[weakref.ref[Big]] = []

    def make(*before: Any) -> Big:
        made = Big()
        born.append(weakref.ref(made))
        return made

    hold = Hold()

    @cs.task
    async def at_the_end(x: Any) -> str:
        await hold.rest()
        return "end"

    for lane in ("thread", "inline"):
        born.clear()
        step: Any = cs.task(executor=lane, name="step")(make)
        chain = step()
        for _ in range(5):
            chain = step(chain)
        kept = step().named("kept")
        run = engine.start(gather(at_the_end(chain), kept))
        await until(lambda: hold.came)
        gc.collect()
        alive = [ref() is not None for ref in born]
        assert sum(alive) <= 2  # what is being read, and what has a name
        hold.let_go()
        await run
        del run, chain, kept
