"""Describes the questions that a run asks, for panel, terminal and whoever else can answer."""

from __future__ import annotations

import dataclasses
import shlex
from typing import Any, Final

from cascade_nb.control.words import seconds_text
from cascade_nb.engine.core.run_core import RunCore
from cascade_nb.engine.core.run_state import OpenQuestion

MOST: Final = 20  # questions of a run that are told of one by one
_SHORT: Final = 160  # characters of a question in a line


@dataclasses.dataclass(frozen=True)
class QuestionStatus:
    """A question that waits for its answer.

    Attributes:
        name: of its node, or of the item: "approved", "map(ask)[3]"; by which it is answered.
        node: the id of its node in the graph.
        text: what is asked.
        takes: what answers it takes, in words.
        fields: what a form for it has, as `Question.fields` says.
        topic: where a message answers it; empty for a person.
        waited: seconds since it was asked.
        left: seconds until its time is over; None where it has none.
    """

    name: str
    node: str
    text: str
    takes: str
    fields: tuple[dict[str, Any], ...]
    topic: str
    waited: float
    left: float | None

    @property
    def words(self) -> str:
        """With its name, in a line: "approved asks: Use 3 rows? (yes or no)"."""
        if self.topic:
            return f"{self.name} waits for {self.text}"
        text = " ".join(self.text.split())
        shown = text if len(text) <= _SHORT else text[: _SHORT - 2] + " …"
        return f"{self.name} asks: {shown} ({self.takes})"

    @property
    def time_words(self) -> str:
        """How long it waits, and for how long it still does."""
        left = "" if self.left is None else f", for {seconds_text(self.left)} more"
        return f"asked {seconds_text(self.waited)} ago{left}"

    @property
    def command(self) -> str:
        """What answers it in a terminal."""
        return f"cascade-nb answer {shlex.quote(self.name)} VALUE"


def questions_in(core: RunCore, now: float) -> tuple[QuestionStatus, ...]:
    """What a run asks just now, the oldest first. Call under the engine's lock."""
    if not core.questions:
        return ()
    some = list(core.questions.items())[:MOST]
    return tuple(_told(core, index, asked, now) for index, asked in some)


def question_of(core: RunCore, index: int, now: float) -> QuestionStatus | None:
    """What one node or item asks just now. Call under the engine's lock."""
    asked = core.questions.get(index)
    return None if asked is None else _told(core, index, asked, now)


def _told(core: RunCore, index: int, asked: OpenQuestion, now: float) -> QuestionStatus:
    question, timeout = asked.question, core.options_of(index).timeout
    waited = max(0.0, now - asked.since)
    return QuestionStatus(
        name=core.id_of(index),
        node=core.graph.nodes[core.root_of(index)].id,
        text=question.text,
        takes=question.takes,
        fields=tuple(question.fields()),
        topic=question.topic,
        waited=waited,
        left=None if timeout is None else max(0.0, timeout - waited),
    )
