"""A broker that is killed, frozen and started anew in the middle of a run ends nothing."""

from __future__ import annotations

import asyncio
import signal
import time
from typing import Any, Final

import pytest

import cascade_nb as cs
from cascade_nb.concurrency.threads import run_in_thread
from cascade_nb.connectors import MqttConnector
from cascade_nb.connectors.mqtt.address import read_address
from cascade_nb.connectors.mqtt.message import Outgoing
from cascade_nb.connectors.mqtt.session import MQTT_5, Session
from cascade_nb.engine import Engine
from cascade_nb.engine.runs import connector_supervisor as link
from cascade_nb.events import (
    ConnectorConnected,
    ConnectorDisconnected,
    RunFinished,
)
from cascade_nb.testing import MqttControllerApp, SpySubscriber
from tests.connectors.mqtt_tools import REMEMBERS, Listener, engine_on
from tests.engine.tools import Hold, started, until
from tests.support.examples import PROFILE
from tests.support.mosquitto import Mosquitto

TIMES: Final = 50 if PROFILE == "soak" else 20
BACK: Final = 50.0  # seconds in which an engine is back after its broker: it tries every four


@cs.task
async def after(x: Any) -> Any:
    return x


async def test_a_broker_that_goes_and_comes_ends_no_run_and_loses_no_constraint() -> None:
    hold = Hold()
    took: list[float] = []
    with Mosquitto.start(*REMEMBERS) as broker:
        async with (
            MqttControllerApp(broker.url) as controller,
            engine_on(broker.url) as (engine, spy),
        ):
            run = engine.start(after(cs.task(name="work")(hold.rest)(1)))
            await until(lambda: hold.came)
            for n in range(TIMES):
                scope = f"tag:t{n}"
                await controller.limit(scope, n)
                await controller.answers()
                held = in_force(engine)
                before = connections(spy)
                if n % 5 == 4:  # too short to be noticed
                    broker.freeze()
                    await asyncio.sleep(0.1)
                    broker.thaw()
                else:
                    broker.kill((signal.SIGKILL, signal.SIGTERM)[n % 2])
                    # Brokers are away for long now and then.
                    await asyncio.sleep(1.0 if n % 7 == 3 else 0.0)
                    broker.start_again()
                    began = time.monotonic()
                    await until(lambda before=before: connections(spy) > before)  # type: ignore[misc]
                    took.append(time.monotonic() - began)
                assert in_force(engine) == held
                if n % 3 == 2:
                    await controller.lift(scope)
                    await controller.answers()
                    assert scope not in {s for s, _ in in_force(engine)}
            assert max(took) < BACK, took
            await controller.pause("task:after")
            await controller.answers()
            hold.let_go()
            await until(lambda: run.status.held)
            assert started(spy, "after") == []
            await controller.resume("task:after")
            assert await run == 1
            assert engine.supervisor.trouble is None
            assert connections(spy) == len(took) + 1
    assert [event.status for event in spy.events_of_type(RunFinished)] == ["succeeded"]


def connections(spy: SpySubscriber) -> int:
    return len(spy.events_of_type(ConnectorConnected))


def in_force(engine: Engine) -> set[tuple[str, int]]:
    return {(str(one.scope), one.limit) for one in engine.constraints.constraints()}


async def test_a_pause_that_was_lifted_while_the_broker_was_away_is_lifted() -> None:
    hold = Hold()
    with Mosquitto.start() as broker:  # which forgets everything when it is killed
        async with (
            MqttControllerApp(broker.url) as controller,
            engine_on(broker.url) as (engine, spy),
        ):
            run = engine.start(after(cs.task(name="work")(hold.rest)(1)))
            await until(lambda: hold.came)
            await controller.pause("task:after")
            await controller.answers()
            engine.limit("tag:mine", 1)
            broker.kill()
            hold.let_go()
            await until(lambda: run.status.held)
            await until(lambda: spy.events_of_type(ConnectorDisconnected))
            assert run.status.held  # until the broker says otherwise
            assert "no connection" in run.status.headline
            broker.start_again()
            assert await run == 1
            assert in_force(engine) == {("tag:mine", 1)}


@pytest.mark.slow
async def test_a_frozen_broker_is_noticed_and_the_engine_is_back_when_it_thaws() -> None:
    hold = Hold()
    with Mosquitto.start() as broker:
        async with (
            MqttControllerApp(broker.url) as controller,
            engine_on(broker.url, keepalive=1) as (engine, spy),
        ):
            await controller.pause("task:after")
            run = engine.start(after(cs.task(name="work")(hold.rest)(1)))
            await until(lambda: hold.came)
            broker.freeze()
            lost = len(spy.events_of_type(ConnectorDisconnected))
            await until(lambda: len(spy.events_of_type(ConnectorDisconnected)) > lost)
            hold.let_go()
            await until(lambda: run.status.held)
            await asyncio.sleep(2.0)
            before = connections(spy)
            broker.thaw()
            await until(lambda: connections(spy) > before)
            assert run.status.held
            await controller.resume("task:after")
            assert await run == 1


