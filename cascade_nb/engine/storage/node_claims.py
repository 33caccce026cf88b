"""Claims the keys of nodes that a kernel computes just now, where other kernels see it."""

from __future__ import annotations

import time

from cascade_nb.errors import LeaseHeldError, LeaseLostError
from cascade_nb.leases import renewed_every
from cascade_nb.protocols.journal import Journal, Lease


class Claims:
    """The keys that an engine has claimed; on the loop of its journal writer.

    Args:
        owner: who claims.
        seconds: for which a claim stands without a word.
    """

    def __init__(self, journal: Journal, owner: str, seconds: float) -> None:
        self._journal = journal
        self._owner = owner
        self._seconds = seconds
        self._leases: dict[str, Lease] = {}
        self._renew_at = 0.0

    async def take(self, key: str) -> str | None:
        """Claim a key: None when it is this kernel's now, and who has it when another's.

        Raises:
            StateError: the place cannot be reached.
        """
        try:
            lease = await self._journal.claim(_name(key), self._owner, self._seconds)
        except LeaseHeldError as held:
            return held.owner
        self._leases[key] = lease
        return None

    async def drop(self, key: str) -> None:
        """Let a key go.

        Raises:
            StateError: the place cannot be reached; it then runs out by itself.
        """
        lease = self._leases.pop(key, None)
        if lease is not None:
            await self._journal.release(lease)
            await self._journal.forget(lease.run_id)

    async def renew(self) -> None:
        """Have every claim stand on, where it is time.

        Raises:
            StateError: the place cannot be reached.
        """
        if time.monotonic() < self._renew_at:
            return
        self._renew_at = time.monotonic() + renewed_every(self._seconds)
        for key, lease in list(self._leases.items()):
            try:
                await self._journal.renew(lease, self._seconds)
            except LeaseLostError:  # this kernel slept for long: somebody else computes it too
                self._leases.pop(key, None)


def _name(key: str) -> str:
    """What a claim is called among the leases of runs."""
    return f"node.{key}"
