"""Whatever comes over a broker is applied or refused, once, and what runs is not disturbed."""

from __future__ import annotations

import asyncio
import json
import time
from itertools import islice
from typing import Any

import pytest

import cascade_nb as cs
from cascade_nb.connectors import MqttConnector
from cascade_nb.control.manager import ConstraintManager
from cascade_nb.control.remote.remote_constraints import RemoteConstraints
from cascade_nb.engine import Engine
from cascade_nb.events import ConstraintApplied, ConstraintRejected, MessageBus
from cascade_nb.executors import LocalExecutor
from cascade_nb.protocols.execution import Clock
from cascade_nb.testing import SpySubscriber
from tests.connectors.mqtt_tools import engine_on
from tests.engine.tools import until
from tests.support.fuzzed import MESSAGES
from tests.support.fuzzed_messages import messages
from tests.support.mosquitto import Mosquitto


def in_force(manager: ConstraintManager) -> set[str]:
    return {f"{one} {one.params} {one.by} {one.reason}" for one in manager.constraints()}


class Told:
    """What an engine would make of messages, told without a broker."""

    def __init__(self, clock: Clock) -> None:
        bus = MessageBus()
        self.spy = SpySubscriber(bus)
        self.manager = ConstraintManager(clock, bus)
        self._remote = RemoteConstraints(bus, clock, self.manager)
        self._remote.begin()
        self._remote.complete()

    def tell(self, topic: str, data: bytes) -> None:
        self._remote.take(topic, data)


@pytest.mark.soak
@pytest.mark.usefixtures("impatient")  # it is cancelled with more to tell than can be told
async def test_each_message_is_applied_or_refused_once_and_the_order_of_starts_stays() -> None:
    order: list[int] = []

    @cs.task
    def step(i: int) -> int:
        order.append(i)
        time.sleep(0.001)
        return i

    end = "cascade/constraints/task/theend/pause"
    last = {"id": "1", "scope": "task:theend", "type": "pause", "params": {}}
    with Mosquitto.start("max_queued_messages 0", "message_size_limit 0") as broker:
        engine = Engine(connector=MqttConnector(broker.url), executor=LocalExecutor(max_threads=1))
        spy, told = SpySubscriber(engine.bus), Told(engine.clock)
        run = engine.start(step.map(i=list(range(200_000))))
        sender = MqttConnector(broker.url)
        await sender.connect()
        await until(lambda: order)
        made = messages(1)
        left = MESSAGES
        while left:
            batch = list(islice(made, min(left, 200)))
            left -= len(batch)
            await sender.publish_all(batch)
            for message in batch:
                told.tell(*message)
        await sender.publish(end, last)
        told.tell(end, json.dumps(last).encode())
        await until(lambda: engine.constraints.find("task:theend") and len(order) > 100)
        assert run.outcome is None
        assert order == list(range(len(order)))  # as without them
        assert in_force(engine.constraints) == in_force(told.manager)
        refused = [(e.topic, e.error) for e in spy.events_of_type(ConstraintRejected)]
        assert refused == [(e.topic, e.error) for e in told.spy.events_of_type(ConstraintRejected)]
        assert len(refused) > MESSAGES / 4
        assert len(spy.events_of_type(ConstraintApplied)) > MESSAGES / 20
        for topic, error in refused:
            assert 0 < len(error) < 1000
            assert len(topic) <= 200
        run.cancel()
        await sender.disconnect()
        await engine.aclose()


async def test_ten_megabytes_are_refused_and_the_next_message_is_heard() -> None:
    topic = "cascade/constraints/task/x/pause"
    with Mosquitto.start() as broker:
        async with engine_on(broker.url) as (engine, spy):
            run = engine.start(cs.task(name="wait")(asyncio.sleep)(60))
            await until(lambda: run.status.running)
            sender = MqttConnector(broker.url)
            await sender.connect()
            await sender.publish(topic, b'{"id": "' + b"x" * 10_000_000 + b'"}')
            said: dict[str, Any] = {"id": "1", "scope": "task:x", "type": "pause", "params": {}}
            await sender.publish(topic, said)
            await until(lambda: engine.constraints.find("task:x"))
            (refused,) = spy.events_of_type(ConstraintRejected)
            assert "more than the 65536 allowed" in refused.error
            await sender.disconnect()
            run.cancel()
            await until(run.done)
