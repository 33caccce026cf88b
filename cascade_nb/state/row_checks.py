"""Checks type and range of what is read about results and runs, since anybody may have written it.

SQLite keeps any kind of value in any column, and Redis any text in any field, so each is looked at
for its type and its range. What is read from a bad row is None; whoever asked leaves it out.
"""

from __future__ import annotations

import json
import math
from typing import Any, Final, TypeGuard

from cascade_nb.file_stamps import from_json
from cascade_nb.protocols.journal import RunRecord
from cascade_nb.protocols.state_backend import Known

#: Whole numbers beyond it are none of ours: fences count up from one, runs have fewer nodes.
_LARGEST: Final = 2**53
#: Moments up to which Python has dates, in seconds since the epoch: the end of the year 9999.
_LAST_MOMENT: Final = 253_402_300_799.0

STATUSES: Final = ("running", "succeeded", "failed", "cancelled")


def known_of(seconds: Any, made: Any, files: Any) -> Known | None:
    """What a row of results tells without its value."""
    if not _is_number(seconds) or not 0 <= seconds < math.inf or not is_moment(made):
        return None
    try:
        return Known(float(seconds), float(made), from_json(files))
    except ValueError:
        return None


def record_of(row: tuple[Any, ...], now: float) -> RunRecord | None:
    """A run as its row tells it: id, title, owner, start, status, total, end of the lease."""
    run_id, title, owner, started, status, total, expires = row
    texts = all(isinstance(text, str) for text in (run_id, title, owner))
    counts = is_whole(total) and total >= 0
    if not (texts and counts and is_moment(started) and is_moment(expires) and status in STATUSES):
        return None
    left = max(0.0, expires - now)
    return RunRecord(run_id, title, owner, float(started), status, total, left)


def lines_of(cell: Any) -> list[str] | None:
    """Lines of a run's history."""
    try:
        lines = json.loads(cell) if isinstance(cell, str) else None
    except (ValueError, RecursionError):
        return None
    sound = isinstance(lines, list) and all(isinstance(line, str) for line in lines)
    return lines if sound else None


def is_moment(cell: Any) -> TypeGuard[float]:
    """Whether it is a time in seconds since the epoch that a clock can show."""
    return _is_number(cell) and 0 <= cell <= _LAST_MOMENT


def is_whole(cell: Any) -> TypeGuard[int]:
    """Whether it is a whole number that this library may have counted to."""
    return isinstance(cell, int) and abs(cell) <= _LARGEST


def decoded(data: bytes) -> str:
    """The text of a cell, whatever bytes it has: SQLite does not see to it that they are UTF-8."""
    return data.decode("utf-8", "replace")


def _is_number(cell: Any) -> TypeGuard[float]:
    return isinstance(cell, (int, float))
