"""What every connector keeps to. Another one adds its name and how to make a pair to `ADAPTERS`.

An adapter gives two connectors that reach each other: the engine's, and a controller's.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any, TypeAlias

import pytest

import cascade_nb as cs
from cascade_nb.connectors import MqttConnector
from cascade_nb.engine import Engine, Phase
from cascade_nb.events import TaskExecutionStarted
from cascade_nb.protocols.connector import Callback, Connector
from cascade_nb.testing import ControllerTestApp, InProcessConnector, SpySubscriber
from tests.engine.tools import Hold, until
from tests.support.mosquitto import Mosquitto
from tests.support.old_broker import OldBroker

Ours: TypeAlias = InProcessConnector | MqttConnector
Pair: TypeAlias = tuple[Ours, Ours]


@contextlib.contextmanager
def in_process() -> Iterator[Pair]:
    connector = InProcessConnector()
    yield connector, connector


@contextlib.contextmanager
def mqtt() -> Iterator[Pair]:
    with Mosquitto.start() as broker:
        yield MqttConnector(broker.url), MqttConnector(broker.url)


@contextlib.contextmanager
def mqtt_3_1_1() -> Iterator[Pair]:
    with Mosquitto.start() as broker, OldBroker(broker.port).standing() as old:
        yield MqttConnector(old.url), MqttConnector(broker.url)


ADAPTERS: dict[str, Callable[[], AbstractContextManager[Pair]]] = {
    "in process": in_process,
    "mqtt": mqtt,
    "mqtt 3.1.1": mqtt_3_1_1,
}


class Heard:
    """A callback that notes what it hears."""

    def __init__(self) -> None:
        self.messages: list[tuple[str, bytes]] = []

    async def __call__(self, topic: str, payload: bytes) -> None:
        await asyncio.sleep(0)
        self.messages.append((topic, bytes(payload)))


@pytest.fixture(params=ADAPTERS)
async def pair(request: pytest.FixtureRequest) -> AsyncIterator[Pair]:
    with ADAPTERS[request.param]() as (one, two):
        await one.connect()
        await two.connect()
        yield one, two
        await two.disconnect()
        await one.disconnect()


async def test_it_has_the_shape_of_a_connector(pair: Pair) -> None:
    assert all(isinstance(connector, Connector) for connector in pair)


async def test_a_message_arrives_as_it_was_sent(pair: Pair) -> None:
    one, two = pair
    heard = Heard()
    await one.subscribe("t/a", heard)
    await two.publish("t/a", b"\x00\xffbytes")
    await two.publish("t/a", "text ü")
    await two.publish("t/other", b"no")
    await until(lambda: len(heard.messages) == 2)
    assert heard.messages == [("t/a", b"\x00\xffbytes"), ("t/a", "text ü".encode())]


@pytest.mark.parametrize(
    ("topic_filter", "topics", "others"),
    [
        ("t/a", ["t/a"], ["t", "t/a/b", "T/a", "t/ab"]),
        ("t/+", ["t/a", "t/b"], ["t", "t/a/b"]),
        ("t/+/c", ["t/a/c"], ["t/c", "t/a/b/c"]),
        ("+/a", ["t/a", "u/a"], ["a"]),
        ("t/#", ["t", "t/a", "t/a/b"], ["u", "tt"]),
        ("#", ["t", "t/a/b"], []),
        ("t/+/#", ["t/a", "t/a/b/c"], ["t", "u/a"]),
    ],
)
async def test_filters_are_those_of_mqtt(
    pair: Pair, topic_filter: str, topics: list[str], others: list[str]
) -> None:
    one, two = pair
    heard = Heard()
    await one.subscribe(topic_filter, heard)
    for topic in [*others, *topics]:
        await two.publish(topic, b"x")
    await until(lambda: len(heard.messages) >= len(topics))
    assert [topic for topic, _ in heard.messages] == topics


async def test_messages_of_one_publisher_arrive_in_order(pair: Pair) -> None:
    one, two = pair
    heard = Heard()
    await one.subscribe("t/#", heard)
    for i in range(200):
        await two.publish(f"t/{i % 3}", str(i))
    await until(lambda: len(heard.messages) == 200)
    assert [int(payload) for _, payload in heard.messages] == list(range(200))


async def test_a_retained_message_is_given_to_later_subscribers_until_it_is_emptied(
    pair: Pair,
) -> None:
    one, two = pair
    await two.publish("t/a", b"1", retain=True)
    await two.publish("t/a", b"2", retain=True)
    await two.publish("t/b", b"3")
    early, late = Heard(), Heard()
    await one.subscribe("t/#", early)
    await until(lambda: early.messages)
    assert early.messages == [("t/a", b"2")]
    await two.publish("t/a", b"", retain=True)
    await until(lambda: len(early.messages) == 2)
    assert early.messages[1] == ("t/a", b"")
    await one.subscribe("t/+", late)
    await two.publish("t/end", b"x")
    await until(lambda: late.messages)
    assert late.messages == [("t/end", b"x")]


async def test_subscriptions_are_forgotten_when_it_disconnects(pair: Pair) -> None:
    one, two = pair
    heard, again = Heard(), Heard()
    await one.subscribe("t/#", heard)
    await one.disconnect()
    if two is one:
        await two.disconnect()
        await two.connect()
    await one.connect()
    await one.subscribe("t/#", again)
    await two.publish("t/a", b"x")
    await until(lambda: again.messages)
    assert heard.messages == []


async def test_two_callbacks_of_one_filter_both_hear(pair: Pair) -> None:
    one, two = pair
    heard = [Heard(), Heard()]
    for each in heard:
        await one.subscribe("t/#", each)
    await two.publish("t/a", b"x")
    await until(lambda: all(each.messages for each in heard))


async def test_who_unsubscribes_hears_no_more_and_everybody_else_does(pair: Pair) -> None:
    one, two = pair
    leaves, stays = Heard(), Heard()
    await two.publish("t/kept", b"1", retain=True)
    await one.subscribe("t/#", leaves)
    await one.subscribe("t/#", stays)
    await until(lambda: leaves.messages and stays.messages)
    await one.unsubscribe("t/#", leaves)
    await one.unsubscribe("t/#", leaves)  # that there is nothing to take back is no error
    await one.unsubscribe("t/a", stays)
    await two.publish("t/a", b"x")
    await until(lambda: len(stays.messages) == 2)
    assert leaves.messages == [("t/kept", b"1")]
    await one.unsubscribe("t/#", stays)
    own = Heard()
    await two.subscribe("t/a", own)
    await two.publish("t/a", b"y")
    await until(lambda: own.messages)  # it has gone through: who comes later does not hear it
    await one.subscribe("t/#", leaves)  # and is told anew what is kept, as any who comes
    await two.publish("t/end", b"")
    await until(lambda: leaves.messages[-1] == ("t/end", b""))
    assert leaves.messages[1:] == [("t/kept", b"1"), ("t/end", b"")]
    assert len(stays.messages) == 2


@pytest.mark.parametrize("leaves_first", ["t/#", "t/+", "t/a"])
async def test_of_filters_that_overlap_those_that_are_left_hear_each_message_once(
    pair: Pair, leaves_first: str
) -> None:
    one, two = pair
    heard = {topic_filter: Heard() for topic_filter in ("t/+", "t/#", "t/a")}
    await two.publish("t/a", b"0", retain=True)
    for topic_filter, callback in heard.items():
        await one.subscribe(topic_filter, callback)
    await until(lambda: all(each.messages for each in heard.values()))
    gone = [leaves_first]
    await one.unsubscribe(leaves_first, heard[leaves_first])
    for number in (b"1", b"2", b"3"):
        await two.publish("t/a", number)
        left = [each for topic_filter, each in heard.items() if topic_filter not in gone]
        await until(lambda left=left, number=number: all(
            each.messages[-1] == ("t/a", number) for each in left
        ))  # type: ignore[misc]  # fmt: skip
        if left:
            gone.append(next(name for name in heard if name not in gone))
            await one.unsubscribe(gone[-1], heard[gone[-1]])
    counts = sorted(len(each.messages) for each in heard.values())
    assert counts == [1, 2, 3]  # the kept one, and then one more each


async def test_a_callback_may_unsubscribe_itself(pair: Pair) -> None:
    one, two = pair
    told: list[bytes] = []

    async def once(_topic: str, payload: bytes) -> None:
        told.append(payload)
        await one.unsubscribe("t", once)

    heard = Heard()
    await one.subscribe("t", once)
    await one.subscribe("t", heard)
    await two.publish("t", b"1")
    await two.publish("t", b"2")
    await until(lambda: len(heard.messages) == 2)
    assert told == [b"1"]


async def test_an_engine_that_leaves_what_others_use_further_listens_to_nothing_there(
    pair: Pair,
) -> None:
    one, two = pair
    subscribed: list[tuple[str, Any]] = []

    class Noting:
        """The engine's end, which notes who listens."""

        connect, disconnect, publish = one.connect, one.disconnect, one.publish

        async def subscribe(self, topic_filter: str, callback: Callback) -> None:
            await one.subscribe(topic_filter, callback)
            subscribed.append((topic_filter, callback))

        async def unsubscribe(self, topic_filter: str, callback: Callback) -> None:
            await one.unsubscribe(topic_filter, callback)
            subscribed.remove((topic_filter, callback))

    engine = Engine(connector=Noting())
    await two.publish("t/kept", b"7", retain=True)
    run = engine.start(cs.recv("t/kept", type=int))
    assert await run == 7
    await until(lambda: not subscribed)
    await engine.aclose()


