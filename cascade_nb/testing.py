"""Helps to test workflows: a spy on the bus, a connector in the process, a controller, a clock of
its own.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import math
import time
from collections.abc import Callable
from typing import Any, TypeVar

from cascade_nb.connectors.local import InProcessConnector
from cascade_nb.connectors.urls import mqtt_controller
from cascade_nb.control.constraint_numbers import parse_breaker
from cascade_nb.control.remote.envelope import control_key
from cascade_nb.control.remote.messages import lift_payload_of, payload_of, topic_of
from cascade_nb.events.bus import MessageBus
from cascade_nb.events.events import Event
from cascade_nb.protocols.connector import Connector

__all__ = [
    "ControllerTestApp",
    "InProcessConnector",
    "MqttControllerApp",
    "SpySubscriber",
    "VirtualClock",
]

E = TypeVar("E", bound=Event)


class SpySubscriber:
    """Remembers every event of a bus from now on.

    Args:
        bus: whom to listen to.
    """

    def __init__(self, bus: MessageBus) -> None:
        self._subscription = bus.subscribe()
        self._events: list[Event] = []

    @property
    def events(self) -> list[Event]:
        """Everything so far, oldest first."""
        self._events.extend(self._subscription.drain())
        return self._events

    def events_of_type(self, kind: type[E]) -> list[E]:
        """The events of one class and its subclasses so far, oldest first."""
        return [event for event in self.events if isinstance(event, kind)]

    def close(self) -> None:
        """Listen no longer; what was heard stays."""
        self._events.extend(self._subscription.drain())
        self._subscription.close()


class ControllerTestApp:
    """A controller at the other end of a connector, such as a dashboard would be.

    Over an `InProcessConnector` a constraint is in force when its method returns. Where
    `CASCADE_CONTROL_KEY` is set, its messages are signed.

    Args:
        connector: the engine's, or another one of the same broker.
    """

    def __init__(self, connector: Connector) -> None:
        self._connector = connector

    async def pause(
        self, scope: str = "global", *, reason: str = "", ttl: float | None = None
    ) -> None:
        """Hold everything of `scope`.

        Raises:
            ConstraintError: there is no such scope.
        """
        await self._send(scope, "pause", {}, reason, ttl)

    async def resume(self, scope: str = "global") -> None:
        """Lift the pause of `scope`, and no other constraint.

        Raises:
            ConstraintError: there is no such scope.
        """
        await self.lift(scope, "pause")

    async def limit(self, scope: str, n: int, *, ttl: float | None = None) -> None:
        """Let at most `n` nodes of `scope` run at once.

        Raises:
            ConstraintError: there is no such scope, or `n` is below zero.
        """
        await self._send(scope, "concurrency", {"limit": n}, "", ttl)

    async def rate(self, scope: str, rate: str | float, *, ttl: float | None = None) -> None:
        """Let so many nodes of `scope` start per time.

        Raises:
            ConstraintError: there is no such scope, or nobody can read the rate.
        """
        await self._send(scope, "rate_limit", {"rate": rate}, "", ttl)

    async def breaker(
        self,
        scope: str,
        rule: str,
        *,
        probe_after: float | None = None,
        ttl: float | None = None,
    ) -> None:
        """Pause `scope` when so many attempts of it fail within a time, as in "3/1m".

        Raises:
            ConstraintError: there is no such scope, or nobody can read the rule.
        """
        failures, within = parse_breaker(rule)
        params: dict[str, Any] = {"failures": failures, "within": within}
        if probe_after is not None:
            params["probe_after"] = probe_after
        await self._send(scope, "breaker", params, "", ttl)

    async def lift(self, scope: str, type: str | None = None) -> None:
        """Lift one type of constraint, or everything, of `scope`.

        Raises:
            ConstraintError: there is no such scope.
        """
        key = control_key()
        if key is None:
            payload = b""
        else:  # which nobody could have signed
            payload = lift_payload_of(scope, type, by="controller", issued_at=time.time(), key=key)
        await self._connector.publish(topic_of(scope, type), payload, retain=True)

    async def _send(
        self, scope: str, type_: str, params: dict[str, Any], reason: str, ttl: float | None
    ) -> None:
        payload = payload_of(
            scope,
            type_,
            params,
            reason=reason,
            by="controller",
            issued_at=time.time(),
            ttl=ttl,
            key=control_key(),
        )
        await self._connector.publish(topic_of(scope, type_), payload, retain=True)


class MqttControllerApp(ControllerTestApp):
    """A controller at the other end of a broker, for as long as an `async with` block lasts. Its
    connection comes back when the broker does; what it sends is counted, and asks for answers.

    Args:
        url: of the broker, as `MqttConnector` takes it, and so are the options.
        patience: seconds that it tries to send, and waits for answers.

    Raises:
        UsageError: this is no URL of a broker, or paho-mqtt is not installed.
        OSError: from the block, the broker cannot be reached, or does not let us in.

    Attributes:
        sender: what it calls itself in its messages.

    Example:
        >>> async with MqttControllerApp("mqtt://localhost") as controller:
        ...     await controller.pause("task:train", reason="GPU is busy")
        ...     await controller.answers(1)      # from here on no `train` starts
    """

    def __init__(self, url: str, *, patience: float = 10.0, **options: Any) -> None:
        self._controller = mqtt_controller(url, patience=patience, **options)
        super().__init__(self._controller.connector)
        self.sender: str = self._controller.sender
        self._asked = ""

    async def __aenter__(self) -> MqttControllerApp:  # noqa: PYI034 - `Self` came with Python 3.11
        await self._controller.__aenter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._controller.__aexit__()

    async def lift(self, scope: str, type: str | None = None) -> None:
        """Lift one type of constraint, or everything, of `scope`.

        Raises:
            ConstraintError: there is no such scope.
            OSError: the broker cannot be reached, or does not take it.
        """
        self._asked = await self._controller.lift(scope, type)

    async def answers(self, count: int = 1) -> list[str]:
        """Wait until so many engines have said that what was sent last is in force there.

        Returns:
            Which ones, as host and process.

        Raises:
            TimeoutError: fewer have said so within the patience, or some have refused it.
        """
        found = await self._controller.answers(self._asked, count)
        done = [one["source"] for one in found if "refused" not in one]
        if len(done) < count:
            why = "".join(f"; refused: {one['refused']}" for one in found if "refused" in one)
            raise TimeoutError(f"{len(done)} of {count} engines have done it{why}")
        return done

    async def _send(
        self, scope: str, type_: str, params: dict[str, Any], reason: str, ttl: float | None
    ) -> None:
        self._asked = await self._controller.put(scope, type_, params, reason=reason, ttl=ttl)


class _Call:
    """One call that a clock owes."""

    __slots__ = ("callback",)

    def __init__(self, callback: Callable[[], object]) -> None:
        self.callback: Callable[[], object] | None = callback

    def cancel(self) -> None:
        self.callback = None


class VirtualClock:
    """A clock that stands still until a test moves it: retries, times to live and rates without
    waiting.

    Give it to `Engine(clock=…)`. `now` and `wall` are safe from any thread; the rest belongs to the
    thread of the engine's loop.

    Args:
        start: what `now` says at first, in seconds.
        epoch: what `wall` says at first, in seconds since 1970.
    """

    def __init__(self, start: float = 0.0, epoch: float = 1_000_000_000.0) -> None:
        self._start, self._epoch = start, epoch
        self._now = start
        self._count = itertools.count()
        self._due: list[tuple[float, int, _Call]] = []

    def now(self) -> float:
        """Seconds on a clock that never goes back."""
        return self._now

    def wall(self) -> float:
        """Seconds since 1970."""
        return self._epoch + (self._now - self._start)

    def call_later(self, delay: float, callback: Callable[[], object]) -> Callable[[], object]:
        """Have `callback` called when the clock was advanced by `delay` seconds; returns what
        cancels that. What is due at once still waits for the next `advance`.
        """
        call = _Call(callback)
        heapq.heappush(self._due, (self._now + max(0.0, delay), next(self._count), call))
        return call.cancel

    @property
    def next_call(self) -> float:
        """When the next callback is due, on this clock; infinity when there is none."""
        while self._due and self._due[0][2].callback is None:
            heapq.heappop(self._due)
        return self._due[0][0] if self._due else math.inf

    def advance(self, seconds: float) -> int:
        """Let time pass. Callbacks are called in the order in which they are due, and each finds
        the clock at its own time. Gives how many were called.

        Raises:
            ValueError: `seconds` is below zero.
        """
        if not seconds >= 0:
            raise ValueError(f"time does not go back, and {seconds!r} seconds would be that")
        end = self._now + seconds
        called = 0
        while self.next_call <= end:
            when, _, call = heapq.heappop(self._due)
            self._now = max(self._now, when)
            called += 1
            assert call.callback is not None  # `next_call` has thrown away what was cancelled
            call.callback()
        self._now = end
        return called

    async def sleep(self, seconds: float) -> None:
        """Wait until the clock was advanced by `seconds`; for the body of an async task."""
        woken = asyncio.get_running_loop().create_future()
        cancel = self.call_later(seconds, lambda: None if woken.done() else woken.set_result(None))
        try:
            await woken
        finally:
            cancel()
