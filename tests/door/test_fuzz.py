"""Whatever comes at a door, each message has one answer, and what runs is not disturbed."""

from __future__ import annotations

import contextlib
import json
import queue
import socket
import threading
import time
from collections.abc import Iterator
from itertools import islice
from typing import Any

import pytest

import cascade_nb as cs
from cascade_nb.control.remote.request_messages import parse_remote_request
from cascade_nb.door.answers import Process, answer
from cascade_nb.door.broker.responding import BrokerResponder
from cascade_nb.door.listening import listen
from cascade_nb.door.protocol import MOST_BYTES
from cascade_nb.door.server import Server
from cascade_nb.errors import RefusedMessageError
from cascade_nb.events import ConstraintApplied, ConstraintLifted, ConstraintRejected
from cascade_nb.executors import LocalExecutor
from cascade_nb.testing import SpySubscriber
from tests.engine.tools import until_blocking
from tests.support.doors import Place
from tests.support.fuzzed import MESSAGES, contents, lines
from tests.support.kernels import NEWEST

HOLDS = ("pause", "limit", "rate", "resume")


@pytest.fixture
def door(here: Place) -> Iterator[str]:
    """The path of a socket at which this process is asked."""
    listener = listen(here.folder)
    server = Server(listener, lambda content: answer(content, Process("script", "a test")))
    thread = threading.Thread(target=server.serve)
    thread.start()
    yield str(listener.path)
    server.close()
    thread.join()


class Talk:
    """A conversation at a socket."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._connect()

    def _connect(self) -> None:
        self._peer = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._peer.connect(self._path)
        self._file = self._peer.makefile("rb")

    def say(self, line: bytes) -> dict[str, Any]:
        # What is too long is answered before all of it was sent.
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self._peer.sendall(line + b"\n")
        said = self._file.readline(MOST_BYTES + 1)
        assert len(said) <= MOST_BYTES
        if len(line) > MOST_BYTES:
            self.close()
            self._connect()
        found: dict[str, Any] = json.loads(said)
        return found

    def close(self) -> None:
        self._file.close()
        self._peer.close()


@pytest.mark.soak
def test_each_message_at_the_socket_is_answered_once_and_applied_or_rejected(door: str) -> None:
    order: list[int] = []

    @cs.task
    def step(i: int) -> int:
        order.append(i)
        time.sleep(0.002)
        return i

    engine = cs.Engine(executor=LocalExecutor(max_threads=1))
    spy = SpySubscriber(engine.bus)
    run = engine.start(step.map(i=list(range(100_000))))
    talk = Talk(door)
    refused = done = 0
    try:
        until_blocking(lambda: len(order) > 10)
        for line in islice(lines(1), MESSAGES):
            said = talk.say(line)
            assert isinstance(said["ok"], bool)
            refused += not said["ok"]
            done += said["ok"]
            if not said["ok"]:
                assert said["error"], said
                assert said["kind"] in {
                    "RefusedMessageError", "ConstraintError", "UnknownNameError", "UsageError",
                }, (line, said)  # fmt: skip
        assert run.outcome is None
        seen = order.copy()
        assert seen == list(range(len(seen)))  # as without them
    finally:
        talk.close()
        run.cancel()
        engine.close()
    spy.close()
    engine.bus.flush()
    assert len(spy.events_of_type(ConstraintRejected)) == refused
    assert refused > MESSAGES / 4
    assert done > MESSAGES / 20
    assert spy.events_of_type(ConstraintApplied)


def test_each_question_over_a_broker_is_answered_or_refused_once() -> None:
    engine = cs.Engine()
    spy = SpySubscriber(engine.bus)
    refused, topic = 0, "cascade/requests/any"
    for n, line in enumerate(islice(lines(3), MESSAGES)):
        said = line.replace(b"{", b'{"sender": "ann", ', 1) if n % 4 else line
        try:
            request = parse_remote_request(topic, said, 0.0)
        except RefusedMessageError:
            continue  # which has one event where it came
        reply = BrokerResponder().reply(
            engine.constraints, request.content, request.holder, {"engine": "x"}, MOST_BYTES
        )
        if reply is not None:  # where it is about a run of nobody's here
            told = json.loads(reply)
            assert len(reply) <= MOST_BYTES
            assert told["process"]["engine"] == "x"
            refused += not told["ok"]
    engine.close()
    spy.close()
    engine.bus.flush()
    assert len(spy.events_of_type(ConstraintRejected)) == refused
    assert refused > MESSAGES / 10
    assert not spy.events_of_type(ConstraintApplied)


@pytest.mark.soak
def test_each_message_on_a_kernels_control_channel_is_answered_once(here: Place) -> None:
    with here.kernel(NEWEST) as kernel:
        kernel.check("run = cs.start(work())")
        here.wait_for_more()
        client = kernel.client
        client.session.copy_threshold = 10**9  # pyzmq keeps a thread for what it does not copy
        made = contents(2)
        left = MESSAGES
        while left:
            batch = list(islice(made, min(left, 100)))
            left -= len(batch)
            asked = set()
            for content in batch:
                message = client.session.msg("cascade_request", _carryable(content))
                asked.add(message["header"]["msg_id"])
                client.control_channel.send(message)
            while asked:
                reply = client.control_channel.get_msg(timeout=60)
                assert reply["msg_type"] == "cascade_reply"
                said = reply["content"]
                assert said["ok"] or said["kind"] not in ("TypeError", "RuntimeError"), said
                asked.remove(reply["parent_header"]["msg_id"])
            with contextlib.suppress(queue.Empty):  # busy and idle of each, or it overflows
                while client.iopub_channel.get_msg(timeout=0):
                    pass
        here.wait_for_more(here.begun())
        begun = [int(line) for line in here.ledger.read_text(encoding="utf-8").split()]
        assert sorted(begun) == list(range(len(begun)))
        assert kernel.check("print(run.outcome)").stdout == "None\n"


def _carryable(content: dict[str, Any]) -> dict[str, Any]:
    """As Jupyter's own JSON takes it: it has neither NaN nor half a character."""
    found: dict[str, Any] = json.loads(
        json.dumps(content).replace("NaN", "1e999").replace("\\ud800", "\\u202e")
    )
    return {name: 10**300 if value == float("inf") else value for name, value in found.items()}


def test_ten_megabytes_are_refused_and_the_next_message_is_heard(door: str) -> None:
    talk = Talk(door)
    said = talk.say(b'{"v": 1, "do": "pause", "reason": "' + b"x" * 10_000_000 + b'"}')
    assert not said["ok"]
    assert "more than the 65536 allowed" in said["error"]
    assert talk.say(b'{"v": 1, "id": "a", "do": "hello"}')["id"] == "a"
    talk.close()


def test_what_is_refused_changes_nothing(door: str) -> None:
    engine = cs.Engine()
    spy = SpySubscriber(engine.bus)
    talk = Talk(door)
    for line in islice(lines(3), 300):
        if not talk.say(line)["ok"]:
            before = spy.events_of_type(ConstraintApplied) + spy.events_of_type(ConstraintLifted)
            assert not talk.say(b'{"v": 1, "do": "pause", "scope": "task:x", "seconds": -1}')["ok"]
            after = spy.events_of_type(ConstraintApplied) + spy.events_of_type(ConstraintLifted)
            assert before == after
    talk.close()
    engine.close()
