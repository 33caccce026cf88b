"""Checks what is given to `.run_if` as a condition."""

from __future__ import annotations

from collections.abc import Awaitable, Iterator
from typing import Any, Final

from cascade_nb.errors import UsageError
from cascade_nb.model.lazy.refusals import Refusals

_CONTAINERS: Final = (list, tuple, set, frozenset, dict)


def checked_condition(lazy: Any, condition: Any) -> Any:
    """A lazy value as it is; of anything else whether it is true.

    Args:
        lazy: the lazy value that is to have it.
        condition: what is given.

    Raises:
        UsageError: there is one already, whose place this one would take; or this one is true
            whatever is meant by it.
    """
    if lazy.options.condition is not True:
        raise UsageError(
            f"{lazy.label} has a condition already, and this one would take its place: give "
            ".run_if one call that says both"
        )
    if isinstance(condition, Refusals):
        return condition
    if meant := _meant(condition):
        raise UsageError(f"{lazy.label}.run_if(…): {meant}, which is always true")
    return bool(condition)


def _meant(condition: Any) -> str:
    """What a condition is that has no truth of its own; "" for all others."""
    if isinstance(condition, _CONTAINERS):
        held = [*condition, *condition.values()] if isinstance(condition, dict) else condition
        if any(isinstance(one, Refusals) for one in held):
            return f"a {type(condition).__name__} with lazy values in it is given"
        return ""
    if hasattr(type(condition), "__bool__") or hasattr(type(condition), "__len__"):
        return ""
    name = getattr(condition, "__name__", None) or type(condition).__name__
    if isinstance(condition, (Awaitable, Iterator)):
        return f"the {type(condition).__name__} {name} is given, which nobody has asked for a value"
    return f"the function {name} is given, and not called" if callable(condition) else ""