async def test_each_who_waits_for_a_message_that_is_kept_has_it(pair: Pair) -> None:
    one, two = pair
    engine = Engine(connector=one)
    hold = Hold()

    @cs.task
    async def stay() -> None:
        await hold.rest()

    stays = engine.start(stay())  # so that it is the same connection throughout
    await two.publish("t/kept", b"7", retain=True)
    assert await engine.run(cs.recv("t/kept", type=int)) == 7
    assert await engine.run([cs.recv("t/kept", type=int).named(name) for name in "ab"]) == [7, 7]
    hold.let_go()
    await stays
    await engine.aclose()


async def test_an_engine_is_controlled_through_it(pair: Pair) -> None:
    one, two = pair
    engine = Engine(connector=one)
    spy = SpySubscriber(engine.bus)
    controller = ControllerTestApp(two)
    heard = Heard()
    await two.subscribe("cascade/telemetry/#", heard)
    hold = Hold()

    @cs.task
    async def give(x: Any) -> Any:
        return x

    run = engine.start(give(cs.task(name="work")(hold.rest)(3)))
    await until(lambda: hold.came)
    await controller.pause("global", reason="look")
    await until(lambda: run.status.phase is Phase.PAUSING)
    hold.let_go()
    await until(lambda: run.status.phase is Phase.PAUSED)
    assert len(spy.events_of_type(TaskExecutionStarted)) == 1
    await controller.resume("global")
    assert await run == 3
    await until(lambda: any(b'"RunFinished"' in payload for _, payload in heard.messages))
    await engine.aclose()
