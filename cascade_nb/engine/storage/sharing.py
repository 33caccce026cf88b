"""Several kernels that need the same node compute it once.

Before the body of a node begins, its kernel claims the node's key where results are kept. Who has
the claim computes, and lets it go when the result is safe; who has not waits for the result, or for
the claim should its owner fail or die. Nobody waits while holding a claim, so no two kernels can
wait for each other.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from cascade_nb.advice import advised
from cascade_nb.engine.files.opened_files import OpenedFiles
from cascade_nb.errors import LeaseHeldError, LeaseLostError, RunCancelledError, UsageError
from cascade_nb.leases import renewed_every
from cascade_nb.protocols import Journal, Lease, StateBackend

if TYPE_CHECKING:
    from cascade_nb.engine.dispatch.attempt import Attempt
    from cascade_nb.engine.runs.flow import Flow
    from cascade_nb.engine.storage.journal_writer import Scribe

LOOK: Final = 0.2  # seconds between two looks at what another kernel computes
SHARES: Final = ("no", "wait")


class Found(NamedTuple):
    """What another kernel has made meanwhile."""

    value: Any


class Claims:
    """The keys that an engine has claimed; on the loop of its scribe.

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

    async def take(self, key: str) -> bool:
        """Claim a key; False when another kernel has it.

        Raises:
            StateError: the place cannot be reached.
        """
        try:
            lease = await self._journal.claim(_name(key), self._owner, self._seconds)
        except LeaseHeldError:
            return False
        self._leases[key] = lease
        return True

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


class Sharing:
    """What one run shares with other kernels."""

    def __init__(self, flow: Flow, scribe: Scribe, state: StateBackend) -> None:
        self._flow = flow
        self._scribe = scribe
        self._state = state
        self._claimed: set[int] = set()
        self.found: set[int] = set()

    async def before(self, attempt: Attempt) -> Found | None:
        """Before a body begins: what another kernel has made of this node, or None when it is this
        kernel's to compute.

        Raises:
            RunCancelledError: the attempt was asked to stop meanwhile.
            StateError: the place cannot be reached.
        """
        index = attempt.index
        key = self._flow.keys.of.get(index)
        if key is None or "/" in key or index in self._claimed:
            return None  # nobody else can know it; or it is tried again
        while not attempt.stop:
            mine = await self._scribe.at_home(self._scribe.claims.take(key))
            if mine:
                self._claimed.add(index)
            # Also when the claim is ours: its last owner may have let it go with a result.
            there = await self._flow.keys.standing(index, [key], self._state)
            if there:
                self.found.add(index)
                if there[0].files:
                    attempt.files = attempt.files or OpenedFiles()
                    attempt.files.add(there[0].files)
                return Found(there[0].value)
            if mine:
                return None
            await asyncio.sleep(LOOK)
        raise RunCancelledError(f"{self._flow.label(index)} was cancelled")

    def before_in_thread(self, attempt: Attempt) -> Found | None:
        """`before`, for a worker thread."""
        return self._scribe.wait_at_home(self.before(attempt))

    def over(self, index: int) -> None:
        """A node is over, well or badly: let it go. Under the lock."""
        if index in self._claimed:
            self._claimed.discard(index)
            self._scribe.send_home(self._scribe.claims.drop(self._flow.keys.of[index]))

    def close(self) -> None:
        """The run is over: let everything go. Under the lock."""
        for index in list(self._claimed):
            self.over(index)


def checked_share(share: str, journal: Journal | None) -> bool:
    """Whether a run shares its work with other kernels.

    Raises:
        UsageError: there is no such way of sharing, or nothing that other kernels could see.
    """
    if share not in SHARES:
        raise UsageError(f"share is 'no' or 'wait', not {share!r}")
    if share == "wait" and journal is None:
        where = advised(
            'state_backend="redis://…" or "sqlite:///…"',
            "state redis://…",
        )
        asked = advised("share='wait'", "run --share")
        raise UsageError(f"{asked} needs results where other kernels find them: {where}")
    return share == "wait"


def _name(key: str) -> str:
    """What a claim is called among the leases of runs."""
    return f"node.{key}"
