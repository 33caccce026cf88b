"""Counts what results in a database take, and removes some so that others have room."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from typing import Any, Final

from cascade_nb.kept import Cleaned, Usage
from cascade_nb.state.room import Kept, to_remove, usage_of
from cascade_nb.state.row_checks import is_moment, is_whole
from cascade_nb.state.sqlite.file import DatabaseSession

_ROWS: Final = "SELECT rowid, task, size, used, made, expires FROM results"
_DELETE: Final = "DELETE FROM results WHERE rowid = ?"
_USE: Final = "UPDATE results SET used = ? WHERE key = ?"

#: Seconds within which a second use is not written down again.
USE_AGAIN: Final = 600.0


def usage(session: DatabaseSession) -> list[Usage]:
    """What is kept, by task."""
    return usage_of(_kept(session.db))


def clean(
    session: DatabaseSession, now: float, unused_for: float | None, limit: int | None
) -> Cleaned:
    """Remove what has expired, what was not used for so long, and what is over the limit.

    Args:
        session: no transaction is open.
        now: in seconds since the epoch.
        unused_for: in seconds; None: it does not matter.
        limit: bytes that all results may take together; None: there is none.
    """
    going = to_remove(_kept(session.db), now, unused_for, limit)
    if going:
        with session.writing() as db:
            db.executemany(_DELETE, [(kept.place,) for kept in going])
        # The files of these rows go with the next transaction, when the rows are gone for certain.
        with session.writing():
            pass
        session.db.executescript("PRAGMA incremental_vacuum")  # `execute` would free one page
    return Cleaned(len(going), sum(kept.size for kept in going))


def is_stale(used: Any, now: float) -> bool:
    """Whether a use at `now` is to be written down, when the last one was at `used`."""
    return not (is_moment(used) and now - USE_AGAIN < used <= now)


def note_uses(session: DatabaseSession, uses: Mapping[str, float]) -> None:
    """Write down when results were used, by key."""
    with session.writing() as db:
        db.executemany(_USE, [(used, key) for key, used in uses.items()])


def _kept(db: sqlite3.Connection) -> Iterator[Kept]:
    for row, task, size, used, made, expires in db.execute(_ROWS):
        yield Kept(
            row,
            task if isinstance(task, str) else "",
            size if is_whole(size) and size >= 0 else 0,
            max(_moment(used), _moment(made)),
            expires if is_moment(expires) else None,
        )


def _moment(cell: Any) -> float:
    return cell if is_moment(cell) else 0.0
