"""What tests of the connector for MQTT share: brokers, engines on them, what was heard."""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any, Final

from cascade_nb.connectors import MqttConnector
from cascade_nb.engine import Engine
from cascade_nb.testing import SpySubscriber

#: A broker that has what it was given also after a SIGKILL.
REMEMBERS: Final = ("autosave_interval 1", "autosave_on_changes true")


@contextlib.asynccontextmanager
async def engine_on(url: str, **options: Any) -> AsyncIterator[tuple[Engine, SpySubscriber]]:
    """An engine that is controlled over a broker, and what it tells."""
    engine = Engine(connector=MqttConnector(url, **options))
    try:
        yield engine, SpySubscriber(engine.bus)
    finally:
        await engine.aclose()


class Listener:
    """Hears what is published, for as long as the block lasts.

    Args:
        url: of the broker.
        topic_filter: of what is heard.
    """

    def __init__(self, url: str, topic_filter: str) -> None:
        self._connector = MqttConnector(url)
        self._filter = topic_filter
        self.messages: list[tuple[str, bytes]] = []

    async def __aenter__(self) -> Listener:  # noqa: PYI034 - `Self` came with Python 3.11
        await self._connector.connect()
        await self._connector.subscribe(self._filter, self._hear)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._connector.disconnect()

    async def _hear(self, topic: str, payload: bytes) -> None:
        self.messages.append((topic, payload))

    @property
    def contents(self) -> list[Any]:
        """The payloads as JSON; None for an empty one."""
        return [json.loads(payload) if payload else None for _, payload in self.messages]

    @property
    def told(self) -> list[str]:
        """The events, by name, of telemetry."""
        return [content["body"]["event"] for content in self.contents]
