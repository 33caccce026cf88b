"""Asks engines on a broker how their runs stand, one by one, as processes of this machine are."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from typing import Any, Final, TypeVar

from cascade_nb.concurrency.loop_thread import LoopThread
from cascade_nb.connectors.urls import mqtt_controller
from cascade_nb.control.holders import Holder
from cascade_nb.door.broker.shapes import checked_reply, why_nobody
from cascade_nb.door.callers import PATIENCE, NoAnswerError, new_request
from cascade_nb.door.discovery import Neighbours
from cascade_nb.door.protocol import Request
from cascade_nb.errors import RefusedMessageError

T = TypeVar("T")
WAIT: Final = 2.0  # seconds in which engines say that they are there
QUIET: Final = 0.2  # seconds after the last reply in which more may come


class Broker:
    """The engines on one broker; every method is safe from any thread.

    Args:
        url: of the broker.
        by, holder: who asks.

    Raises:
        UsageError: this is no URL of a broker, or paho-mqtt is not installed.
    """

    def __init__(self, url: str, by: str, holder: Holder) -> None:
        self._news = threading.Condition()
        self._controller = mqtt_controller(
            url, by=by, holder=holder, patience=WAIT, heard=self._heard
        )
        self._thread = LoopThread("cascade-broker")

    def open(self) -> None:
        """Be connected.

        Raises:
            OSError: the broker cannot be reached, or does not let us in.
        """
        self._done(self._controller.__aenter__())

    def close(self) -> None:
        """Let go of it."""
        try:
            self._done(self._controller.__aexit__())
        finally:
            self._thread.stop()

    def neighbours(self) -> Neighbours:
        """The engines that answer.

        Raises:
            OSError: the broker cannot be reached, or does not take what is sent.
        """
        message = self.send(new_request("hello", {}))
        until = time.monotonic() + WAIT
        self._await(lambda: self._has_all(message), until)
        while self._hears_more(message):
            pass
        told = [one["process"] for one in self._replies(message)]
        heard = {one.get("client") for one in told}
        late = [source for name, source in self._answering().items() if name not in heard]
        skipped = [f"{source} did not answer within {WAIT:g} s" for source in late]
        skipped += self._controller.unreadable(message)
        skipped += filter(None, map(why_nobody, self._controller.replies(message)))
        return Neighbours([EngineCaller(self, one) for one in told], skipped)

    def send(self, request: Request, engine: str | None = None) -> str:
        """Ask one engine, or all; gives the id of the message.

        Raises:
            OSError: the broker cannot be reached, or does not take it.
        """
        content = {name: value for name, value in request.as_dict().items() if name != "id"}
        where = {} if engine is None else {"engine": engine}
        message: str = self._done(self._controller.ask(content, **where))
        return message

    def reply(self, message: str, client: str | None, patience: float) -> dict[str, Any] | None:
        """What one engine says to what it was asked; None where it goes before, or is silent."""
        until = time.monotonic() + patience

        def is_there() -> bool:
            gone = client is not None and self._controller.presences.has_left(client)
            return bool(self._controller.replies(message)) or gone

        self._await(is_there, until)
        if not self._controller.replies(message):  # it may just have said it, and gone
            self._await(lambda: bool(self._controller.replies(message)), _soon())
        found: list[dict[str, Any]] = self._controller.replies(message)
        return found[0] if found else None

    def _answering(self) -> dict[str, str]:
        found: dict[str, str] = self._controller.presences.answering
        return found

    def _has_all(self, message: str) -> bool:
        told = {one["process"].get("client") for one in self._replies(message)}
        return bool(told) and self._answering().keys() <= told

    def _hears_more(self, message: str) -> bool:
        """Whether one more reply comes soon."""
        count = len(self._controller.replies(message))
        self._await(lambda: len(self._controller.replies(message)) > count, _soon())
        return len(self._controller.replies(message)) > count

    def _replies(self, message: str) -> list[dict[str, Any]]:
        return [one for one in self._controller.replies(message) if why_nobody(one) is None]

    def unreadable(self, message: str) -> str:
        """What came to what was asked that nobody can read, in words; empty where nothing did."""
        return "; ".join(self._controller.unreadable(message))

    def _heard(self) -> None:
        with self._news:
            self._news.notify_all()

    def _await(self, condition: Callable[[], bool], until: float) -> None:
        with self._news:
            self._news.wait_for(condition, max(0.0, until - time.monotonic()))

    def _done(self, work: Coroutine[Any, Any, T]) -> T:
        return self._thread.submit(work).result()


class EngineCaller:
    """Asks one engine; see `Caller`.

    Args:
        broker: which it is on.
        process: what it says of itself.
    """

    def __init__(self, broker: Broker, process: dict[str, Any]) -> None:
        self._broker, self._engine = broker, process["engine"]
        self._client = process.get("client")
        self.place = f"{process['source']} ({self._engine})"

    def ask(self, request: Request, patience: float = PATIENCE) -> dict[str, Any]:
        """What it answers, within so many seconds.

        Raises:
            NoAnswerError: it does not, or nobody can read that.
        """
        try:
            message = self._broker.send(request, self._engine)
            said = self._broker.reply(message, self._client, patience)
            if said is None:
                why = self._broker.unreadable(message) or "nothing may run there any more"
                raise NoAnswerError(f"{self.place} does not answer: {why}")
            return checked_reply(request, said)
        except (OSError, RefusedMessageError) as error:
            raise NoAnswerError(f"{self.place}: {error}") from None


@contextlib.contextmanager
def broker_at(url: str, by: str, holder: Holder) -> Iterator[Broker]:
    """The engines on a broker, while the block lasts.

    Raises:
        UsageError: this is no URL of a broker, or paho-mqtt is not installed.
        OSError: the broker cannot be reached, or does not let us in.
    """
    broker = Broker(url, by, holder)
    try:
        broker.open()
        yield broker
    finally:
        broker.close()


def _soon() -> float:
    """When what is on its way has come, on the clock that never goes back."""
    return time.monotonic() + QUIET
