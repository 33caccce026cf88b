"""What happens in a run, as events: frozen records that are safe to write as JSON."""

from __future__ import annotations

import dataclasses
import time
from typing import Any

from cascade_nb.events.json_line import line_of
from cascade_nb.events.record import Record


class Event(Record):
    """Something that happened.

    Attributes:
        run_id: the run it happened in; empty for what concerns an engine and no single run.
        timestamp: seconds since the epoch, when it happened.
    """

    __slots__ = ()

    run_id: str = ""
    timestamp: float = dataclasses.field(default_factory=time.time)

    def as_dict(self) -> dict[str, Any]:
        """Its fields and its kind, as JSON-safe values."""
        return {"event": type(self).__name__, **dict(zip(self.fields, self, strict=True))}

    def to_json(self) -> str:
        """One line of JSON."""
        return line_of(self)


class RunStarted(Event):
    """A run's first event: its constraints are in force, no task has started.

    Attributes:
        title: what a person calls its target.
        total: how many nodes it has, as far as known before mapped ones expand.
    """

    __slots__ = ()

    title: str = ""
    total: int = 0


class RunFinished(Event):
    """A run's last event, also when it failed or was cancelled.

    Attributes:
        status: "succeeded", "failed" or "cancelled".
        duration: seconds from its start, paused time not counted.
        error: the failure in words.
        still_running: labels of tasks whose threads could not be stopped.
    """

    __slots__ = ()

    status: str = "succeeded"
    duration: float = 0.0
    error: str | None = None
    still_running: tuple[str, ...] = ()


class TaskEvent(Event):
    """Something that happened to one node.

    Attributes:
        task_id: the node's identity in its graph; an item of a mapped node is `<node>[<position>]`.
        task_name: the kind of work, its task's name.
    """

    __slots__ = ()

    task_id: str = ""
    task_name: str = ""


class TaskExecutionStarted(TaskEvent):
    """An attempt begins; every constraint has just allowed it.

    Attributes:
        attempt: 1 for the first.
    """

    __slots__ = ()

    attempt: int = 1


class TaskExecutionFinished(TaskEvent):
    """A node is over: its result is kept by the state backend, or it failed for good.

    Attributes:
        status: "completed", "failed" or "cancelled".
        duration: seconds of the last attempt, waits at checkpoints not counted.
        attempt: the number of that attempt.
        error: the failure in words.
    """

    __slots__ = ()

    status: str = "completed"
    duration: float = 0.0
    attempt: int = 1
    error: str | None = None


class TaskSkipped(TaskEvent):
    """A node will not run.

    Attributes:
        reason: "ConditionFalse", "Pruned", "UpstreamSkipped", "UpstreamFailed" or "Reused".
        detail: the same in words.
    """

    __slots__ = ()

    reason: str = ""
    detail: str = ""


class TaskRetrying(TaskEvent):
    """An attempt failed and another will follow.

    Attributes:
        attempt: the number of the attempt to come.
        max_attempts: how many there may be.
        delay: seconds until it may start.
        error: why the one before failed.
    """

    __slots__ = ()

    attempt: int = 2
    max_attempts: int = 2
    delay: float = 0.0
    error: str = ""


class TaskBlocked(TaskEvent):
    """A node could start, and a constraint does not let it.

    Attributes:
        constraint: which one, by scope and type.
        detail: the same in words, with what would free it.
    """

    __slots__ = ()

    constraint: str = ""
    detail: str = ""


class TaskProgress(TaskEvent):
    """How far a running task says it is.

    Attributes:
        done: items gone through.
        total: items in all, where known.
    """

    __slots__ = ()

    done: int = 0
    total: int | None = None


class ResourceEvent(TaskEvent):
    """Something that happened to a resource; the task is the one that asked for it, if one did.

    Attributes:
        resource: its name.
        scope: "run" or "task".
    """

    __slots__ = ()

    resource: str = ""
    scope: str = "run"


class ResourceAcquired(ResourceEvent):
    """A resource was opened."""

    __slots__ = ()


class ResourceReleased(ResourceEvent):
    """A resource was closed.

    Attributes:
        error: what closing it raised, in words.
    """

    __slots__ = ()

    error: str | None = None
