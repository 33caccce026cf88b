"""Reads values that commands take: the part of the memory for a guard, the priority of a run."""

from __future__ import annotations

from cascade_nb.control.constraint_numbers import parse_memory
from cascade_nb.errors import UsageError
from cascade_nb.model.options.checks import checked_priority


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
            f"{command} takes one scope before `memory 85%`, not {before[0]!r:.60} too"
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
