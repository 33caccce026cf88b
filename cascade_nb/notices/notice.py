"""Makes notices of events: that a run has ended, failed, is held by itself or asks."""

from __future__ import annotations

import dataclasses
import json
from typing import Any, Final

from cascade_nb.control.constraint import parse_scope
from cascade_nb.control.gate_kinds.breakers import THE_BREAKER
from cascade_nb.control.words import seconds_text
from cascade_nb.engine.storage.result_saver import THE_STATE
from cascade_nb.errors import UsageError, nearest
from cascade_nb.events.events import Event, RunFinished
from cascade_nb.events.outside_events import ConstraintApplied, QuestionAsked
from cascade_nb.text import quoted, readable

KINDS: Final = ("done", "failed", "cancelled", "held", "asks")
TEXT: Final = 500  # characters
_ITSELF: Final = (THE_BREAKER, THE_STATE.words)


@dataclasses.dataclass(frozen=True)
class Notice:
    """Something that somebody may want to hear of.

    Attributes:
        kind: "done", "failed", "cancelled", "held" or "asks".
        text: in a sentence, of at most 500 characters that can be shown anywhere.
        run_id: the run; empty for what holds more than one.
        title: what a person calls the run.
        at: when, in seconds since the epoch.
        more: how many of the kind in the same run it stands for beside itself.
    """

    kind: str
    text: str
    run_id: str
    title: str
    at: float
    more: int = 0

    @property
    def line(self) -> str:
        """In a line."""
        return self.text + (f" (and {self.more:,} more)" if self.more else "")

    def payload(self) -> bytes:
        """As JSON; "text" is what chat programs show."""
        said: dict[str, Any] = dataclasses.asdict(self)
        return json.dumps({**said, "text": self.line}).encode()


def notice_of(event: Event, title: str, inside: bool = False) -> Notice | None:
    """What an event is to those who look elsewhere; None where it is nothing.

    Args:
        event: that.
        title: of its run.
        inside: whether a task has started that run, whose end is the task's affair.
    """
    kind, text = "", ""
    if isinstance(event, RunFinished) and not inside:
        kind = "done" if event.status == "succeeded" else event.status
        text = f"{title}: {kind} after {seconds_text(event.duration)}"
        if kind == "failed" and event.error:
            text += f": {event.error}"
    elif isinstance(event, QuestionAsked) and not event.topic:
        kind, text = "asks", f"{title}: {event.task_id} asks: {event.question} ({event.takes})"
    elif isinstance(event, ConstraintApplied) and event.type == "pause" and event.by in _ITSELF:
        kind, words = "held", parse_scope(event.scope).words
        text = f"{title + ': ' if title else ''}{words} paused by {event.by}: {event.reason}"
    if not kind:
        return None
    line = " ".join(readable(text).split())
    line = line if len(line) <= TEXT else f"{line[: TEXT - 2]} …"
    return Notice(kind, line, event.run_id, readable(title)[:TEXT], event.timestamp)


def checked_kinds(on: object) -> frozenset[str]:
    """The kinds that are told of.

    Raises:
        UsageError: one of them is none.
    """
    some = KINDS if on is None else (on,) if isinstance(on, str) else on
    if not isinstance(some, (list, tuple, set, frozenset)) or not some:
        raise UsageError(f"on= is a list of {', '.join(KINDS)}, not {quoted(on)}")
    for kind in some:
        if kind not in KINDS:
            raise UsageError(f"there is no notice of kind {quoted(kind)}{nearest(kind, KINDS)}")
    return frozenset(some)
