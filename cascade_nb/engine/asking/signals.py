"""Brings messages of other programs to the questions that wait for them, by topic."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, Final, Protocol
from weakref import WeakKeyDictionary

from cascade_nb.control.holders import Holder
from cascade_nb.control.manager import ConstraintManager
from cascade_nb.control.remote.answer_messages import ANSWER_FILTER

Deliver = Callable[[Any, str], object]  # takes what came, and from where


class Asks(Protocol):
    """The questions of one run, as those see them that bring answers."""

    @property
    def run_id(self) -> str:
        """The run."""

    def asks(self, name: str) -> bool:
        """Whether one of this name waits for its answer."""

    def knows(self, name: str) -> bool:
        """Whether one of this name does, or has got its answer."""

    def answer(self, name: str, value: Any, by: str | Holder) -> Any:
        """Answer it."""


class Signals:
    """The topics on which questions of one engine wait. Safe from any thread.

    Attributes:
        listen: has the connector subscribe to a topic; None where there is no connector.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: dict[str, list[Deliver]] = {}
        self._asking: list[Asks] = []
        self.listen: Callable[[str], object] | None = None

    @property
    def topics(self) -> list[str]:
        """Those on which something waits, or waited since the connection began."""
        with self._lock:
            return list(self._waiting)

    def asking(self) -> list[Asks]:
        """The runs that ask, or have asked, and go on."""
        with self._lock:
            return list(self._asking)

    def begin(self, asks: Asks) -> None:
        """A run asks something for the first time: answers may come over the connector."""
        with self._lock:
            self._asking.append(asks)
            known = ANSWER_FILTER in self._waiting
            self._waiting.setdefault(ANSWER_FILTER, [])
        if not known and self.listen is not None:
            self.listen(ANSWER_FILTER)

    def end(self, asks: Asks) -> None:
        """It is over."""
        with self._lock:
            if asks in self._asking:
                self._asking.remove(asks)

    def want(self, topic: str, deliver: Deliver) -> None:
        """Call `deliver` with each message on `topic` from now on."""
        with self._lock:
            known = topic in self._waiting
            self._waiting.setdefault(topic, []).append(deliver)
        if not known and self.listen is not None:
            self.listen(topic)

    def drop(self, topic: str, deliver: Deliver) -> None:
        """The opposite of `want`. The connector stays subscribed, since no connector can take that
        back.
        """
        with self._lock:
            waiting = self._waiting.get(topic, [])
            if deliver in waiting:
                waiting.remove(deliver)

    def forget_idle(self) -> None:
        """The connection is gone, and with it what it was subscribed to."""
        with self._lock:
            asked = {ANSWER_FILTER} if self._asking else set()
            self._waiting = {t: wait for t, wait in self._waiting.items() if wait or t in asked}

    def waiting(self, topic: str) -> list[Deliver]:
        """Who waits for a message on a topic."""
        with self._lock:
            return list(self._waiting.get(topic, ()))


_of: Final[WeakKeyDictionary[ConstraintManager, Signals]] = WeakKeyDictionary()
_making: Final = threading.Lock()


def signals_of(manager: ConstraintManager) -> Signals:
    """Those of the engine whose constraints these are."""
    with _making:
        if manager not in _of:
            _of[manager] = Signals()
        return _of[manager]
