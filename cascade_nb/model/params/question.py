"""Describes a question that a run asks: its text, what answers it takes, and what comes of none."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from cascade_nb.errors import AnswerError, ParamError, UsageError, nearest
from cascade_nb.model.params.field import field_of
from cascade_nb.model.params.param import REQUIRED
from cascade_nb.model.params.param_types import ParamType, param_type_of
from cascade_nb.text import quoted

LONGEST: Final = 2_000  # characters of a question
_ANSWER: Final = 100  # characters of an answer that are said back
_WORDS: Final = {"bool": "yes or no", "str": "a text", "int": "a whole number", "float": "a number"}


class Question(NamedTuple):
    """What is asked.

    Attributes:
        text: for people.
        type: what an answer is checked against, as of a `Param`; a dict of names and types is a
            form of several fields.
        default: the answer where nobody gives one in time; `REQUIRED` where there is none.
        topic: where a message of another program answers it; empty for a person.
    """

    text: str
    type: Any = bool
    default: Any = REQUIRED
    topic: str = ""

    @property
    def takes(self) -> str:
        """What answers it takes, in words: "yes or no", "one of 'fast', 'exact'"."""
        if not isinstance(self.type, Mapping):
            return _kind_words(param_type_of(self.type))
        fields = (f"{name} ({_kind_words(param_type_of(one))})" for name, one in self.type.items())
        return ", ".join(fields)

    def taken(self, answer: Any) -> Any:
        """An answer as the run gets it: checked, and read where it is text.

        Raises:
            AnswerError: the question takes another one.
        """
        try:
            if not isinstance(self.type, Mapping):
                return _taken(param_type_of(self.type), answer)
            read = json.loads(answer) if isinstance(answer, str) else answer
            return self._form_taken(read)
        except (TypeError, ValueError, ArithmeticError, RecursionError) as error:
            if isinstance(error, AnswerError):
                raise
            raise AnswerError(
                f"the question takes {self.takes}, and {quoted(answer, _ANSWER)} is none"
                if not isinstance(self.type, Mapping)
                else f"the question takes an object of JSON with {self.takes}, and "
                f"{quoted(answer, _ANSWER)} is none"
            ) from error

    def _form_taken(self, answer: Any) -> dict[str, Any]:
        if not isinstance(answer, Mapping):
            raise TypeError(answer)
        for name in answer:
            if name not in self.type:
                raise AnswerError(
                    f"the question has no field {quoted(name)}{nearest(name, self.type)}"
                )
        missing = [name for name in self.type if name not in answer]
        if missing:
            raise AnswerError(f"the answer has no {missing[0]!r}; it takes {self.takes}")
        made = {}
        for name, one in self.type.items():
            kind = param_type_of(one)
            try:
                made[name] = _taken(kind, answer[name])
            except (TypeError, ValueError, ArithmeticError, RecursionError) as error:
                raise AnswerError(
                    f"{name} takes {_kind_words(kind)}, and {quoted(answer[name], _ANSWER)} is none"
                ) from error
        return made

    def fields(self) -> list[dict[str, Any]]:
        """What a form asks for, as JSON: name, kind ("bool", "choice", "number" or "text"), words,
        and the choices.
        """
        if isinstance(self.type, Mapping):
            return [_asked_for(name, param_type_of(one)) for name, one in self.type.items()]
        return [_asked_for("", param_type_of(self.type))]


def checked_question(text: object, type_: object, default: object, topic: str = "") -> Question:
    """A question of these.

    Raises:
        UsageError: the text is none, or too long; the default answers another question.
        ParamError: no answer can be checked against the type.
    """
    check_type(type_)
    if not isinstance(text, str):
        raise UsageError(f"a question is a text, not {type(text).__name__} {quoted(text)}")
    if not text.strip() or len(text) > LONGEST:
        raise UsageError(f"a question has 1 to {LONGEST} characters, and {quoted(text)} is none")
    question = Question(text, type_, default, topic)
    if default is not REQUIRED:
        try:
            return question._replace(default=question.taken(default))
        except AnswerError as error:
            raise UsageError(f"the default does not answer the question: {error}") from None
    return question


def check_type(type_: object) -> None:
    """Refuse what no answer can be checked against.

    Raises:
        ParamError: so it is.
    """
    if not isinstance(type_, Mapping):
        param_type_of(type_)
        return
    if not type_ or not all(isinstance(name, str) and name for name in type_):
        raise ParamError(f"a form is a dict of names and types, not {quoted(type_)}")
    for one in type_.values():
        param_type_of(one)


def _kind_words(kind: ParamType) -> str:
    return _WORDS.get(kind.name, kind.name)


def _taken(kind: ParamType, answer: Any) -> Any:
    if kind.name == "bool" and isinstance(answer, str) and answer.strip().lower() in ("y", "n"):
        return answer.strip().lower() == "y"
    return kind.take(answer)


def _asked_for(name: str, kind: ParamType) -> dict[str, Any]:
    return {**field_of(name, kind), "words": _kind_words(kind)}
