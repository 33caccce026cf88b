"""Describes what a run is doing at one moment, in numbers."""

from __future__ import annotations

import dataclasses
import enum
import math
from typing import Final

from cascade_nb.control.words import count_text, seconds_text
from cascade_nb.engine.asking.question_status import QuestionStatus
from cascade_nb.engine.core.scheduler import State


class NodeState(str, enum.Enum):
    """How a node stands, as it is shown."""

    WAITING = "waiting"
    QUEUED = "queued"
    ASKING = "asking"
    HELD = "held"
    RUNNING = "running"
    DONE = "done"
    REUSED = "reused"
    FAILED = "failed"
    SKIPPED = "skipped"
    CANCELLED = "cancelled"


class Phase(str, enum.Enum):
    """How a run stands."""

    STARTING = "starting"
    RUNNING = "running"
    PAUSING = "pausing"
    PAUSED = "paused"
    CANCELLING = "cancelling"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_over(self) -> bool:
        """Whether nothing more will happen."""
        return self in (Phase.SUCCEEDED, Phase.FAILED, Phase.CANCELLED)


SHOWN: Final = {
    State.IDLE: NodeState.WAITING,
    State.WAITING: NodeState.WAITING,
    State.READY: NodeState.WAITING,
    State.RUNNING: NodeState.RUNNING,
    State.DONE: NodeState.DONE,
    State.FAILED: NodeState.FAILED,
    State.SKIPPED: NodeState.SKIPPED,
    State.CANCELLED: NodeState.CANCELLED,
}


@dataclasses.dataclass(frozen=True)
class FailureLine:
    """A failure in a line: the task, what it raised, and the user's line."""

    task: str
    error: str
    where: str | None


@dataclasses.dataclass(frozen=True)
class KindStatus:
    """All nodes of one task taken together.

    Attributes:
        queued, held: how many a limit, that of the threads too, and a pause keep from starting.
        paused: whether a pause of exactly this task stands.
        limit: the concurrency limit of exactly this task, the strictest, or None.
        by: who pauses or limits exactly this task, and why, in words.
        others: those of them that are not you.
        asking, waiting: how many wait for an answer, and for what they read.
        attempts: how many are over, failed ones too.
        seconds: how long they took together.
        longest: how long the longest of them took.
        cpu: seconds of processor time that those in processes used.
        memory: bytes that one of those had at its peak, the most of them.
    """

    name: str
    total: int
    done: int
    running: int
    queued: int
    held: int
    failed: int
    paused: bool
    limit: int | None
    by: str = ""
    others: tuple[str, ...] = ()
    attempts: int = 0
    seconds: float = 0.0
    longest: float = 0.0
    asking: int = 0
    waiting: int = 0
    cpu: float = 0.0
    memory: int = 0


@dataclasses.dataclass(frozen=True)
class RetryStatus:
    """A node, or an item of one, that is tried again.

    Attributes:
        node: the id of the node.
        task: how it is called.
        attempt: the number of the attempt that is under way or comes next.
        most: how many there are at most.
        wait: seconds until it begins; None while it is under way.
        error: what the attempt before it raised.
    """

    node: str
    task: str
    attempt: int
    most: int
    wait: float | None
    error: str

    @property
    def words(self) -> str:
        """After its name: "attempt 1 of 3 failed: OSError: timed out; attempt 2 begins in 4 s"."""
        comes = "is under way" if self.wait is None else f"begins in {_whole(self.wait)}"
        failed = f"attempt {self.attempt - 1} of {self.most} failed: {self.error}"
        return f"{failed}; attempt {self.attempt} {comes}"

    @property
    def short(self) -> str:
        """With its name: "fetch: attempt 2 of 3 in 4 s, after OSError: timed out"."""
        when = "" if self.wait is None else f" in {_whole(self.wait)}"
        return f"{self.task}: attempt {self.attempt} of {self.most}{when}, after {self.error}"


@dataclasses.dataclass(frozen=True)
class NestedStatus:
    """A run that a task has started and waits for.

    Attributes:
        node: the id of the task's node.
        task: how it is called.
        task_name: the name of the task.
        status: how that run stands.
    """

    node: str
    task: str
    task_name: str
    status: RunStatus

    @property
    def words(self) -> str:
        """In a line: "train: run 4 of fold inside: Running 2 tasks · 3 of 12 done"."""
        run = self.status
        return f"{self.task}: run {run.number} of {run.title} inside: {run.standing}"

    @property
    def short(self) -> str:
        """In few words: "train: 3 of 12 done inside", and why where nothing of it runs."""
        run = self.status
        stopped = stopped_words(run.held, run.queued)
        why = f" ({', '.join(stopped) or run.headline})"
        why = "" if run.running else why
        return f"{self.task}: {run.done + run.reused:,} of {run.total:,} done inside{why}"


@dataclasses.dataclass(frozen=True)
class RunStatus:
    """A run at one moment.

    Attributes:
        waiting: how many wait for what they read, or for a thread.
        queued: how many a limit keeps from starting.
        held: how many a pause does.
        elapsed: seconds since its start, paused time not counted.
        paused_for: seconds since the pause that holds all of it, or None.
        remaining: seconds it will still take, see `inspection.time_left`; None where nobody knows.
        headline: the one line that says what is happening and why.
        blocked_by: what keeps one of its nodes from starting, in words; None where nothing does.
        parent: the id of the run whose task has started it, if one did.
        retries: what is tried again, at most five of them.
        nested: the runs that its tasks have started and wait for.
        suspended: how many are stopped where they stand in their processes, of those held.
        suspended_for: seconds since the first of them was; None where none is.
        asking: how many wait for an answer.
        questions: what these ask, at most twenty of them.
        dashboards: addresses where the clusters that it uses show what they do.
    """

    run_id: str
    number: int
    title: str
    phase: Phase
    total: int
    done: int
    reused: int
    failed: int
    skipped: int
    cancelled: int
    running: int
    waiting: int
    queued: int
    held: int
    elapsed: float
    paused_for: float | None
    remaining: float | None
    headline: str
    kinds: tuple[KindStatus, ...]
    failures: tuple[FailureLine, ...]
    blocked_by: str | None = None
    parent: str | None = None
    retries: tuple[RetryStatus, ...] = ()
    nested: tuple[NestedStatus, ...] = ()
    suspended: int = 0
    suspended_for: float | None = None
    asking: int = 0
    questions: tuple[QuestionStatus, ...] = ()
    dashboards: tuple[str, ...] = ()

    @property
    def standing(self) -> str:
        """How it goes, how much of it is done, and what holds it up."""
        why = self.blocked_by if self.blocked_by and self.blocked_by not in self.headline else ""
        done = f"{self.done + self.reused:,} of {self.total:,} done" if self.total else ""
        return " · ".join(filter(None, [self.headline, done, why]))


def stopped_words(held: int, queued: int, noun: str = "") -> list[str]:
    """How many a pause holds, and how many a limit keeps waiting: "14 tasks held", "3 queued"."""
    some = [(held, "held"), (queued, "queued")]
    counted = [(count_text(n, noun) if noun else f"{n:,}", word) for n, word in some if n]
    return [f"{count} {word}" for count, word in counted]


def _whole(seconds: float) -> str:
    """A wait, to the second where it is longer: who shows it need not do so all the time."""
    return seconds_text(math.ceil(seconds - 0.05) if seconds > 1 else seconds)
