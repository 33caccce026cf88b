"""Decides who may write about a run: leases as rows, always looked at within the transaction that
relies on them.
"""

from __future__ import annotations

import sqlite3
import time
from typing import Final

from cascade_nb.errors import LeaseHeldError, LeaseLostError
from cascade_nb.leases import StaleLeases
from cascade_nb.protocols.journal import Lease
from cascade_nb.state.row_checks import is_moment, is_whole

AGAIN: Final = 15.0  # seconds for which a lease that was taken again stands until it is renewed


def claim_lease(
    db: sqlite3.Connection, run_id: str, owner: str, ttl: float, stale: StaleLeases
) -> Lease:
    """Take a lease that is free or the owner's own.

    Args:
        db: within a transaction that writes.
        run_id: of the run, which need not have been described yet.
        owner: in words.
        ttl: seconds for which it is wanted.
        stale: what was seen of others' leases before.

    Raises:
        LeaseHeldError: somebody else has it.
    """
    query = "SELECT owner, expires, fence FROM runs WHERE run_id = ?"
    row, now = db.execute(query, (run_id,)).fetchone(), time.time()
    # A row that this library did not write holds nobody up.
    if row is not None and row[0] != owner and is_moment(row[1]) and row[1] > now:
        left = stale.left(run_id, row, row[1] - now, ttl)
        if left > 0:
            raise LeaseHeldError(run_id, str(row[0]), left)
    stale.forget(run_id)
    # One counter for all runs: it goes on growing for a run that was forgotten and comes again.
    db.execute("UPDATE about SET last_fence = last_fence + 1")
    (fence,) = db.execute("SELECT last_fence FROM about").fetchone() or (None,)
    if not is_whole(fence):
        raise sqlite3.DatabaseError("malformed: its count of leases is no whole number")
    db.execute(
        "INSERT INTO runs (run_id, owner, fence, expires) VALUES (?, ?, ?, ?)"
        " ON CONFLICT (run_id) DO UPDATE SET"
        " owner = excluded.owner, fence = excluded.fence, expires = excluded.expires",
        (run_id, owner, fence, now + ttl),
    )
    return Lease(run_id, owner, fence)


def loss_of(db: sqlite3.Connection, lease: Lease) -> LeaseLostError | None:
    """None while nobody has taken the run over; a lease that ran out still counts until then.

    Where its record is gone, with the file or because somebody deleted it, nobody has: it is made
    again, in the transaction that goes on to write.
    """
    query = "SELECT fence, owner FROM runs WHERE run_id = ?"
    row = db.execute(query, (lease.run_id,)).fetchone()
    if row is None:
        _take_again(db, lease)
        return None
    return None if row[0] == lease.fence else LeaseLostError(lease.run_id, str(row[1] or ""))


def _take_again(db: sqlite3.Connection, lease: Lease) -> None:
    db.execute(
        "INSERT INTO runs (run_id, owner, fence, expires) VALUES (?, ?, ?, ?)",
        (lease.run_id, lease.owner, lease.fence, time.time() + AGAIN),
    )
    # In a new file the counter began anew, and nobody else is to come to this number.
    db.execute("UPDATE about SET last_fence = max(last_fence, ?)", (lease.fence,))


def check_lease(db: sqlite3.Connection, lease: Lease) -> None:
    """See that the lease still is the newest of its run.

    Raises:
        LeaseLostError: it is not.
    """
    lost = loss_of(db, lease)
    if lost is not None:
        raise lost


def free_lease(db: sqlite3.Connection, lease: Lease) -> None:
    """Let a lease go; nothing happens when it is another's."""
    db.execute(
        "UPDATE runs SET expires = 0 WHERE run_id = ? AND fence = ?", (lease.run_id, lease.fence)
    )
