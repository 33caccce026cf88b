"""Checks the numbers of constraints, and reads what people write: "10/m", "3/1m", "85%"."""

from __future__ import annotations

import math
import re
from typing import Final

from cascade_nb.errors import ConstraintError
from cascade_nb.text import quoted

MOST_FAILURES: Final = 1_000  # that a breaker counts; it remembers each
_LONGEST: Final = 366 * 86400.0  # seconds; longer is a mistake in a unit
_UNITS: Final = {"s": 1.0, "sec": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
_BREAKER: Final = re.compile(r"\s*(\d{1,9})\s*/\s*(\d+(?:\.\d+)?)?\s*([a-z]+)\s*", re.ASCII)
_PERCENT: Final = re.compile(r"\s*(\d{1,3}(?:\.\d+)?)\s*%\s*", re.ASCII)
_RATE: Final = re.compile(r"\s*(\d+(?:\.\d+)?)\s*/\s*(\d+(?:\.\d+)?)?\s*([a-z]+)\s*", re.ASCII)


def checked_limit(limit: object) -> int:
    """`limit` as a concurrency limit.

    Raises:
        ConstraintError: it is no whole number of at least 0.
    """
    if isinstance(limit, bool) or not isinstance(limit, int):
        raise ConstraintError(f"a limit is a whole number, not {quoted(limit)}")
    if limit < 0:
        raise ConstraintError(f"a limit cannot be below zero, and {limit} is; 0 lets none start")
    return limit


def parse_rate(rate: object) -> float:
    """Starts per second out of ``"10/m"``, ``"5/s"``, ``"300/h"``, ``"1/30s"`` or a plain number.

    Raises:
        ConstraintError: nobody can read it, or it is not above zero.
    """
    per_second: float
    if isinstance(rate, (int, float)) and not isinstance(rate, bool):
        per_second = _as_float(rate)
    elif isinstance(rate, str) and (parts := _RATE.fullmatch(rate.lower())) and parts[3] in _UNITS:
        span = float(parts[2] or 1) * _UNITS[parts[3]]
        per_second = float(parts[1]) / span if span else math.inf
    else:
        raise ConstraintError(
            f"{quoted(rate)} is no rate; write starts per time, as in '10/m', '5/s', '300/h', or a "
            "number per second"
        )
    if not (per_second > 0 and math.isfinite(per_second)):
        raise ConstraintError(
            f"a rate must be above zero, not {quoted(rate)}; to hold everything, pause"
        )
    return per_second


def checked_capacity(capacity: object) -> float:
    """`capacity` of a rate limit.

    Raises:
        ConstraintError: it is no finite number of at least 1.
    """
    if isinstance(capacity, bool) or not isinstance(capacity, (int, float)):
        raise ConstraintError(f"a capacity is a number of starts, not {quoted(capacity)}")
    tokens = _as_float(capacity)
    if not (tokens >= 1 and math.isfinite(tokens)):
        raise ConstraintError(
            f"a capacity is finite and at least 1, not {quoted(capacity)}; a token must fit into it"
        )
    return tokens


def parse_breaker(rule: object) -> tuple[int, float]:
    """How many failures within how many seconds, out of ``"3/1m"``, ``"5/30s"`` or ``"2/h"``.

    Raises:
        ConstraintError: nobody can read it, or no breaker can be like that.
    """
    parts = _BREAKER.fullmatch(rule.lower()) if isinstance(rule, str) else None
    if parts is None or parts[3] not in _UNITS:
        raise ConstraintError(
            f"{quoted(rule)} is no breaker; write how many failures within which time hold it, as "
            "in '3/1m', '5/30s', '2/h'"
        )
    within = float(parts[2] or 1) * _UNITS[parts[3]]
    return checked_failures(int(parts[1])), checked_span(within, "failures count within")


def checked_failures(failures: object) -> int:
    """`failures` as the number that trips a breaker.

    Raises:
        ConstraintError: it is no whole number from 1 to `MOST_FAILURES`.
    """
    if isinstance(failures, bool) or not isinstance(failures, int):
        raise ConstraintError(
            f"how many failures trip a breaker is a whole number, not {quoted(failures)}"
        )
    if not 1 <= failures <= MOST_FAILURES:
        shown = f"{failures}" if abs(failures) < 10**12 else "so many"
        raise ConstraintError(f"1 to {MOST_FAILURES:,} failures can trip a breaker, not {shown}")
    return failures


def checked_span(seconds: object, what: str) -> float:
    """`seconds` of a breaker.

    Args:
        seconds: as they were given.
        what: happens in or after them, in words.

    Raises:
        ConstraintError: they are no number above zero and of at most a year.
    """
    if isinstance(seconds, bool) or not isinstance(seconds, (int, float)):
        raise ConstraintError(f"the time that {what} is in seconds, not {quoted(seconds)}")
    span = _as_float(seconds)
    if not 0 < span <= _LONGEST:
        raise ConstraintError(
            f"the time that {what} must be above zero and at most a year, not {span:.6g} s"
        )
    return span


def parse_memory(memory: object) -> float:
    """A part of the memory out of ``"85%"``, or of a number such as 0.85.

    Raises:
        ConstraintError: nobody can read it, or it is not above zero and at most all of it.
    """
    part = math.nan
    if isinstance(memory, str) and (found := _PERCENT.fullmatch(memory)):
        part = float(found[1]) / 100
    elif isinstance(memory, (int, float)) and not isinstance(memory, bool):
        part = _as_float(memory)
    if not 0 < part <= 1:
        raise ConstraintError(
            f"{quoted(memory)} is no part of the memory; write it as in '85%', above 0% and at "
            "most 100%"
        )
    return part


def checked_suspend(suspend: object) -> bool:
    """`suspend` of a guard.

    Raises:
        ConstraintError: it is neither True nor False.
    """
    if not isinstance(suspend, bool):
        raise ConstraintError(f"suspend is True or False, not {quoted(suspend)}")
    return suspend


def checked_ttl(ttl: object) -> float | None:
    """`ttl` as seconds a constraint lasts, or None for as long as nobody lifts it.

    Raises:
        ConstraintError: it is no finite number above zero.
    """
    if ttl is None:
        return None
    if isinstance(ttl, bool) or not isinstance(ttl, (int, float)):
        raise ConstraintError(f"a time to live is a number of seconds, not {quoted(ttl)}")
    seconds = _as_float(ttl)
    if not (seconds > 0 and math.isfinite(seconds)):
        raise ConstraintError(f"a time to live must be above zero and finite, not {quoted(ttl)}")
    return seconds


def _as_float(number: float) -> float:
    """`number`, or infinity for a whole one that no float can hold."""
    try:
        return float(number)
    except OverflowError:
        return math.inf
