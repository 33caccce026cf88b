"""Makes events again of the lines of JSON that they were written as."""

from __future__ import annotations

import json
from typing import ClassVar

from cascade_nb.errors import SerializationError
from cascade_nb.events.events import (
    Event,
    ResourceAcquired,
    ResourceReleased,
    RunFinished,
    RunStarted,
    TaskBlocked,
    TaskExecutionFinished,
    TaskExecutionStarted,
    TaskProgress,
    TaskRetrying,
    TaskSkipped,
)
from cascade_nb.events.outside_events import (
    AnswerRejected,
    ConnectorConnected,
    ConnectorDisconnected,
    ConstraintApplied,
    ConstraintLifted,
    ConstraintRejected,
    NoticeFailed,
    QuestionAnswered,
    QuestionAsked,
)


class EventClasses:
    """All event classes that can be published, by name."""

    by_name: ClassVar[dict[str, type[Event]]] = {
        kind.__name__: kind
        for kind in (
            RunStarted,
            RunFinished,
            TaskExecutionStarted,
            TaskExecutionFinished,
            TaskSkipped,
            TaskRetrying,
            TaskBlocked,
            TaskProgress,
            QuestionAsked,
            QuestionAnswered,
            AnswerRejected,
            NoticeFailed,
            ConstraintApplied,
            ConstraintLifted,
            ConstraintRejected,
            ResourceAcquired,
            ResourceReleased,
            ConnectorConnected,
            ConnectorDisconnected,
        )
    }


def event_from_json(text: str) -> Event:
    """The event that `Event.to_json` wrote.

    Raises:
        SerializationError: the text is no event.
    """
    try:
        fields = json.loads(text)
        kind = EventClasses.by_name[fields.pop("event")]
        if "still_running" in fields:
            fields["still_running"] = tuple(fields["still_running"])
        return kind(**fields)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise SerializationError(f"{text[:80]!r} is no event: {error}") from error
