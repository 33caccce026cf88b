"""The connector is there when a run begins, told until it ends, and never able to end one."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from typing import Any

import pytest

import cascade_nb as cs
from cascade_nb.control.remote.messages import lift_payload_of, topic_of
from cascade_nb.control.remote.outcomes import ANSWERS
from cascade_nb.engine import Engine, Phase
from cascade_nb.engine.runs import connector_supervisor as link
from cascade_nb.events import (
    ConnectorConnected,
    ConnectorDisconnected,
    ConstraintLifted,
    RunFinished,
    RunStarted,
)
from cascade_nb.protocols.connector import Callback, Payload
from cascade_nb.testing import ControllerTestApp, InProcessConnector, SpySubscriber
from tests.engine.conftest import MakeEngine
from tests.engine.tools import PATIENCE, Hold, until


@cs.task
async def give(x: Any = 1) -> Any:
    return x


class Flaky(InProcessConnector):
    """A connector that fails when it is told to, and writes down what was sent."""

    def __init__(self) -> None:
        super().__init__()
        self.broken: set[str] = set()
        self.connects = 0
        self.sent: list[dict[str, Any]] = []

    def _check(self, what: str) -> None:
        if what in self.broken:
            raise OSError(f"no {what}")

    async def connect(self) -> None:
        self.connects += 1
        self._check("connect")
        await super().connect()

    async def subscribe(self, topic_filter: str, callback: Callback) -> None:
        self._check("subscribe")
        await super().subscribe(topic_filter, callback)

    async def publish(self, topic: str, payload: Payload, retain: bool = False) -> None:
        if topic.startswith("cascade/telemetry"):
            self._check("publish")
            self.sent.append(json.loads(payload))  # type: ignore[arg-type]
        await super().publish(topic, payload, retain)

    async def disconnect(self) -> None:
        self._check("disconnect")
        await super().disconnect()

    def told(self) -> list[str]:
        return [message["body"]["event"] for message in self.sent]


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Short waits, so that a test need not wait for them."""
    monkeypatch.setattr(link, "PATIENCE", 0.1)
    monkeypatch.setattr(link, "FIRST_WAIT", 0.01)
    monkeypatch.setattr(link, "LONGEST_WAIT", 0.02)
    monkeypatch.setattr(link, "FLUSH", 20.0)


