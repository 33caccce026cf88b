"""Has an engine answer what other programs ask of its runs over its connector."""

from __future__ import annotations

import asyncio
import contextlib
import json
import uuid
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from functools import partial
from typing import Any, Final, Protocol

from cascade_nb.concurrency.begun_tasks import begin_task
from cascade_nb.concurrency.safe_parse import SAFE_ANYWHERE, elsewhere
from cascade_nb.concurrency.threads import ParsingElsewhere, run_in_thread
from cascade_nb.control.holders import Holder
from cascade_nb.control.manager import ConstraintManager
from cascade_nb.control.remote.envelope import control_key, sealed
from cascade_nb.control.remote.request_messages import (
    ANY,
    REQUEST_FILTER,
    parse_remote_request,
    request_topic,
    room_for_reply,
)
from cascade_nb.engine.asking.listening import stop_listening
from cascade_nb.errors import RefusedMessageError
from cascade_nb.events.bus import MessageBus
from cascade_nb.events.outside_events import ConstraintRejected
from cascade_nb.protocols.connector import Connector
from cascade_nb.protocols.execution import Clock

AT_ONCE: Final = 32  # requests; whoever asks more is told to ask again
WAITING: Final = 24  # of those; the others are for what is answered at once
_HEARD: Final = 2 * AT_ONCE  # those that are refused with them; of more than that nobody hears
_SHOWN: Final = 200  # characters of a topic that an event has


class Responder(Protocol):
    """Knows what to say of the runs of an engine."""

    def reply(
        self,
        manager: ConstraintManager,
        content: Mapping[str, Any],
        holder: Holder,
        about: Mapping[str, Any],
        room: int,
    ) -> bytes | None:
        """What comes of a request; may take as long as that.

        Args:
            manager: of the engine that is asked.
            content: the request.
            holder: who asks.
            about: what is said of the engine.
            room: bytes that the reply may have.

        Returns:
            None where it is about a run of another engine.
        """

    def wake(self) -> None:
        """Whoever waits for the end of a run that is over is to be answered now."""


_responders: Final[list[Responder]] = []


def answer_requests_with(responder: Responder) -> None:
    """Have requests answered from now on; said once, with the import of the package."""
    _responders[:] = [responder]


class RequestDesk:
    """What comes over one connector to be answered. It is so beside the engine's loop, which may be
    blocked.

    Args:
        bus: told what was refused.
        clock: what time it is.
        manager: of the engine.
        source: what the engine calls itself, for people.

    Attributes:
        trouble: that a broker does not let us read requests, in words; None where it does.
    """

    def __init__(
        self, bus: MessageBus, clock: Clock, manager: ConstraintManager, source: str
    ) -> None:
        self._bus, self._clock, self._manager, self._source = bus, clock, manager, source
        self._name = uuid.uuid4().hex[:16]
        self._topics = {request_topic(ANY), request_topic(self._name)}
        self._connector: Connector | None = None
        self._parses: Callable[[Callable[[], Any]], Any] | None = None
        self._open: dict[Future[None], asyncio.Task[None]] = {}
        self._answered = self._waits = 0
        self._listening = False
        self.trouble: str | None = None

    async def begin(self, connector: Connector) -> None:
        """There is a connection, which listens to nothing of this yet.

        Raises:
            OSError: it is gone.
        """
        self._connector, self.trouble = connector, None
        if not SAFE_ANYWHERE:
            self._parses = elsewhere.get() or ParsingElsewhere(asyncio.get_running_loop())
        try:
            await connector.subscribe(REQUEST_FILTER, self._hear)
            self._listening = True
        except PermissionError as error:  # it is a run all the same that nobody can ask about
            self.trouble = f"nobody can ask how runs stand ({error})"

    def wake(self) -> None:
        """A run is over: whoever waits for its end hears so."""
        for responder in _responders:
            responder.wake()

    async def end(self, patience: float) -> None:
        """Hear no more, and wait until what was asked is answered, for so many seconds at most."""
        if self._connector is not None:
            await self.stop(self._connector)
        waiting = [asyncio.wrap_future(one) for one in list(self._open)]
        if waiting:
            await asyncio.wait(waiting, timeout=patience)
        self._connector = None

    async def stop(self, connector: Connector) -> None:
        """Hear no more; others may use the connector further."""
        if self._listening:
            self._listening = False
            await stop_listening(connector, REQUEST_FILTER, self._hear)

    async def _hear(self, topic: str, payload: bytes | str) -> None:
        """A request, on whichever thread the connector has."""
        connector = self._connector
        if topic not in self._topics or connector is None or len(self._open) >= _HEARD:
            return
        done: Future[None] = Future()
        task = begin_task(self._answer(connector, topic, payload))
        self._open[done] = task
        task.add_done_callback(lambda _: self._is_done(done))

    def _is_done(self, done: Future[None]) -> None:
        self._open.pop(done, None)
        if done.set_running_or_notify_cancel():
            done.set_result(None)

    async def _answer(self, connector: Connector, topic: str, payload: bytes | str) -> None:
        key = control_key()
        elsewhere.set(self._parses)
        try:
            request = parse_remote_request(topic, payload, self._clock.wall(), key)
        except RefusedMessageError as error:
            self._bus.publish(
                ConstraintRejected(
                    timestamp=self._clock.wall(), topic=topic[:_SHOWN], error=str(error)
                )
            )
            return
        about = {"engine": self._name, "source": self._source}
        client = getattr(connector, "client_id", None)
        if client is not None:
            about["client"] = client
        said = self._manager, request.content, request.holder, about, room_for_reply(key)
        for responder in _responders:
            reply = await self._reply_of(responder, said)
            if reply is None:
                continue
            # Who has asked may ask again; that the connection is gone is noticed elsewhere.
            with contextlib.suppress(OSError):
                message = sealed(reply.decode(), request.reply_topic, key)
                await connector.publish(request.reply_topic, message)

    async def _reply_of(self, responder: Responder, said: tuple[Any, ...]) -> bytes | None:
        """What a responder says, or why it says nothing."""
        waits = said[1].get("do") == "wait"
        if self._answered >= AT_ONCE or (waits and self._waits >= WAITING):
            words = "too many questions are open; ask again"
            return _refusal(said, "RefusedMessageError", words)
        self._answered += 1
        self._waits += waits
        try:
            return await run_in_thread(partial(responder.reply, *said))
        except Exception as error:  # its text may hold what is nobody's business
            kind = type(error).__name__
            return _refusal(said, kind, f"the engine could not answer that: {kind} was raised")
        finally:
            self._answered -= 1
            self._waits -= waits


def _refusal(said: tuple[Any, ...], kind: str, words: str) -> bytes:
    """A reply that says why there is no other."""
    _, content, _, about, _ = said
    reply = {"v": 1, "id": content.get("id", ""), "ok": False, "kind": kind, "error": words}
    return json.dumps({**reply, "process": dict(about)}).encode()
