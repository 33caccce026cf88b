"""The action of `%cascade answer`: says what is asked, answers it, or has it asked anew."""

from __future__ import annotations

from argparse import Namespace
from typing import Any

from cascade_nb.engine.asking.questions import answer_words
from cascade_nb.errors import UsageError
from cascade_nb.model.lazy.lazy import Lazy
from cascade_nb.notebook.panel.drawing import on_a_loop_of_its_own
from cascade_nb.notebook.session import Session
from cascade_nb.notebook.shell import say
from cascade_nb.shortcuts.answering import answer
from cascade_nb.text import quoted


def answer_question(session: Session, given: Namespace, awaited: bool) -> Any:
    """Answer what a run asks; without a name, say what is asked."""
    if given.name is None:
        _tell_questions(session)
        return None
    if given.again:
        return _ask_again(session, given, awaited)
    if not given.value:
        raise UsageError(f"`%cascade answer {given.name} VALUE` needs the answer, such as yes")
    taken = answer(given.name, " ".join(given.value))
    say(f"Answered: {given.name} gets {answer_words(taken)}.")
    return None


def _tell_questions(session: Session) -> None:
    asked = [(run, one) for run in session.live_runs() for one in run.questions]
    lines = [f"Run {run.number}: {one.words}, {one.time_words}" for run, one in asked]
    say("\n".join(lines) or "Nothing is asked.")


def _ask_again(session: Session, given: Namespace, awaited: bool) -> Any:
    if given.value:
        raise UsageError("--again has a question asked anew, so that it takes no answer")
    target, item = session.meaning(given.name)
    if not isinstance(target, Lazy) or item:
        raise UsageError(f"{quoted(given.name)} is no question that could be asked anew")
    asking = session.engine.ask_again(target, bindings=session.workspace)

    def told(kept: bool) -> str:
        if kept:
            return f"{given.name} is asked anew by the next run that needs it."
        return f"No answer to {given.name} is kept, so that it is asked anyway."

    if not awaited:
        say(told(on_a_loop_of_its_own(asking)))
        return None

    async def tell() -> None:
        say(told(await asking))

    return tell()
