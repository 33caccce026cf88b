"""What a test of a workflow needs: a spy on the bus, a connector in the process, a controller."""

from __future__ import annotations

import time
from typing import Any, TypeVar

from cascade_nb.connectors.local import InProcessConnector
from cascade_nb.control.wire import payload_of, topic_of
from cascade_nb.events.bus import MessageBus
from cascade_nb.events.events import Event
from cascade_nb.protocols import Connector

__all__ = ["ControllerTestApp", "InProcessConnector", "SpySubscriber"]

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

    Over an `InProcessConnector` a constraint is in force when its method returns.

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
        await self._connector.publish(topic_of(scope, "pause"), b"", retain=True)

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

    async def lift(self, scope: str, type: str | None = None) -> None:
        """Lift one type of constraint, or everything, of `scope`.

        Raises:
            ConstraintError: there is no such scope.
        """
        await self._connector.publish(topic_of(scope, type), b"", retain=True)

    async def _send(
        self, scope: str, type_: str, params: dict[str, Any], reason: str, ttl: float | None
    ) -> None:
        payload = payload_of(
            scope, type_, params, reason=reason, by="controller", issued_at=time.time(), ttl=ttl
        )
        await self._connector.publish(topic_of(scope, type_), payload, retain=True)
