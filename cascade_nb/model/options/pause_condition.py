"""Checks the conditions of breakpoints, and says in words what they ask."""

from __future__ import annotations

import inspect
import types
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

from cascade_nb.concurrency.safe_parse import safely
from cascade_nb.errors import UsageError
from cascade_nb.text import quoted

#: Whether a start is held, given by parameter what its body would get.
PauseIf: TypeAlias = Callable[[dict[str, Any]], object]

_LONGEST: Final = 60  # characters of a condition in a sentence


class Expression:
    """A condition that was typed, such as ``len(rows) > 3``: of what a body would get, by parameter
    or all of it as `inputs`, and of what else has a name where it was typed.

    Args:
        text: the expression.
        names: gives what has a name there, when it is judged.

    Raises:
        UsageError: it is no expression.
    """

    def __init__(self, text: str, names: Callable[[], Mapping[str, Any]]) -> None:
        try:
            self._code = safely(lambda: compile(text.strip(), "<condition>", "eval"))
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            said = error.msg if isinstance(error, SyntaxError) else str(error)
            raise UsageError(
                f"{quoted(text)} is no expression ({said or type(error).__name__}); a condition is "
                "one of a node's inputs, such as len(rows) > 3"
            ) from None
        self.text, self._names = text.strip(), names

    def __call__(self, inputs: dict[str, Any]) -> object:
        """What it comes to."""
        # As globals, since what is inside a comprehension sees no others.
        names = {**self._names(), "inputs": inputs, **inputs}
        return eval(self._code, names)  # noqa: S307  # the user typed it, to be run here


def checked_pause_if(condition: object) -> PauseIf:
    """`condition`, if it can be the condition of a breakpoint.

    Raises:
        UsageError: it cannot be called, or has to be awaited.
    """
    function: Any = condition
    if not callable(function):
        raise UsageError(
            "pause_if is a function of a node's inputs, such as lambda inputs: inputs['n'] > 3, "
            f"not {quoted(condition)}"
        )
    if inspect.iscoroutinefunction(getattr(function, "fn", function)):
        raise UsageError("pause_if is a plain function, and an async one was given")
    return function  # type: ignore[no-any-return]


def condition_in_words(condition: PauseIf) -> str:
    """What stands behind "if": "`len(rows) > 3`", "is_large says so", "its condition says so"."""
    if isinstance(condition, Expression):
        text = " ".join(condition.text.split())
        return f"`{text if len(text) <= _LONGEST else text[: _LONGEST - 1] + '…'}`"
    name = getattr(condition, "__name__", "") if isinstance(condition, _NAMED) else ""
    return f"{name if name.isidentifier() else 'its condition'} says so"


def same_condition(one: PauseIf | None, other: PauseIf | None) -> bool:
    """Whether two conditions are known to ask the same; those of a cell that was run again are."""
    if one is other:
        return True
    functions = isinstance(one, types.FunctionType) and isinstance(other, types.FunctionType)
    if not functions or one.__closure__ or one.__defaults__ or one.__kwdefaults__:  # type: ignore[union-attr]
        return False
    return one.__code__ == other.__code__  # type: ignore[union-attr]


_NAMED: Final = (types.FunctionType, types.BuiltinFunctionType, types.MethodType)
