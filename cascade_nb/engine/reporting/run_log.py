"""Writes the events of a run as lines, for people or for programs.

When nothing moves for a moment it says why, in the words of the run's own status.
"""

from __future__ import annotations

import atexit
import shlex
import sys
import threading
import time
from collections.abc import Callable
from typing import Any, Final, Protocol, TextIO

from cascade_nb.concurrency.scarce import told_where_scarce
from cascade_nb.control.explanations import applied_in_words, lifted_in_words
from cascade_nb.control.words import count_text, seconds_text
from cascade_nb.engine.observing.status import Phase, RunStatus
from cascade_nb.errors import RunError, UsageError
from cascade_nb.events.bus import MessageBus
from cascade_nb.events.events import (
    Event,
    ResourceAcquired,
    ResourceReleased,
    RunFinished,
    RunStarted,
    TaskBlocked,
    TaskExecutionFinished,
    TaskExecutionStarted,
    TaskRetrying,
    TaskSkipped,
)
from cascade_nb.events.outside_events import (
    AnswerRejected,
    ConnectorConnected,
    ConnectorDisconnected,
    ConstraintApplied,
    ConstraintEvent,
    ConstraintLifted,
    ConstraintRejected,
    NoticeFailed,
    QuestionAnswered,
    QuestionAsked,
)
from cascade_nb.graph.graph import Graph
from cascade_nb.protocols.execution import Clock
from cascade_nb.text import quoted, readable


class Logged(Protocol):
    """A run that is told in lines."""

    @property
    def id(self) -> str:
        """Its identity."""

    @property
    def graph(self) -> Graph:
        """What runs."""

    @property
    def status(self) -> RunStatus:
        """What it is doing now."""

    def done(self) -> bool:
        """Whether it is over."""


KINDS: Final = ("human", "json")
QUIET: Final = 1.0  # seconds without an event after which a run may have come to a standstill
LATE: Final = 2.0  # seconds that whoever waits for a run waits for its last lines


def checked_log(kind: object) -> str | None:
    """`kind`, if there is such a log.

    Raises:
        UsageError: there is none.
    """
    if kind is not None and kind not in KINDS:
        raise UsageError(f"a log is for 'human' or 'json', not {quoted(kind)}")
    return None if kind is None else str(kind)


class RunLog:
    """Writes the events of one run, one a line, from a thread of its own.

    It ends with its run. Where the stream is gone it stops, and the run goes on.

    Args:
        run: whose events; those of its engine's constraints and connector are told too.
        kind: "human", or "json" for lines that `event_from_json` reads.
        bus: where they are told.
        clock: what time it is.
        stream: where to write; default is what `sys.stderr` is at that moment.
    """

    def __init__(
        self,
        run: Logged,
        kind: str,
        bus: MessageBus,
        clock: Clock,
        stream: TextIO | None = None,
    ) -> None:
        self._run = run
        self._clock = clock
        self._human = kind == "human"
        self._stream = stream
        self._held: set[str] = set()
        self._news = threading.Event()
        self._done = threading.Event()
        self._subscription = bus.subscribe(None, wake=self._news.set)
        self._thread = threading.Thread(target=self._work, name="cascade-log", daemon=True)
        try:
            with told_where_scarce(RunError, "no run can begin"):
                self._thread.start()
        except BaseException:
            self._subscription.close()
            raise
        atexit.register(self.flush)

    def flush(self) -> bool:
        """Wait until the last line is written; False when it took too long."""
        return self._done.wait(LATE)

    def _work(self) -> None:
        try:
            said = False
            while not self._done.is_set():
                heard = self._news.wait(None if said else QUIET)
                self._news.clear()
                told = [e for e in self._subscription.drain() if e.run_id in ("", self._run.id)]
                for event in told:
                    self._tell(event)
                if told:
                    said = False
                elif not heard:
                    said = self._standstill()
        finally:
            self._subscription.close()
            self._done.set()
            atexit.unregister(self.flush)

    def _tell(self, event: Event) -> None:
        line = self._line(event) if self._human else event.to_json()
        if line is not None:
            self._write(line, event.timestamp)
        if isinstance(event, RunFinished):
            self._done.set()

    def _line(self, event: Event) -> str | None:
        if isinstance(event, ConstraintEvent):
            self._held.discard(f"{event.type} of {event.scope}")
        if isinstance(event, TaskBlocked):
            # One for all that a constraint holds; the rest is said when nothing moves.
            if event.constraint in self._held:
                return None
            self._held.add(event.constraint)
        words = _WORDS.get(type(event))
        return None if words is None else words(event)

    def _standstill(self) -> bool:
        """Say why nothing moves, if nothing does."""
        status = self._run.status
        left = status.held or status.queued or status.waiting or status.phase is Phase.STARTING
        if status.running or self._run.done() or not left:
            return False
        if self._human:
            self._write(f"nothing moves: {status.headline}", self._clock.wall())
        return True

    def _write(self, line: str, moment: float) -> None:
        stream = self._stream if self._stream is not None else sys.stderr
        if self._human:
            clock = time.strftime("%H:%M:%S", time.localtime(moment))
            line = f"{clock} {self._run.graph.title} · {line}"
        stream.write(readable(line) + "\n")
        stream.flush()


