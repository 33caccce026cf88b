"""Holds, lets go and asks about what engines on a broker run, from any program."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import time
import uuid
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from cascade_nb.connectors.mqtt.connector import MqttConnector
from cascade_nb.connectors.mqtt.presence import STATUS, Presences
from cascade_nb.control.constraint import parse_scope
from cascade_nb.control.holders import A_PERSON, Holder
from cascade_nb.control.remote.answer_messages import answer_payload, question_topic
from cascade_nb.control.remote.envelope import control_key
from cascade_nb.control.remote.messages import (
    lift_payload_of,
    parse_message,
    payload_of,
    topic_of,
)
from cascade_nb.control.remote.outcomes import ANSWERS, parse_outcome, source_of
from cascade_nb.control.remote.request_messages import (
    ANY,
    REPLIES,
    parse_reply,
    request_payload,
    request_topic,
)
from cascade_nb.errors import RefusedMessageError

PATIENCE = 10.0
_Parse = Callable[[str, bytes, "bytes | None"], "dict[str, Any]"]
_MOST: Final = 20  # messages that cannot be read, of which is told


class MqttController:
    """A controller at the other end of a broker, for as long as an `async with` block lasts. Its
    connection comes back when the broker does; what it sends is counted, signed where
    `CASCADE_CONTROL_KEY` is set, and asks for answers.

    Args:
        url: of the broker, as `MqttConnector` takes it, and so are the options.
        by: what to call the person that it speaks for.
        holder: who that is, where it has topics of its own: a program, an agent, a person by name.
        patience: seconds that it tries to send.
        heard: called in the connector's thread when a reply has come, or somebody has come or gone.

    Raises:
        UsageError: this is no URL of a broker.
        OSError: from the block, the broker cannot be reached, or does not let us in.

    Attributes:
        sender: what it calls itself in its messages, and on the broker.
        presences: whose engines are there to answer, once something was asked.
    """

    def __init__(
        self,
        url: str,
        by: str = "controller",
        *,
        holder: Holder = A_PERSON,
        patience: float = PATIENCE,
        heard: Callable[[], object] = lambda: None,
        **options: Any,
    ) -> None:
        self.sender = f"controller-{uuid.uuid4().hex[:12]}"
        self.connector = MqttConnector(url, **{"client_id": self.sender, **options})
        self._by, self._holder, self._patience, self._heard = by, holder, patience, heard
        self.presences = Presences()
        self._asks = False
        self._kept: dict[str, dict[str, bytes]] = {}  # by filter, what the broker keeps, by topic
        self._sequence = itertools.count(1)
        self._answers: dict[str, list[dict[str, Any]]] = {}
        self._unreadable: dict[str, dict[str, None]] = {}

    async def __aenter__(self) -> MqttController:  # noqa: PYI034 - `Self` came with Python 3.11
        await self._connect()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.connector.disconnect()  # what was sent stays in force

    async def put(
        self,
        scope: str,
        type_: str,
        params: Mapping[str, Any],
        *,
        reason: str = "",
        ttl: float | None = None,
        run: str = "",
    ) -> str:
        """Put a constraint into force, for engines that come later, too.

        Args:
            scope, type_, params, reason, ttl: of the constraint.
            run: the id of the only run that it is about.

        Returns:
            The id of the message, which `answers` takes.

        Raises:
            ConstraintError: no constraint can be like that.
            OSError: the broker cannot be reached, or does not take it.
        """
        payload = payload_of(
            scope, type_, params, reason=reason, ttl=ttl, run=run, **self._envelope()
        )
        topic = topic_of(scope, type_, self._holder)
        return await self._publish(topic, payload, retain=True)

    async def lift(self, scope: str, type_: str | None = None, *, run: str = "") -> str:
        """Lift one type of constraint, or everything, of a scope, where a run is named that of the
        run alone: for a person what all have there, for another what is its own.

        Returns:
            The id of the message, which `answers` takes.

        Raises:
            ConstraintError: there is no such scope.
            OSError: the broker cannot be reached, or does not take it.
        """
        topic = topic_of(parse_scope(scope), type_, self._holder)
        forgets = control_key() is None and not run
        payload = lift_payload_of(scope, type_, run=run, **self._envelope())
        # First, so that it is this which finds what there is to lift.
        message = await self._publish(topic, payload, retain=not forgets)
        if not self._holder.name:
            await self._lift_of_others(topic, run)
        if forgets:  # the broker is to forget it; nobody could sign or answer such a message
            await self._sent(topic, b"", retain=True)
        return message

    async def _lift_of_others(self, topic: str, run: str) -> None:
        """Have the broker keep no longer what others have put there, on topics of their own, which
        engines that come later would take for their word.
        """
        for other, payload in (await self._others(f"{topic}/#")).items():
            if other == topic:
                continue
            try:
                message = parse_message(other, payload, time.time(), control_key())
            except RefusedMessageError:  # by every engine, too
                continue
            if message.lift or message.envelope.run != run:
                continue
            said = {**self._envelope(), "answer": False, "holder": message.holder}
            empty = said["key"] is None
            lift = lift_payload_of(message.topic_scope, message.type, run=run, **said)
            await self._sent(other, b"" if empty else lift, retain=True)

    async def _others(self, topics: str) -> dict[str, bytes]:
        if topics not in self._kept:
            kept: dict[str, bytes] = {}

            async def hear(topic: str, payload: bytes) -> None:
                kept[topic] = payload

            # Who may write and not read does not see them; engines lift them all the same.
            with contextlib.suppress(PermissionError):
                await self._done(lambda: self.connector.subscribe(topics, hear))
            self._kept[topics] = kept
        return {topic: payload for topic, payload in self._kept[topics].items() if payload}

    async def answer(self, name: str, value: Any, *, run: str = "") -> str:
        """Answer a question.

        Args:
            name: of the node that asks, or of an item.
            value: the answer, which JSON can carry.
            run: the id of the run that asks, where several do.

        Returns:
            The id of the message, which `answers` takes.

        Raises:
            OSError: the broker cannot be reached, or does not take it.
        """
        payload = answer_payload(name, value, run=run, **self._envelope())
        return await self._publish(question_topic(name), payload, retain=False)

    async def answers(
        self, message: str, count: int = 1, patience: float | None = None
    ) -> list[dict[str, Any]]:
        """Wait until so many engines have said what came of a message.

        Returns:
            What they said, also when the patience was over first: each with its `source`, with
            `refused` where it has not done it, and with what was `lifted` where that was asked.
        """
        until = time.monotonic() + (self._patience if patience is None else patience)
        while True:
            found = self._answers[message]
            if len(found) >= count or time.monotonic() > until:
                return list(found)
            await asyncio.sleep(0.001)

    async def ask(self, content: Mapping[str, Any], engine: str = ANY) -> str:
        """Ask one engine something, or all.

        Args:
            content: a request as the door of a machine takes it, without an id.
            engine: what it calls itself in its replies.

        Returns:
            The id of the message, which `replies` takes.

        Raises:
            OSError: the broker cannot be reached, or does not take it.
        """
        if not self._asks:
            await self._done(self._listen)
            self._asks = True
        said = {name: value for name, value in self._envelope().items() if name != "answer"}
        payload = request_payload(content, engine=engine, **said)
        return await self._publish(request_topic(engine), payload, retain=False)

    def replies(self, message: str) -> list[dict[str, Any]]:
        """What was said so far to what was asked; from any thread."""
        return list(self._answers[message])

    def unreadable(self, message: str) -> list[str]:
        """What came as an answer or a reply to a message and cannot be read or is not signed as it
        has to be, by whom and why, each in a line; from any thread.
        """
        return list(self._unreadable[message])

    def _envelope(self) -> dict[str, Any]:
        return {
            "by": self._by,
            "holder": self._holder,
            "issued_at": time.time(),
            "sender": self.sender,
            "sequence": next(self._sequence),
            "answer": True,
            "key": control_key(),
        }

    async def _publish(self, topic: str, payload: bytes, retain: bool) -> str:
        content = json.loads(payload)
        message: str = json.loads(content.get("message", payload))["id"]
        self._answers[message], self._unreadable[message] = [], {}
        await self._sent(topic, payload, retain)
        return message

    async def _sent(self, topic: str, payload: bytes, retain: bool) -> None:
        await self._done(lambda: self.connector.publish(topic, payload, retain))

    async def _done(self, work: Callable[[], Awaitable[None]]) -> None:
        """Have the broker do something, over another connection where this one is lost."""
        until = time.monotonic() + self._patience
        while True:
            try:
                await work()
            except PermissionError:
                raise
            except OSError:
                if time.monotonic() > until:
                    raise
                await asyncio.sleep(0.05)
                await self.connector.disconnect()
                with contextlib.suppress(OSError):  # the next try says why
                    await self._connect()
            else:
                return

    async def _connect(self) -> None:
        self._kept.clear()
        await self.connector.connect()
        await self.connector.subscribe(f"{ANSWERS}/{self.sender}/+", self._hear)
        if self._asks:
            await self._listen()

    async def _listen(self) -> None:
        await self.connector.subscribe(f"{REPLIES}/{self.sender}/+", self._hear_reply)
        self.presences.forget()
        # Who may not read who is there waits a little longer for replies.
        with contextlib.suppress(PermissionError):
            await self.connector.subscribe(f"{STATUS}/+", self._hear_of)

    async def _hear(self, topic: str, payload: bytes) -> None:
        self._take(topic, payload, parse_outcome)

    async def _hear_reply(self, topic: str, payload: bytes) -> None:
        self._take(topic, payload, parse_reply)

    def _take(self, topic: str, payload: bytes, parse: _Parse) -> None:
        message = topic.rpartition("/")[2]
        if message not in self._answers:
            return
        try:
            self._answers[message].append(parse(topic, payload, control_key()))
        except RefusedMessageError as error:  # it is nobody's word, and takes nobody's place
            unreadable = self._unreadable[message]
            if len(unreadable) < _MOST:
                unreadable[f"what {source_of(topic, payload)} says cannot be taken: {error}"] = None
        self._heard()

    async def _hear_of(self, topic: str, payload: bytes) -> None:
        self.presences.hear(topic, payload, time.time(), control_key())
        self._heard()
