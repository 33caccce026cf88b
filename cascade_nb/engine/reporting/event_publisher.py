"""Publishes the events of a run on the bus; makes none when nobody listens."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Final

from cascade_nb.control.explanations import explain
from cascade_nb.control.gates import Gate, Ticket
from cascade_nb.engine.core.arguments import Expansion
from cascade_nb.engine.core.driven_run import DrivenRun
from cascade_nb.engine.dispatch.failures import error_text
from cascade_nb.events.bus import Many
from cascade_nb.events.events import (
    TaskBlocked,
    TaskExecutionFinished,
    TaskExecutionStarted,
    TaskProgress,
    TaskRetrying,
    TaskSkipped,
)
from cascade_nb.events.outside_events import QuestionAnswered, QuestionAsked
from cascade_nb.events.record import record
from cascade_nb.model.params.question import Question

_STANDS: Final = 0.25  # seconds for which what is said of times stands


class EventPublisher:
    """Makes the events of one run. Called under the engine's lock, so their order is that of the
    moves.
    """

    def __init__(self, driver: DrivenRun) -> None:
        self._driver = driver
        self._run_id = driver.run_id
        self._bus = driver.services.bus
        self._publish = self._bus.publish
        self._clock = driver.services.clock
        self._wall = self._clock.wall
        self._last = -1
        self._id = self._name = ""
        self._moment: tuple[Gate, int] | None = None  # at which this was said, and for how long
        self._said = "", ""
        self._said_until = -math.inf

    def started(self, index: int, attempt: int) -> None:
        """An attempt begins; asked only when somebody listens."""
        if index != self._last:
            self._look_up(index)
        values = (self._run_id, self._wall(), self._id, self._name, attempt)
        self._publish(record(TaskExecutionStarted, values))

    def completed(self, index: int, duration: float, attempt: int) -> None:
        """A node has its result; asked only when somebody listens."""
        if index != self._last:
            self._look_up(index)
        run, now, task, name = self._run_id, self._wall(), self._id, self._name
        values = (run, now, task, name, "completed", duration, attempt, None)
        self._publish(record(TaskExecutionFinished, values))

    def finished(
        self,
        index: int,
        status: str,
        duration: float,
        attempt: int,
        error: BaseException | str | None,
    ) -> None:
        """A node is over in another way: failed or cancelled."""
        if self._bus.listening:
            text = error_text(error) if isinstance(error, BaseException) else error
            if index != self._last:
                self._look_up(index)
            run, now, task, name = self._run_id, self._wall(), self._id, self._name
            values = (run, now, task, name, status, duration, attempt, text)
            self._publish(record(TaskExecutionFinished, values))

    def skipped(self, index: int, reason: str, detail: str) -> None:
        """A node will not run."""
        if self._bus.listening:
            self._publish(record(TaskSkipped, (*self._head(index), reason, detail)))

    def all_skipped(self, indexes: Sequence[int], reason: str, detail: str) -> None:
        """None of these nodes of the graph will run, for one reason; they may be very many."""
        if not self._bus.listening:
            return
        run, now = self._run_id, self._wall()
        nodes, kinds = self._driver.core.graph.nodes, self._driver.core.kinds.of

        def made() -> Iterator[TaskSkipped]:
            for i in indexes:
                yield record(TaskSkipped, (run, now, nodes[i].id, kinds[i].name, reason, detail))

        self._publish(Many(TaskSkipped, made))

    def retrying(
        self, index: int, attempt: int, most: int, delay: float, error: BaseException
    ) -> None:
        """An attempt failed and another follows."""
        if self._bus.listening:
            values = (*self._head(index), attempt, most, delay, error_text(error))
            self._publish(record(TaskRetrying, values))

    def blocked(self, index: int, ticket: Ticket) -> None:
        """A constraint does not let a node start."""
        gate = ticket.parked
        if self._bus.listening and gate is not None:
            words = self._why(gate, ticket)
            self._publish(record(TaskBlocked, (*self._head(index), *words)))

    def progress(self, index: int, done: int, total: int | None) -> None:
        """A running task says how far it is."""
        if self._bus.listening:
            self._publish(record(TaskProgress, (*self._head(index), done, total)))

    def asked(self, index: int, question: Question, timeout: float | None) -> None:
        """A node waits for an answer."""
        if self._bus.listening:
            said = (question.text, question.takes, question.topic, timeout)
            self._publish(record(QuestionAsked, (*self._head(index), *said)))

    def answered(self, index: int, answer: str, by: str, waited: float) -> None:
        """It has one."""
        if self._bus.listening:
            self._publish(record(QuestionAnswered, (*self._head(index), answer, by, waited)))

    def forget_names(self) -> None:
        """A place in the run is used for another node."""
        self._last = -1

    def _why(self, gate: Gate, ticket: Ticket) -> tuple[str, str]:
        """What holds a node, and why; a pause or a limit may have to be told of all there is."""
        now = self._clock.now()
        moment = gate, gate.moves
        if moment != self._moment or now >= self._said_until:
            self._said = gate.title, explain(gate, now, ticket)
            self._said_until = now + _STANDS
            self._moment = moment if gate.says_the_same else None
        return self._said

    def _head(self, index: int) -> tuple[str, float, str, str]:
        """What every event of a task begins with."""
        if index != self._last:
            self._look_up(index)
        return self._run_id, self._wall(), self._id, self._name

    def _look_up(self, index: int) -> None:
        """A small task starts and finishes in a row: its names are made once for both."""
        self._last = index
        driver = self._driver
        work = driver.core.results.work[index]
        self._id = work.id_of(index) if isinstance(work, Expansion) else work.id
        self._name = driver.core.kinds.of[index].name