async def test_a_broker_that_is_not_there_at_first_is_found_later_and_holds_no_run(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(link, "PATIENCE", 0.5)
    hold = Hold()
    with Mosquitto.start() as broker:
        broker.kill()
        async with engine_on(broker.url) as (engine, spy):
            run = engine.start(after(cs.task(name="work")(hold.rest)(1)))
            await until(lambda: hold.came)
            words = f"no connection (ConnectionError: {broker.url} cannot be reached"
            await until(lambda: words in run.status.headline)
            broker.start_again()
            await until(lambda: spy.events_of_type(ConnectorConnected))
            async with Listener(broker.url, "cascade/telemetry/#") as listener:
                hold.let_go()
                assert await run == 1
                await until(lambda: listener.told[-1:] == ["RunFinished"])


async def test_telemetry_that_waited_comes_when_the_broker_is_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first, last = Hold(), Hold()
    away = False
    connect = MqttConnector.connect

    async def when_all_listen(self: MqttConnector) -> None:
        if away and self is engine.adapters.connector:
            raise ConnectionError("not before who listens")
        await connect(self)

    monkeypatch.setattr(MqttConnector, "connect", when_all_listen)
    with Mosquitto.start() as broker:
        async with engine_on(broker.url) as (engine, spy):
            begun = cs.task(name="first")(first.rest)(0)
            many = cs.task(name="all")(len)([after(begun) for _ in range(500)])
            run = engine.start(cs.task(name="last")(last.rest)(many))
            await until(lambda: first.came)
            away = True
            broker.kill()
            await until(lambda: spy.events_of_type(ConnectorDisconnected))
            first.let_go()
            await until(lambda: last.came)
            broker.start_again()
            async with Listener(broker.url, "cascade/telemetry/#") as listener:
                away = False
                await until(lambda: connections(spy) == 2)
                last.let_go()
                assert await run == 500
                await until(lambda: listener.told[-1:] == ["RunFinished"])
            # What was told while the broker was away, and all that came after it.
            assert listener.told.count("TaskExecutionFinished") == 500 + 3
            assert engine.supervisor.trouble is None


async def test_one_that_dies_is_said_to_be_offline_by_the_broker() -> None:
    import subprocess
    import sys

    code = (
        "import asyncio, os, sys\n"
        "from cascade_nb.connectors import MqttConnector\n"
        "async def main():\n"
        "    await MqttConnector(sys.argv[1], client_id='gone').connect()\n"
        "    os._exit(1)\n"
        "asyncio.run(main())\n"
    )
    with Mosquitto.start() as broker:
        async with Listener(broker.url, "cascade/status/+") as listener:
            command = [sys.executable, "-c", code, broker.url]
            child = await asyncio.to_thread(subprocess.run, command, check=False)
            assert child.returncode == 1
            await until(lambda: len(listener.contents) >= 3)
            states = {
                topic: content["online"]
                for (topic, _), content in zip(listener.messages, listener.contents, strict=True)
            }
            assert states["cascade/status/gone"] is False


async def test_two_spies_hear_of_each_loss_once() -> None:
    with Mosquitto.start() as broker:
        async with engine_on(broker.url) as (engine, spy):
            other = SpySubscriber(engine.bus)
            hold = Hold()
            run = engine.start(cs.task(name="work")(hold.rest)(1))
            await until(lambda: hold.came)
            broker.kill()
            await until(lambda: spy.events_of_type(ConnectorDisconnected))
            lost = spy.events_of_type(ConnectorDisconnected)[0]
            assert lost.error is not None
            assert "was lost" in lost.error or "cannot be reached" in lost.error
            assert lost.retry_in is not None
            broker.start_again()
            hold.let_go()
            assert await run == 1
            assert other.events_of_type(ConnectorDisconnected)[0] == lost


@pytest.mark.usefixtures("impatient")
async def test_a_run_ends_in_time_though_its_broker_is_frozen() -> None:
    hold = Hold()
    with Mosquitto.start() as broker:
        engine = Engine(connector=MqttConnector(broker.url))
        run = engine.start(cs.task(name="work")(hold.rest)(1))
        await until(lambda: hold.came)
        broker.freeze()
        began = time.monotonic()
        hold.let_go()
        assert await run == 1
        await engine.aclose()
        assert time.monotonic() - began < 60  # it would wait for as long as its broker is frozen
        assert engine.unreachable is not None
        assert "of telemetry were never sent" in engine.unreachable


@pytest.mark.usefixtures("impatient")
async def test_a_frozen_broker_holds_up_no_start_for_longer_than_the_patience(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(link, "PATIENCE", 0.5)
    with Mosquitto.start() as broker:
        broker.freeze()
        engine = Engine(connector=MqttConnector(broker.url))
        began = time.monotonic()
        assert await engine.run(after(1)) == 1
        await engine.aclose()
        assert time.monotonic() - began < 50


@pytest.mark.parametrize("moment", ["before", "between", "after"])
async def test_a_connection_that_is_given_up_is_closed_at_whatever_moment(moment: str) -> None:
    will = Outgoing("offline", b"")
    with Mosquitto.start() as broker:
        session = Session(read_address(broker.url), "me", MQTT_5, 60, will, lambda _: None)
        if moment == "before":
            session.gone(None)
        if moment == "after":
            await session.open()
        else:  # the thread is done, and the loop has not come to its turn
            await run_in_thread(session._connect)
        session.gone(None)
        connection = session._client.socket()
        assert connection is not None
        assert connection.fileno() == -1


async def test_a_connection_that_is_left_behind_is_closed_though_its_broker_says_nothing() -> None:
    # Whoever leaves gives up in the middle of the farewell, which a frozen broker does not answer.
    with Mosquitto.start() as broker:
        connector = MqttConnector(broker.url)
        await connector.connect()
        assert connector._running is not None
        session = connector._running[1]._session
        assert session is not None
        broker.freeze()
        leaving = asyncio.create_task(connector.disconnect())
        await until(lambda: session._acks)
        leaving.cancel()
        await asyncio.wait([leaving])
        connection = session._client.socket()
        assert connection is not None
        await until(lambda: connection.fileno() == -1)
