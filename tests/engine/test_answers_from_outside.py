"""Answers and signals that come over a connector: applied once, or refused with one event."""

from __future__ import annotations

import asyncio
import json
import random
from typing import Any

import pytest

import cascade_nb as cs
from cascade_nb.control.remote.answer_messages import (
    ANSWER_FILTER,
    QUESTIONS,
    answer_payload,
    question_topic,
)
from cascade_nb.control.remote.envelope import KEY_VARIABLE, sealed
from cascade_nb.engine import Engine, NodeState
from cascade_nb.engine.asking.signals import signals_of
from cascade_nb.events import AnswerRejected, QuestionAnswered
from cascade_nb.protocols.connector import Callback
from cascade_nb.testing import InProcessConnector, SpySubscriber
from tests.engine.conftest import MakeEngine
from tests.engine.test_questions import asked, use
from tests.engine.tools import until
from tests.support.examples import examples


async def listens(engine: Engine, connector: InProcessConnector, topic: str) -> None:
    """Wait until a message on a topic would be heard."""
    await until(lambda: any(one == topic for one, _ in connector._subscriptions), topic)


@pytest.fixture
def engine(make_engine: MakeEngine, connector: InProcessConnector) -> Engine:
    return make_engine(connector=connector)


def refused(spy: SpySubscriber) -> list[str]:
    return [one.error for one in spy.events_of_type(AnswerRejected)]


async def test_an_answer_over_a_connector_counts_and_its_sender_is_told(
    engine: Engine, spy: SpySubscriber, connector: InProcessConnector
) -> None:
    heard: list[dict[str, Any]] = []

    async def hear(topic: str, payload: bytes) -> None:
        heard.append({"topic": topic, **json.loads(payload)})

    run = engine.start(use(cs.ask("Go / on?").named("a b")))
    await asked(run)
    await connector.subscribe("cascade/answers/#", hear)
    await listens(engine, connector, f"{QUESTIONS}/+")
    told: dict[str, Any] = {"by": "ada", "issued_at": 1.0, "sender": "phone", "answer": True}
    await connector.publish(question_topic("a b"), answer_payload("a b", "perhaps", **told))
    told["issued_at"] = 2.0
    await connector.publish(question_topic("a b"), answer_payload("a b", True, **told))
    assert await run == "used True"
    assert [one.by for one in spy.events_of_type(QuestionAnswered)] == ["ada"]
    assert "yes or no" in heard[0]["refused"]
    assert "refused" not in heard[1]
    assert heard[1]["topic"].startswith("cascade/answers/phone/")


@pytest.mark.parametrize(
    ("payload", "why"),
    [
        (b"", "has no 'value'"),
        (b"yes", "no JSON"),
        (b"[1]", "no JSON object"),
        (b'{"value": NaN}', "NaN"),
        (b'{"value": 1, "valu": 2}', "field 'valu'"),
        (b'{"value": true, "expires_at": 1}', "its time was over"),
        (b'{"value": true, "holder": "agent:claude"}', "asked of people"),
        (b'{"value": true, "holder": "tiger:x"}', "its holder is none"),
        (b'{"value": true, "run": "no-such"}', "nothing here asks"),
        (b'{"value": "' + b"x" * 70_000 + b'"}', "more than the 65536"),
        (b"\xff", "no JSON"),
        (b'{"value": ' + b"[" * 30_000 + b"]" * 30_000 + b"}", "no JSON|takes yes or no"),
    ],
)
async def test_what_is_no_answer_is_refused_once_and_the_question_stays(
    engine: Engine, spy: SpySubscriber, connector: InProcessConnector, payload: bytes, why: str
) -> None:
    run = engine.start(cs.ask("Now?").named("q"))
    await asked(run)
    await listens(engine, connector, f"{QUESTIONS}/+")
    await connector.publish(f"{QUESTIONS}/q", payload)
    [error] = refused(spy)
    assert any(one in error for one in why.split("|")), error
    assert run.states() == {"q": NodeState.ASKING}
    run.answer("q", True)
    await run


