"""The message bus: tells events, in order, to whoever subscribed.

A subscriber must never be able to hurt a run. So publishing only appends to a queue of each
subscription,
and a callback is called from a thread of its own: it may raise, hang, publish or unsubscribe, and
neither the run nor another subscriber waits for it.
"""

from __future__ import annotations

import atexit
import threading
import weakref
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any, Final, NamedTuple

from cascade_nb.concurrency.scarce import has_begun
from cascade_nb.errors import UsageError
from cascade_nb.events.events import Event
from cascade_nb.events.thread_warnings import warn
from cascade_nb.forking import forget_after_fork
from cascade_nb.text import quoted

BACKLOG: Final = 200_000  # events a callback may be behind before it counts as hung
FLUSH: Final = 2.0  # seconds that an ending run waits for subscribers


class SubscriberWarning(UserWarning):
    """A subscriber raised or hangs; said once for each."""


class Many(NamedTuple):
    """Events of one kind that happened at once, made when they are heard.

    There may be 100,000, and whoever publishes has the engine's lock.

    Attributes:
        kind: their class.
        made: makes them, in order, in the thread that hears them.
    """

    kind: type[Event]
    made: Callable[[], Iterable[Event]]


class Subscription:
    """What one subscriber has still to hear. `drain` it, or give it a callback."""

    def __init__(
        self,
        bus: MessageBus,
        kinds: tuple[type[Event], ...],
        callback: Callable[[Any], object] | None,
        wake: Callable[[], object] | None,
    ) -> None:
        self._bus = bus
        self._kinds = kinds
        self._callback = callback
        self._told_to_wake = wake
        self._events: deque[Event | Many] = deque()
        # Whoever hears everything and asks for it himself needs no more than a place to put it.
        plain = not kinds and callback is None and wake is None
        self.put: Callable[[Event | Many], object] = self._events.append if plain else self._put
        self._change = threading.Condition()
        self._thread: threading.Thread | None = None
        self._closed = False
        self._warned = False
        if callback is not None:
            forget_after_fork(self)

    def drain(self) -> list[Event]:
        """The events since the last call, oldest first, for a subscription without a callback."""
        taken: list[Event] = []
        while self._events and not self._closed:
            one = self._events.popleft()
            if one.__class__ is Many:
                taken.extend(one.made())
            else:
                taken.append(one)  # type: ignore[arg-type]
        return taken

    def forget(self) -> None:
        """In a child process: the thread that called back is the parent's."""
        self._change, self._thread = threading.Condition(), None
        self._events.clear()  # the parent's callback hears of these

    def close(self) -> None:
        """Hear nothing more. What a callback is being told right now it is still told."""
        self._closed = True
        self._bus._forget(self)
        self._events.clear()
        with self._change:
            self._change.notify_all()

    def flush(self, timeout: float = FLUSH) -> bool:
        """Wait until the callback has heard everything so far; False when the time was up first."""
        if self._callback is None or threading.current_thread() is self._thread:
            return True
        with self._change:
            return self._change.wait_for(lambda: self._thread is None or self._closed, timeout)

    def _put(self, event: Event | Many) -> None:
        kind = event.kind if isinstance(event, Many) else type(event)
        if self._closed or (self._kinds and not issubclass(kind, self._kinds)):
            return
        self._events.append(event)
        if self._told_to_wake is not None:
            self._told_to_wake()
        elif self._callback is not None and self._thread is None:
            self._wake()
        elif self._callback is not None and len(self._events) > BACKLOG:
            self._give_up()

    def _wake(self) -> None:
        """Start the delivering thread; it ends by itself when there is nothing left to tell."""
        with self._change:
            if self._thread is None and not self._closed:
                thread = self._thread = threading.Thread(
                    target=self._deliver, name="cascade-subscriber", daemon=True
                )
                if not has_begun(thread):
                    self._thread = None  # the next event tries

    def _deliver(self) -> None:
        callback = self._callback
        assert callback is not None
        while True:
            while self._events and not self._closed:
                try:
                    one = self._events.popleft()
                except IndexError:  # close() emptied the queue between the look and the take
                    break
                for event in one.made() if isinstance(one, Many) else (one,):
                    if self._closed:
                        break
                    try:
                        callback(event)
                    except BaseException as error:  # it ends neither this thread nor a run
                        self._warn(f"raised {error!r} at {type(event).__name__}", error)
            with self._change:
                # First say that nobody delivers, then look once more: a publisher appends first and
                # looks for a thread afterwards, so one of the two always sees the other's step.
                self._thread = None
                if self._events and not self._closed:
                    self._thread = threading.current_thread()
                    continue
                self._change.notify_all()
                return

    def _give_up(self) -> None:
        self.close()
        self._warn(f"is {BACKLOG} events behind, so it is told nothing more", None)

    def _warn(self, what: str, error: BaseException | None) -> None:
        if self._warned:
            return
        self._warned = True
        name = getattr(self._callback, "__qualname__", quoted(self._callback))
        warn(
            f"the subscriber {name} {what}; the run goes on, and this is said once",
            SubscriberWarning,
            error,
        )


class MessageBus:
    """Where an engine publishes and anybody subscribes; every method is safe from any thread.

    Attributes:
        listening: whether anybody does; events are made only then.
    """

    def __init__(self) -> None:
        self._subscriptions: tuple[Subscription, ...] = ()
        self._puts: tuple[Callable[[Event | Many], object], ...] = ()
        self._lock = threading.RLock()
        _alive.add(self)
        forget_after_fork(self)
        self.listening = False

    def forget(self) -> None:
        """In a child process: the lock is the parent's."""
        self._lock = threading.RLock()

    def subscribe(
        self,
        callback: Callable[[Any], object] | None = None,
        *kinds: type[Event],
        wake: Callable[[], object] | None = None,
    ) -> Subscription:
        """Listen from now on.

        Args:
            callback: called with each event, in order, in a thread of its own. Without one, the
                subscription keeps the events until it is drained.
            kinds: event classes to hear; none means all.
            wake: called by whoever publishes when there is something to drain. It must not wait,
                raise or publish; `loop.call_soon_threadsafe` is what it is for.

        Raises:
            UsageError: `kinds` are no classes, or the callback is one.
        """
        if any(not isinstance(kind, type) for kind in kinds) or isinstance(callback, type):
            raise UsageError(
                "a bus is given the callback first and the classes of events behind it, "
                "`bus.subscribe(callback, RunFinished)`"
            )
        subscription = Subscription(self, kinds, callback, wake)
        with self._lock:
            self._these_listen(*self._subscriptions, subscription)
        return subscription

    def publish(self, event: Event | Many) -> None:
        """Tell everybody who listens; never waits and never raises for a subscriber's sake."""
        for put in self._puts:
            put(event)

    def flush(self, timeout: float = FLUSH) -> bool:
        """Wait until every callback has heard everything so far; False when the time was up
        first.
        """
        return all(subscription.flush(timeout) for subscription in self._subscriptions)

    def _forget(self, subscription: Subscription) -> None:
        with self._lock:
            self._these_listen(*(s for s in self._subscriptions if s is not subscription))

    def _these_listen(self, *subscriptions: Subscription) -> None:
        self._subscriptions = subscriptions
        self._puts = tuple(subscription.put for subscription in subscriptions)
        self.listening = bool(subscriptions)


_alive: Final[weakref.WeakSet[MessageBus]] = weakref.WeakSet()


def _flush_at_exit() -> None:
    """Delivering threads are daemons: without this the last words of a script would be lost."""
    for bus in list(_alive):
        bus.flush()


atexit.register(_flush_at_exit)
