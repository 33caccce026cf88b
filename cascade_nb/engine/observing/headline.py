"""Says what a run is doing and why, in the one line that a colleague would say."""

from __future__ import annotations

import dataclasses

from cascade_nb.control.constraint import Constraint
from cascade_nb.control.explanations import is_about_memory, whose_words
from cascade_nb.control.words import ago, count_text, seconds_text
from cascade_nb.engine.observing.status import FailureLine, Phase, RetryStatus, stopped_words


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
        left = f" · waiting for {count_text(moment.running, 'task')} to end"
        return "Cancelling" + left * bool(moment.running)
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
