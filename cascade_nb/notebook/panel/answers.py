"""Tells the panel what a run asks, and hands on the answers that its forms give."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cascade_nb.control.holders import the_user
from cascade_nb.engine.observing.status import RunStatus
from cascade_nb.shortcuts.answering import answer_among, live_runs

if TYPE_CHECKING:
    from cascade_nb.engine.runs.run import Run


def questions_of(status: RunStatus) -> list[dict[str, Any]]:
    """What a run asks, and the runs inside of it, as the panel has it."""
    own = [
        {
            "run": status.run_id,
            "name": one.name,
            "text": one.text,
            "fields": [dict(field) for field in one.fields],
            "topic": one.topic,
        }
        for one in status.questions
    ]
    return own + [one for nested in status.nested for one in questions_of(nested.status)]


def give_answer(run: Run, run_id: str, name: str, value: Any) -> None:
    """Answer a question of a run, or of one inside of it.

    Raises:
        AnswerError: it takes another answer, has one already, or is not asked.
    """
    asking = [one for one in live_runs() if one.id == run_id] or [run]
    answer_among(asking, name, value, the_user())
