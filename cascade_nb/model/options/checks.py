"""Checks what a user asks for: names, timeouts, amounts of resources."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from cascade_nb.errors import PolicyError, UsageError
from cascade_nb.text import quoted

NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})
NAME_LIMIT: Final = 120
PRIORITY_LIMIT: Final = 1000
_PLAIN: Final = (bool, str, bytes, type(None))


def checked_name(name: object, what: str = "name") -> str:
    """`name`, if it can name a node, a task or a tag.

    Raises:
        UsageError: it is no text, empty, longer than 120 characters, or has a character that cannot
            stand in a scope or a topic.
    """
    if not isinstance(name, str):
        raise UsageError(f"a {what} is text, not {type(name).__name__}")
    if not name or len(name) > NAME_LIMIT or not name.isprintable() or set(name) & set("/#+"):
        raise UsageError(
            f"{name[:40]!r} cannot be a {what}: it must be 1 to {NAME_LIMIT} printable characters "
            "without '/', '#' and '+'"
        )
    return name


def checked_names(names: object, what: str) -> tuple[str, ...]:
    """`names` as the texts that they are; one text is one name.

    Raises:
        UsageError: it is something else.
    """
    if isinstance(names, str):
        return (names,)
    if not isinstance(names, (list, tuple, set, frozenset, dict)):
        raise UsageError(f"{what} are a list of texts, not {quoted(names)}")
    for name in names:
        if not isinstance(name, str):
            raise UsageError(f"{what} are texts, and {quoted(name)} is none")
    return tuple(names)


def checked_version(version: object) -> str:
    """`version` as text.

    Raises:
        PolicyError: it is no text and no whole number.
    """
    if not isinstance(version, (str, int)) or isinstance(version, bool):
        raise PolicyError(f"a version is text or a whole number, not {quoted(version)}")
    return str(version)


def checked_flag(name: str, value: object) -> bool:
    """`value` of the option `name`, if it is True or False.

    Raises:
        PolicyError: it is something else.
    """
    if not isinstance(value, bool):
        raise PolicyError(f"{name} is True or False, not {quoted(value)}")
    return value


def checked_priority(priority: object) -> int:
    """`priority`, if it can be one.

    Raises:
        PolicyError: it is no whole number from -1000 to 1000.
    """
    is_whole = isinstance(priority, int) and not isinstance(priority, bool)
    if not is_whole or not -PRIORITY_LIMIT <= priority <= PRIORITY_LIMIT:  # type: ignore[operator]
        raise PolicyError(
            f"a priority is a whole number from -{PRIORITY_LIMIT} to {PRIORITY_LIMIT}, the higher "
            f"first, not {quoted(priority)}"
        )
    return priority  # type: ignore[return-value]


def checked_timeout(seconds: object, what: str = "a timeout") -> float:
    """`seconds` as a timeout, or as what else lasts so long.

    Raises:
        PolicyError: it is no finite number above zero.
    """
    if isinstance(seconds, bool) or not isinstance(seconds, (int, float)):
        raise PolicyError(f"{what} is a number of seconds, not {quoted(seconds)}")
    if not (seconds > 0 and is_finite(seconds)):
        raise PolicyError(f"{what} must be above zero and finite, not {quoted(seconds)}")
    return float(seconds)


def checked_wait(seconds: object, what: str) -> float | None:
    """`seconds` for which somebody waits at most; None for one without an end.

    Raises:
        UsageError: it is no number.
    """
    if seconds is None:
        return None
    if not isinstance(seconds, (int, float)) or seconds != seconds:  # noqa: PLR0124 - it is no NaN
        raise UsageError(f"{what} is a number of seconds, not {quoted(seconds)}")
    return float(seconds) if is_finite(seconds) else None


def is_finite(number: float) -> bool:
    """Whether it is no more than a float can be; a whole number may be more, too."""
    return abs(number) <= sys.float_info.max


def checked_needs(
    resources: Mapping[str, Any], lazy: type | tuple[type, ...] = ()
) -> Mapping[str, Any]:
    """`resources` as amounts by name; amounts of the types `lazy` are looked at when they are
    known.

    Raises:
        PolicyError: an amount is negative or no number.
        UsageError: a resource has an impossible name.
    """
    if not isinstance(resources, Mapping):
        raise PolicyError(f"resources are a dict of name and amount, not {quoted(resources)}")
    checked: dict[str, Any] = {}
    for name, amount in resources.items():
        checked_name(name, "resource name")
        checked[name] = amount if isinstance(amount, lazy) else checked_amount(name, amount)
    return MappingProxyType(checked) if checked else NOTHING


def checked_amount(name: str, amount: object) -> float:
    """`amount` of the resource `name` as a number of Python's own, asked without code of a class of
    the user's: whoever checks it may hold a lock.

    Raises:
        PolicyError: it is negative, not finite, or no number.
    """
    kind = type(amount)
    if kind is bool or not issubclass(kind, (int, float)):
        shown = quoted(amount) if kind in _PLAIN else f"<{kind.__name__}>"
        raise PolicyError(f"{name}={shown}: an amount is a number")
    given: Any = amount
    number: float = int.__int__(given) if issubclass(kind, int) else float.__float__(given)
    if not (number >= 0 and is_finite(number)):
        raise PolicyError(f"{name}={quoted(number)}: an amount is finite and at least 0")
    return number
