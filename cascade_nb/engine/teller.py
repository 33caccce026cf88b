"""Tells the bus what a run does. Nothing is made when nobody listens."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cascade_nb.control.limits import Ticket
from cascade_nb.control.why import explain
from cascade_nb.engine.failure import error_text
from cascade_nb.events.events import (
    Event,
    TaskBlocked,
    TaskExecutionFinished,
    TaskExecutionStarted,
    TaskProgress,
    TaskRetrying,
    TaskSkipped,
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

    def _task(self, kind: type[Event], index: int, **fields: Any) -> None:
        if self._bus.listening:
            flow = self._flow
            fields["task_id"] = flow.id_of(index)
            fields["task_name"] = flow.node_of(index).task_name
            self._publish(kind, **fields)

    def _publish(self, kind: type[Event], **fields: Any) -> None:
        if self._bus.listening:
            event = kind(run_id=self._flow.run_id, timestamp=self._clock.wall(), **fields)
            self._bus.publish(event)
