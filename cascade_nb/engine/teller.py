"""Tells the bus what a run does. Nothing is made when nobody listens."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cascade_nb.control.limits import Ticket
from cascade_nb.control.why import explain
from cascade_nb.engine.failure import error_text
from cascade_nb.events.events import (
    TaskBlocked,
    TaskEvent,
    TaskExecutionFinished,
    TaskExecutionStarted,
    TaskProgress,
    TaskRetrying,
    TaskSkipped,
    record,
)

if TYPE_CHECKING:
    from cascade_nb.engine.flow import Flow


class Teller:
    """Makes the events of one run. Called under the engine's lock, so their order is that of the
    moves.
    """

    def __init__(self, flow: Flow) -> None:
        self._flow = flow
        self._bus = flow.parts.bus
        self._clock = flow.parts.clock
        self._last = -1
        self._id = self._name = ""

    def started(self, index: int, attempt: int) -> None:
        """An attempt begins."""
        self._task(TaskExecutionStarted, index, attempt=attempt)

    def finished(
        self,
        index: int,
        status: str,
        duration: float,
        attempt: int,
        error: BaseException | str | None,
    ) -> None:
        """A node is over: completed, failed or cancelled."""
        if self._bus.listening:
            text = error_text(error) if isinstance(error, BaseException) else error
            self._task(
                TaskExecutionFinished,
                index,
                status=status,
                duration=duration,
                attempt=attempt,
                error=text,
            )

    def skipped(self, index: int, reason: str, detail: str) -> None:
        """A node will not run."""
        self._task(TaskSkipped, index, reason=reason, detail=detail)

    def retrying(
        self, index: int, attempt: int, most: int, delay: float, error: BaseException
    ) -> None:
        """An attempt failed and another follows."""
        if self._bus.listening:
            text = error_text(error)
            self._task(
                TaskRetrying, index, attempt=attempt, max_attempts=most, delay=delay, error=text
            )

    def blocked(self, index: int, ticket: Ticket) -> None:
        """A constraint does not let a node start."""
        gate = ticket.parked
        if self._bus.listening and gate is not None:
            name = str(gate.constraint) if gate.constraint is not None else "resources"
            detail = explain(gate, self._clock.now(), ticket)
            self._task(TaskBlocked, index, constraint=name, detail=detail)

    def progress(self, index: int, done: int, total: int | None) -> None:
        """A running task says how far it is."""
        self._task(TaskProgress, index, done=done, total=total)

    def forget_names(self) -> None:
        """A place in the run is used for another node."""
        self._last = -1

    def _task(self, kind: type[TaskEvent], index: int, **fields: Any) -> None:
        if not self._bus.listening:
            return
        if index != self._last:
            # A small task starts and finishes in a row: its names are made once for both.
            self._last = index
            self._id, self._name = self._flow.id_of(index), self._flow.kinds.of[index].name
        fields["run_id"] = self._flow.run_id
        fields["timestamp"] = self._clock.wall()
        fields["task_id"] = self._id
        fields["task_name"] = self._name
        self._bus.publish(record(kind, fields))
