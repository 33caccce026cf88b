"""Describes what a run is doing: in numbers, and in the one line that a colleague would say."""

from __future__ import annotations

import dataclasses
import enum
import math
from typing import Final

from cascade_nb.control.constraint import Constraint
from cascade_nb.control.explanations import is_about_memory, whose_words
from cascade_nb.control.words import ago, count_text, seconds_text
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


@dataclasses.dataclass(frozen=True)
class HeadlineFacts:
    """What a headline is made of.

    Attributes:
        finishing: whether nothing is left to do but to keep results and to say so.
        through: how many run where nothing can suspend them.
    """

    phase: Phase
    running: int
    queued: int
    held: int
    failed: int
    elapsed: float
    pauses: tuple[Constraint, ...]
    paused_for: float | None
    blocker: str | None
    retrying: RetryStatus | None
    failure: FailureLine | None
    still_running: tuple[str, ...]
    unreachable: str | None = None
    finishing: bool = False
    unkept: int = 0
    edits: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()
    suspended: int = 0
    suspended_for: float = 0.0
    through: int = 0
    asking: tuple[str, ...] = ()


def _whole(seconds: float) -> str:
    """A wait, to the second where it is longer: who shows it need not do so all the time."""
    return seconds_text(math.ceil(seconds - 0.05) if seconds > 1 else seconds)


def headline(moment: HeadlineFacts) -> str:
    """What is happening and why, in one line."""
    text = _first_words(moment)
    if moment.asking:
        more = f" and {len(moment.asking) - 1} more" if len(moment.asking) > 1 else ""
        text += f" · {moment.asking[0]}{more}"
    if moment.edits:
        some = ", ".join(moment.edits[:3]) + (" …" if len(moment.edits) > 3 else "")
        text += f" · with your edits of {some}"
    text += "".join(f" · {words}" for words in moment.kept)
    if moment.unreachable:
        text += f" · {moment.unreachable}"
    return text


def _first_words(moment: HeadlineFacts) -> str:
    phase, failure = moment.phase, moment.failure
    if phase is Phase.STARTING:
        return "Starting, then paused" if moment.pauses else "Starting"
    if phase is Phase.SUCCEEDED:
        return f"Done in {seconds_text(moment.elapsed)}"
    if phase is Phase.FAILED:
        after = f"Failed after {seconds_text(moment.elapsed)}"
        if failure is None:
            return after
        more = f", and {moment.failed - 1} more" if moment.failed > 1 else ""
        place = f" · {failure.where}" if failure.where else ""
        return f"{after} · {failure.task}: {failure.error}{place}{more}"
    if phase is Phase.CANCELLED:
        left = ", ".join(moment.still_running)
        rest = f" · {left} cannot be stopped and still running" if left else ""
        return f"Cancelled after {seconds_text(moment.elapsed)}{rest}"
    if phase is Phase.CANCELLING:
        return f"Cancelling · waiting for {count_text(moment.running, 'task')} to end"
    if phase in (Phase.PAUSING, Phase.PAUSED):
        return _paused(moment)
    idle = "Finishing" if moment.finishing else "Waiting"
    words = [f"Running {count_text(moment.running, 'task')}" if moment.running else idle]
    if moment.failed:
        words.append(f"{count_text(moment.failed, 'task')} failed")
    words += stopped_words(moment.held - moment.suspended, moment.queued, "task")
    words += _suspended(moment)
    if moment.blocker and (not moment.running or is_about_memory(moment.blocker)):
        words.append(moment.blocker)
    if not moment.running and moment.retrying:
        words.append(moment.retrying.short)
    if words[0] == "Waiting" and (words[1:] or moment.asking):
        return f"Nothing is running: {' · '.join(words[1:])}".rstrip(": ")
    return " · ".join(words)


def stopped_words(held: int, queued: int, noun: str = "") -> list[str]:
    """How many a pause holds, and how many a limit keeps waiting: "14 tasks held", "3 queued"."""
    some = [(held, "held"), (queued, "queued")]
    counted = [(count_text(n, noun) if noun else f"{n:,}", word) for n, word in some if n]
    return [f"{count} {word}" for count, word in counted]


def _suspended(moment: HeadlineFacts) -> list[str]:
    seconds = round(moment.suspended_for)
    since = f" for {seconds_text(seconds)}" if seconds else ""
    return [f"{count_text(moment.suspended, 'task')} suspended{since}"] if moment.suspended else []


def _paused(moment: HeadlineFacts) -> str:
    left = moment.held - moment.suspended
    stands = [f"{count_text(left, 'task')} held"] if left > 0 else []
    held = " · ".join([*stands, *_suspended(moment)])
    whose = whose_words(moment.pauses)
    if moment.phase is Phase.PAUSING:
        some = "which" if moment.through >= moment.running else f"{moment.through} of which"
        still = f", {some} cannot be suspended" if moment.through else ""
        finishing = f"Pausing… {moment.running} finishing{still}"
        return " · ".join(filter(None, [finishing, held, whose.lstrip(": ")]))
    words = [f"Paused {ago(moment.paused_for or 0)}{whose}", held, "nothing is running"]
    if moment.unkept:
        words.insert(1, f"{count_text(moment.unkept, 'result')} not kept yet")
    return " · ".join(filter(None, words))
