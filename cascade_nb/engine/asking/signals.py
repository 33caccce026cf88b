"""Brings messages of other programs to the questions that wait for them, by topic."""

from __future__ import annotations

import itertools
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
        listen: has the connector listen to `topics`; None where there is no connector.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: dict[str, list[Deliver]] = {}
        self._latest: dict[str, int] = {}  # who came last to wait on a topic, by a number
        self._numbers = itertools.count(1)
        self._asking: list[Asks] = []
        self._has_asked = False
        self.listen: Callable[[], object] | None = None

    @property
    def topics(self) -> dict[str, int]:
        """Those on which something waits, and that of answers once something was asked. Another
        number than before says that something more waits there, which is to be told, too, what a
        broker keeps.
        """
        with self._lock:
            return {**self._latest, ANSWER_FILTER: 0} if self._has_asked else dict(self._latest)

    def asking(self) -> list[Asks]:
        """The runs that ask, or have asked, and go on."""
        with self._lock:
            return list(self._asking)

    def begin(self, asks: Asks) -> None:
        """A run asks something for the first time: answers may come over the connector."""
        with self._lock:
            self._asking.append(asks)
            self._has_asked = True
        self._changed()

    def end(self, asks: Asks) -> None:
        """It is over."""
        with self._lock:
            if asks in self._asking:
                self._asking.remove(asks)

    def want(self, topic: str, deliver: Deliver) -> None:
        """Call `deliver` with each message on `topic` from now on."""
        with self._lock:
            self._waiting.setdefault(topic, []).append(deliver)
            self._latest[topic] = next(self._numbers)
        self._changed()

    def drop(self, topic: str, deliver: Deliver) -> None:
        """The opposite of `want`."""
        with self._lock:
            waiting = self._waiting.get(topic, [])
            if deliver in waiting:
                waiting.remove(deliver)
            if not waiting:
                self._waiting.pop(topic, None)
                self._latest.pop(topic, None)
        self._changed()

    def forget_idle(self) -> None:
        """There is another connection: nobody has asked anything over it."""
        with self._lock:
            self._has_asked = bool(self._asking)

    def waiting(self, topic: str) -> list[Deliver]:
        """Who waits for a message on a topic."""
        with self._lock:
            return list(self._waiting.get(topic, ()))

    def _changed(self) -> None:
        listen = self.listen
        if listen is not None:
            listen()


_of: Final[WeakKeyDictionary[ConstraintManager, Signals]] = WeakKeyDictionary()
_making: Final = threading.Lock()


def signals_of(manager: ConstraintManager) -> Signals:
    """Those of the engine whose constraints these are."""
    with _making:
        if manager not in _of:
            _of[manager] = Signals()
        return _of[manager]
