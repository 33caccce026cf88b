"""Brings messages of other programs to the questions that wait for them, by topic."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, Final
from weakref import WeakKeyDictionary

from cascade_nb.control.manager import ConstraintManager

Deliver = Callable[[Any, str], object]  # takes what came, and who sent it


class Signals:
    """The topics on which questions of one engine wait. Safe from any thread.

    Attributes:
        listen: has the connector subscribe to a topic; None where there is no connector.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: dict[str, list[Deliver]] = {}
        self.listen: Callable[[str], object] | None = None

    @property
    def topics(self) -> list[str]:
        """Those on which something waits, or waited since the connection began."""
        with self._lock:
            return list(self._waiting)

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
            self._waiting = {topic: wait for topic, wait in self._waiting.items() if wait}

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
