"""Has a connector listen for what questions wait for, once there are any."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any

from cascade_nb.concurrency.begun_tasks import begin_task
from cascade_nb.concurrency.loop_portal import LoopPortal
from cascade_nb.control.manager import ConstraintManager
from cascade_nb.control.remote.answer_messages import ANSWER_FILTER
from cascade_nb.engine.asking.remote_answers import RemoteAnswers
from cascade_nb.engine.asking.signals import signals_of
from cascade_nb.events.bus import MessageBus
from cascade_nb.protocols.connector import Callback, Connector
from cascade_nb.protocols.execution import Clock


class AnswerListener:
    """The answers and signals that come over one connector.

    Args:
        bus, clock, manager: of the engine.
        source: what the engine calls itself.
        lose: told when the connection turns out to be gone.

    Attributes:
        trouble: what a broker does not let us read, in words; None where there is nothing.
    """

    def __init__(
        self,
        bus: MessageBus,
        clock: Clock,
        manager: ConstraintManager,
        source: str,
        lose: Callable[[BaseException], object],
    ) -> None:
        self._answers = RemoteAnswers(bus, clock, manager)
        self._signals = signals_of(manager)
        self._source, self._lose = source, lose
        self._connector: Connector | None = None
        self._listening: dict[str, int] = {}  # with the number that the topic had; see `Signals`
        self._turn = asyncio.Lock()  # what ends on a topic and what begins there are not to cross
        self._tasks: set[asyncio.Task[None]] = set()
        self.trouble: str | None = None

    def open(self) -> None:
        """The engine's connector is in use from now on; on its loop."""
        portal = LoopPortal(asyncio.get_running_loop())
        self._turn = asyncio.Lock()  # the engine may have moved to another loop
        self._signals.listen = lambda: portal.call(self._more)

    def close(self) -> None:
        """It is so no longer."""
        self._signals.listen = None
        self._connector = None

    async def begin(self, connector: Connector) -> None:
        """There is a connection, which listens to nothing of this yet.

        Raises:
            OSError: it is gone.
        """
        self._signals.forget_idle()
        self.trouble = None
        async with self._turn:
            self._listening = {}
            await self._listen(connector)
            self._connector = connector
        self._more()  # for what came to be asked meanwhile

    def end(self) -> None:
        """The connection is gone."""
        self._connector = None

    async def stop(self, connector: Connector) -> None:
        """Listen to nothing any more; others may use the connector further."""
        self._connector = None
        for task in self._tasks:
            task.cancel()
        async with self._turn:
            while self._listening:
                topic, _ = self._listening.popitem()
                await stop_listening(connector, topic, self._callback(topic))

    def _more(self) -> None:
        if self._connector is not None:
            task = begin_task(self._listen_late(self._connector))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _listen_late(self, connector: Connector) -> None:
        try:
            async with self._turn:
                if connector is self._connector:
                    await self._listen(connector)
        except OSError as error:
            self._lose(error)

    async def _listen(self, connector: Connector) -> None:
        """Listen to what questions wait for, and to nothing else. What a broker does not let us
        read can be answered otherwise, so that it is no reason to do without the connection.
        """
        wanted = self._signals.topics
        for topic in self._listening.keys() - wanted.keys():
            del self._listening[topic]
            await stop_listening(connector, topic, self._callback(topic))
        for topic, latest in wanted.items():
            if self._listening.get(topic) == latest:
                continue
            self._listening[topic] = latest
            try:
                await connector.subscribe(topic, self._callback(topic))
            except PermissionError as error:
                self.trouble = f"nothing comes on {topic} ({error})"

    def _callback(self, topic: str) -> Callback:
        return self._on_answer if topic == ANSWER_FILTER else self._on_signal

    async def _on_answer(self, topic: str, payload: bytes | str) -> None:
        """An answer to a question, on whichever thread the connector has."""
        connector = self._connector
        said = self._answers.take(topic, payload, self._source)
        if said is not None and connector is not None:
            # It counts all the same; that the connection is gone is noticed elsewhere.
            with contextlib.suppress(OSError):
                await connector.publish(*said)

    async def _on_signal(self, topic: str, payload: bytes | str) -> None:
        """What another program sends; likewise."""
        self._answers.hear(topic, payload)


async def stop_listening(connector: Any, topic: str, callback: Callback) -> None:
    """Take back a subscription, where the connector can do so."""
    if hasattr(connector, "unsubscribe"):
        with contextlib.suppress(OSError):  # the connection is gone, and what came over it
            await connector.unsubscribe(topic, callback)
