"""A terminal asks engines elsewhere over a broker alone: what runs, and why; and ends it."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any, Literal

import pytest

import cascade_nb as cs
from cascade_nb.concurrency.loop_thread import LoopThread
from cascade_nb.connectors import MqttConnector
from cascade_nb.connectors.mqtt.presence import Presence, status_payload, status_topic
from cascade_nb.control.remote.envelope import KEY_VARIABLE, MOST_BYTES, sealed
from cascade_nb.control.remote.request_messages import (
    REQUEST_FILTER,
    parse_remote_request,
    parse_reply,
    request_payload,
    request_topic,
    room_for_reply,
)
from cascade_nb.door import known_runs
from cascade_nb.door.broker import callers
from cascade_nb.door.broker.responding import BrokerResponder
from cascade_nb.engine import Engine, Run
from cascade_nb.errors import RefusedMessageError, RunCancelledError
from cascade_nb.events import ConstraintRejected
from cascade_nb.testing import SpySubscriber
from tests.connectors.mqtt_tools import Listener
from tests.engine.tools import until_blocking
from tests.support.hostile_texts import hostile_texts
from tests.support.mosquitto import Mosquitto
from tests.terminal.conftest import Terminal

pytestmark = pytest.mark.may_block("a terminal waits for its answers")


@pytest.fixture(scope="module")
def broker() -> Iterator[Mosquitto]:
    with Mosquitto.start() as started:
        yield started


class Elsewhere:
    """An engine on a broker with a run of two nodes, `first` and `last`, which end when they may.

    Attributes:
        go: lets them end.
    """

    def __init__(self, broker: Mosquitto) -> None:
        self.go = threading.Event()
        self.engine = Engine(connector=MqttConnector(broker.url))
        self.spy = SpySubscriber(self.engine.bus)
        first = cs.task(self._first, name="first")().named("first")
        self.run: Run = self.engine.start(cs.task(_last, name="last")(first).named("last"))
        until_blocking(lambda: self.run.status.running)

    def _first(self) -> int:
        self.go.wait()
        return 1

    def close(self) -> None:
        self.go.set()
        self.run.cancel()
        until_blocking(self.run.done)
        self.engine.close()


def _last(x: int) -> int:
    return x + 1


@pytest.fixture
def there(broker: Mosquitto) -> Iterator[Elsewhere]:
    made = Elsewhere(broker)
    yield made
    made.close()


@pytest.fixture
def over(broker: Mosquitto) -> list[str]:
    return ["--broker", broker.url]


def test_it_sees_what_runs_and_why_and_what_is_in_force_and_nothing_of_other_engines(
    there: Elsewhere, terminal: Terminal, over: list[str]
) -> None:
    asks = cs.ask("Go\x1b[2J on?").named("go_on")
    aside = cs.start(asks)  # the same process, and not on this broker
    other = there.engine.start(cs.ask("Re\x1b[2Jally?").named("really"))
    until_blocking(lambda: other.questions and aside.questions)
    there.engine.limit("task:first", 1, reason="look")
    runs = terminal.type("runs", *over)
    assert there.run.id in runs.out
    assert aside.id not in runs.out
    status = terminal.type("status", *over)
    assert "Running 1 task" in status.out
    assert "at most 1" in status.out
    assert "go_on" not in status.out
    assert "\x1b" not in status.out
    (told,) = terminal.type("status", there.run.id[:6], "--json", *over).json["answers"]
    assert [one["run_id"] for one in told["runs"]] == [there.run.id]
    assert told["process"]["source"] == there.engine.supervisor._source
    assert "last waits for first" in terminal.type("why", "last", *over).out
    assert (
        "there is no node 'lats'; did you mean 'last'?" in terminal.type("why", "lats", *over).err
    )
    assert "look" in terminal.type("limit", *over).out
    assert "There is none." in terminal.type("guard", *over).out
    listed = terminal.type("answer", *over).out
    assert "really: Really? (yes or no), asked" in listed
    assert "go_on" not in listed
    for run in (aside, other):
        run.cancel()
        until_blocking(run.done)


def test_it_watches_a_run_to_its_end_also_when_its_process_leaves_the_broker_with_it(
    there: Elsewhere, terminal: Terminal, over: list[str]
) -> None:
    said: list[Any] = []
    words = ["watch", there.run.id, "--every", "30s", *over]
    watching = threading.Thread(target=lambda: said.append(terminal.type(*words)))
    watching.start()
    until_blocking(lambda: known_runs._waiters)
    there.go.set()
    watching.join()
    assert said[0].code == 0, said
    assert "Running 1 task" in said[0].out
    assert "Done in" in said[0].out


def test_a_person_ends_a_run_from_there_by_its_whole_id_and_an_agent_does_not(
    there: Elsewhere, terminal: Terminal, over: list[str]
) -> None:
    agent = terminal.type("cancel", there.run.id, "--as", "agent:claude", *over)
    assert agent.code == 1
    assert "the agent claude may hold run 1, and only a person ends it" in agent.err
    named = {"v": 1, "id": "7f", "do": "cancel", "run": str(there.run.number)}
    manager = there.engine.constraints
    ada = parse_remote_request(*asked(named, by="ada"), 0.0).holder
    reply = BrokerResponder().reply(manager, named, ada, {"engine": "x"}, MOST_BYTES)
    assert reply is not None
    assert "cancelled by its whole id" in json.loads(reply)["error"]
    done = terminal.type("cancel", there.run.id[:6], "--reason", "enough", *over)
    assert done.code == 0, done


def test_how_a_run_was_ended_and_by_whom_is_in_its_error(
    there: Elsewhere, terminal: Terminal, over: list[str]
) -> None:
    done = terminal.type("cancel", "--reason", "enough", *over)
    assert (done.code, there.run.id in done.out) == (0, True), done
    there.go.set()
    with pytest.raises(RunCancelledError, match=r"cancelled by \S+@\S+: enough"):
        there.run.result()


def test_with_a_key_only_those_who_have_it_are_answered_and_believed(
    there: Elsewhere, terminal: Terminal, over: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(KEY_VARIABLE, "secret words")
    assert "Running 1 task" in terminal.type("status", *over).out
    topic, unsigned = asked({"v": 1, "do": "status"})
    asyncio.run(sent(MqttConnector(over[1]), topic, unsigned))
    until_blocking(lambda: there.spy.events_of_type(ConstraintRejected))
    (refused,) = there.spy.events_of_type(ConstraintRejected)
    assert "it is not signed, and CASCADE_CONTROL_KEY is set here" in refused.error
    assert refused.topic == topic
    topic, forged = asked({"v": 1, "do": "status"}, key=b"other words")
    asyncio.run(sent(MqttConnector(over[1]), topic, forged))
    until_blocking(lambda: len(there.spy.events_of_type(ConstraintRejected)) == 2)
    assert "not made with the key" in there.spy.events_of_type(ConstraintRejected)[1].error


async def sent(connector: MqttConnector, topic: str, payload: bytes) -> None:
    """Publish one message."""
    await connector.connect()
    await connector.publish(topic, payload)
    await connector.disconnect()


def asked(content: dict[str, Any], key: bytes | None = None, **said: Any) -> tuple[str, bytes]:
    """Topic and payload of a request."""
    said = {"sender": "ann", "issued_at": 0.0, **said}
    return request_topic(), request_payload(content, key=key, **said)


WORDS = (["status"], ["answer"], ["runs"])
EVIL = "\x1b[2Jyes\u202e"


def test_hostile_questions_and_answers_command_nothing_and_forge_nothing(
    terminal: Terminal, there: Elsewhere, over: list[str]
) -> None:
    thread, listener = LoopThread("listener"), Listener(over[1], "cascade/#")
    thread.submit(listener.__aenter__()).result()
    until_blocking(lambda: terminal.type("status").code == 0)  # its door is open
    texts = hostile_texts(500)
    one_of: Any = Literal
    asks = [cs.ask(text, type=str).named(f"q{n}") for n, text in enumerate(texts)]
    try:
        run = there.engine.start([*asks, cs.ask(EVIL, type=one_of[EVIL]).named("last one")])
        until_blocking(lambda: run.status.asking == 501)
        said = [terminal.type(*words, *over) for words in (*WORDS, ["why", "q1"], ["why", "q400"])]
        said += [terminal.type(*words) for words in WORDS]
        for one in said:
            assert one.code == 0, one
            assert all(line.isprintable() for line in one.out.split("\n")), one
            assert one.out.startswith("script "), one
        assert "asks 481 more" in terminal.type("answer", *over).out
        assert terminal.type("status", "--json", *over).out.isascii()
        for n, text in enumerate(texts):
            assert run.answer(f"q{n}", text, by="ada") == text
        assert terminal.type("answer", "last one", EVIL, *over).code == 0
        assert run.result() == [*texts, EVIL]
    finally:
        thread.submit(listener.__aexit__()).result()
        thread.stop()
    assert len(listener.messages) > len(texts)
    for _, payload in listener.messages:
        assert payload.isascii()
        assert payload.decode().isprintable()


def test_who_only_listens_is_not_waited_for_and_who_should_answer_and_does_not_is_named(
    terminal: Terminal, there: Elsewhere, over: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(KEY_VARIABLE, "secret words")
    thread = LoopThread("others")
    listens, silent = MqttConnector(over[1]), MqttConnector(over[1])

    async def hear(_topic: str, _payload: bytes) -> None:
        return

    async def come() -> None:
        await listens.connect()
        await listens.subscribe("cascade/telemetry/#", hear)
        await silent.connect()
        forged = Presence(online=True, answers=True, source="evil:1", since=0.0, at=time.time())
        payload = status_payload("evil", forged, None)
        await silent.publish(status_topic("evil"), payload, retain=True)

    thread.submit(come()).result()
    told = terminal.type("status", *over)  # none of them is waited for, or it would say so
    assert (told.code, "did not answer" in told.err) == (0, False), told
    thread.submit(silent.subscribe(REQUEST_FILTER, hear)).result()
    monkeypatch.setattr(callers, "WAIT", 0.5)
    me = f"{socket.gethostname()}:{os.getpid()}"
    told = until_blocking(lambda: (one := terminal.type("status", *over)).out and one)
    assert told.err == f"skipped: {me} did not answer within 0.5 s\n", told
    for one in (listens, silent):
        thread.submit(one.disconnect()).result()
    thread.stop()


def test_that_nobody_is_there_is_said(
    terminal: Terminal, over: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(callers, "WAIT", 0.2)
    for words in (["status"], ["runs"], ["watch"], ["answer"], ["cancel"]):
        said = terminal.type(*words, *over)
        assert said.code == 3, said
        assert "nobody answered within 2 s: nothing runs" in said.err
    said = terminal.type("why", "x", *over, "--json")
    assert (said.code, said.json["ok"]) == (3, False)
    assert terminal.type("status", "--broker", "mqtt://127.0.0.1:1").code == 1


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ({"do": "status"}, "its v is None"),
        ({"v": 2, "do": "status"}, "its v is 2"),
        ({"v": 1}, "there is no command None"),
        ({"v": 1, "do": "pause"}, "over a broker one asks for hello, status"),
        ({"v": 1, "do": "run", "target": "x"}, "over a broker one asks for"),
        ({"v": 1, "do": ["status"]}, "there is no command list"),
        ({"v": 1, "do": "status", "runn": "1"}, "did you mean 'run'?"),
        ({"v": 1, "do": "why"}, "why needs 'node'"),
        ({"v": 1, "do": "wait", "run": "1", "seconds": "x"}, "its seconds is no number"),
        ({"v": 1, "do": "cancel"}, "by its whole id"),
    ],
)
def test_what_cannot_be_asked_is_refused_with_the_reason_and_said_once(
    there: Elsewhere, content: dict[str, Any], why: str
) -> None:
    request = parse_remote_request(*asked(content), 0.0)
    reply = BrokerResponder().reply(
        there.engine.constraints, request.content, request.holder, {"engine": "x"}, MOST_BYTES
    )
    assert reply is not None
    said = json.loads(reply)
    assert (said["ok"], why in said["error"]) == (False, True), said
    (event,) = there.spy.events_of_type(ConstraintRejected)
    assert event.error == said["error"]


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({"sender": "a/b"}, "no word of a topic"),
        ({"sender": ""}, "no word of a topic"),
        ({"holder": "somebody"}, "its holder is none"),
        ({"expires_at": 1.0}, "its time was over"),
        ({"issued_at": "now"}, "its issued_at is no time"),
        ({"sequence": -1}, "no whole number"),
    ],
)
def test_what_nobody_could_answer_is_refused(said: dict[str, Any], why: str) -> None:
    content = {"v": 1, "id": "7f", "do": "status", "sender": "ann", **said}
    with pytest.raises(RefusedMessageError, match=why):
        parse_remote_request(request_topic(), json.dumps(content).encode(), 2.0)


def test_a_reply_fits_into_a_message_also_when_it_is_signed(there: Elsewhere) -> None:
    key, topic = b"secret words", "cascade/replies/ann/7f"
    for n in range(200):
        there.engine.limit(f"task:x{n}", 3, reason='"\\' * 200)
    asks = {"v": 1, "id": "7f", "do": "status"}
    ann = parse_remote_request(*asked(asks), 0.0).holder
    reply = BrokerResponder().reply(
        there.engine.constraints, asks, ann, {"engine": "x"}, room_for_reply(key)
    )
    assert reply is not None
    data = sealed(reply.decode(), topic, key)
    assert len(data) <= MOST_BYTES
    assert parse_reply(topic, data, key)["left_off"]
    with pytest.raises(RefusedMessageError):
        parse_reply(topic + "x", data, key)
