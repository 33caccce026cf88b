"""What can happen, told as frozen records that are safe to write as JSON."""

from __future__ import annotations

import dataclasses
import json
import time
from typing import Any, ClassVar, TypeVar

from cascade_nb.errors import SerializationError


@dataclasses.dataclass(frozen=True)
class Event:
    """Something that happened.

    Attributes:
        run_id: the run it happened in; empty for what concerns an engine and no single run.
        timestamp: seconds since the epoch, when it happened.
    """

    run_id: str = ""
    timestamp: float = dataclasses.field(default_factory=time.time)

    def as_dict(self) -> dict[str, Any]:
        """Its fields and its kind, as JSON-safe values."""
        fields = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        return {"event": type(self).__name__, **fields}

    def to_json(self) -> str:
        """One line of JSON."""
        return json.dumps(self.as_dict(), ensure_ascii=True, default=str)


E = TypeVar("E", bound=Event)


def record(kind: type[E], fields: dict[str, Any]) -> E:
    """An event of exactly these fields; what is left out has its default.

    A frozen dataclass fills itself field by field through `object.__setattr__`, which takes longer
    than all else that is done for a small task. The dict becomes the event's own.
    """
    event = object.__new__(kind)
    object.__setattr__(event, "__dict__", fields)
    return event


@dataclasses.dataclass(frozen=True)
class RunStarted(Event):
    """A run's first event: its constraints are in force, no task has started.

    Attributes:
        title: what a person calls its target.
        total: how many nodes it has, as far as known before mapped ones expand.
    """

    title: str = ""
    total: int = 0


@dataclasses.dataclass(frozen=True)
class RunFinished(Event):
    """A run's last event, also when it failed or was cancelled.

    Attributes:
        status: "succeeded", "failed" or "cancelled".
        duration: seconds from its start, paused time not counted.
        error: the failure in words.
        still_running: labels of tasks whose threads could not be stopped.
    """

    status: str = "succeeded"
    duration: float = 0.0
    error: str | None = None
    still_running: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class TaskEvent(Event):
    """Something that happened to one node.

    Attributes:
        task_id: the node's identity in its graph; an item of a mapped node is `<node>[<position>]`.
        task_name: the kind of work, its task's name.
    """

    task_id: str = ""
    task_name: str = ""


@dataclasses.dataclass(frozen=True)
class TaskExecutionStarted(TaskEvent):
    """An attempt begins; every constraint has just allowed it.

    Attributes:
        attempt: 1 for the first.
    """

    attempt: int = 1


@dataclasses.dataclass(frozen=True)
class TaskExecutionFinished(TaskEvent):
    """A node is over: its result is kept by the state backend, or it failed for good.

    Attributes:
        status: "completed", "failed" or "cancelled".
        duration: seconds of the last attempt, waits at checkpoints not counted.
        attempt: the number of that attempt.
        error: the failure in words.
    """

    status: str = "completed"
    duration: float = 0.0
    attempt: int = 1
    error: str | None = None


@dataclasses.dataclass(frozen=True)
class TaskSkipped(TaskEvent):
    """A node will not run.

    Attributes:
        reason: "ConditionFalse", "Pruned", "UpstreamSkipped", "UpstreamFailed" or "Reused".
        detail: the same in words.
    """

    reason: str = ""
    detail: str = ""


@dataclasses.dataclass(frozen=True)
class TaskRetrying(TaskEvent):
    """An attempt failed and another will follow.

    Attributes:
        attempt: the number of the attempt to come.
        max_attempts: how many there may be.
        delay: seconds until it may start.
        error: why the one before failed.
    """

    attempt: int = 2
    max_attempts: int = 2
    delay: float = 0.0
    error: str = ""


@dataclasses.dataclass(frozen=True)
class TaskBlocked(TaskEvent):
    """A node could start, and a constraint does not let it.

    Attributes:
        constraint: which one, by scope and type.
        detail: the same in words, with what would free it.
    """

    constraint: str = ""
    detail: str = ""


@dataclasses.dataclass(frozen=True)
class TaskProgress(TaskEvent):
    """How far a running task says it is.

    Attributes:
        done: items gone through.
        total: items in all, where known.
    """

    done: int = 0
    total: int | None = None


@dataclasses.dataclass(frozen=True)
class ConstraintEvent(Event):
    """Something that happened to a constraint.

    Attributes:
        scope: what it is about.
        type: "pause", "concurrency" or "rate_limit".
        by: who asked for it, where known.
    """

    scope: str = ""
    type: str = ""
    by: str = ""


@dataclasses.dataclass(frozen=True)
class ConstraintApplied(ConstraintEvent):
    """From this event on, nothing starts that the constraint forbids.

    Attributes:
        params: its numbers.
        reason: why, in the words of who asked.
        expires_in: seconds it lasts, or None.
    """

    params: dict[str, Any] = dataclasses.field(default_factory=dict)
    reason: str = ""
    expires_in: float | None = None


@dataclasses.dataclass(frozen=True)
class ConstraintLifted(ConstraintEvent):
    """The constraint holds no longer.

    Attributes:
        cause: "lifted" or "expired".
    """

    cause: str = "lifted"


@dataclasses.dataclass(frozen=True)
class ConstraintRejected(Event):
    """A message from outside was no constraint; nothing changed.

    Attributes:
        topic: where it came from.
        error: why it was refused.
    """

    topic: str = ""
    error: str = ""


@dataclasses.dataclass(frozen=True)
class ResourceEvent(TaskEvent):
    """Something that happened to a resource; the task is the one that asked for it, if one did.

    Attributes:
        resource: its name.
        scope: "run" or "task".
    """

    resource: str = ""
    scope: str = "run"


@dataclasses.dataclass(frozen=True)
class ResourceAcquired(ResourceEvent):
    """A resource was opened."""


@dataclasses.dataclass(frozen=True)
class ResourceReleased(ResourceEvent):
    """A resource was closed.

    Attributes:
        error: what closing it raised, in words.
    """

    error: str | None = None


@dataclasses.dataclass(frozen=True)
class ConnectorConnected(Event):
    """Constraints can come in and telemetry can go out.

    Attributes:
        attempt: how many tries it took since the last connection.
    """

    attempt: int = 1


@dataclasses.dataclass(frozen=True)
class ConnectorDisconnected(Event):
    """The connector is gone, on purpose or not; runs go on without it.

    Attributes:
        error: what went wrong, or None at an orderly end.
        retry_in: seconds to the next try, or None when there is none.
    """

    error: str | None = None
    retry_in: float | None = None


class Kinds:
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
        kind = Kinds.by_name[fields.pop("event")]
        if "still_running" in fields:
            fields["still_running"] = tuple(fields["still_running"])
        return kind(**fields)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise SerializationError(f"{text[:80]!r} is no event: {error}") from error
