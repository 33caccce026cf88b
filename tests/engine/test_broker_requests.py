"""What is asked over a broker is answered, or refused in a sentence."""

from __future__ import annotations

import json
import threading
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import pytest

from cascade_nb.control.manager import ConstraintManager
from cascade_nb.engine.asking import requests
from cascade_nb.engine.asking.requests import AT_ONCE, WAITING, RequestDesk
from cascade_nb.events.bus import MessageBus
from cascade_nb.testing import VirtualClock
from tests.engine.tools import PATIENCE, until


class Answers:
    """Says nothing to who waits until it may, and cannot say why."""

    def __init__(self) -> None:
        self.go = threading.Event()

    def reply(self, _manager: object, content: Mapping[str, Any], *_about: object) -> bytes:
        if content["do"] == "why":
            raise KeyError("hunter2")
        if content["do"] == "wait":
            assert self.go.wait(PATIENCE)
        return json.dumps({"v": 1, "ok": True}).encode()

    def wake(self) -> None:
        """Nobody is woken."""


class Wire:
    """Keeps what is said over it, by the id of what was asked."""

    def __init__(self) -> None:
        self.said: dict[str, dict[str, Any]] = {}
        self.hear: Callable[[str, bytes | str], Awaitable[None]]

    async def subscribe(
        self, _topics: str, hear: Callable[[str, bytes | str], Awaitable[None]]
    ) -> None:
        self.hear = hear

    async def publish(self, topic: str, payload: bytes | str) -> None:
        self.said[topic.rpartition("/")[2]] = json.loads(payload)

    async def ask(self, name: str, do: str) -> None:
        asked = {"v": 1, "id": name, "do": do, "sender": "me"}
        await self.hear("cascade/requests/any", json.dumps(asked))


async def test_those_who_wait_shut_nobody_out_and_what_goes_wrong_is_said(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    answers, wire, clock, bus = Answers(), Wire(), VirtualClock(), MessageBus()
    monkeypatch.setattr(requests, "_responders", [answers])
    desk = RequestDesk(bus, clock, ConstraintManager(clock, bus), "here")
    connector: Any = wire
    await desk.begin(connector)
    for n in range(AT_ONCE):
        await wire.ask(f"w{n}", "wait")
    await until(lambda: len(wire.said) == AT_ONCE - WAITING)
    for one in wire.said.values():
        assert one["error"] == "too many questions are open; ask again"
    await wire.ask("s", "status")
    await until(lambda: wire.said.get("s") == {"v": 1, "ok": True})
    await wire.ask("y", "why")
    await until(lambda: "y" in wire.said)
    assert wire.said["y"]["error"] == "the engine could not answer that: KeyError was raised"
    assert "hunter2" not in json.dumps(wire.said)
    answers.go.set()
    await until(lambda: len(wire.said) == AT_ONCE + 2)
    await desk.end(PATIENCE)
