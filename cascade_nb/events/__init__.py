"""Events: what happened, the bus that tells it, and what of it goes out as telemetry."""

from __future__ import annotations

from cascade_nb.events.bus import MessageBus, SubscriberWarning, Subscription
from cascade_nb.events.events import (
    Event,
    ResourceAcquired,
    ResourceEvent,
    ResourceReleased,
    RunFinished,
    RunStarted,
    TaskBlocked,
    TaskEvent,
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
    ConstraintEvent,
    ConstraintLifted,
    ConstraintRejected,
    NoticeFailed,
    QuestionAnswered,
    QuestionAsked,
)
from cascade_nb.events.reading import event_from_json

__all__ = [
    "AnswerRejected",
    "ConnectorConnected",
    "ConnectorDisconnected",
    "ConstraintApplied",
    "ConstraintEvent",
    "ConstraintLifted",
    "ConstraintRejected",
    "Event",
    "MessageBus",
    "NoticeFailed",
    "QuestionAnswered",
    "QuestionAsked",
    "ResourceAcquired",
    "ResourceEvent",
    "ResourceReleased",
    "RunFinished",
    "RunStarted",
    "SubscriberWarning",
    "Subscription",
    "TaskBlocked",
    "TaskEvent",
    "TaskExecutionFinished",
    "TaskExecutionStarted",
    "TaskProgress",
    "TaskRetrying",
    "TaskSkipped",
    "event_from_json",
]
