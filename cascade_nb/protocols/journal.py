"""The protocol of where runs are written down; a lease lets one owner at a time write."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol


class Lease(NamedTuple):
    """The right to write about a run, which one owner has at a time.

    Attributes:
        run_id: which run.
        owner: who has it, in words: "kernel 4711 on ada, report.ipynb".
        fence: grows with every new owner; what comes with a lower one is refused.
    """

    run_id: str
    owner: str
    fence: int


class RunRecord(NamedTuple):
    """A run as its journal tells it.

    Attributes:
        run_id: its identity.
        title: what a person calls it.
        owner: who has its lease, or had it last.
        started: when it began, in seconds since the epoch.
        status: "running", or how it ended: "succeeded", "failed", "cancelled".
        total: how many nodes there are to run.
        lease_left: seconds until somebody else may take it over; at most zero when nobody has it.
    """

    run_id: str
    title: str
    owner: str
    started: float
    status: str
    total: int
    lease_left: float


class Journal(Protocol):
    """Keeps what a run needs to be taken up again, by whoever holds its lease.

    Every method may raise `StateError` when the place cannot be reached or written, and one that is
    given a lease `LeaseLostError` when another owner has it.
    """

    async def claim(self, run_id: str, owner: str, ttl: float) -> Lease:
        """Take the lease of a run for `ttl` seconds, with a new fence. One that an owner let run
        out, did not renew (`leases`) or released is free; its own is renewed with a new fence.

        Raises:
            LeaseHeldError: somebody else has it; the message names them.
        """
        ...

    async def renew(self, lease: Lease, ttl: float) -> None:
        """Have it for `ttl` more seconds from now on."""
        ...

    async def release(self, lease: Lease) -> None:
        """Let it go; nothing happens when it is another's already."""
        ...

    async def describe(self, lease: Lease, title: str, started: float, total: int) -> None:
        """Enter the run among `runs`, as "running"."""
        ...

    async def finish(self, lease: Lease, status: str) -> None:
        """Say how it ended."""
        ...

    async def write(self, lease: Lease, part: str, value: Any) -> None:
        """Keep a part of what the run is made of, in the place of an earlier one of this name.

        Raises:
            CodecError: the value has no bytes.
        """
        ...

    async def read(self, run_id: str, part: str) -> Any:
        """A part that was written.

        Raises:
            KeyError: there is none, or it may not be read.
        """
        ...

    async def append(self, lease: Lease, lines: Sequence[str]) -> None:
        """Add lines of text to the run's history, all of them or none."""
        ...

    async def history(self, run_id: str) -> list[str]:
        """Every line, in order."""
        ...

    async def runs(self) -> list[RunRecord]:
        """All that is written down, latest first."""
        ...

    async def forget(self, run_id: str) -> None:
        """Drop everything about a run but the results that it kept by fingerprint."""
        ...
