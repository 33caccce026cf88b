"""Lets several kernels that need the same node compute it once.

Before the body of a node begins, its kernel claims the node's key where results are kept. Who has
the claim computes, and lets it go when the result is safe; who has not waits for the result, or for
the claim should its owner fail or die. Nobody waits while holding a claim, so no two kernels can
wait for each other.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final, NamedTuple

from cascade_nb.advice import advised
from cascade_nb.engine.core.driven_run import DrivenRun
from cascade_nb.engine.dispatch.dispatched_run import Started
from cascade_nb.engine.files.opened_files import OpenedFiles
from cascade_nb.engine.storage.journal_writer import JournalWriter
from cascade_nb.engine.storage.result_keys import Keys
from cascade_nb.errors import RunCancelledError, UsageError
from cascade_nb.protocols.journal import Journal
from cascade_nb.protocols.state_backend import StateBackend
from cascade_nb.text import quoted

LOOK: Final = 0.2  # seconds between two looks at what another kernel computes
SHARES: Final = ("no", "wait")


class SharedResult(NamedTuple):
    """What another kernel has made meanwhile."""

    value: Any


class Sharing:
    """What one run shares with other kernels.

    Attributes:
        found: indexes of what another kernel has made.
        waiting: by index, which kernel computes what is waited for just now.
    """

    def __init__(
        self, driver: DrivenRun, keys: Keys, journal_writer: JournalWriter, state: StateBackend
    ) -> None:
        self._driver = driver
        self._keys = keys
        self._journal_writer = journal_writer
        self._state = state
        self._claimed: set[int] = set()
        self.found: set[int] = set()
        self.waiting: dict[int, str] = {}

    async def before(self, attempt: Started) -> SharedResult | None:
        """Before a body begins: what another kernel has made of this node, or None when it is this
        kernel's to compute.

        Raises:
            RunCancelledError: the attempt was asked to stop meanwhile.
            StateError: the place cannot be reached.
        """
        index = attempt.index
        key = self._keys.of.get(index)
        if key is None or "/" in key or index in self._claimed:
            return None  # nobody else can know it; or it is tried again
        try:
            return await self._computed_by_others(attempt, index, key)
        finally:
            self.waiting.pop(index, None)

    async def _computed_by_others(
        self, attempt: Started, index: int, key: str
    ) -> SharedResult | None:
        while not attempt.stop:
            owner = await self._journal_writer.on_own_loop(self._journal_writer.claims.take(key))
            if owner is None:
                self._claimed.add(index)
            # Also when the claim is ours: its last owner may have let it go with a result.
            there = await self._keys.standing(index, [key], self._state)
            if there:
                self.found.add(index)
                if there[0].files:
                    attempt.files = attempt.files or OpenedFiles()
                    attempt.files.add(there[0].files)
                return SharedResult(there[0].value)
            if owner is None:
                return None
            self.waiting[index] = owner
            await asyncio.sleep(LOOK)
        raise RunCancelledError(f"{self._driver.core.label(index)} was cancelled")

    def before_in_thread(self, attempt: Started) -> SharedResult | None:
        """`before`, for a worker thread."""
        return self._journal_writer.wait_on_own_loop(self.before(attempt))

    def over(self, index: int) -> None:
        """A node is over, well or badly: let it go. Under the lock."""
        if index in self._claimed:
            self._claimed.discard(index)
            self._journal_writer.send_to_own_loop(
                self._journal_writer.claims.drop(self._keys.of[index])
            )

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
        raise UsageError(f"share is 'no' or 'wait', not {quoted(share)}")
    if share == "wait" and journal is None:
        where = advised(
            'state_backend="redis://…" or "sqlite:///…"',
            "state redis://…",
        )
        asked = advised("share='wait'", "run --share")
        raise UsageError(f"{asked} needs results where other kernels find them: {where}")
    return share == "wait"
