"""Answers the questions of one run: the part of `Run` that does."""

from __future__ import annotations

from typing import Any

from cascade_nb.control.holders import Holder
from cascade_nb.engine.asking.question_status import QuestionStatus
from cascade_nb.errors import AnswerError


class Answering:
    """The part of `Run` that takes answers."""

    _driver: Any

    @property
    def questions(self) -> tuple[QuestionStatus, ...]:
        """What it asks just now, the oldest first; at most twenty."""
        return self.status.questions  # type: ignore[attr-defined,no-any-return]

    def answer(self, name: str, value: Any, *, by: str | Holder = "you") -> Any:
        """Answer a question of this run, from any thread.

        Args:
            name: of the node that asks, or of an item: ``map(ask)[3]``.
            value: the answer; text is read as the question's type.
            by: who answers: "you", a person's name, or a holder such as "program:nightly".

        Returns:
            The answer as the run gets it.

        Raises:
            AnswerError: the question takes another answer, or has one already, or is not asked; the
                run goes on as it was.

        Example:
            >>> run = cs.start(cs.ask("Is it right?").named("right"))
            >>> import time
            >>> while not run.questions:
            ...     time.sleep(0.01)
            >>> run.answer("right", "yes", by="ada")
            True
            >>> run.result()
            True
        """
        driver = self._driver
        if driver is None:
            raise AnswerError("the run has not begun, so it asks nothing yet")
        return driver.questions.answer(name, value, by)
