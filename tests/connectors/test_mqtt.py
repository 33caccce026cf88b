"""Engines on a real broker: what comes in, what goes out, who is there."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Iterator
from functools import partial
from itertools import groupby
from typing import Any

import pytest

import cascade_nb as cs
from cascade_nb.connectors import MqttConnector
from cascade_nb.connectors.mqtt import service
from cascade_nb.connectors.mqtt.controller import MqttController
from cascade_nb.connectors.mqtt.presence import Presences
from cascade_nb.control.holders import Holder
from cascade_nb.control.remote.envelope import KEY_VARIABLE
from cascade_nb.control.remote.request_messages import REQUEST_FILTER
from cascade_nb.engine import Engine
from cascade_nb.engine.runs.run import Run
from cascade_nb.errors import UsageError
from cascade_nb.events import (
    ConnectorConnected,
    ConstraintApplied,
    ConstraintRejected,
    RunStarted,
    TaskBlocked,
    TaskExecutionStarted,
)
from cascade_nb.events.bus import SubscriberWarning
from cascade_nb.testing import MqttControllerApp, SpySubscriber
from tests.connectors.mqtt_tools import Listener, engine_on
from tests.engine.tools import Hold, started, until
from tests.support.mosquitto import Mosquitto
from tests.support.old_broker import OldBroker
from tests.support.patience import PATIENCE, tries


@pytest.fixture
def broker() -> Iterator[Mosquitto]:
    with Mosquitto.start() as started:
        yield started


@cs.task
async def give(x: Any = 1) -> Any:
    return x


def total(xs: list[int]) -> int:
    return sum(xs)


@cs.task
async def after(x: Any) -> Any:
    return x


async def test_what_a_broker_has_kept_holds_before_the_first_task(broker: Mosquitto) -> None:
    async with MqttControllerApp(broker.url) as controller, engine_on(broker.url) as (engine, spy):
        for n in range(40):  # more than a broker has under way at a time
            await controller.limit(f"tag:t{n}", n)
        await controller.pause("task:give", reason="look")
        run = engine.start(give(1))
        await until(lambda: run.status.held)
        assert len(engine.constraints.constraints()) == 41
        names = [type(event) for event in spy.events]
        assert names.index(ConnectorConnected) < names.index(RunStarted)
        assert names.count(ConstraintApplied) == 41
        assert max(i for i, kind in enumerate(names) if kind is ConstraintApplied) < names.index(
            ConnectorConnected
        )
        await controller.resume("task:give")
        assert await run == 1


def is_held(run: Run) -> bool:
    return run.status.held > 0


async def test_what_a_program_keeps_at_a_broker_a_person_lifts_and_another_program_does_not(
    broker: Mosquitto, monkeypatch: pytest.MonkeyPatch
) -> None:
    nightly, agent = Holder("program", "nightly"), Holder("agent", "claude")
    for key in ("", "secret words"):
        monkeypatch.setenv(KEY_VARIABLE, key)
        async with (
            MqttController(broker.url, "ann") as ann,
            MqttController(broker.url, holder=nightly) as program,
            MqttController(broker.url, holder=agent) as other,
            engine_on(broker.url) as (engine, _),
        ):
            asked = await program.put("task:give", "pause", {}, reason="night")
            run = engine.start(give(1))  # which finds that pause at the broker
            await program.answers(asked)
            await ann.answers(await ann.put("task:give", "pause", {}))
            await until(partial(is_held, run))
            await other.answers(await other.lift("task:give", "pause"))
            await program.answers(await program.lift("task:give", "pause"))
            assert [one.by for one in engine.constraints.constraints()] == ["ann"]
            await other.answers(await other.put("task:give", "pause", {}))
            await ann.answers(await ann.lift("task:give", "pause"))
            assert engine.constraints.constraints() == []
            assert await run == 1
        # Nor does it come again with the next connection.
        async with engine_on(broker.url) as (engine, _):
            assert await engine.run(give(2)) == 2


async def test_a_controller_hears_when_its_pause_is_in_force_and_nothing_starts_afterwards(
    broker: Mosquitto,
) -> None:
    hold, last = Hold(), Hold()
    async with MqttControllerApp(broker.url) as controller, engine_on(broker.url) as (engine, spy):
        lasts = cs.task(name="lasts")(last.rest)(2)  # with its last run an engine leaves the broker
        run = engine.start([after(cs.task(name="work")(hold.rest)(1)), lasts])
        await until(lambda: hold.came and len(started(spy)) == 2)
        await controller.pause("task:after")
        assert len(await controller.answers()) == 1
        starts = len(spy.events_of_type(TaskExecutionStarted))
        hold.let_go()
        await until(lambda: run.status.held)
        assert len(spy.events_of_type(TaskExecutionStarted)) == starts
        await controller.resume("task:after")
        await controller.answers()
        last.let_go()
        assert await run == [1, 2]


@pytest.mark.may_block("a task blocks the loop that it runs on")
async def test_a_pause_is_in_force_while_a_task_blocks_the_loop(broker: Mosquitto) -> None:
    # The loop here is the engine's too: nothing but the connector's own thread can answer.
    answered: list[int] = []  # when the loop was free again
    for attempt in tries(7.0):  # longer than the broker waits for one that is silent
        with attempt as blocked:
            await _answered_while_blocked(broker, blocked, answered)


async def _answered_while_blocked(broker: Mosquitto, blocked: float, answered: list[int]) -> None:
    said: list[str] = []

    @cs.task(reuse=False)
    async def block() -> int:
        def control() -> None:
            asyncio.run(pause())

        async def pause() -> None:
            async with MqttControllerApp(broker.url) as controller:
                for scope in ("task:after", "tag:a", "tag:b", "tag:c"):
                    await controller.pause(scope)
                    await controller.answers()
                    said.append(scope)

        thread = threading.Thread(target=control, daemon=True)
        thread.start()
        time.sleep(blocked)  # noqa: ASYNC251 - what is tested
        thread.join(PATIENCE)
        answered.append(len(said))
        return 1

    async with (
        engine_on(broker.url, keepalive=int(blocked / 3), client_id="engine") as (engine, spy),
        Listener(broker.url, "cascade/status/engine") as listener,
    ):
        run = engine.start(after(block()))
        await until(lambda: run.status.held)
        assert answered[-1] == 4
        assert len(spy.events_of_type(ConstraintApplied)) == 4
        statuses = [content for content in listener.contents if content is not None]
        assert all(content["online"] for content in statuses)
        for constraint in engine.constraints.constraints():
            engine.resume(str(constraint.scope))
        assert await run == 1


async def test_two_engines_on_one_broker_and_a_pause_of_one_run(broker: Mosquitto) -> None:
    holds = [Hold(), Hold()]
    async with (
        MqttControllerApp(broker.url) as controller,
        engine_on(broker.url) as (one, _),
        engine_on(broker.url) as (two, _),
    ):
        runs = [
            engine.start(after(cs.task(name="work")(hold.rest)(n)))
            for n, (engine, hold) in enumerate(zip((one, two), holds, strict=True))
        ]
        await until(lambda: all(hold.came for hold in holds))
        await controller.pause(f"run:{runs[0].id}")
        assert len(await controller.answers(2)) == 2
        for hold in holds:
            hold.let_go()
        assert await runs[1] == 1
        await until(lambda: runs[0].status.held)
        await controller.resume(f"run:{runs[0].id}")
        assert await runs[0] == 0


async def test_telemetry_goes_out_in_order_with_what_was_held_and_let_go(broker: Mosquitto) -> None:
    async with (
        Listener(broker.url, "cascade/telemetry/acme/+/+/events") as listener,
        MqttControllerApp(broker.url) as controller,
    ):
        engine = Engine(connector=MqttConnector(broker.url), org="acme", project="p")
        await controller.limit("task:give", 100)
        run = engine.start(cs.task(name="sum")(total)([give(n) for n in range(300)]))
        assert await run == sum(range(300))
        await engine.aclose()
        await until(lambda: "RunFinished" in listener.told)  # all that was told was flushed
        topics = {topic for topic, _ in listener.messages}
        assert topics == {
            f"cascade/telemetry/acme/p/{run.id}/events",
            "cascade/telemetry/acme/p/engine/events",
        }
        told = [name for name in listener.told if not name.startswith("Constraint")]
        assert (told[0], told[-1]) == ("RunStarted", "RunFinished")
        assert told.count("TaskExecutionFinished") == 301
        assert "ConstraintApplied" in listener.told
        mine = [c for c in listener.contents if c["header"]["run_id"] == run.id]
        stamps = [content["header"]["ts"] for content in mine]
        assert stamps == sorted(stamps)


async def test_the_status_says_online_and_goes_with_the_connector(broker: Mosquitto) -> None:
    async with Listener(broker.url, "cascade/status/+") as listener:
        connector = MqttConnector(broker.url, client_id="me")
        await connector.connect()
        await connector.disconnect()
        await until(lambda: ("cascade/status/me", b"") in listener.messages)
        mine = [data for topic, data in listener.messages if topic == "cascade/status/me"]
        assert [json.loads(data)["online"] for data in mine if data] == [True, False]


async def nobody_answers(_topic: str, _payload: bytes) -> None:
    return


async def test_the_status_is_said_anew_and_whether_engines_answer(
    broker: Mosquitto, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "RENEWED", 0.05)
    async with Listener(broker.url, "cascade/status/+") as listener:
        connector = MqttConnector(broker.url, client_id="here")
        await connector.connect()

        def said() -> list[Any]:
            told = [data for topic, data in listener.messages if topic == "cascade/status/here"]
            return [json.loads(data) for data in told if data]

        await until(lambda: len(said()) > 3)
        assert len({one["at"] for one in said()}) > 3
        assert [one["answers"] for one in said()].count(True) == 0
        await connector.subscribe(REQUEST_FILTER, nobody_answers)
        await until(lambda: said()[-1]["answers"])
        await connector.disconnect()
        await until(lambda: ("cascade/status/here", b"") in listener.messages)
        assert len({one["since"] for one in said()}) == 1


async def test_an_engine_that_leaves_a_shared_connector_answers_no_more_and_it_is_said(
    broker: Mosquitto,
) -> None:
    async with Listener(broker.url, "cascade/status/+") as listener:
        shared = MqttConnector(broker.url, client_id="shared")
        await shared.connect()  # one user who is no engine, such as a program that listens
        presences = Presences()

        def answers() -> bool:
            for topic, data in listener.messages:
                presences.hear(topic, data, time.time(), None)
            return "shared" in presences.answering

        engines = [Engine(connector=shared) for _ in range(2)]
        hold = Hold()
        runs = [engine.start(cs.task(name="work")(hold.rest)(1)) for engine in engines]
        await until(lambda: len(hold.came) == 2)
        await until(answers)
        hold.let_go()
        await runs[0]
        await engines[0].aclose()
        await runs[1]
        await until(lambda: not answers())
        assert presences.has_left("shared")
        assert await engines[1].run(give(1)) == 1  # and comes back
        await until(lambda: not answers())
        mine = [data for topic, data in listener.messages if topic == "cascade/status/shared"]
        said = [json.loads(data)["answers"] for data in mine]
        assert [one for one, _ in groupby(said)] == [False, True, False, True, False]
        await shared.disconnect()
        await until(lambda: ("cascade/status/shared", b"") in listener.messages)
        for engine in engines:
            await engine.aclose()


async def test_a_connector_that_has_left_says_no_more_that_it_is_there(
    broker: Mosquitto, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What it says again and again must not come behind the word that it has left.
    monkeypatch.setattr(service, "RENEWED", 0.0005)
    for number in range(20):
        connector = MqttConnector(broker.url, client_id=f"c{number:02}")
        await connector.connect()
        await asyncio.sleep(0.002 * (number % 5))
        await connector.disconnect()
    async with Listener(broker.url, "cascade/status/+") as listener:
        assert [topic for topic, _ in listener.messages if topic[:-2] == "cascade/status/c"] == []


async def test_a_broker_that_knows_no_mqtt_5_is_spoken_to_in_3_1_1(broker: Mosquitto) -> None:
    with OldBroker(broker.port).standing() as old:
        connector = MqttConnector(old.url)
        for _ in range(2):
            await connector.connect()
            await connector.publish("t", b"x")
            await connector.disconnect()
        assert old.versions == [5, 4, 5, 4]
        for attempt in tries(0.5):
            with attempt as seconds:
                async with (
                    engine_on(old.url) as (engine, spy),
                    MqttControllerApp(broker.url) as controller,
                ):
                    await controller.pause("task:give", ttl=seconds)
                    assert await engine.run(give(1)) == 1  # its time is over
                    assert spy.events_of_type(TaskBlocked)


async def test_a_time_to_live_is_the_messages_expiry_and_the_other_way_round(
    broker: Mosquitto,
) -> None:
    for attempt in tries(1.0):
        with attempt as seconds:
            async with (
                MqttControllerApp(broker.url) as controller,
                engine_on(broker.url) as (engine, spy),
            ):
                await controller.pause("task:give", ttl=seconds)
                assert await engine.run(give(1)) == 1
                assert spy.events_of_type(TaskBlocked)
                await until(lambda engine=engine: not engine.runs)  # type: ignore[misc]
                await asyncio.sleep(1.2)  # until the broker has thrown it away as well
                assert await engine.run(give(2)) == 2
                assert len(spy.events_of_type(ConstraintApplied)) == 1
                assert spy.events_of_type(ConstraintRejected) == []


async def test_a_message_that_does_not_say_when_it_ends_ends_with_its_expiry(
    broker: Mosquitto,
) -> None:
    import paho.mqtt.client as paho
    from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
    from paho.mqtt.packettypes import PacketTypes
    from paho.mqtt.properties import Properties

    def send() -> None:
        client = paho.Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5)
        client.connect("127.0.0.1", broker.port)
        client.loop_start()
        properties = Properties(PacketTypes.PUBLISH)
        properties.MessageExpiryInterval = 60
        said = {"id": "1", "scope": "task:give", "type": "pause", "params": {}}
        topic = "cascade/constraints/task/give/pause"
        client.publish(topic, json.dumps(said), 1, True, properties).wait_for_publish(10)
        client.disconnect()
        client.loop_stop()

    await asyncio.to_thread(send)
    async with engine_on(broker.url) as (engine, spy):
        run = engine.start(give(1))
        await until(lambda: run.status.held)
        (applied,) = spy.events_of_type(ConstraintApplied)
        assert applied.expires_in is not None
        assert 5 < applied.expires_in < 62
        engine.resume("task:give")
        assert await run == 1


async def test_with_a_key_what_is_not_signed_neither_holds_nor_lifts(
    broker: Mosquitto, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with MqttControllerApp(broker.url) as controller, engine_on(broker.url) as (engine, spy):
        await controller.pause("task:give")
        monkeypatch.setenv(KEY_VARIABLE, "secret words")
        assert await engine.run(give(1)) == 1
        assert len(spy.events_of_type(ConstraintRejected)) == 1
        await controller.pause("task:give")
        run = engine.start(give(2))
        await until(lambda: run.status.held)
        monkeypatch.delenv(KEY_VARIABLE)
        stranger = MqttConnector(broker.url)
        await stranger.connect()
        monkeypatch.setenv(KEY_VARIABLE, "secret words")
        await stranger.publish("cascade/constraints/task/give/pause", b"", retain=True)
        await stranger.disconnect()
        await until(lambda: len(spy.events_of_type(ConstraintRejected)) == 2)
        assert run.status.held
        await controller.resume("task:give")
        assert await run == 2
        assert await engine.run(give(3)) == 3


@pytest.mark.parametrize("topic", ["t/+", "#", "t/#", ""])
async def test_nobody_publishes_on_a_wildcard(topic: str) -> None:
    with pytest.raises(UsageError, match=r"has no wildcards"):
        await MqttConnector("mqtt://localhost").publish(topic, b"")


async def test_a_connector_that_is_not_connected_says_so() -> None:
    connector = MqttConnector("mqtt://localhost")
    with pytest.raises(ConnectionError, match="there is no connection to mqtt://localhost:1883"):
        await connector.publish("t", b"")
    with pytest.raises(ConnectionError, match="there is no connection"):
        await connector.subscribe("t", until)  # type: ignore[arg-type]
    await connector.disconnect()
    assert isinstance(await connector.lost(), ConnectionError)


async def test_one_connector_serves_two_engines_and_goes_with_the_last(broker: Mosquitto) -> None:
    connector = MqttConnector(broker.url)
    one, two = Engine(connector=connector), Engine(connector=connector)
    spies = [SpySubscriber(engine.bus) for engine in (one, two)]
    hold = Hold()
    long = one.start(after(cs.task(name="work")(hold.rest)(1)))
    await until(lambda: hold.came)
    async with MqttControllerApp(broker.url) as controller:
        assert await two.run(give(2)) == 2
        await controller.pause("task:after")
        await controller.answers()
        hold.let_go()
        await until(lambda: long.status.held)
        held = two.start(after(3))
        await until(lambda: held.status.held)
        await controller.resume("task:after")
        assert [await long, await held] == [1, 3]
    assert [len(spy.events_of_type(ConstraintApplied)) for spy in spies] == [1, 1]
    await one.aclose()
    await two.aclose()


@pytest.mark.parametrize("by", ["argument", "environment"])
async def test_an_engine_is_given_a_broker_by_its_url(
    broker: Mosquitto, monkeypatch: pytest.MonkeyPatch, by: str
) -> None:
    if by == "environment":
        monkeypatch.setenv("CASCADE_BROKER", broker.url)
    engine = Engine(connector=broker.url if by == "argument" else None)
    async with MqttControllerApp(broker.url) as controller:
        await controller.pause("task:give")
        run = engine.start(give(1))
        await until(lambda: run.status.held)
        await controller.resume("task:give")
        assert await run == 1
    await engine.aclose()


@pytest.mark.parametrize("url", ["amqp://localhost", "mqt://localhost", "localhost", ":", "mqtt"])
def test_a_url_that_is_no_brokers_is_refused(url: str) -> None:
    with pytest.raises(UsageError, match="mqtt://localhost"):
        Engine(connector=url)


def test_without_paho_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    for name in [*sys.modules]:
        if name.startswith(("paho", "cascade_nb.connectors.mqtt")):
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "paho", None)
    monkeypatch.setitem(sys.modules, "paho.mqtt", None)
    from cascade_nb import connectors

    makes: list[Any] = [
        lambda: Engine(connector="mqtt://localhost"),
        lambda: MqttControllerApp("mqtt://localhost"),
        lambda: connectors.MqttConnector("mqtt://localhost"),
    ]
    for make in makes:
        with pytest.raises(UsageError, match=r"cascade-nb\[mqtt\]"):
            make()


async def test_a_callback_may_subscribe_and_publish_and_not_disconnect(broker: Mosquitto) -> None:
    connector = MqttConnector(broker.url)
    heard: list[tuple[str, bytes]] = []
    errors: list[str] = []

    async def second(topic: str, payload: bytes) -> None:
        heard.append((topic, payload))

    async def first(topic: str, payload: bytes) -> None:
        await connector.subscribe("t/second", second)
        await connector.publish("t/second", payload)
        try:
            await connector.disconnect()
        except UsageError as error:
            errors.append(str(error))

    await connector.connect()
    await connector.publish("t/second", b"kept", retain=True)
    await connector.subscribe("t/first", first)
    await connector.publish("t/first", b"live")
    await until(lambda: len(heard) == 2)
    assert heard == [("t/second", b"kept"), ("t/second", b"live")]
    await until(lambda: errors)
    assert "cannot disconnect" in errors[0]
    await connector.disconnect()


async def test_a_callback_that_raises_keeps_no_message_from_the_others(broker: Mosquitto) -> None:
    connector = MqttConnector(broker.url)
    heard: list[bytes] = []

    async def broken(topic: str, payload: bytes) -> None:
        raise ValueError("I cannot")

    async def good(topic: str, payload: bytes) -> None:
        heard.append(payload)

    await connector.connect()
    await connector.subscribe("t", broken)
    await connector.subscribe("t", good)

    async def told() -> None:
        await connector.publish("t", b"1")
        await until(lambda: heard)

    with pytest.warns(SubscriberWarning, match="broken raised ValueError"):
        await told()
    await connector.disconnect()
