"""Keeps an engine in touch with its connector while runs go on.

The order is the promise: connect, subscribe (retained constraints apply), and only then may a run
begin. A connector that fails is an event and another try with longer and longer waits, never the
end of a run.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Awaitable
from typing import Any, Final

from cascade_nb.concurrency.loop_portal import LoopPortal
from cascade_nb.control.manager import ConstraintManager
from cascade_nb.control.messages import FILTER
from cascade_nb.control.remote import RemoteConstraints
from cascade_nb.control.words import seconds_text
from cascade_nb.engine.dispatch.failures import error_text
from cascade_nb.events.bus import MessageBus, Subscription
from cascade_nb.events.events import (
    ConnectorConnected,
    ConnectorDisconnected,
    Event,
)
from cascade_nb.events.telemetry import SENT, telemetry_payload, telemetry_topic
from cascade_nb.protocols import Clock, Connector

PATIENCE: Final = 5.0  # seconds that a run waits for a connection before it begins without
FLUSH: Final = 2.0  # seconds that an ending run waits for its telemetry to be sent
FIRST_WAIT: Final = 0.2  # seconds before the first try to connect again …
LONGEST_WAIT: Final = 30.0  # … doubled each time up to this
BACKLOG: Final = 100_000  # events kept for a connector that is away


class ConnectorSupervisor:
    """The engine's side of a connector.

    Args:
        bus: what of it is sent.
        clock: what time it is.
        constraints: where what comes in is applied.
        connector: None for an engine that talks to nobody.
        org, project: words of the telemetry's topic.
    """

    def __init__(
        self,
        bus: MessageBus,
        clock: Clock,
        constraints: ConstraintManager,
        connector: Connector | None,
        org: str,
        project: str,
    ) -> None:
        self._bus, self._clock = bus, clock
        self._remote = RemoteConstraints(bus, clock, constraints)
        self._connector = connector
        self._org, self._project = org, project
        self._source = f"{socket.gethostname()}:{os.getpid()}"
        self._members: set[object] = set()
        self._keeper: asyncio.Task[None] | None = None
        self._ready = asyncio.Event()
        self._lost = asyncio.Event()
        self._turn = asyncio.Lock()
        self._news = asyncio.Event()
        self._told: Subscription | None = None
        self._queue: list[Event] = []
        self._sender: asyncio.Task[None] | None = None
        self._wait = FIRST_WAIT
        self._left: set[asyncio.Task[Any]] = set()
        self.trouble: str | None = None

    @property
    def is_open(self) -> bool:
        """Whether there is anything to leave."""
        return self._connector is not None

    async def join(self, member: object) -> None:
        """A run begins: be connected and subscribed, or have tried for a while."""
        if self._connector is None:
            return
        async with self._turn:  # one that comes while the last one leaves waits for its end
            self._members.add(member)
            if self._keeper is None:
                self._open(self._connector)
        try:
            await asyncio.wait_for(self._ready.wait(), PATIENCE)
        except asyncio.TimeoutError:
            self.trouble = (
                self.trouble or "the connector does not answer; the run goes on without it"
            )

    async def leave(self, member: object) -> None:
        """A run has ended: send what it told, and let go of the connector after the last one."""
        if self._connector is None:
            return
        if member in self._members:
            await self.flush()
        async with self._turn:
            self._members.discard(member)
            if not self._members:
                await self._close()

    async def flush(self) -> None:
        """Wait until what was told so far is sent, for a bounded time."""
        if self._told is None or not self._ready.is_set():
            return
        try:
            await asyncio.wait_for(self._all_sent(), FLUSH)
        except asyncio.TimeoutError:
            self.trouble = "the connector takes no telemetry"

    async def close(self) -> None:
        """Let go of the connector, whoever is left."""
        async with self._turn:
            self._members.clear()
            await self._close()

    def anew(self, constraints: ConstraintManager) -> ConnectorSupervisor:
        """Another for the same connector, as in a child process."""
        return ConnectorSupervisor(
            self._bus, self._clock, constraints, self._connector, self._org, self._project
        )

    def move(self) -> None:
        """Live on another loop from now on: what lived on the old one died with it."""
        self._turn = asyncio.Lock()
        self._keeper = self._sender = None
        self._members.clear()

    async def _close(self) -> None:
        if self._connector is None or self._keeper is None:
            return
        tasks = [task for task in (self._sender, self._keeper) if task is not None]
        self._keeper = self._sender = None
        for task in tasks:
            task.cancel()
        if self._told is not None:
            self._told.close()
            self._told = None
        self._queue.clear()
        self._remote.end()
        try:
            for task in tasks:
                await self._within_reason(task)
        finally:
            if self._ready.is_set():
                await self._disconnect(self._connector, None, None)

    def _open(self, connector: Connector) -> None:
        loop = asyncio.get_running_loop()
        # Made anew for each time of service: an asyncio object stays with the loop that first used
        # it.
        self._ready, self._lost, self._news = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self.trouble, self._wait = None, FIRST_WAIT
        news, portal = self._news, LoopPortal(loop)

        def wake() -> None:
            if not news.is_set():
                portal.call(news.set)

        self._told = self._bus.subscribe(None, *SENT, wake=wake)
        self._keeper = loop.create_task(self._keep(connector))
        self._sender = loop.create_task(self._send(connector))

    async def _keep(self, connector: Connector) -> None:
        """Connect, and connect again whenever the connection is lost."""
        attempt = 1
        while True:
            try:
                await connector.connect()
                if self._keeper is not asyncio.current_task():
                    return  # it was left behind, and would not be cancelled
                self._remote.begin()
                await connector.subscribe(FILTER, self._on_message)
            except asyncio.CancelledError:
                raise
            except BaseException as error:  # of the connector's, which ends nothing but itself
                self._say_lost(error, self._wait)
                await self._back_off()
                attempt += 1
                continue
            self._remote.complete()
            self.trouble = None
            self._lost.clear()
            self._publish(ConnectorConnected(timestamp=self._wall(), attempt=attempt))
            self._ready.set()
            attempt = 1
            await self._lost.wait()
            self._ready.clear()
            await self._back_off()

    async def _back_off(self) -> None:
        """Wait before another try, longer each time until something could be sent: one that may
        connect but not publish is asked no more often than one that cannot connect.
        """
        wait, self._wait = self._wait, min(self._wait * 2, LONGEST_WAIT)
        await asyncio.sleep(wait)

    async def _send(self, connector: Connector) -> None:
        """Send what is told, in order, each event until it is gone."""
        while True:
            await self._ready.wait()
            self._take()
            if not self._queue:
                await self._news.wait()
                self._news.clear()
                continue
            event = self._queue[0]
            topic = telemetry_topic(self._org, self._project, event.run_id)
            payload = telemetry_payload(event, self._org, self._project, self._source)
            try:
                await connector.publish(topic, payload)
            except asyncio.CancelledError:
                raise
            except BaseException as error:
                if self._sender is not asyncio.current_task():
                    return
                self._ready.clear()
                await self._disconnect(connector, error, self._wait)
                self._lost.set()
                continue
            if self._sender is not asyncio.current_task():
                return  # it was left behind: the queue is another's
            self._wait = FIRST_WAIT
            del self._queue[0]

    async def _all_sent(self) -> None:
        while True:
            self._take()
            if not self._queue or not self._ready.is_set():
                return  # what cannot be sent now holds nobody
            self._news.set()
            await asyncio.sleep(0.001)

    def _take(self) -> None:
        if self._told is not None:
            self._queue.extend(self._told.drain())
            del self._queue[:-BACKLOG]

    async def _on_message(self, topic: str, payload: bytes | str) -> None:
        self._remote.take(topic, payload)

    async def _disconnect(
        self, connector: Connector, error: BaseException | None, retry_in: float | None
    ) -> None:
        leaving = asyncio.get_running_loop().create_task(_error_of(connector.disconnect()))
        if await self._within_reason(leaving):
            error = error or leaving.result()
        else:
            error = error or TimeoutError("it does not answer")
        self._say_lost(error, retry_in)

    async def _within_reason(self, task: asyncio.Task[Any]) -> bool:
        """Wait for a task of the connector's, but not for one that does not even end when it is
        cancelled; whether it ended by itself.
        """
        try:
            await asyncio.wait([task], timeout=FLUSH)
        finally:
            if not task.done():
                task.cancel()
                self._left.add(task)
                task.add_done_callback(self._left.discard)
        return task.done() and not task.cancelled()

    def _say_lost(self, error: BaseException | None, retry_in: float | None) -> None:
        text = None if error is None else error_text(error)
        if text is not None:
            again = "" if retry_in is None else f", next try in {seconds_text(retry_in)}"
            self.trouble = f"no connection ({text}{again})"
        self._publish(ConnectorDisconnected(timestamp=self._wall(), error=text, retry_in=retry_in))

    def _publish(self, event: Event) -> None:
        self._bus.publish(event)

    def _wall(self) -> float:
        return self._clock.wall()


async def _error_of(work: Awaitable[object]) -> BaseException | None:
    """What `work` raised, whatever it is: raised in a task of its own it could end the loop."""
    try:
        await work
    except asyncio.CancelledError:
        raise
    except BaseException as error:
        return error
    return None
