"""Sends what a bus tells as telemetry over a connector, as long as there is a connection."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from typing import Any, Final

from cascade_nb.concurrency.begun_tasks import begin_task
from cascade_nb.concurrency.loop_portal import LoopPortal
from cascade_nb.events.backlog import LIMIT, Backlog
from cascade_nb.events.bus import MessageBus
from cascade_nb.events.events import Event
from cascade_nb.events.telemetry import SENT, telemetry_payload, telemetry_topic
from cascade_nb.protocols.connector import Connector

FIRST_WAIT: Final = 0.2  # seconds before a connector is asked again that takes nothing …
LONGEST_WAIT: Final = 30.0  # … doubled each time up to this
COLLECT: Final = 0.1  # seconds between two looks at what is told while nothing can be sent
AT_ONCE: Final = 64  # events under way at a time, where a connector takes several


class TelemetrySender:
    """The way out of an engine's events, on the running loop.

    Args:
        bus: what of it is sent.
        connector: where to.
        org, project, source: words of the topic and of the header.
        failed: told when something could not be sent, since the connection is gone.
        sent: told when something was.

    Attributes:
        ready: set while there is a connection.
        backlog: what has still to be sent.
        refusal: what the other side said that does not take telemetry; None while it does.
        tasks: what this does beside.
    """

    def __init__(
        self,
        bus: MessageBus,
        connector: Connector,
        org: str,
        project: str,
        source: str,
        failed: Callable[[BaseException], object],
        sent: Callable[[], object],
    ) -> None:
        loop = asyncio.get_running_loop()
        self._connector: Any = connector
        self._at_once = AT_ONCE if hasattr(connector, "publish_all") else 1
        self._org, self._project, self._source = org, project, source
        self._failed, self._sent = failed, sent
        self.ready = asyncio.Event()
        self.backlog = Backlog(LIMIT)
        self.refusal: PermissionError | None = None
        self._wait = FIRST_WAIT
        self._closed = False
        self._news = news = asyncio.Event()
        portal = LoopPortal(loop)

        def wake() -> None:
            if not news.is_set():
                portal.call(news.set)

        self._told = bus.subscribe(None, *SENT, wake=wake)
        self.tasks = [begin_task(self._send(), loop), begin_task(self._collect(), loop)]

    async def all_sent(self) -> None:
        """Wait until what was told so far is sent; what cannot be sent now holds nobody."""
        while True:
            self._take()
            if not self.backlog or not self.ready.is_set() or self.refusal is not None:
                return
            self._news.set()
            await asyncio.sleep(0.001)

    def close(self) -> None:
        """Send nothing more; `tasks` are ending."""
        self.forget()
        for task in self.tasks:
            task.cancel()

    def forget(self) -> None:
        """The loop is closed, and with it ended what this does: hear of nothing more."""
        self._closed = True
        self._told.close()

    def _take(self) -> None:
        self.backlog.add(self._told.drain())

    async def _send(self) -> None:
        """Send what is told, in order, each event until it is gone."""
        while True:
            await self.ready.wait()
            self._take()
            events = self.backlog.first(self._at_once)
            if not events:
                await self._news.wait()
                self._news.clear()
                continue
            try:
                await self._publish(events)
            except asyncio.CancelledError:
                raise
            except PermissionError as error:  # what comes in still does
                self.refusal = error
                wait, self._wait = self._wait, min(self._wait * 2, LONGEST_WAIT)
                await asyncio.sleep(random.uniform(wait / 2, wait))
                continue
            except BaseException as error:  # of the connector's, which ends nothing but itself
                if self._closed:
                    return
                self.ready.clear()
                self._failed(error)
                continue
            if self._closed:
                return  # it was left behind, and could not be cancelled
            self.refusal, self._wait = None, FIRST_WAIT
            self.backlog.sent()
            self._sent()

    async def _publish(self, events: list[Event]) -> None:
        dropped = self.backlog.dropped
        words = self._org, self._project
        messages = [
            (
                telemetry_topic(*words, event.run_id),
                telemetry_payload(event, *words, self._source, dropped),
            )
            for event in events
        ]
        if len(messages) == 1:
            await self._connector.publish(*messages[0])
        else:
            await self._connector.publish_all(messages)

    async def _collect(self) -> None:
        """Take what is told while nothing can be sent, so that what is too much can be dropped."""
        while True:
            await self._news.wait()
            if not self.ready.is_set() or self.backlog:
                self._news.clear()
                self._take()
            await asyncio.sleep(COLLECT)
