"""Reads values that commands take: of parameters and limits, the memory for a guard, a priority."""

from __future__ import annotations

from typing import Any

from cascade_nb.concurrency.safe_parse import literal
from cascade_nb.control.constraint_numbers import checked_limit, parse_memory
from cascade_nb.errors import UsageError
from cascade_nb.model.options.checks import checked_priority
from cascade_nb.model.params.param import Param
from cascade_nb.text import quoted


def parameter_texts(given: list[str]) -> dict[str, str]:
    """By name, values of parameters as they were typed, ``name=value``.

    Raises:
        UsageError: there is no name or no '=', or a name comes twice.
    """
    found: dict[str, str] = {}
    for text in given:
        name, equals, value = text.partition("=")
        name = name.strip()
        if not equals or not name:
            raise UsageError(f"a parameter is given as name=value, not {text!r}")
        if name in found:
            raise UsageError(f"parameter {quoted(name)} is given twice")
        found[name] = value
    return found


def read_value(param: Param, text: str) -> Any:
    """A value as its parameter takes it, out of what was typed: one with a type reads text itself,
    so that "2024" stays text where that is asked for.

    Raises:
        ParamError: the text is no value of its type.
    """
    return param.checked(text if param.kind is not None else literal_or_text(text))


def literal_or_text(text: str) -> Any:
    """What a text says as a Python literal; the text where it is none."""
    try:
        return literal(text)
    except (ValueError, SyntaxError):
        return text


def guard_of(words: list[str], command: str) -> tuple[str | None, str | None]:
    """The scope of a guard, where one was given, and the part of the memory; None for "off".

    Args:
        words: those behind the command.
        command: as it is typed.

    Raises:
        UsageError: they are no guard.
        ConstraintError: it is no part of the memory.
    """
    *before, last = words
    if before and before[-1] == "memory":
        before.pop()
    elif last != "off":
        raise UsageError(f"{command} takes what it guards and how much, `{command} memory 85%`")
    if len(before) > 1:
        raise UsageError(
            f"{command} takes one scope before `memory 85%`, not {quoted(before[0])} too"
        )
    if last != "off":
        parse_memory(last)
    return (before[0] if before else None), (None if last == "off" else last)


def priority_of(text: str | None) -> int | None:
    """The priority of a run; None where nothing was said.

    Raises:
        PolicyError: it is no whole number from -1000 to 1000.
    """
    try:
        return None if text is None else checked_priority(int(text))
    except ValueError:
        return checked_priority(text)


def scope_and(words: list[str], command: str, what: str, example: str) -> tuple[str | None, str]:
    """A scope, where one was given, and what stands behind it.

    Args:
        words: those behind the command.
        command: as it is typed, such as ``%cascade limit``.
        what: stands behind the scope, in words: "a number".
        example: of that.

    Raises:
        UsageError: there are more words, or only a scope.
    """
    *before, last = words
    if len(before) > 1:
        raise UsageError(f"{command} takes a scope and {what}, such as `{command} train {example}`")
    return (before[0] if before else None), last


def limit_of(text: str, command: str) -> int | None:
    """How many may run at once; None for "off".

    Raises:
        UsageError: it is neither a whole number nor off.
        ConstraintError: it is below zero.
    """
    if text == "off":
        return None
    try:
        number = int(text)
    except ValueError:
        raise UsageError(
            f"a limit is a whole number or off, not {quoted(text)}, as in `{command} train 4`"
        ) from None
    return checked_limit(number)
