"""Decides which results go when there has to be room, by one rule for all places."""

from __future__ import annotations

from collections.abc import Iterable
from operator import attrgetter
from typing import Any, Final, NamedTuple

from cascade_nb.errors import UsageError
from cascade_nb.kept import Usage
from cascade_nb.text import quoted

#: How much of a limit is left when it was exceeded, so that not every result makes room for itself.
FILL: Final = 0.9

_UNITS: Final = {
    "": 1,
    "B": 1,
    "KB": 10**3,
    "MB": 10**6,
    "GB": 10**9,
    "TB": 10**12,
    "KIB": 2**10,
    "MIB": 2**20,
    "GIB": 2**30,
    "TIB": 2**40,
}


class Kept(NamedTuple):
    """A result as far as room is concerned.

    Attributes:
        place: by which its backend removes it.
        task: the name of the task that made it.
        size: in bytes.
        used: when it was made or read last, in seconds since the epoch.
        expires: when it stands no longer, whatever else holds; None: never.
    """

    place: Any
    task: str
    size: int
    used: float
    expires: float | None


def to_remove(
    kept: Iterable[Kept], now: float, unused_for: float | None, limit: int | None
) -> list[Kept]:
    """Those that have expired, those that nobody used for so long, and, where the rest is larger
    than the limit, those of it that nobody used for the longest.
    """
    going: list[Kept] = []
    staying: list[Kept] = []
    for one in kept:
        expired = one.expires is not None and one.expires <= now
        unused = unused_for is not None and now - one.used >= unused_for
        (going if expired or unused else staying).append(one)
    total = sum(one.size for one in staying)
    if limit is not None and total > limit:
        for one in sorted(staying, key=attrgetter("used")):
            if total <= FILL * limit:
                break
            going.append(one)
            total -= one.size
    return going


def usage_of(kept: Iterable[Kept]) -> list[Usage]:
    """What is kept by task, the largest first."""
    found: dict[str, Usage] = {}
    for one in kept:
        was = found.get(one.task) or Usage(one.task, 0, 0, 0.0)
        found[one.task] = Usage(
            one.task, was.results + 1, was.size + one.size, max(was.used, one.used)
        )
    return sorted(found.values(), key=lambda usage: (-usage.size, usage.task))


def bytes_of(text: str) -> int:
    """A number of bytes out of ``20GB``, ``500 MB``, ``1.5GiB`` or ``1000000``.

    Raises:
        UsageError: nobody can read it.
    """
    number = text.strip().rstrip("BKMGTiIbkmgt").strip()
    unit = _UNITS.get(text.strip()[len(number) :].strip().upper())
    try:
        size = float(number) * (unit or 0)
    except ValueError:
        size = 0.0
    if unit is None or not 0 < size < 2**63:
        raise UsageError(f"{quoted(text)} is no size; write 500MB, 20GB or 1.5GiB")
    return int(size)
