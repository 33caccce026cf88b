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
)
_STATES: Final = {
    TaskExecutionStarted: "RUNNING",
    TaskSkipped: "SKIPPED",
    TaskRetrying: "RETRYING",
    TaskBlocked: "BLOCKED",
    TaskProgress: "PROGRESS",
}


def telemetry_topic(org: str, project: str, run_id: str) -> str:
    """Where the telemetry of a run goes."""
    return f"cascade/telemetry/{org}/{project}/{run_id}/events"


def telemetry_payload(event: Event, org: str, project: str, source: str) -> bytes:
    """An event of `SENT` as a message: a header, and a `LifecycleEvent` or `TaskStateEvent` as
    body.
    """
    fields = event.as_dict()
    name, run_id, timestamp = (fields.pop(key) for key in ("event", "run_id", "timestamp"))
    body: dict[str, Any]
    if isinstance(event, TaskEvent):
        body = {"type": "TaskStateEvent", "event": name, "state": _state_of(event), **fields}
    else:
        body = {"type": "LifecycleEvent", "event": name, **fields}
    header = {
        "v": VERSION,
        "ts": timestamp,
        "run_id": run_id,
        "org_id": org,
        "project_id": project,
        "source": source,
    }
    return json.dumps({"header": header, "body": body}, default=str).encode()


def _state_of(event: TaskEvent) -> str:
    if isinstance(event, TaskExecutionFinished):
        return event.status.upper()
    return _STATES[type(event)]
