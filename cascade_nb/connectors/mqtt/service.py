"""What a connector does in its own thread: at most one session at a time."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import time
import uuid
from collections.abc import Coroutine, Sequence
from typing import Any, Final

from cascade_nb.concurrency.begun_tasks import begin_task
from cascade_nb.connectors.mqtt.address import BrokerAddress
from cascade_nb.connectors.mqtt.expiry import with_expiry
from cascade_nb.connectors.mqtt.message import Incoming, Outgoing
from cascade_nb.connectors.mqtt.presence import (
    RENEWED,
    STANDS,
    Presence,
    status_payload,
    status_topic,
)
from cascade_nb.connectors.mqtt.session import (
    MQTT_3_1_1,
    MQTT_5,
    Session,
    UnsupportedVersionError,
)
from cascade_nb.connectors.mqtt.subscriptions import Subscriptions, covers
from cascade_nb.control.remote.envelope import control_key
from cascade_nb.control.remote.request_messages import REQUEST_FILTER
from cascade_nb.protocols.connector import Callback

QUIET: Final = 0.5  # seconds without a kept message after which a broker counts as done with them
HEARD: Final = 2.0  # seconds in which a broker hands back what we have just sent
GONE_FOR: Final = 86_400  # seconds that a broker says of one that died that it did


class Service:
    """The side of a connector that is in its own thread, on the loop there.

    Args:
        address: of the broker.
        client_id: what the broker knows us by.
        keepalive: seconds of silence after which each end asks whether the other is there.

    Attributes:
        subscriptions: who subscribed.
        doubt: what to say of a broker that may not let through what it acknowledges.
    """

    def __init__(self, address: BrokerAddress, client_id: str, keepalive: int) -> None:
        self._address, self._client_id, self._keepalive = address, client_id, keepalive
        self._topic = status_topic(client_id)
        self._session: Session | None = None
        self._turn: asyncio.Lock | None = None
        self.subscriptions = Subscriptions()
        self._asked_for: set[str] = set()
        self._version = MQTT_5
        self._since = 0.0
        self._answers = False
        self._changed = asyncio.Event()  # whether engines answer
        self._renewing: asyncio.Task[None] | None = None
        self._echoes: dict[bytes, asyncio.Future[None]] = {}
        self._kept_came: asyncio.Event | None = None
        self._echoing = False  # whether a broker hands back to us what we send to ourselves
        self.doubt: str | None = None

    async def connect(self) -> None:
        """Have a session."""
        self._turn = self._turn or asyncio.Lock()
        async with self._turn:
            if self._session is not None and not self._session.lost.done():
                return
            session = await self._opened()
            try:
                await self._begin(session)
            except BaseException:
                await session.close()
                raise
            self._session = session
            self._renewing = begin_task(self._renew(session))

    async def _renew(self, session: Session) -> None:
        """Say that we are there again and again, and when engines answer no longer."""
        while not session.lost.done():
            changed = asyncio.ensure_future(self._changed.wait())
            waiting: list[asyncio.Future[Any]] = [session.lost, changed]
            first = asyncio.FIRST_COMPLETED
            try:
                await asyncio.wait(waiting, timeout=RENEWED, return_when=first)
            finally:
                changed.cancel()
            self._changed.clear()
            await self._tell(session)

    async def _tell(self, session: Session) -> None:
        if self._echoing and not session.lost.done():
            await _quietly(session.publish([self._status(True)]))

    async def _begin(self, session: Session) -> None:
        self._asked_for = self.subscriptions.filters
        for topic_filter in self._asked_for:  # who subscribed in a session before this hears on
            await session.subscribe(topic_filter)
        try:
            await session.subscribe(f"{self._topic}/echo")
            await session.publish([self._status(True)])
            self._echoing, self.doubt = True, None
        except PermissionError:
            self._echoing = False  # constraints may come in all the same

    async def close(self) -> None:
        """Leave."""
        session, self._session = self._session, None
        await self._renew_no_more()  # or it would say that we are there after we have left
        try:
            if session is not None:
                if self._echoing and not session.lost.done():
                    # Whoever is there believes what is signed, the broker forgets what is empty.
                    gone = self._status(False)._replace(retain=False)
                    await _quietly(session.publish([gone, Outgoing(self._topic, b"", True)]))
                await session.close()
        finally:
            if session is not None:  # nobody waits any longer for what a silent broker does not say
                session.gone(None)
            await self.subscriptions.close()

    async def _renew_no_more(self) -> None:
        if self._renewing is not None:
            self._renewing.cancel()
            await asyncio.wait([self._renewing])
            self._renewing = None

    async def publish(self, messages: Sequence[Outgoing]) -> None:
        """Have the broker take these."""
        await self._here().publish(messages)

    async def subscribe(self, topic_filter: str, callback: Callback) -> None:
        """Have `callback` told."""
        session = self._here()
        one = topic_filter, callback
        self.subscriptions.begin(one)
        try:
            await self._ask_for(session, topic_filter)
            await self._kept_has_come(session)
        except BaseException:
            self.subscriptions.drop(one)
            raise
        finally:
            self.subscriptions.begun(one)
        if topic_filter == REQUEST_FILTER and not self._answers:
            self._answers = True
            await self._tell(session)

    async def unsubscribe(self, topic_filter: str, callback: Callback) -> None:
        """Have `callback` told no longer."""
        self.subscriptions.drop((topic_filter, callback))
        left = self.subscriptions.filters
        # A wide one goes with the last of those that fall under it: to ask for each of these in its
        # place would bring once more what the broker keeps for it.
        idle = {one for one in self._asked_for if not any(covers(one, other) for other in left)}
        self._asked_for -= idle
        session = self._session
        if session is not None and not session.lost.done():
            for one in idle:
                session.unsubscribe(one)
        if self._answers and REQUEST_FILTER not in self.subscriptions.subscribed:
            self._answers = False
            self._changed.set()

    async def _ask_for(self, session: Session, topic_filter: str) -> None:
        """Have the broker send these topics. It sends a message once for each filter that it falls
        under, so it is asked for no two of which one covers the other.
        """
        wider = [one for one in self._asked_for if covers(one, topic_filter)]
        await session.subscribe(wider[0] if wider else topic_filter)
        if wider:
            return
        narrower = [one for one in self._asked_for if covers(topic_filter, one)]
        self._asked_for.add(topic_filter)
        for one in narrower:
            self._asked_for.remove(one)
            session.unsubscribe(one)

    async def lost(self) -> OSError:
        """Wait until the session is gone."""
        session = self._here()
        await asyncio.wait([session.lost])
        return session.lost.result() or ConnectionError("the connection is closed")

    async def _opened(self) -> Session:
        versions = [self._version] if self._version == MQTT_3_1_1 else [MQTT_5, MQTT_3_1_1]
        first: OSError | None = None
        self._since = time.time()
        for version in versions:
            session = Session(
                self._address,
                self._client_id,
                version,
                self._keepalive,
                self._status(False),
                self._on_message,
            )
            try:
                await session.open()
            except UnsupportedVersionError as error:
                first = first or error
            else:
                self._version = version
                return session
        assert first is not None
        raise first

    async def _kept_has_come(self, session: Session) -> None:
        """Wait until all that the broker had kept for a new subscription was told. A broker sends
        that before what is published afterwards, so what we send to ourselves comes behind it.
        """
        if self._echoing:
            self._echoing = await self._echo(session)
            if not self._echoing and not session.lost.done():
                # Many brokers acknowledge a subscription and then send nothing.
                self.doubt = (
                    f"{self._address} gives back nothing of what is sent to {self._topic}/echo: it "
                    "may not let us subscribe"
                )
        if not self._echoing:  # all that is left is to wait until nothing more comes
            self._kept_came = came = asyncio.Event()
            with contextlib.suppress(asyncio.TimeoutError, TimeoutError):
                while not session.lost.done():
                    await asyncio.wait_for(came.wait(), QUIET)
                    came.clear()
        if session.lost.done():
            raise session.lost.result() or ConnectionError("the connection is closed")
        await self.subscriptions.told()

    async def _echo(self, session: Session) -> bool:
        mark = uuid.uuid4().hex.encode()  # which nobody else can send before we do
        echo = self._echoes[mark] = asyncio.get_running_loop().create_future()
        try:
            await session.publish([Outgoing(f"{self._topic}/echo", mark)])
            first = asyncio.FIRST_COMPLETED
            await asyncio.wait([echo, session.lost], timeout=HEARD, return_when=first)
        except PermissionError:
            return False
        finally:
            del self._echoes[mark]
        return echo.done()

    def _on_message(self, message: Incoming) -> None:
        if message.topic == f"{self._topic}/echo":
            echo = self._echoes.get(message.data)
            if echo is not None and not echo.done():
                echo.set_result(None)
            return
        if message.kept and self._kept_came is not None:
            self._kept_came.set()
        if message.expiry is not None:
            data = with_expiry(message.topic, message.data, message.expiry)
            message = message._replace(data=data)
        self.subscriptions.hear(message)

    def _status(self, online: bool) -> Outgoing:
        source = f"{socket.gethostname()}:{os.getpid()}"
        presence = Presence(online, self._answers, source, self._since, time.time())
        data = status_payload(self._client_id, presence, control_key())
        return Outgoing(self._topic, data, True, int(STANDS) if online else GONE_FOR)

    def _here(self) -> Session:
        if self._session is None:
            raise ConnectionError(f"there is no connection to {self._address}")
        return self._session


async def _quietly(work: Coroutine[Any, Any, None]) -> None:
    """Do what is no harm if it fails at the end of a connection."""
    try:
        await work
    except OSError:
        return
