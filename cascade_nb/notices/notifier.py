"""Tells what happens in every run of the process to webhooks and commands, in a thread of its own.

Nothing of a run waits for it. What comes faster than it goes out is told together, and above a
bound not at all; what did not work is one event, until something works again.
"""

from __future__ import annotations

import atexit
import os
import threading
from collections import OrderedDict
from collections.abc import Iterable
from typing import Final
from weakref import WeakKeyDictionary

from cascade_nb.concurrency.scarce import has_begun
from cascade_nb.engine.engine import Engine
from cascade_nb.engine.runs.run import Run
from cascade_nb.errors import UsageError
from cascade_nb.events.bus import MessageBus, Subscription
from cascade_nb.events.events import Event, RunFinished
from cascade_nb.events.outside_events import ConstraintApplied, NoticeFailed, QuestionAsked
from cascade_nb.events.thread_warnings import warn
from cascade_nb.forking import forget_after_fork
from cascade_nb.notices.notice import Notice, checked_kinds, notice_of
from cascade_nb.notices.targets import Target, target_of

VARIABLE: Final = "CASCADE_NOTIFY"
MOST: Final = 100  # notices that wait
LATE: Final = 5.0  # seconds that the end of a script waits for its last notices
_RUNS: Final = 1_000  # of which titles are remembered


class NoticeWarning(UserWarning):
    """What `CASCADE_NOTIFY` says cannot be told anything."""


class Notices:
    """Notices that go to one place; `cs.notify` makes one.

    Args:
        target: where they go.
        kinds: of which something is told.
    """

    def __init__(self, target: Target, kinds: frozenset[str]) -> None:
        self._target, self._kinds = target, kinds
        self._begin()
        forget_after_fork(self)
        atexit.register(self.flush)

    def _begin(self) -> None:
        self._waiting: OrderedDict[tuple[str, str], tuple[Notice, MessageBus]] = OrderedDict()
        self._change = threading.Condition()
        self._thread: threading.Thread | None = None
        self._closed = self._failing = False
        self._dropped = 0

    def forget(self) -> None:
        """In a forked child: what waits is the parent's to tell."""
        self._begin()

    def take(self, notice: Notice, bus: MessageBus) -> None:
        """Hand a notice on soon; where one of its kind and run waits, that stands for both."""
        if notice.kind not in self._kinds:
            return
        with self._change:
            if self._closed:
                return
            key = notice.run_id, notice.kind
            if key in self._waiting:
                first, told_on = self._waiting[key]
                one = Notice(**{**vars(first), "more": first.more + 1})
                self._waiting[key] = one, told_on
            elif len(self._waiting) < MOST:
                self._waiting[key] = notice, bus
            else:
                self._dropped += 1
                return
            if self._thread is None:
                thread = self._thread = threading.Thread(
                    target=self._work, name="cascade-notices", daemon=True
                )
                if not has_begun(thread):
                    self._thread = None  # the next notice tries

    def flush(self, timeout: float = LATE) -> bool:
        """Wait until all that waits is told; False where the time was up first.

        Args:
            timeout: seconds.

        Returns:
            Whether it is.

        Example:
            >>> notices = cs.notify(["true"])
            >>> notices.flush()
            True
            >>> notices.close()
        """
        with self._change:
            return self._change.wait_for(lambda: self._thread is None, timeout)

    def close(self) -> None:
        """Tell nothing more.

        Example:
            >>> cs.notify(["true"]).close()
        """
        with self._change:
            self._closed = True
            self._waiting.clear()
        atexit.unregister(self.flush)
        with _lock:
            if self in _there:
                _there.remove(self)
            for engine in [] if _there else list(_heard):
                _heard.pop(engine).close()

    def _work(self) -> None:
        """Until nothing waits any more."""
        while True:
            with self._change:
                if not self._waiting:
                    self._thread = None
                    self._change.notify_all()
                    return
                _, (notice, bus) = self._waiting.popitem(last=False)
                dropped, self._dropped = self._dropped, 0
            try:
                self._target.send(notice)
            except Exception as error:
                told = str(error) if isinstance(error, OSError) else type(error).__name__
                self._failed(bus, told, dropped)
            else:
                self._failing = False
                if dropped:
                    self._failed(bus, "it is slower than what is to be told", dropped)

    def _failed(self, bus: MessageBus, why: str, dropped: int) -> None:
        if self._failing and not dropped:
            return
        self._failing = True
        rest = f"; {dropped:,} more were not told" if dropped else ""
        bus.publish(NoticeFailed(target=self._target.shown, error=f"{why}{rest}"))

    def __repr__(self) -> str:
        return f"<notices to {self._target.shown}>"


