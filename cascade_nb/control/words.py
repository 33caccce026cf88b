"""Writes numbers, sizes and times in words: "12 s", "120 MB", "2 min ago", "85%"."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

_NAMES: Final = 8  # that are told one by one


def seconds_text(seconds: float) -> str:
    """A length of time: ``350 ms``, ``4 s``, ``1 min 12 s``, ``2 h 5 min``, ``3 d 4 h``."""
    if seconds < 0.95:
        return f"{max(0, round(seconds * 1000))} ms"
    if seconds < 9.95:
        return f"{seconds:.1f} s".replace(".0 ", " ")
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    for size, unit, small_size, small in (
        (60, "min", 1, "s"),
        (3600, "h", 60, "min"),
        (86400, "d", 3600, "h"),
    ):
        if whole < size * (60 if unit == "min" else 24) or unit == "d":
            rest = whole % size // small_size
            return f"{whole // size} {unit}" + (f" {rest} {small}" if rest else "")
    return f"{whole} s"


def more_text(seconds: float) -> str:
    """For how much longer: ``for another second``, ``for 4 s more``, ``for 2 h 5 min more``."""
    if seconds < 1.5:
        return "for another second"
    return f"for {seconds_text(round(seconds))} more"


def left_text(seconds: float | None) -> str:
    """How long something will still take, after how long it took so far: ``, about 2 min left``;
    empty where nobody knows.
    """
    if seconds is None:
        return ""
    if seconds < 10:
        return ", a few seconds left"
    if seconds < 60:
        return f", about {round(seconds / 5) * 5} s left"
    if seconds < 3600:
        return f", about {round(seconds / 60)} min left"
    return f", about {seconds / 3600:.1f} h left"


def ago(seconds: float) -> str:
    """How long ago: ``just now``, ``12 s ago``, ``2 min ago``."""
    if seconds < 1.5:
        return "just now"
    if seconds < 60:
        return f"{round(seconds)} s ago"
    if seconds < 3600:
        return f"{round(seconds / 60)} min ago"
    return f"{seconds_text(seconds)} ago"


def some_of(names: Sequence[str]) -> str:
    """The first of some names, and how many more there are."""
    more = f" and {len(names) - _NAMES:,} more" if len(names) > _NAMES else ""
    return ", ".join(names[:_NAMES]) + more


def count_text(number: int, noun: str) -> str:
    """A number with its noun: ``1 task``, ``14 tasks``."""
    return f"{number:,} {noun}" + ("" if number == 1 else "es" if noun.endswith("s") else "s")


def size_text(size: float) -> str:
    """A number of bytes: ``12 bytes``, ``3.4 kB``, ``120 MB``, ``2.5 GB``."""
    if size < 1000:
        return f"{round(size)} bytes"
    for unit in ("kB", "MB", "GB", "TB"):
        size /= 1000
        if size < 999.5 or unit == "TB":
            break
    return f"{size:.1f} {unit}" if size < 9.95 else f"{size:,.0f} {unit}"


def amount_text(amount: float) -> str:
    """An amount without needless digits: ``1``, ``0.5``, ``2.25``."""
    return f"{amount:.6g}"


def rate_text(rate: float) -> str:
    """How many may start, of a rate in starts a second: "10 starts a minute", "2 starts an hour".

    >>> rate_text(1 / 6), rate_text(2 / 3600)
    ('10 starts a minute', '2 starts an hour')
    """
    units = ((60, "a minute"), (3_600, "an hour"), (86_400, "a day"))
    length, unit = next((one for one in units if rate * one[0] > 0.999_999), units[-1])
    return f"{amount_text(rate * length)} starts {unit}"


def percent(part: float) -> str:
    """A part of a whole: ``85%``, ``0.5%``."""
    return f"{100 * part:.3g}%"
