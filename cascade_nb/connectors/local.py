"""Carries messages within one process: for tests, and for a controller beside the engine."""

from __future__ import annotations

import json
from collections.abc import Mapping

from cascade_nb.errors import UsageError
from cascade_nb.protocols.connector import Callback, Payload
from cascade_nb.text import encodable


class InProcessConnector:
    """A connector without a network, with retained messages and the filters of MQTT.

    A publisher waits until every subscriber has taken the message, so what follows a `publish` can
    rely on it. One connector may serve several engines and controllers at once.
    """

    def __init__(self) -> None:
        self._subscriptions: dict[tuple[str, Callback], None] = {}
        self._users = 0
        self._retained: dict[str, bytes] = {}

    async def connect(self) -> None:
        """One more uses it."""
        self._users += 1

    async def disconnect(self) -> None:
        """One less uses it. With the last its subscriptions go; retained messages stay, as at a
        broker.
        """
        self._users -= 1
        if self._users <= 0:
            self._users = 0
            self._subscriptions.clear()

    async def publish(self, topic: str, payload: Payload, retain: bool = False) -> None:
        """Give a message to everybody whose filter matches; a mapping goes as UTF-8 JSON.

        Raises:
            UsageError: the topic has a wildcard in it, or JSON cannot carry the payload.
        """
        if "+" in topic or "#" in topic:
            raise UsageError(f"a topic to publish on has no wildcards: {topic!r}")
        data = as_bytes(payload)
        if retain and data:
            self._retained[topic] = data
        elif retain:
            self._retained.pop(topic, None)
        for one in list(self._subscriptions):
            topic_filter, callback = one
            if one in self._subscriptions and topic_matches(topic_filter, topic):
                await callback(topic, data)

    async def subscribe(self, topic_filter: str, callback: Callback) -> None:
        """Hear of topics from now on, and first of what is retained.

        Raises:
            UsageError: '#' stands before the end, or a wildcard is part of a word.
        """
        check_filter(topic_filter)
        self._subscriptions[topic_filter, callback] = None
        for topic, payload in list(self._retained.items()):
            if topic_matches(topic_filter, topic):
                await callback(topic, payload)

    async def unsubscribe(self, topic_filter: str, callback: Callback) -> None:
        """Take back a `subscribe`: what is published from now on is not told to `callback`.

        That nothing like it was subscribed is no error.
        """
        self._subscriptions.pop((topic_filter, callback), None)


def as_bytes(payload: Payload) -> bytes:
    """A payload as it goes over a wire.

    Raises:
        UsageError: JSON cannot carry it.
    """
    if isinstance(payload, Mapping):
        try:
            payload = json.dumps(dict(payload), allow_nan=False)
        except (TypeError, ValueError) as error:
            raise UsageError(f"a payload goes as JSON, which cannot carry it: {error}") from None
    return encodable(payload).encode() if isinstance(payload, str) else bytes(payload)


def topic_matches(topic_filter: str, topic: str) -> bool:
    """Whether a topic falls under a filter: '+' is any one word, '#' at the end any number, none
    included.

    The rule is that of MQTT 5.0, section 4.7.1.
    """
    wanted, words = topic_filter.split("/"), topic.split("/")
    for position, word in enumerate(wanted):
        if word == "#":
            return True
        if position == len(words) or word not in ("+", words[position]):
            return False
    return len(wanted) == len(words)


def check_filter(topic_filter: str) -> None:
    """Refuse what is no filter.

    Raises:
        UsageError: '#' stands before the end, or a wildcard is part of a word.
    """
    words = topic_filter.split("/")
    for position, word in enumerate(words):
        last = position == len(words) - 1
        if (word == "#" and not last) or (len(word) > 1 and ("#" in word or "+" in word)):
            raise UsageError(
                f"{topic_filter!r} is no topic filter: '+' stands for one whole word, '#' for "
                "the rest at the end"
            )
