"""What comes from outside of a run, or goes there, as events: constraints, answers, connections."""

from __future__ import annotations

import dataclasses
from typing import Any

from cascade_nb.events.events import Event, TaskEvent


class ConstraintEvent(Event):
    """Something that happened to a constraint.

    Attributes:
        scope: what it is about.
        type: "pause", "concurrency", "rate_limit", "breaker", "guard" or "breakpoint".
        by: who asked for it, in words, where known.
        holder: who that is: "person:ada", "program:nightly", "agent:claude".
    """

    __slots__ = ()

    scope: str = ""
    type: str = ""
    by: str = ""
    holder: str = ""


class ConstraintApplied(ConstraintEvent):
    """From this event on, nothing starts that the constraint forbids.

    Attributes:
        params: its numbers.
        reason: why, in the words of who asked.
        expires_in: seconds it lasts, or None.
    """

    __slots__ = ()

    params: dict[str, Any] = dataclasses.field(default_factory=dict)
    reason: str = ""
    expires_in: float | None = None


class ConstraintLifted(ConstraintEvent):
    """The constraint holds no longer.

    Attributes:
        cause: "lifted" or "expired".
        lifted_by: who has lifted it, as far as that is known.
    """

    __slots__ = ()

    cause: str = "lifted"
    lifted_by: str = ""


class ConstraintRejected(Event):
    """A message from outside was no constraint; nothing changed.

    Attributes:
        topic: where it came from.
        error: why it was refused.
    """

    __slots__ = ()

    topic: str = ""
    error: str = ""


class QuestionAsked(TaskEvent):
    """A node waits for an answer from outside of the run.

    Attributes:
        question: its text.
        takes: what answers it takes, in words.
        topic: where a message answers it; empty for a person.
        timeout: seconds that it waits, or None.
    """

    __slots__ = ()

    question: str = ""
    takes: str = ""
    topic: str = ""
    timeout: float | None = None


class QuestionAnswered(TaskEvent):
    """A node has its answer: the first that fits counts.

    Attributes:
        answer: in a few words.
        by: who gave it; empty for the default of a question whose time is over.
        waited: seconds since it was asked.
    """

    __slots__ = ()

    answer: str = ""
    by: str = ""
    waited: float = 0.0


class AnswerRejected(Event):
    """A message from outside was no answer to what is asked; nothing changed.

    Attributes:
        topic: where it came from.
        error: why it was refused.
    """

    __slots__ = ()

    topic: str = ""
    error: str = ""


class NoticeFailed(Event):
    """A notice could not be handed on; said once, until one is again.

    Attributes:
        target: where it was to go, without what is secret about that.
        error: what went wrong.
    """

    __slots__ = ()

    target: str = ""
    error: str = ""


class ConnectorConnected(Event):
    """Constraints can come in and telemetry can go out.

    Attributes:
        attempt: how many tries it took since the last connection.
    """

    __slots__ = ()

    attempt: int = 1


class ConnectorDisconnected(Event):
    """The connector is gone, on purpose or not; runs go on without it.

    Attributes:
        error: what went wrong, or None at an orderly end.
        retry_in: seconds to the next try, or None when there is none.
    """

    __slots__ = ()

    error: str | None = None
    retry_in: float | None = None
