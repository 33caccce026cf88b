"""Connects an engine while runs go on, and connects again with backoff when the connection is lost.

The order is the promise: connect, subscribe (retained constraints apply), and only then may a run
begin. A connector that fails is an event and another try with longer and longer waits, never the
end of a run.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import socket
from concurrent.futures import Future
from typing import Any, Final, Protocol

from cascade_nb.concurrency.begun_tasks import begin_task, ended_within
from cascade_nb.control.manager import ConstraintManager
from cascade_nb.control.remote.envelope import control_key
from cascade_nb.control.remote.messages import FILTER
from cascade_nb.control.remote.outcomes import outcome_of
from cascade_nb.control.remote.remote_constraints import RemoteConstraints
from cascade_nb.control.words import seconds_text
from cascade_nb.engine.asking.listening import AnswerListener, stop_listening
from cascade_nb.engine.asking.requests import RequestDesk
from cascade_nb.engine.dispatch.failures import error_text
from cascade_nb.engine.loops.others_tasks import Patience, error_of
from cascade_nb.events.bus import MessageBus
from cascade_nb.events.events import Event
from cascade_nb.events.outside_events import ConnectorConnected, ConnectorDisconnected
from cascade_nb.events.sender import TelemetrySender
from cascade_nb.protocols.connector import Connector
from cascade_nb.protocols.execution import Clock

PATIENCE: Final = 5.0  # seconds that a run waits for a connection before it begins without
FLUSH: Final = 2.0  # seconds that an ending run waits for its telemetry to be sent
FIRST_WAIT: Final = 0.2  # seconds before the first try to connect again …
LONGEST_WAIT: Final = 4.0  # … doubled each time up to this: it is back soon after its broker is …
REFUSED_WAIT: Final = (
    30.0  # … and up to this where it is refused: a password mends nothing by itself
)


class Member(Protocol):
    """A run, as far as its connection is concerned."""

    @property
    def id(self) -> str:
        """What messages call it."""
        ...


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
        self._answers = AnswerListener(bus, clock, constraints, self._source, self._lose)
        self._requests = RequestDesk(bus, clock, constraints, self._source)
        self._members: set[Member] = set()
        self._keeper: asyncio.Task[None] | None = None
        self._sender: TelemetrySender | None = None
        self._lost = asyncio.Event()
        self._failure: BaseException | None = None
        self._connected = False
        self._turn = asyncio.Lock()
        self._wait = FIRST_WAIT
        self._patience = Patience()
        self._answered: Future[None] | None = None  # the last message that came, once it is
        self._trouble: str | None = None
        self._unsent: str | None = None

    @property
    def trouble(self) -> str | None:
        """What to say of a connector that is away, or takes nothing; None where all is well."""
        doubt = getattr(self._connector, "doubt", None)
        words = [self._trouble, self._unsent, self._answers.trouble, self._requests.trouble, doubt]
        sender = self._sender
        if sender is not None and sender.refusal is not None:
            words.append(f"no telemetry goes out ({error_text(sender.refusal)})")
        if sender is not None and sender.backlog.dropped:
            words.append(f"{sender.backlog.dropped:,} messages of telemetry were dropped")
        return "; ".join(filter(None, words)) or None

    @property
    def is_open(self) -> bool:
        """Whether there is anything to leave."""
        return self._connector is not None

    async def join(self, member: Member) -> None:
        """A run begins: be connected and subscribed, or have tried for a while."""
        if self._connector is None:
            return
        async with self._turn:  # one that comes while the last one leaves waits for its end
            self._members.add(member)
            if self._keeper is None:
                self._open(self._connector)
            assert self._sender is not None
            ready = self._sender.ready
        try:
            await ended_within(PATIENCE, ready.wait())
        except asyncio.TimeoutError:
            self._trouble = (
                self._trouble or "the connector does not answer; the run goes on without it"
            )

    async def leave(self, member: Member) -> None:
        """A run has ended: send what it told, and let go of the connector after the last one."""
        if self._connector is None:
            return
        self._requests.wake()
        if member in self._members:
            await self.flush()
        async with self._turn:
            self._members.discard(member)
            if not self._members:
                await self._close()

    async def flush(self) -> None:
        """Wait until what was told so far is sent, for a bounded time."""
        if self._sender is None:
            return
        try:
            await ended_within(FLUSH, self._sender.all_sent())
        except asyncio.TimeoutError:
            self._trouble = "the connector takes no telemetry"

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
        if self._sender is not None:
            self._sender.forget()
        self._keeper = self._sender = None
        self._members.clear()

    async def _close(self) -> None:
        if self._connector is None or self._keeper is None or self._sender is None:
            return
        sender, keeper = self._sender, self._keeper
        if left := len(sender.backlog) + sender.backlog.dropped:
            self._unsent = f"{left:,} messages of telemetry were never sent"
        self._keeper = self._sender = None
        self._answers.close()
        keeper.cancel()
        sender.close()
        self._remote.end()
        try:
            for task in (*sender.tasks, keeper):
                await self._patience.spend_on(task, FLUSH)
            if self._answered is not None:  # it may be what let the last run come to its end
                await asyncio.wait([asyncio.wrap_future(self._answered)], timeout=FLUSH)
            await self._requests.end(FLUSH)
        finally:
            if self._connected:
                await self._disconnect(self._connector, None, None)

    def _open(self, connector: Connector) -> None:
        # Made anew for each time of service: an asyncio object stays with the loop that first used
        # it.
        self._lost = asyncio.Event()
        self._trouble, self._unsent, self._wait, self._failure = None, None, FIRST_WAIT, None
        self._connected = False
        self._answers.open()
        self._sender = TelemetrySender(
            self._bus,
            connector,
            self._org,
            self._project,
            self._source,
            failed=self._lose,
            sent=self._trust,
        )
        self._keeper = begin_task(self._keep(connector, self._sender.ready))

    def _lose(self, error: BaseException) -> None:
        self._failure = error
        self._lost.set()

    def _trust(self) -> None:
        self._wait = FIRST_WAIT

    async def _keep(self, connector: Connector, ready: asyncio.Event) -> None:
        """Connect, and connect again whenever the connection is lost."""
        attempt = 1
        while True:
            connected = False
            why: BaseException | None
            try:
                await connector.connect()
                if self._keeper is not asyncio.current_task():
                    await connector.disconnect()
                    return  # it was left behind, and could not be cancelled
                self._connected = connected = True
                self._remote.begin()
                await connector.subscribe(FILTER, self._on_message)
                await self._answers.begin(connector)
                await self._requests.begin(connector)
            except asyncio.CancelledError:
                raise
            except BaseException as error:  # of the connector's, which ends nothing but itself
                why = error
            else:
                self._remote.complete()
                self._trouble = None
                self._lost.clear()
                self._publish(ConnectorConnected(timestamp=self._wall(), attempt=attempt))
                ready.set()
                attempt = 0
                why = await self._until_lost(connector)
                self._answers.end()
                ready.clear()
            attempt += 1
            if connected:
                await self._disconnect(connector, why, self._wait)
            else:
                self._say_lost(why, self._wait)
            await self._back_off(why)

    async def _until_lost(self, connector: Any) -> BaseException | None:
        """Wait until the connection is gone, by what the connector says or by what could not be
        sent; gives why.
        """
        loop = asyncio.get_running_loop()
        tasks: list[asyncio.Task[Any]] = [begin_task(self._lost.wait(), loop)]
        if hasattr(connector, "lost"):
            tasks.append(begin_task(error_of(connector.lost()), loop))
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
        if self._failure is not None or not tasks[-1].done():
            failure, self._failure = self._failure, None
            return failure
        told: BaseException | None = tasks[-1].result()
        return told

    async def _back_off(self, error: BaseException | None) -> None:
        """Wait before another try, longer each time until something could be sent: one that may
        connect but not publish is asked no more often than one that cannot connect. Of the many
        that a broker lost at the same moment, each waits for a time of its own.
        """
        longest = REFUSED_WAIT if isinstance(error, PermissionError) else LONGEST_WAIT
        wait, self._wait = self._wait, min(self._wait * 2, longest)
        await asyncio.sleep(random.uniform(wait / 2, wait))

    async def _on_message(self, topic: str, payload: bytes | str) -> None:
        """What comes in, on whichever thread the connector has."""
        answered: Future[None] = Future()
        self._answered = answered
        try:
            done = self._remote.take(topic, payload)
            if done is None or self._connector is None:
                return
            runs = {member.id for member in self._members}
            said = outcome_of(done, self._source, self._wall(), control_key(), runs)
            if said is not None:
                # It is in force all the same; that the connection is gone is noticed elsewhere.
                with contextlib.suppress(OSError):
                    await self._connector.publish(*said)
        finally:
            answered.set_result(None)

    async def _disconnect(
        self, connector: Connector, error: BaseException | None, retry_in: float | None
    ) -> None:
        self._connected = False
        stopping = begin_task(error_of(self._stop_listening(connector)))
        if await self._patience.spend_on(stopping, FLUSH):
            error = error or stopping.result()
        leaving = begin_task(error_of(connector.disconnect()))
        if await self._patience.spend_on(leaving, FLUSH):
            error = error or leaving.result()
        else:
            error = error or TimeoutError("it does not answer")
        self._say_lost(error, retry_in)

    async def _stop_listening(self, connector: Connector) -> None:
        """Others may use the connector further."""
        await self._requests.stop(connector)
        await self._answers.stop(connector)
        await stop_listening(connector, FILTER, self._on_message)

    def _say_lost(self, error: BaseException | None, retry_in: float | None) -> None:
        text = None if error is None else error_text(error)
        if text is not None:
            again = "" if retry_in is None else f", next try in {seconds_text(retry_in)}"
            self._trouble = f"no connection ({text}{again})"
        self._publish(ConnectorDisconnected(timestamp=self._wall(), error=text, retry_in=retry_in))

    def _publish(self, event: Event) -> None:
        self._bus.publish(event)

    def _wall(self) -> float:
        return self._clock.wall()
