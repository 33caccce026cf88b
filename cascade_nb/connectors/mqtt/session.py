"""One connection to a broker, from CONNECT to its end; the only file that knows paho-mqtt.

Everything here happens on one event loop, that of the connector's thread, but for the connecting
itself, which looks up a name and shakes hands, and so has a thread of its own.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Sequence
from typing import Any, Final

from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from cascade_nb.concurrency.threads import run_in_thread
from cascade_nb.connectors.mqtt.address import BrokerAddress
from cascade_nb.connectors.mqtt.message import Incoming, Outgoing
from cascade_nb.connectors.mqtt.tls import trust, why_not

ANSWER: Final = 5.0  # seconds in which a broker answers, or counts as gone
TICK: Final = 0.5  # seconds between two looks at whether it is still there
LARGEST: Final = 16 * 1024 * 1024  # bytes; a broker that knows MQTT 5 sends us nothing larger
MQTT_5: Final = 5
MQTT_3_1_1: Final = 4
_FAILS: Final = 0x80  # from here on a reason code says no
_UNSUPPORTED_VERSION: Final = 0x84
_NOT_ALLOWED: Final = (0x86, 0x87, 0x8A, 0x8C)  # wrong password, not authorized, banned, …


class UnsupportedVersionError(ConnectionError):
    """The broker does not speak this version of MQTT."""


class Session:
    """One connection.

    Args:
        address: of the broker.
        client_id: what the broker knows this end by; the same in each of its sessions.
        version: of MQTT, `MQTT_5` or `MQTT_3_1_1`.
        keepalive: seconds of silence after which each end asks whether the other is there.
        will: what the broker is to say when this end is gone without a word.
        on_message: called with each message, in order; it must not wait or raise.

    Attributes:
        lost: done when the connection is gone, with why; its result is None where we left.
    """

    def __init__(
        self,
        address: BrokerAddress,
        client_id: str,
        version: int,
        keepalive: int,
        will: Outgoing,
        on_message: Callable[[Incoming], object],
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._address, self.version = address, version
        self._on_message = on_message
        self.lost: asyncio.Future[OSError | None] = self._loop.create_future()
        self._answered: asyncio.Future[None] = self._loop.create_future()
        self._acks: dict[int, asyncio.Future[None]] = {}
        self._attached = False
        self._given_up = threading.Event()
        self._connecting = threading.Lock()
        self._ticking: asyncio.TimerHandle | None = None
        self._client = self._new_client(client_id, keepalive, will)

    def _new_client(self, client_id: str, keepalive: int, will: Outgoing) -> paho.Client:
        address, version = self._address, self.version
        client = paho.Client(
            CallbackAPIVersion.VERSION2,
            client_id=client_id,
            protocol=MQTTProtocolVersion(version),
            reconnect_on_failure=False,
        )
        client.suppress_exceptions = False
        client.connect_timeout = ANSWER
        client.keepalive = keepalive
        if address.user:
            client.username_pw_set(address.user, address.password or None)
        client.will_set(
            will.topic, will.data, 1, will.retain, self._properties(will, PacketTypes.WILLMESSAGE)
        )
        client.on_connect = self._connected
        client.on_disconnect = self._disconnected
        client.on_message = self._heard
        client.on_publish = self._published
        client.on_subscribe = self._subscribed
        client.on_socket_close = self._closing
        client.on_socket_register_write = self._wants_to_write
        client.on_socket_unregister_write = self._has_written
        return client

    async def open(self) -> None:
        """Connect.

        Raises:
            OSError: the broker cannot be reached, or is not the one that its certificate says.
            PermissionError: it does not let this end in.
            UnsupportedVersionError: it does not speak this version of MQTT.
        """
        try:
            await asyncio.wait_for(self._open(), ANSWER)
        except (asyncio.TimeoutError, TimeoutError):
            raise self.gone(TimeoutError(f"{self._address} does not answer")) from None
        except BaseException:
            self.gone(ConnectionError("nobody waits for it any more"))
            raise

    async def _open(self) -> None:
        try:
            await run_in_thread(self._connect)
        except OSError as error:
            raise why_not(self._address, error) from None
        self._attach()
        await self._answered

    def _connect(self) -> None:
        """In a thread of its own: nobody else touches the client meanwhile."""
        client, address = self._client, self._address
        options: dict[str, Any] = {}
        if self.version == MQTT_5:
            properties = Properties(PacketTypes.CONNECT)
            properties.MaximumPacketSize = LARGEST
            options = {"clean_start": True, "properties": properties}
        with self._connecting, trust(address) as context:
            if context is not None:
                client.tls_set_context(context)
            client.connect(address.host, address.port, client.keepalive, **options)
        if self._given_up.is_set():  # while this went on, or else who gave up closes it
            self._close_socket()

    def _attach(self) -> None:
        """The client is the loop's from now on."""
        connection = self._client.socket()
        if connection is None:
            raise ConnectionError(f"{self._address} closed the connection")
        self._attached = True
        self._hurry(connection)
        self._loop.add_reader(connection, self._read)
        self._loop.add_writer(connection, self._write)
        self._tick()

    async def publish(self, messages: Sequence[Outgoing]) -> None:
        """Send messages in order; returns when the broker has all of them.

        Raises:
            PermissionError: the broker does not take one.
            OSError: the connection is gone, or the broker does not answer.
        """
        waiting = []
        for message in messages:
            self._check()
            properties = self._properties(message, PacketTypes.PUBLISH)
            try:
                sent = self._client.publish(
                    message.topic, message.data, 1, message.retain, properties
                )
            except ValueError as error:
                raise OSError(f"no broker takes that: {error}") from None
            waiting.append(self._ack(int(sent.mid)))
        await self._all(waiting)

    async def subscribe(self, topic_filter: str) -> None:
        """Hear of topics; returns when the broker has acknowledged it.

        Raises:
            PermissionError: the broker does not allow it.
            OSError: the connection is gone, or the broker does not answer.
        """
        self._check()
        _, mid = self._client.subscribe(topic_filter, 1)
        assert mid is not None  # it is None only where there is no connection
        await self._all([self._ack(int(mid))])

    def unsubscribe(self, topic_filter: str) -> None:
        """Hear of them no longer, soon."""
        self._client.unsubscribe(topic_filter)

    async def close(self) -> None:
        """Wait until what is under way is acknowledged, then leave."""
        try:
            if not self.lost.done() and self._answered.done():
                with contextlib.suppress(OSError):
                    await self._all(list(self._acks.values()))
            if not self.lost.done():
                self._client.disconnect()
                await asyncio.wait([self.lost], timeout=1.0)
        finally:
            self.gone(None)

    def _ack(self, mid: int) -> asyncio.Future[None]:
        self._acks[mid] = made = self._loop.create_future()
        return made

    async def _all(self, waiting: Sequence[asyncio.Future[None]]) -> None:
        """Wait for acknowledgements, for as long as some come."""
        left = set(waiting)
        while left:
            done, left = await asyncio.wait(
                left, timeout=ANSWER, return_when=asyncio.FIRST_COMPLETED
            )
            if not done:
                raise self.gone(TimeoutError(f"{self._address} does not answer"))
        for one in waiting:
            one.result()

    def _check(self) -> None:
        if self.lost.done():
            raise self._why()

    def _why(self) -> OSError:
        error = self.lost.result()
        return error or ConnectionError(f"the connection to {self._address} is closed")

    def gone(self, error: OSError | None) -> OSError:
        """The connection is over, because of this where it was not before; gives why."""
        if not self.lost.done():
            self.lost.set_result(error)
            self._given_up.set()
            if self._ticking is not None:
                self._ticking.cancel()
            if self._attached:
                self._close_socket()
            elif self._connecting.acquire(blocking=False):
                self._connecting.release()
                self._close_socket()
            for waiting in (self._answered, *self._acks.values()):
                if not waiting.done():
                    waiting.set_exception(self._why())
                    waiting.exception()  # there may be nobody who waits for it
            self._acks.clear()
        return self._why()

    def _close_socket(self) -> None:
        connection = self._client.socket()
        if connection is not None:
            self._closing(self._client, None, connection)
            connection.close()

    @staticmethod
    def _hurry(connection: Any) -> None:
        """Have the system send small messages, and acknowledge those of the broker, at once.

        The broker's system holds a message back until we have acknowledged the one before, and ours
        would take 40 ms for that (RFC 896 and RFC 1122, 4.2.3.2). Linux forgets it now and then.
        """
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if hasattr(socket, "TCP_QUICKACK"):
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)

    def _read(self) -> None:
        """There is something to read; TLS may have more of it than the socket shows."""
        if (reading := self._client.socket()) is not None:
            self._hurry(reading)
        while self._paho(self._client.loop_read):
            connection = self._client.socket()
            if not isinstance(connection, ssl.SSLSocket) or not connection.pending():
                return

    def _write(self) -> None:
        self._paho(self._client.loop_write)

    def _paho(self, work: Callable[[], Any]) -> bool:
        """Let paho do something; whether it could."""
        try:
            return bool(work() == paho.MQTT_ERR_SUCCESS)
        except Exception as error:  # whatever it makes of bytes that are no MQTT
            self.gone(ConnectionError(f"{self._address} sent what is no MQTT: {error!r}"[:200]))
            return False

    def _tick(self) -> None:
        self._paho(self._client.loop_misc)
        if not self.lost.done():
            self._ticking = self._loop.call_later(TICK, self._tick)

    def _properties(self, message: Outgoing, kind: int) -> Properties | None:
        if self.version != MQTT_5 or message.expiry is None:
            return None
        properties = Properties(kind)
        properties.MessageExpiryInterval = message.expiry
        return properties

    # What paho calls:

    def _connected(self, _client: Any, _data: Any, _flags: Any, reason: Any, _more: Any) -> None:
        if self._answered.done():
            return
        if reason.value < _FAILS:
            self._answered.set_result(None)
            return
        kind: type[OSError] = ConnectionError
        if reason.value == _UNSUPPORTED_VERSION:
            kind = UnsupportedVersionError
        elif reason.value in _NOT_ALLOWED:
            kind = PermissionError
        self._answered.set_exception(kind(f"{self._address} does not let us in: {reason}"))

    def _disconnected(self, _client: Any, _data: Any, _flags: Any, reason: Any, _more: Any) -> None:
        if reason.value == 0:
            self.gone(None)
        elif self._answered.done():
            self.gone(ConnectionError(f"the connection to {self._address} was lost: {reason}"))
        else:
            self.gone(ConnectionError(f"{self._address} hung up before it answered: {reason}"))

    def _heard(self, _client: Any, _data: Any, message: Any) -> None:
        expiry = getattr(message.properties, "MessageExpiryInterval", None)
        self._on_message(
            Incoming(message.topic, bytes(message.payload), bool(message.retain), expiry)
        )

    def _published(self, _client: Any, _data: Any, mid: int, reason: Any, _more: Any) -> None:
        self._acknowledged(mid, reason, "publish")

    def _subscribed(self, _client: Any, _data: Any, mid: int, reasons: Any, _more: Any) -> None:
        self._acknowledged(mid, reasons[0], "subscribe")

    def _acknowledged(self, mid: int, reason: Any, what: str) -> None:
        waiting = self._acks.pop(mid, None)
        if waiting is None or waiting.done():
            return
        if reason.value < _FAILS:
            waiting.set_result(None)
            return
        kind = PermissionError if reason.value in (_FAILS, *_NOT_ALLOWED) else OSError
        waiting.set_exception(kind(f"{self._address} does not let us {what}: {reason}"))
        waiting.exception()  # of several that are refused the first is raised

    def _wants_to_write(self, _client: Any, _data: Any, connection: Any) -> None:
        if self._attached and not self.lost.done():
            self._loop.add_writer(connection, self._write)

    def _has_written(self, _client: Any, _data: Any, connection: Any) -> None:
        if self._attached and connection.fileno() >= 0:
            self._loop.remove_writer(connection)

    def _closing(self, _client: Any, _data: Any, connection: Any) -> None:
        if self._attached and connection.fileno() >= 0:
            self._loop.remove_reader(connection)
            self._loop.remove_writer(connection)
