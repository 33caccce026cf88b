"""The protocol of how messages travel: constraints in, telemetry out."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol, TypeAlias, runtime_checkable

Payload: TypeAlias = bytes | str | Mapping[str, Any]  # a mapping is published as UTF-8 JSON
Callback: TypeAlias = Callable[[str, bytes], Awaitable[None]]  # hears topic and payload


@runtime_checkable
class Connector(Protocol):
    """Carries constraints in and telemetry out.

    Topics are words with '/' between them; a filter may have '+' for one word and '#' at its end
    for any number. Messages of one publisher arrive in order.

    Three more methods are used where it has them: `async lost()` returns when the connection is
    gone, with why; `async publish_all(messages)` publishes several pairs of topic and payload, in
    order, without waiting for the other side between them; `async unsubscribe(topic_filter,
    callback)` takes back a `subscribe`, which several users of one connector need, since its
    subscriptions last for as long as one of them is connected.
    """

    async def connect(self) -> None:
        """Get ready to publish and subscribe.

        Raises:
            OSError: the other side cannot be reached.
        """
        ...

    async def disconnect(self) -> None:
        """Send what is under way, then leave; subscriptions are forgotten."""
        ...

    async def publish(self, topic: str, payload: Payload, retain: bool = False) -> None:
        """Hand a message on; a retained one goes to later subscribers too; an empty one forgets it.

        Raises:
            PermissionError: the other side does not take it, and goes on otherwise.
            OSError: the connection is gone.
        """
        ...

    async def subscribe(self, topic_filter: str, callback: Callback) -> None:
        """Have `callback` awaited with each message of these topics, retained ones first, on the
        loop and in the thread of the connector's choice.

        Raises:
            OSError: the connection is gone.
        """
        ...
