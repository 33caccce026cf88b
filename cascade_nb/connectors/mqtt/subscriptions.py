"""Gives the messages of a broker to whoever subscribed, in order."""

from __future__ import annotations

import asyncio
from collections import deque
from contextvars import ContextVar
from typing import Final

from cascade_nb.concurrency.begun_tasks import begin_task
from cascade_nb.connectors.local import topic_matches
from cascade_nb.connectors.mqtt.message import Incoming
from cascade_nb.connectors.mqtt.presence import STATUS
from cascade_nb.events.bus import SubscriberWarning
from cascade_nb.events.thread_warnings import warn
from cascade_nb.protocols.connector import Callback
from cascade_nb.text import quoted

Subscription = tuple[str, Callback]

_teller: Final[ContextVar[object]] = ContextVar("cascade_mqtt_teller", default=None)


class Subscriptions:
    """Who subscribed to what, and what they have still to hear.

    A message is told on the loop that this was made on; the next one is told when everybody has
    taken it. What a broker has kept is told to those alone who are just subscribing: it was told to
    the others when they did.
    """

    def __init__(self) -> None:
        self._all: dict[Subscription, None] = {}
        self._beginning: dict[Subscription, int] = {}
        self._waiting: deque[Incoming] = deque()
        self._telling: asyncio.Task[None] | None = None

    @property
    def subscribed(self) -> set[str]:
        """What there are subscriptions to."""
        return {topic_filter for topic_filter, _ in self._all}

    @property
    def filters(self) -> set[str]:
        """The same without what falls under another."""
        every = self.subscribed
        return {
            one for one in every if not any(one != other and covers(other, one) for other in every)
        }

    @property
    def is_telling_us(self) -> bool:
        """Whether this is asked by somebody who is just being told a message."""
        return _teller.get() is self and self._telling is not None

    def begin(self, one: Subscription) -> None:
        """Somebody subscribes, and is to hear what the broker has kept."""
        self._all[one] = None
        self._beginning[one] = self._beginning.get(one, 0) + 1

    def begun(self, one: Subscription) -> None:
        """What the broker has kept has come."""
        self._beginning[one] -= 1
        if not self._beginning[one]:
            del self._beginning[one]

    def drop(self, one: Subscription) -> None:
        """Somebody subscribes no longer, or it came to nothing."""
        self._all.pop(one, None)

    def hear(self, message: Incoming) -> None:
        """Tell a message to those whom it is for."""
        self._waiting.append(message)
        if self._telling is None:
            self._telling = begin_task(self._tell())

    async def told(self) -> None:
        """Wait until everybody has taken what has come so far; who is just being told something
        would wait for himself.
        """
        while not self.is_telling_us and self._telling is not None:
            await asyncio.wait([self._telling])

    async def close(self) -> None:
        """Tell nothing more."""
        self._all.clear()
        self._waiting.clear()
        if self._telling is not None:
            self._telling.cancel()
            await self.told()

    async def _tell(self) -> None:
        _teller.set(self)
        try:
            while self._waiting:
                message = self._waiting.popleft()
                for one in self._for(message):
                    if one in self._all:
                        await self._call(one[1], message)
        finally:
            self._telling = None

    def _for(self, message: Incoming) -> list[Subscription]:
        topic = message.topic
        # What connectors say of themselves is for who asks for it, as `$SYS` of a broker is.
        own = topic.startswith(f"{STATUS}/")
        found = [
            one
            for one in self._all
            if topic_matches(one[0], topic) and (not own or one[0].startswith("cascade/"))
        ]
        if message.kept:
            found = [one for one in found if one in self._beginning] or found
        return found

    @staticmethod
    async def _call(callback: Callback, message: Incoming) -> None:
        try:
            await callback(message.topic, message.data)
        except Exception as error:  # one who cannot take a message must not keep it from the others
            name = getattr(callback, "__qualname__", quoted(callback))
            warn(
                f"the subscriber {name} raised {quoted(error, 200)} at {message.topic}",
                SubscriberWarning,
            )


def covers(wide: str, narrow: str) -> bool:
    """Whether every topic of one filter falls under another."""
    if narrow.endswith("#") and not wide.endswith("#"):
        return False
    words = narrow.removesuffix("/#").removesuffix("#")
    return wide == "#" or topic_matches(wide, words.replace("+", "\0")) or wide == narrow