@pytest.fixture
def hasty(quick: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where telemetry cannot be sent at all."""
    monkeypatch.setattr(link, "FLUSH", 0.1)


@pytest.fixture
def flaky() -> Flaky:
    return Flaky()


async def test_telemetry_goes_out_in_order_under_the_runs_topic(make_engine: MakeEngine) -> None:
    connector = InProcessConnector()
    heard: list[tuple[str, dict[str, Any]]] = []

    async def listen(topic: str, payload: bytes) -> None:
        heard.append((topic, json.loads(payload)))

    await connector.subscribe("cascade/telemetry/acme/+/+/events", listen)
    engine = make_engine(connector=connector, org="acme", project="models")
    run = engine.start(give([give(1), give(2)]))
    await run
    topics = {topic for topic, _ in heard}
    assert topics == {f"cascade/telemetry/acme/models/{run.id}/events"}
    bodies = [message["body"] for _, message in heard]
    assert bodies[0]["event"] == "RunStarted"
    assert bodies[-1]["event"] == "RunFinished"
    assert [b["state"] for b in bodies[1:-1]].count("RUNNING") == 3
    stamps = [message["header"]["ts"] for _, message in heard]
    assert stamps == sorted(stamps)


async def test_constraints_come_in_and_hold(make_engine: MakeEngine) -> None:
    connector = InProcessConnector()
    engine = make_engine(connector=connector)
    controller = ControllerTestApp(connector)
    hold = Hold()
    run = engine.start(give(cs.task(name="work")(hold.rest)(3)))
    await until(lambda: hold.came)
    await controller.pause("task:give", reason="look")
    await controller.limit("task:give", 1)
    await controller.rate("tag:x", "5/s")
    found = {(str(c.scope), c.type, c.by) for c in engine.constraints.constraints()}
    assert found == {
        ("task:give", "pause", "controller"),
        ("task:give", "concurrency", "controller"),
        ("tag:x", "rate_limit", "controller"),
    }
    hold.let_go()
    await until(lambda: run.status.held)
    await controller.lift("task:give")  # everything of this scope
    assert await run == 3


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("what", ["connect", "subscribe"])
async def test_a_connector_that_does_not_connect_is_tried_again_and_ends_no_run(
    make_engine: MakeEngine, flaky: Flaky, what: str
) -> None:
    engine = make_engine(connector=flaky)
    spy = SpySubscriber(engine.bus)
    flaky.broken = {what}
    hold = Hold()
    run = engine.start(cs.task(name="work")(hold.rest)(1))
    await until(lambda: hold.came)  # after its patience the run begins without
    await until(lambda: len(spy.events_of_type(ConnectorDisconnected)) >= 2)
    lost = spy.events_of_type(ConnectorDisconnected)
    assert lost[0].error == f"OSError: no {what}"
    assert [e.retry_in for e in lost[:3]] == [0.01, 0.02, 0.02][: len(lost)]
    assert f"no connection (OSError: no {what}" in run.status.headline
    flaky.broken.clear()
    await until(lambda: spy.events_of_type(ConnectorConnected))
    assert spy.events_of_type(ConnectorConnected)[0].attempt >= 3
    assert "no connection" not in run.status.headline
    hold.let_go()
    assert await run == 1
    assert flaky.told()[0] == "RunStarted"  # what it missed it was told later
    assert flaky.told()[-1] == "RunFinished"


@pytest.mark.usefixtures("quick")
async def test_a_connector_that_dies_mid_run_is_connected_again_and_nothing_is_lost(
    make_engine: MakeEngine, flaky: Flaky
) -> None:
    engine = make_engine(connector=flaky)
    spy = SpySubscriber(engine.bus)
    holds = [Hold(), Hold()]
    first = cs.task(name="first")(holds[0].rest)
    second = cs.task(name="second")(holds[1].rest)
    run = engine.start(give(second(first(1))))
    await until(lambda: flaky.told()[-1:] == ["TaskExecutionStarted"])
    flaky.broken = {"publish", "connect"}
    holds[0].let_go()
    await until(lambda: [e for e in spy.events_of_type(ConnectorDisconnected) if e.error])
    await until(lambda: flaky.connects >= 3)
    flaky.broken.clear()
    await until(lambda: flaky.told().count("TaskExecutionStarted") == 2)
    holds[1].let_go()
    assert await run == 1
    assert flaky.told() == [
        "RunStarted",
        *["TaskExecutionStarted", "TaskExecutionFinished"] * 3,
        "RunFinished",
    ]


@pytest.mark.usefixtures("quick")
async def test_what_was_lifted_while_it_was_away_does_not_hold_for_ever(
    make_engine: MakeEngine, flaky: Flaky
) -> None:
    engine = make_engine(connector=flaky)
    controller = ControllerTestApp(flaky)
    hold, last = Hold(), Hold()
    end = cs.task(name="end")(last.rest)
    run = engine.start(end(give(cs.task(name="work")(hold.rest)(1))))
    await until(lambda: hold.came)
    await controller.pause("task:give")
    await controller.limit("task:give", 3)
    engine.pause("tag:mine")
    flaky.broken = {"publish"}
    flaky._retained.pop("cascade/constraints/task/give/pause")  # resumed while nobody listened
    hold.let_go()
    await until(lambda: flaky.connects >= 2)
    flaky.broken.clear()
    await until(lambda: last.came)  # which the pause had held
    last.let_go()
    assert await run == 1
    types = {(str(c.scope), c.type) for c in engine.constraints.constraints()}
    assert types == {("tag:mine", "pause")}  # what came from outside goes with the connection


@pytest.mark.usefixtures("hasty")
async def test_a_connector_that_takes_nothing_does_not_keep_a_run_from_ending(
    make_engine: MakeEngine,
) -> None:
    class Stuck(InProcessConnector):
        async def publish(self, topic: str, payload: Payload, retain: bool = False) -> None:
            await asyncio.Event().wait()

    engine = make_engine(connector=Stuck())
    assert await asyncio.wait_for(engine.run(give(1)), PATIENCE) == 1
    await engine.aclose()
    assert engine.unreachable is not None
    assert "4 messages of telemetry were never sent" in engine.unreachable


@pytest.mark.usefixtures("quick")
async def test_one_that_does_not_disconnect_is_said_to_be_gone(
    make_engine: MakeEngine, flaky: Flaky
) -> None:
    engine = make_engine(connector=flaky)
    spy = SpySubscriber(engine.bus)
    flaky.broken = {"disconnect"}
    assert await engine.run(give(1)) == 1
    assert spy.events_of_type(ConnectorDisconnected)[-1].error == "OSError: no disconnect"


async def test_it_connects_for_the_first_run_and_leaves_with_the_last(
    make_engine: MakeEngine, flaky: Flaky
) -> None:
    engine = make_engine(connector=flaky)
    spy = SpySubscriber(engine.bus)
    runs = [engine.start(give(i)) for i in range(5)]
    assert [await run for run in runs] == [0, 1, 2, 3, 4]
    assert flaky.connects == 1
    await until(lambda: spy.events_of_type(ConnectorDisconnected))
    assert await engine.run(give(9)) == 9
    assert flaky.connects == 2


async def test_a_run_that_begins_while_the_last_one_leaves_is_served(
    make_engine: MakeEngine, flaky: Flaky
) -> None:
    # The connection is being let go at this very moment; the new run must get its own.
    class Slow(Flaky):
        async def disconnect(self) -> None:
            await asyncio.sleep(0.01)
            await super().disconnect()

    connector = Slow()
    engine = make_engine(connector=connector)
    spy = SpySubscriber(engine.bus)
    for delay in range(12):
        first = engine.start(give(1))
        await until(lambda first=first: spy.events and first.outcome is not None)  # type: ignore[misc]
        for _ in range(delay):
            await asyncio.sleep(0)
        second = engine.start(give(2))
        assert [await first, await second] == [1, 2]
        for run in (first, second):
            mine = [m["body"]["event"] for m in connector.sent if m["header"]["run_id"] == run.id]
            assert mine[0] == "RunStarted", delay
            assert mine[-1] == "RunFinished", delay


async def test_two_engines_on_one_connector_do_not_disturb_each_other(
    make_engine: MakeEngine, connector: InProcessConnector
) -> None:
    one, two = make_engine(connector=connector), make_engine(connector=connector)
    controller = ControllerTestApp(connector)
    hold = Hold()
    long = one.start(give(cs.task(name="work")(hold.rest)(1)))
    await until(lambda: hold.came)
    assert await two.run(give(2)) == 2
    await controller.pause("task:give")
    hold.let_go()
    await until(lambda: long.status.phase is Phase.RUNNING and long.status.held)
    held = two.start(give(3))
    await until(lambda: held.status.held)  # a retained pause is the other's too
    await controller.resume("task:give")
    assert [await long, await held] == [1, 3]


async def test_a_retained_constraint_comes_again_with_the_next_run(
    make_engine: MakeEngine, connector: InProcessConnector
) -> None:
    engine = make_engine(connector=connector)
    spy = SpySubscriber(engine.bus)
    controller = ControllerTestApp(connector)
    await controller.limit("task:give", 2)
    for _ in range(2):
        await engine.run(give(1))
        await until(lambda: not engine.constraints.constraints())
    assert len(spy.events_of_type(ConstraintLifted)) == 2


async def test_the_order_of_a_runs_life_on_the_bus(
    make_engine: MakeEngine, connector: InProcessConnector
) -> None:
    engine = make_engine(connector=connector)
    spy = SpySubscriber(engine.bus)
    await ControllerTestApp(connector).limit("global", 5)
    await engine.run(give(1))
    await until(lambda: spy.events_of_type(ConnectorDisconnected))
    assert [type(event).__name__ for event in spy.events] == [
        "ConstraintApplied",
        "ConnectorConnected",
        "RunStarted",
        "TaskExecutionStarted",
        "TaskExecutionFinished",
        "RunFinished",
        "ConstraintLifted",
        "ConnectorDisconnected",
    ]


async def test_an_engine_without_a_connector_talks_to_nobody(
    engine: Engine, spy: SpySubscriber
) -> None:
    await engine.run(give(1))
    assert {type(e) for e in spy.events} >= {RunStarted, RunFinished}
    assert not spy.events_of_type(ConnectorConnected)
    assert engine.unreachable is None


async def test_a_connector_that_may_not_publish_is_asked_less_and_less_and_holds_no_run(
    make_engine: MakeEngine,
) -> None:
    class MayNotPublish(InProcessConnector):
        tries = 0

        async def publish(self, *_: object, **__: object) -> None:
            self.tries += 1
            raise ValueError("not authorised")

    connector = MayNotPublish()
    engine = make_engine(connector=connector)
    for x in range(3):
        began = time.monotonic()
        assert await engine.run(slow_echo(x)) == x
        assert time.monotonic() - began < 60
    # With waits of 0.2, 0.4 … seconds; it was asked a million times when nothing held it back.
    assert connector.tries < 30


async def test_a_connector_that_cannot_even_be_cancelled_is_left_behind(
    make_engine: MakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(link, "FLUSH", 0.1)
    let_go = asyncio.Event()

    class Stubborn(InProcessConnector):
        async def publish(self, *_: object, **__: object) -> None:
            while not let_go.is_set():
                with contextlib.suppress(asyncio.CancelledError):
                    await let_go.wait()

    engine = make_engine(connector=Stubborn())
    assert await asyncio.wait_for(engine.run(slow_echo(1)), PATIENCE) == 1
    let_go.set()


@cs.task
async def slow_echo(x: int) -> int:
    await asyncio.sleep(0.3)
    return x


class Watched(Flaky):
    """A connector that says when its connection is gone."""

    def __init__(self) -> None:
        super().__init__()
        self.gone = asyncio.Event()
        self.leaves = 0

    async def disconnect(self) -> None:
        self.leaves += 1
        await super().disconnect()

    async def lost(self) -> OSError:
        await self.gone.wait()
        self.gone.clear()
        return OSError("it is gone")


@pytest.mark.usefixtures("quick")
async def test_one_that_says_that_it_is_gone_is_connected_again_though_nothing_is_sent(
    make_engine: MakeEngine,
) -> None:
    connector = Watched()
    engine = make_engine(connector=connector)
    spy = SpySubscriber(engine.bus)
    controller = ControllerTestApp(connector)
    hold = Hold()
    run = engine.start(give(cs.task(name="work")(hold.rest)(1)))
    await until(lambda: hold.came)
    await controller.pause("task:give")
    await until(lambda: connector.told()[-1:] == ["ConstraintApplied"])
    connector._retained.clear()  # resumed while nobody listened
    connector.gone.set()
    await until(lambda: len(spy.events_of_type(ConnectorConnected)) == 2)
    assert spy.events_of_type(ConnectorDisconnected)[0].error == "OSError: it is gone"
    assert engine.constraints.constraints() == []
    hold.let_go()
    assert await run == 1
    await engine.aclose()
    assert connector.connects == connector.leaves == 2


@pytest.mark.usefixtures("hasty")
async def test_one_whose_subscription_fails_is_left_each_time(
    make_engine: MakeEngine,
) -> None:
    connector = Watched()
    connector.broken = {"subscribe"}
    engine = make_engine(connector=connector)
    assert await engine.run(slow_echo(1)) == 1
    await engine.aclose()
    assert connector.connects == connector.leaves > 1


@pytest.mark.usefixtures("hasty")
async def test_one_that_takes_no_telemetry_still_brings_constraints_and_it_is_said(
    make_engine: MakeEngine,
) -> None:
    class MayOnlyListen(Flaky):
        def _check(self, what: str) -> None:
            if what == "publish":
                raise PermissionError("you may not")

    connector = MayOnlyListen()
    engine = make_engine(connector=connector)
    spy = SpySubscriber(engine.bus)
    controller = ControllerTestApp(connector)
    hold = Hold()
    run = engine.start(give(cs.task(name="work")(hold.rest)(1)))
    await until(lambda: hold.came)
    await until(lambda: engine.unreachable)
    assert "no telemetry goes out (PermissionError: you may not)" in run.status.headline
    await controller.pause("task:give")
    hold.let_go()
    await until(lambda: run.status.held)
    await controller.resume("task:give")
    assert await run == 1
    await engine.aclose()
    assert connector.connects == 1
    assert [e.error for e in spy.events_of_type(ConnectorDisconnected)] == [None]


@pytest.mark.usefixtures("quick")
async def test_what_of_the_telemetry_had_to_be_dropped_is_counted_and_said(
    make_engine: MakeEngine, flaky: Flaky, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cascade_nb.events.sender.LIMIT", 50)
    monkeypatch.setattr("cascade_nb.events.sender.COLLECT", 0.001)
    engine = make_engine(connector=flaky)
    hold = Hold()
    run = engine.start(
        cs.task(name="work")(hold.rest)(
            cs.task(name="all")(lambda x: x)([give(i) for i in range(99)])
        )
    )
    flaky.broken = {"publish", "connect"}
    await until(lambda: hold.came)
    await until(lambda: "messages of telemetry were dropped" in run.status.headline)
    flaky.broken.clear()
    await until(lambda: flaky.sent)
    hold.let_go()
    await run
    assert flaky.told()[0] == "RunStarted"
    assert flaky.told()[-1] == "RunFinished"
    dropped = flaky.sent[-1]["header"]["dropped"]
    assert len(flaky.sent) + dropped == 2 * 101 + 2


async def test_who_asks_for_an_answer_has_it_when_the_constraint_is_in_force(
    make_engine: MakeEngine, connector: InProcessConnector
) -> None:
    engine = make_engine(connector=connector)
    heard: list[tuple[str, dict[str, Any], int]] = []

    async def listen(topic: str, payload: bytes) -> None:
        heard.append((topic, json.loads(payload), len(engine.constraints.constraints())))

    await connector.subscribe("cascade/answers/#", listen)
    hold = Hold()
    run = engine.start(cs.task(name="work")(hold.rest)(1))
    await until(lambda: hold.came)
    asked = {"id": "7", "scope": "task:x", "type": "pause", "params": {}}
    topic = "cascade/constraints/task/x/pause"
    await connector.publish(topic, asked)
    await connector.publish(topic, {**asked, "answer": True, "sender": "a/#", "sequence": 1})
    await connector.publish(topic, {**asked, "answer": True, "sender": "me", "sequence": 1})
    await connector.publish(topic, {**asked, "answer": "yes", "sender": "me", "sequence": 2})
    lift = {"id": "8", "scope": "task:x", "lift": True, "answer": True, "sender": "me"}
    await connector.publish("cascade/constraints/task/x", lift)
    hold.let_go()
    await run
    assert [(topic, said["lift"], count) for topic, said, count in heard] == [
        ("cascade/answers/me/7", False, 1),
        ("cascade/answers/me/8", True, 0),
    ]


@pytest.mark.usefixtures("hasty")
async def test_one_that_has_not_yet_subscribed_when_the_run_ends_is_left_all_the_same(
    make_engine: MakeEngine,
) -> None:
    class Slow(Watched):
        async def subscribe(self, topic_filter: str, callback: Callback) -> None:
            await asyncio.Event().wait()

    connector = Slow()
    engine = make_engine(connector=connector)
    assert await engine.run(give(1)) == 1
    await engine.aclose()
    assert connector.connects == connector.leaves == 1


async def test_who_lets_the_last_run_end_hears_that_it_was_done_before_the_engine_leaves(
    make_engine: MakeEngine,
) -> None:
    order: list[str] = []

    class Slow(InProcessConnector):
        async def publish(self, topic: str, payload: Payload, retain: bool = False) -> None:
            if topic.startswith(ANSWERS):
                await until(lambda: spy.events_of_type(RunFinished))
                await asyncio.sleep(0.05)  # in which the engine would have left
                order.append("answered")
            await super().publish(topic, payload, retain)

        async def disconnect(self) -> None:
            order.append("left")
            await super().disconnect()

    connector = Slow()
    engine = make_engine(connector=connector)
    spy = SpySubscriber(engine.bus)
    engine.pause("task:give")
    run = engine.start(give())
    await until(lambda: run.status.held)
    lift = lift_payload_of("task:give", issued_at=time.time(), sender="me", answer=True)
    await connector.publish(topic_of("task:give"), lift)
    assert await run == 1
    await engine.aclose()
    assert order == ["answered", "left"]