def _finished(event: RunFinished) -> str:
    took = seconds_text(event.duration)
    if event.status == "succeeded":
        return f"done in {took}"
    rest = f"; still running: {', '.join(event.still_running)}" if event.still_running else ""
    return f"{event.status} after {took}: {event.error}{rest}"


def _task_finished(event: TaskExecutionFinished) -> str:
    took = seconds_text(event.duration)
    if event.status == "completed":
        return f"{event.task_id} completed in {took}"
    if event.status == "cancelled":
        return f"{event.task_id} cancelled after {took}"
    return f"{event.task_id} failed after {took}: {event.error}"


def _task_started(event: TaskExecutionStarted) -> str:
    again = f", attempt {event.attempt}" if event.attempt > 1 else ""
    return f"{event.task_id} started{again}"


def _skipped(event: TaskSkipped) -> str:
    if event.reason == "Reused":
        return f"{event.task_id} reused"
    return f"{event.task_id} skipped ({event.reason}): {event.detail}"


def _blocked(event: TaskBlocked) -> str:
    word = "held" if event.constraint.startswith(("pause ", "hold ", "breakpoint ")) else "queued"
    return f"{event.task_id} is {word}: {event.detail}"


def _retrying(event: TaskRetrying) -> str:
    wait = seconds_text(event.delay)
    times = f"retry {event.attempt} of {event.max_attempts}"
    return f"{event.task_id} failed: {event.error}; {times} in {wait}"


def _asked(event: QuestionAsked) -> str:
    if event.topic:
        return f"{event.task_id} waits for {event.question}"
    how = f"`cascade-nb answer {shlex.quote(event.task_id)} VALUE` answers it"
    question = " ".join(event.question.split())  # or it could look like lines of ours
    return f"{event.task_id} asks: {question} ({event.takes}); {how}"


def _answered(event: QuestionAnswered) -> str:
    by = f"answered by {event.by}" if event.by else "not answered in time, so by default"
    return f"{event.task_id} was {by}: {event.answer}"


def _released(event: ResourceReleased) -> str:
    problem = f": {event.error}" if event.error else ""
    return f"{event.resource} closed{problem}"


def _disconnected(event: ConnectorDisconnected) -> str:
    problem = f": {event.error}" if event.error else ""
    again = "" if event.retry_in is None else f", next try in {seconds_text(event.retry_in)}"
    return f"disconnected{problem}{again}"


_WORDS: Final[dict[type[Event], Callable[[Any], str]]] = {
    RunStarted: lambda e: f"started, {count_text(e.total, 'task')}",
    RunFinished: _finished,
    TaskExecutionStarted: _task_started,
    TaskExecutionFinished: _task_finished,
    TaskSkipped: _skipped,
    TaskRetrying: _retrying,
    TaskBlocked: _blocked,
    ConstraintApplied: applied_in_words,
    ConstraintLifted: lifted_in_words,
    ConstraintRejected: lambda e: f"a message on {e.topic} was refused: {e.error}",
    ResourceAcquired: lambda e: f"{e.resource} opened",
    ResourceReleased: _released,
    QuestionAsked: _asked,
    QuestionAnswered: _answered,
    NoticeFailed: lambda e: f"{e.target} was not told: {e.error}",
    AnswerRejected: lambda e: f"an answer on {e.topic} was refused: {e.error}",
    ConnectorConnected: lambda e: "connected",
    ConnectorDisconnected: _disconnected,
}