#: Where notices go; each engine tells all of them.
_there: Final[list[Notices]] = []
#: By id, the title of a run, and whether a task has started it.
_runs: Final[OrderedDict[str, tuple[str, bool]]] = OrderedDict()
#: The engines that are listened to.
_heard: Final[WeakKeyDictionary[Engine, Subscription]] = WeakKeyDictionary()
_lock: Final = threading.Lock()


def notify(
    to: str | Iterable[str], *, on: str | Iterable[str] | None = None, insecure: bool = False
) -> Notices:
    """Tell somebody who looks elsewhere when a run of this process ends, fails, asks, or is held by
    itself: by a breaker, or because its results cannot be kept.

    What waits is told in a thread of its own and at most 10 s each; what a run asks meanwhile is
    told together. The variable `CASCADE_NOTIFY` does the same for a URL or a command.

    Args:
        to: a webhook's URL, to which JSON is posted (``{"text": …, "kind": …, "run_id": …}``, as
            chat programs take it); or a command, a text or a list of words, which gets the line as
            its last argument and the JSON on its standard input.
        on: of which kinds: "done", "failed", "cancelled", "held", "asks"; default all.
        insecure: whether a URL of another machine may be without TLS.

    Returns:
        What ends it: `.close()`. It shows of a URL no more than the host.

    Raises:
        UsageError: nothing can be sent there, or there is no such kind.

    Example:
        >>> notices = cs.notify("https://chat.example/hooks/SECRET", on=["failed", "asks"])
        >>> notices
        <notices to the webhook at chat.example>
        >>> notices.close()
    """
    words = to if isinstance(to, str) else list(to)
    made = Notices(target_of(words, insecure), checked_kinds(on))
    with _lock:
        _there.append(made)
        if len(_there) == 1:
            for engine in Engine.alive():
                _hear(engine)
    return made


def _hear(engine: Engine) -> None:
    """Tell what happens in an engine."""
    if engine in _heard or not _there:
        return
    bus = engine.bus

    def told(event: Event) -> None:
        title, inside = _runs.get(event.run_id, ("", False))
        if not title and isinstance(event, ConstraintApplied) and event.scope.startswith("run:"):
            title = _runs.get(event.scope.partition(":")[2], ("", False))[0]
        notice = notice_of(event, title or event.run_id, inside)
        for one in list(_there) if notice is not None else ():
            one.take(notice, bus)  # type: ignore[arg-type]

    _heard[engine] = bus.subscribe(told, RunFinished, QuestionAsked, ConstraintApplied)


def _begun(run: Run) -> None:
    if _there:
        _runs[run.id] = run.graph.title, run.parent is not None
        while len(_runs) > _RUNS:
            _runs.popitem(last=False)


def _made(engine: Engine) -> None:
    global _asked  # noqa: PLW0603 - the variable is read once
    said = os.environ.get(VARIABLE, "")
    if said and not _asked:
        _asked = True
        try:
            notify(said)
        except UsageError as error:
            warn(f"{VARIABLE}: {error}; nobody is told", NoticeWarning, error)
    _hear(engine)


_asked = False
Engine.on_made.append(_made)
Engine.on_begun.append(_begun)