async def test_an_answer_counts_once_and_never_after_a_later_one(
    engine: Engine, spy: SpySubscriber, connector: InProcessConnector
) -> None:
    run = engine.start([cs.ask("Now?").named("q"), cs.ask("More?").named("more")])
    await asked(run, 2)
    await listens(engine, connector, f"{QUESTIONS}/+")
    payload = answer_payload("q", True, issued_at=5.0, sender="phone", sequence=7)
    await connector.publish(f"{QUESTIONS}/q", payload)
    await connector.publish(f"{QUESTIONS}/q", payload)
    old = answer_payload("q", False, issued_at=4.0, sender="phone", sequence=6)
    await connector.publish(f"{QUESTIONS}/q", old)
    await connector.publish(f"{QUESTIONS}/q", answer_payload("q", False, issued_at=6.0, by="bob"))
    run.answer("more", True)
    assert await run == [True, True]
    first, second, third = refused(spy)
    assert "it came before" in first
    assert "a later one of its sender came first" in second
    assert "was answered by somebody" in third


async def test_with_a_key_what_is_not_signed_for_its_topic_is_refused(
    engine: Engine,
    spy: SpySubscriber,
    connector: InProcessConnector,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(KEY_VARIABLE, "a secret")
    run = engine.start([cs.ask("Now?").named("q"), cs.recv("plant/ready").named("ready")])
    await asked(run, 2)
    for topic in (f"{QUESTIONS}/+", "plant/ready"):
        await listens(engine, connector, topic)
    key = b"a secret"
    await connector.publish(f"{QUESTIONS}/q", answer_payload("q", True, issued_at=1.0))
    await connector.publish(f"{QUESTIONS}/q", answer_payload("p", True, issued_at=2.0, key=key))
    await connector.publish("plant/ready", b"1")
    await connector.publish("plant/ready", sealed("2", "plant/other", key))
    assert len(refused(spy)) == 4
    assert all("sign" in one for one in refused(spy))
    assert "a secret" not in repr(spy.events)
    await connector.publish(f"{QUESTIONS}/q", answer_payload("q", True, issued_at=3.0, key=key))
    await connector.publish("plant/ready", sealed("3", "plant/ready", key))
    assert await run == [True, 3]


@pytest.mark.parametrize(
    ("type_", "payload", "value"),
    [
        (None, b'{"rows": 3}', {"rows": 3}),
        (None, b"just text", "just text"),
        (None, b"", ""),
        (int, b"12", 12),
        (str, b"text", "text"),
        (bool, b"yes", True),
        ({"rows": int}, b'{"rows": 4}', {"rows": 4}),
    ],
)
async def test_a_node_receives_what_another_program_sends(
    engine: Engine, connector: InProcessConnector, type_: Any, payload: bytes, value: Any
) -> None:
    run = engine.start(cs.recv("plant/ready", type=type_).named("ready"))
    await asked(run)
    assert "ready waits for a message on plant/ready" in run.status.headline
    await listens(engine, connector, "plant/ready")
    await connector.publish("plant/ready", payload)
    assert await run == value


async def test_a_signal_that_does_not_fit_is_refused_and_the_next_counts_for_this_run_alone(
    engine: Engine, spy: SpySubscriber, connector: InProcessConnector
) -> None:
    ready = cs.recv("plant/ready", type=int).named("ready")
    run = engine.start([use(ready).named("used"), cs.ask("More?").named("more")])
    await asked(run, 2)
    await listens(engine, connector, "plant/ready")
    for payload in (b"three", b"\xff", b"3", b"4"):
        await connector.publish("plant/ready", payload)
    run.answer("more", True)
    assert await run == ["used 3", True]
    assert len(refused(spy)) == 2
    again = engine.start(use(ready).named("used"))
    await asked(again)
    await listens(engine, connector, "plant/ready")
    await connector.publish("plant/ready", b"5")
    assert await again == "used 5"


async def test_a_retained_message_is_received_at_once_and_a_person_may_give_it_too(
    engine: Engine, connector: InProcessConnector
) -> None:
    await connector.publish("plant/ready", b"7", retain=True)
    assert await engine.start(cs.recv("plant/ready")) == 7
    run = engine.start(cs.recv("plant/other", type=int).named("other"))
    await asked(run)
    assert run.answer("other", "8") == 8
    assert await run == 8


async def test_a_question_that_is_over_listens_no_more(
    engine: Engine, connector: InProcessConnector
) -> None:
    run = engine.start(cs.recv("plant/ready").named("ready"))
    await asked(run)
    await listens(engine, connector, "plant/ready")
    signals = signals_of(engine.constraints)
    assert signals.waiting("plant/ready")
    assert signals.asking()
    run.cancel()
    await until(run.done)
    assert not signals.waiting("plant/ready")
    assert not signals.asking()


async def test_a_topic_is_listened_to_for_as_long_as_something_waits_there(
    engine: Engine, connector: InProcessConnector
) -> None:
    stays = engine.start(use(cs.ask("Stay?").named("stay")))
    await asked(stays)
    run = engine.start([cs.recv("plant/ready").named(name) for name in "ab"])
    await asked(run, 2)
    await listens(engine, connector, "plant/ready")
    run.answer("a", 1)
    await connector.publish("plant/ready", b"2")
    assert await run == [1, 2]
    await until(lambda: "plant/ready" not in {one for one, _ in connector._subscriptions})
    assert f"{QUESTIONS}/+" in {one for one, _ in connector._subscriptions}
    stays.answer("stay", True)
    await stays
    await until(lambda: not connector._subscriptions)


class Shaky(InProcessConnector):
    """A connector that loses its connection, and whose next one takes its time over answers."""

    def __init__(self) -> None:
        super().__init__()
        self.gone, self.slow, self.came = asyncio.Event(), asyncio.Event(), False

    async def lost(self) -> OSError:
        await self.gone.wait()
        self.gone.clear()
        return OSError("gone")

    async def subscribe(self, topic_filter: str, callback: Callback) -> None:
        if topic_filter == ANSWER_FILTER and self.slow.is_set():
            self.came = True
            await until(lambda: not self.slow.is_set())
        await super().subscribe(topic_filter, callback)


async def test_what_is_asked_while_a_connection_comes_back_is_listened_to(
    make_engine: MakeEngine,
) -> None:
    connector = Shaky()
    engine = make_engine(connector=connector)
    go = cs.ask("Go on?").named("go")
    run = engine.start(cs.recv("plant/late", type=int).named("late").after(go))
    await asked(run)
    await listens(engine, connector, ANSWER_FILTER)
    connector.slow.set()
    connector.gone.set()
    await until(lambda: connector.came)
    run.answer("go", True)
    await until(lambda: signals_of(engine.constraints).waiting("plant/late"))
    await asyncio.sleep(0)  # the engine has heard of it
    connector.slow.clear()
    await listens(engine, connector, "plant/late")
    await connector.publish("plant/late", b"8")
    assert await run == 8


_VALUES: tuple[Any, ...] = (
    None, True, 0, -1, 1e308, 10**300, "", "yes", "\x1b[2J", "\ud800", "\u202eon", "x" * 3_000, [],
    {}, [[[]]], {"a": {}}, {"__class__": 1},
)  # fmt: skip
_NAMES = ("q", "", "q%2F", "%00", "p", "ask", "x" * 600, "q[0]", "q/r", "größe", "+")


def noise(chance: random.Random) -> tuple[str, bytes]:
    """A topic and a payload that nobody would write, and some that somebody might."""
    fields = (
        "id",
        "value",
        "by",
        "holder",
        "run",
        "sender",
        "sequence",
        "issued_at",
        "answer",
        "x",
    )
    chosen = chance.sample(fields, chance.randrange(5))
    content: dict[str, Any] = {name: chance.choice(_VALUES) for name in chosen}
    if chance.random() < 0.5:
        content.setdefault("value", chance.choice(_VALUES[2:]))
    payload = json.dumps(content).encode()
    if chance.random() < 0.2:
        payload = chance.choice((b"", b"\xff", b"{", b"[" * 50_000, b"9" * 70_000, payload[:-1]))
    return f"{QUESTIONS}/{chance.choice(_NAMES)}", payload


async def test_whatever_comes_is_an_answer_or_one_refusal_and_the_run_goes_on(
    engine: Engine, spy: SpySubscriber, connector: InProcessConnector
) -> None:
    run = engine.start(cs.ask("Now?", type=dict[str, int]).named("q"))
    await asked(run)
    await listens(engine, connector, f"{QUESTIONS}/+")
    chance = random.Random(3)
    sent = 0
    for _ in range(examples(300)):
        topic, payload = noise(chance)
        if topic.count("/") != 2 or "+" in topic:
            continue
        if payload == b"" or (b'"value": {}' in payload and topic.endswith("/q")):
            continue  # an answer, as it happens
        await connector.publish(topic, payload)
        sent += 1
        if sent % 50 == 0:
            await asyncio.sleep(0)
    assert len(refused(spy)) == sent
    assert all(len(one) <= 500 and one.count("\n") == 0 for one in refused(spy))
    assert run.states() == {"q": NodeState.ASKING}
    run.answer("q", {})
    assert await run == {}
