"""Answers what the runs of the process ask, and has a question asked anew."""

from __future__ import annotations

from typing import Any

from cascade_nb.concurrency.own_loop import on_own_loop
from cascade_nb.control.holders import Holder
from cascade_nb.defaults import default_engine
from cascade_nb.engine.engine import Engine
from cascade_nb.engine.runs.run import Run
from cascade_nb.errors import AnswerError, UsageError, nearest
from cascade_nb.model.lazy.lazy import Lazy
from cascade_nb.text import quoted


def answer(name: str, value: Any, *, by: str | Holder = "you") -> Any:
    """Answer a question that a run of this process asks; see `Run.answer`.

    Args:
        name: of the node that asks, or of an item: ``map(ask)[3]``.
        value: the answer; text is read as the question's type.
        by: who answers: "you", a person's name, or a holder such as "program:nightly".

    Returns:
        The answer as the run gets it.

    Raises:
        AnswerError: the question takes another answer, has one already, or is not asked; or several
            runs ask one of this name.

    Example:
        >>> run = cs.start(cs.ask("How many?", type=int).named("many"))
        >>> import time
        >>> while not run.questions:
        ...     time.sleep(0.01)
        >>> cs.answer("many", "3")
        3
        >>> run.result()
        3
    """
    return answer_among(live_runs(), name, value, by)


def answer_among(runs: list[Run], name: str, value: Any, by: str | Holder) -> Any:
    """Answer the question of this name that one of these runs asks; see `answer`."""
    asked = [(run, one) for run in runs for one in run.questions]
    asking = [run for run, one in asked if name in (one.name, one.node)]
    asking = list(dict.fromkeys(asking)) or [
        run for run in runs if any(name == node.id for node in run.graph.nodes)
    ]
    if len(asking) == 1:
        return asking[0].answer(name, value, by=by)
    if asking:
        some = ", ".join(f"run {run.number} ({run.id})" for run in asking[:5])
        raise AnswerError(f"several runs have {quoted(name)}, so say which: {some}")
    there = [one.name for _, one in asked]
    if not there:
        raise AnswerError("no run asks anything just now")
    raise AnswerError(f"there is no question {quoted(name)}{nearest(name, there)}")


def live_runs() -> list[Run]:
    """The runs of this process that go on, the newest first."""
    return [run for engine in Engine.alive() for run in reversed(engine.runs)]


def ask_again(question: Lazy) -> bool:
    """Have the next run ask a question anew of which an answer is kept; what was made of that
    answer does not stand any more either.

    Args:
        question: what `cs.ask` gave.

    Returns:
        False where no answer is kept.

    Raises:
        UsageError: it is no question.
        StateError: where answers are kept cannot be reached, read or written.

    Example:
        >>> cs.ask_again(cs.ask("Is it right?").named("right"))
        False
    """
    if not isinstance(question, Lazy):
        raise UsageError(f"ask_again takes what cs.ask gave, not {quoted(question)}")
    return on_own_loop(default_engine().ask_again(question))
