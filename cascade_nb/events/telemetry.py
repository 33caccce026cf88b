"""Decides which events go out as telemetry, and in which form."""

from __future__ import annotations

import json
from typing import Any, Final

from cascade_nb.events.events import (
    Event,
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
    ConstraintEvent,
    ConstraintRejected,
    QuestionAnswered,
    QuestionAsked,
)

VERSION: Final = 1
SENT: Final = (
    RunStarted,
    RunFinished,
    TaskExecutionStarted,
    TaskExecutionFinished,
    TaskSkipped,
    TaskRetrying,
    TaskBlocked,
    TaskProgress,
    ConstraintEvent,
    ConstraintRejected,
    QuestionAsked,
    QuestionAnswered,
    AnswerRejected,
)
ENGINE: Final = "engine"  # stands for the run in the topic of what concerns no single one
_STATES: Final = {
    TaskExecutionStarted: "RUNNING",
    TaskSkipped: "SKIPPED",
    TaskRetrying: "RETRYING",
    TaskBlocked: "BLOCKED",
    TaskProgress: "PROGRESS",
    QuestionAsked: "ASKING",
    QuestionAnswered: "ANSWERED",
}


def telemetry_topic(org: str, project: str, run_id: str) -> str:
    """Where the telemetry of a run goes; without one, that of an engine."""
    return f"cascade/telemetry/{org}/{project}/{run_id or ENGINE}/events"


def telemetry_payload(event: Event, org: str, project: str, source: str, dropped: int = 0) -> bytes:
    """An event of `SENT` as a message: a header, and a `LifecycleEvent` or `TaskStateEvent` as
    body.

    Args:
        event: what happened.
        org, project, source: words of the header.
        dropped: how many messages before this one could not be sent; said where it is not zero.
    """
    fields = event.as_dict()
    name, run_id, timestamp = (fields.pop(key) for key in ("event", "run_id", "timestamp"))
    body: dict[str, Any]
    if isinstance(event, TaskEvent):
        body = {"type": "TaskStateEvent", "event": name, "state": _state_of(event), **fields}
    else:
        if "type" in fields:  # of a constraint; in a body it is the kind of the event
            fields["constraint_type"] = fields.pop("type")
        body = {"type": "LifecycleEvent", "event": name, **fields}
    header: dict[str, Any] = {
        "v": VERSION,
        "ts": timestamp,
        "run_id": run_id,
        "org_id": org,
        "project_id": project,
        "source": source,
    }
    if dropped:
        header["dropped"] = dropped
    return json.dumps({"header": header, "body": body}, default=str).encode()


def _state_of(event: TaskEvent) -> str:
    if isinstance(event, TaskExecutionFinished):
        return event.status.upper()
    return _STATES[type(event)]
