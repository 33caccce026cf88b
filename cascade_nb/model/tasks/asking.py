"""The tasks behind `cs.ask` and `cs.recv`: calls whose results somebody outside gives."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, ParamSpec

from cascade_nb.errors import TaskCallError, UsageError
from cascade_nb.model.lazy.calls import LazyResult, MappedLazyResult
from cascade_nb.model.lazy.lazy import Lazy, Options
from cascade_nb.model.params.param import REQUIRED
from cascade_nb.model.params.question import check_type, checked_question
from cascade_nb.model.tasks.present import Continued
from cascade_nb.model.tasks.task import Task
from cascade_nb.text import quoted

P = ParamSpec("P")

_TOPIC: Final = 1_024  # characters


class Asking(Task[P, Any]):
    """A task whose body gives a `Question`, and whose result is what answers that."""

    def __reduce__(self) -> tuple[Any, ...]:
        return _found, (self.name,)

    def _read(self, fn: Any) -> None:
        super()._read(fn)
        self._is_looked_at = True

    def _is_plain_call(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> bool:
        if any(isinstance(value, Lazy) for value in (*args, *kwargs.values())):
            return False
        raise TaskCallError(
            f"cs.{self.name} waits for an answer, which a body cannot: give the answer to the task "
            f"as an argument, or return cs.{self.name}.lazy(…)"
        )

    def _node(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> LazyResult[Any]:
        _check_given(kwargs)
        words = str(kwargs.get("question", args[0] if args else ""))
        if "timeout" in kwargs and "{timeout" not in words:
            raise TaskCallError(
                f"cs.{self.name} takes no timeout=: say cs.{self.name}(…).with_timeout(seconds), "
                "and default= for the answer that it has then"
            )
        return super()._node(args, kwargs)

    def mapped(
        self, collections: Mapping[str, Any], fixed: Mapping[str, Any], how: Any = "zip"
    ) -> MappedLazyResult[Any]:
        """One question for each item of `collections`, which are all given `fixed`.

        Args:
            collections, how: as `map` takes them.
            fixed: by parameter name, what is the same for every item.

        Returns:
            A `MappedLazyResult`, whose value is the list of answers.

        Raises:
            MapError, TaskCallError: as `map`; or a parameter is given twice.
            ParamError: no answer can be checked against the type.

        Example:
            >>> cs.ask.mapped({"question": ["Is it red?", "Is it blue?"]}, {})
            <lazy map(ask)>
        """
        _check_given(fixed)
        return super().mapped(collections, fixed, how)


def _check_given(kwargs: Mapping[str, Any]) -> None:
    """Refuse a type at once that no answer can be checked against."""
    type_ = kwargs.get("type", bool)
    if type_ is not None and not isinstance(type_, Lazy):
        check_type(type_)


def _ask(
    question: str, *values: Any, type: Any = bool, default: Any = REQUIRED, **named: Any
) -> Any:
    """A question to a person: the node waits for the answer, and takes no thread meanwhile.

    It is answered on the panel, with ``%cascade answer NAME VALUE``, in a terminal with
    ``cascade-nb answer NAME VALUE``, over MQTT, or by `Run.answer`. An answer is kept like a
    result: the same question about the same inputs is not asked again, unless by `cs.ask_again`.

    Args:
        question: at most 2,000 characters; where values are given, a format like that of
            `str.format` with ``{}`` for each.
        values, named: what the question is about; lazy values are run first.
        type: what the answer is, as the type of a `Param`: `bool`, `str`, `int`,
            ``Literal["fast", "exact"]``, …; a dict of names and types is a form of several fields,
            whose answer is a dict.
        default: the answer for this run where `.with_timeout` is over before somebody answers;
            without one the node fails then.

    Returns:
        A `LazyResult`, named, conditioned and timed like any other.

    Raises:
        ParamError: no answer can be checked against the type.
        TaskCallError: it stands in the body of a task and is given no lazy value.

    Example:
        >>> approved = cs.ask("Use {} rows?", total(fetch(3)), default=True).named("approved")
        >>> made = report.run_if(approved.with_timeout(0.01), otherwise="nothing")
        >>> cs.run(made)  # or: run = cs.start(made); run.answer("approved", True); run.result()
        3
    """
    text = question
    if (values or named) and isinstance(question, str):
        try:
            text = question.format(*values, **named)
        except (LookupError, ValueError, TypeError, AttributeError) as error:
            raise UsageError(
                f"the question {quoted(question, 80)} cannot be put together of what it was given: "
                f"{quoted(error, 100)}"
            ) from None
    return Continued(checked_question(text, type, default))


def _recv(topic: str, *, type: Any = None, default: Any = REQUIRED) -> Any:
    """What another program sends on a topic of the engine's connector: the node waits for the next
    message there, and takes no thread meanwhile.

    Each run waits for a message of its own. A message that a broker retains comes at once.

    Args:
        topic: without ``#`` and ``+``, and not below ``cascade/``.
        type: what the message is, as for `cs.ask`; without one JSON is read, and else it is text.
        default: as for `cs.ask`.

    Returns:
        A `LazyResult`.

    Raises:
        ParamError: no message can be checked against the type.
        TaskCallError: it stands in the body of a task and is given no lazy value.

    Example:
        >>> cs.recv("plant/ready", type=int).named("ready")
        <lazy recv as 'ready'>
    """
    if not isinstance(topic, str) or not 0 < len(topic) <= _TOPIC or not topic.isprintable():
        raise UsageError(f"a topic is a text of at most {_TOPIC} characters, not {quoted(topic)}")
    if set(topic) & set("#+") or topic.startswith(("cascade/", "$")):
        raise UsageError(
            f"{topic[:60]!r} is no topic to receive on: it has neither '#' nor '+', and does not "
            "begin with 'cascade/' or '$'"
        )
    text = f"a message on {topic}"
    return Continued(checked_question(text, Any if type is None else type, default, topic))


ask: Final = Asking(_ask, name="ask", executor="thread", ignore="default")
recv: Final = Asking(
    _recv, name="recv", executor="thread", options=Options(reuse=False), ignore="default"
)


def _found(name: str) -> Asking[Any]:
    found: Asking[Any] = ask if name == "ask" else recv
    return found
