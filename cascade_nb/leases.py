"""Decides how long a lease is, and when its owner counts as gone though its record says otherwise.

A record may be dated hours ahead: the clock was set back, or somebody wrote nonsense into it. A
living owner renews its lease at least every third of `LEASE`, however long it is, which changes the
record. So one that stays as it is for a whole `LEASE`, by the clock of whoever looks that never
goes back, has no owner any more, whatever it says.
"""

from __future__ import annotations

import time
from collections.abc import Hashable
from typing import Final

LEASE: Final = 15.0  # seconds after which a silent owner counts as gone
_MANY: Final = 1_000  # records that are remembered at most


def renewed_every(seconds: float) -> float:
    """How often the owner of a lease of so many seconds renews it."""
    return min(seconds, LEASE) / 3


class StaleLeases:
    """What one process has seen of others' leases; only for one thread at a time."""

    def __init__(self) -> None:
        self._seen: dict[str, tuple[Hashable, float]] = {}

    def left(self, run_id: str, record: Hashable, left: float, ttl: float) -> float:
        """Seconds for which a lease still counts as another's; at most zero when it is free.

        Args:
            record: all that changes when it is renewed.
            left: what the record says.
            ttl: for how long the caller wants it.
        """
        now = time.monotonic()
        before, since = self._seen.get(run_id, (None, now))
        if before != record:
            since = now
            if len(self._seen) >= _MANY:
                self._seen.clear()
            self._seen[run_id] = record, since
        return min(left, max(ttl, LEASE) - (now - since))

    def forget(self, run_id: str) -> None:
        """It was taken."""
        self._seen.pop(run_id, None)
