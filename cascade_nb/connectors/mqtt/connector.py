"""Carries constraints and telemetry over an MQTT broker."""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
import time
import uuid
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar

from cascade_nb.concurrency.loop_thread import LoopThread
from cascade_nb.connectors.local import as_bytes, check_filter
from cascade_nb.connectors.mqtt.address import read_address
from cascade_nb.connectors.mqtt.expiry import seconds_to_keep
from cascade_nb.connectors.mqtt.message import Outgoing
from cascade_nb.connectors.mqtt.service import Service
from cascade_nb.errors import UsageError
from cascade_nb.forking import forget_after_fork
from cascade_nb.protocols.connector import Callback, Payload
from cascade_nb.text import quoted

T = TypeVar("T")

KEEPALIVE: Final = 5  # seconds


class MqttConnector:
    """A connector over an MQTT broker, as Mosquitto is one.

    It lives in a thread of its own, from the first `connect` to the last `disconnect`: callbacks
    are awaited there, and the broker is answered, also while a cell or a task blocks the loop of
    whoever uses it. One connector may serve several engines at once. It speaks MQTT 5, and 3.1.1
    with a broker that knows no other; messages go at QoS 1.

    While it is connected, the retained message on `cascade/status/<client id>` says so, and whether
    engines answer over it; when it dies, the broker says that it is gone.

    Args:
        url: `mqtt://` or, over TLS, `mqtts://`, then `user:password@host:port`.
        ca: a file of the certificates that may have signed the broker's; the system's otherwise.
        certificate, key: files of a certificate that says who this is, and of its key.
        client_id: what the broker knows it by; a new one otherwise. In a forked process its number
            is added.
        keepalive: seconds of silence after which each end asks whether the other is there.
        insecure: whether another machine may be spoken to without TLS, or without a password.

    Raises:
        UsageError: this is no URL of a broker; the broker is another machine, and would be spoken
            to without TLS or without a password; or paho-mqtt is not installed.

    Example:
        >>> connector = MqttConnector("mqtt://localhost")
        >>> engine = cs.Engine(connector=connector)
        >>> engine.start(report)       # and from anywhere: a retained message on
        ...                            # cascade/constraints/global/pause holds it
    """

    def __init__(
        self,
        url: str,
        *,
        ca: str | Path | None = None,
        certificate: str | Path | None = None,
        key: str | Path | None = None,
        client_id: str | None = None,
        keepalive: int = KEEPALIVE,
        insecure: bool = False,
    ) -> None:
        self._address = read_address(
            url, ca=ca, certificate=certificate, key=key, insecure=insecure
        )
        if isinstance(keepalive, bool) or not isinstance(keepalive, int) or keepalive < 1:
            raise UsageError(f"keepalive is a whole number of seconds, not {quoted(keepalive, 40)}")
        self.client_id = client_id or f"cascade-{uuid.uuid4().hex[:16]}"
        if set(self.client_id) & set("/+#") or not self.client_id.isprintable():
            raise UsageError("a client id is one printable word of a topic, without '/', '+', '#'")
        self._keepalive = keepalive
        self._lock = threading.Lock()
        self._users = 0
        self._running: tuple[LoopThread, Service] | None = None
        forget_after_fork(self)

    def __repr__(self) -> str:
        return f"<MqttConnector {self._address}>"

    def forget(self) -> None:
        """In a child process: the thread is the parent's, and so is the connection."""
        if self._running is not None:
            _parents.append(self._running)  # it must not be closed here
        # A broker lets in one of a name at a time: the parent would be put out.
        self.client_id = f"{self.client_id}-{os.getpid()}"
        self._lock = threading.Lock()
        self._users, self._running = 0, None

    async def connect(self) -> None:
        """One more uses it: be connected, with the connection there is or a new one.

        Raises:
            OSError: the broker cannot be reached, or is refused; the message says why.
            PermissionError: the broker does not let us in.
        """
        with self._lock:
            self._users += 1
            if self._running is None:
                service = Service(self._address, self.client_id, self._keepalive)
                self._running = LoopThread("cascade-mqtt"), service
        try:
            await self._there(lambda service: service.connect())
        except BaseException:
            await self.disconnect()
            raise

    async def disconnect(self) -> None:
        """One less uses it. With the last one what is under way is sent, then subscriptions, the
        connection and the thread go.

        Raises:
            UsageError: a callback asks for it, which would wait for itself.
        """
        asked_of = self._running
        if asked_of is not None and asked_of[1].subscriptions.is_telling_us:
            raise UsageError("a callback cannot disconnect: it would wait for its own end")
        with self._lock:
            self._users = max(0, self._users - 1)
            running = self._running
            if self._users or running is None:
                return
            self._running = None
        thread, service = running
        try:
            await asyncio.wrap_future(thread.submit(service.close()))
        finally:
            await thread.end()

    async def publish(self, topic: str, payload: Payload, retain: bool = False) -> None:
        """Hand a message on; the broker has it when this returns.

        Args:
            topic: without wildcards.
            payload: a mapping goes as UTF-8 JSON.
            retain: whether the broker keeps it for later subscribers; an empty one is forgotten.
                One that says `expires_at` is kept until then, by a broker that knows MQTT 5.

        Raises:
            UsageError: the topic has a wildcard in it, or JSON cannot carry the payload.
            PermissionError: the broker does not take it.
            OSError: the connection is gone, or the broker does not answer.
        """
        await self.publish_all([(topic, payload)], retain)

    async def publish_all(
        self, messages: Sequence[tuple[str, Payload]], retain: bool = False
    ) -> None:
        """The same for several messages, in order, without waiting for each of them."""
        outgoing = []
        for topic, payload in messages:
            if "+" in topic or "#" in topic or not topic:
                raise UsageError(f"a topic to publish on has no wildcards: {topic!r}")
            data = as_bytes(payload)
            expiry = seconds_to_keep(data, time.time()) if retain else None
            outgoing.append(Outgoing(topic, data, retain, expiry))
        await self._there(lambda service: service.publish(outgoing))

    async def subscribe(self, topic_filter: str, callback: Callback) -> None:
        """Have `callback` awaited with each message of these topics, in the connector's own thread.
        When this returns, the broker has acknowledged it, and what it had kept was told.

        Raises:
            UsageError: '#' stands before the end, or a wildcard is part of a word.
            PermissionError: the broker does not allow it.
            OSError: the connection is gone, or the broker does not answer.
        """
        check_filter(topic_filter)
        await self._there(lambda service: service.subscribe(topic_filter, callback))

    async def unsubscribe(self, topic_filter: str, callback: Callback) -> None:
        """Take back a `subscribe`: what comes from now on is not told to `callback`.

        That nothing like it was subscribed, or that there is no connection, is no error.
        """
        with contextlib.suppress(ConnectionError):  # its subscriptions have gone with it
            await self._there(lambda service: service.unsubscribe(topic_filter, callback))

    async def lost(self) -> OSError:
        """Wait until the connection is gone; gives why."""
        try:
            return await self._there(lambda service: service.lost())
        except OSError as error:
            return error

    @property
    def doubt(self) -> str | None:
        """What to say of a broker that may not let through what it acknowledges; None where all
        that was sent as a test came back.
        """
        running = self._running
        return None if running is None else running[1].doubt

    async def _there(self, work: Callable[[Service], Coroutine[Any, Any, T]]) -> T:
        # With the lock held, so that nothing comes onto the loop after the word to end.
        with self._lock:
            if self._running is None:
                raise ConnectionError(f"there is no connection to {self._address}")
            thread, service = self._running
            doing = thread.submit(work(service))
        return await asyncio.wrap_future(doing)


_parents: Final[list[tuple[LoopThread, Service]]] = []
