"""What of the events goes out, with a header and a body."""

from __future__ import annotations

import json

import pytest

from cascade_nb.events import (
    ConstraintApplied,
    ConstraintLifted,
    ConstraintRejected,
    Event,
    RunFinished,
    RunStarted,
    TaskBlocked,
    TaskExecutionFinished,
    TaskExecutionStarted,
    TaskProgress,
    TaskRetrying,
    TaskSkipped,
)
from cascade_nb.events.telemetry import SENT, telemetry_payload, telemetry_topic


def test_the_topic_names_org_project_and_run() -> None:
    assert telemetry_topic("o", "p", "r1") == "cascade/telemetry/o/p/r1/events"
    assert telemetry_topic("o", "p", "") == "cascade/telemetry/o/p/engine/events"


def test_the_header_says_how_much_was_dropped_where_something_was() -> None:
    message = json.loads(telemetry_payload(RunStarted(), "o", "p", "s", dropped=3))
    assert message["header"]["dropped"] == 3


@pytest.mark.parametrize(
    ("event", "type", "state"),
    [
        (RunStarted(title="t", total=3), "LifecycleEvent", None),
        (RunFinished(status="failed", still_running=("a",)), "LifecycleEvent", None),
        (TaskExecutionStarted(task_id="a#1"), "TaskStateEvent", "RUNNING"),
        (TaskExecutionFinished(status="completed"), "TaskStateEvent", "COMPLETED"),
        (TaskExecutionFinished(status="failed", error="no"), "TaskStateEvent", "FAILED"),
        (TaskExecutionFinished(status="cancelled"), "TaskStateEvent", "CANCELLED"),
        (TaskSkipped(reason="Pruned"), "TaskStateEvent", "SKIPPED"),
        (TaskRetrying(), "TaskStateEvent", "RETRYING"),
        (TaskBlocked(), "TaskStateEvent", "BLOCKED"),
        (TaskProgress(done=1), "TaskStateEvent", "PROGRESS"),
        (ConstraintApplied(scope="global", type="pause"), "LifecycleEvent", None),
        (ConstraintLifted(scope="global", type="pause"), "LifecycleEvent", None),
        (ConstraintRejected(topic="t", error="no"), "LifecycleEvent", None),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Event) else None,
)
def test_a_message_has_a_header_and_a_body(event: Event, type: str, state: str | None) -> None:
    assert isinstance(event, SENT)
    message = json.loads(telemetry_payload(event, "org", "project", "host:1"))
    assert set(message) == {"header", "body"}
    assert message["header"] == {
        "v": 1,
        "ts": event.timestamp,
        "run_id": event.run_id,
        "org_id": "org",
        "project_id": "project",
        "source": "host:1",
    }
    body = message["body"]
    assert (body["type"], body.get("state")) == (type, state)
    fields = {k: v for k, v in event.as_dict().items() if k not in ("event", "run_id", "timestamp")}
    if "type" in fields:  # of a constraint
        fields["constraint_type"] = fields.pop("type")
    shown = {k: tuple(v) if isinstance(v, list) else v for k, v in body.items()}
    assert fields.items() <= shown.items()
