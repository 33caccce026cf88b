"""Waits, before a run has anything to wait with, until somebody resumes it or a trouble is over."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import Iterable, Iterator
from typing import Final

from cascade_nb.concurrency.begun_tasks import ended_within
from cascade_nb.concurrency.loop_portal import LoopPortal
from cascade_nb.control.constraint import Scope
from cascade_nb.control.gates import Ticket
from cascade_nb.control.holders import Holder
from cascade_nb.control.manager import ConstraintManager

LONGEST: Final = 30.0  # seconds between two looks whether a trouble is over


def waits_between_looks() -> Iterator[float]:
    """Seconds to wait before each look whether a trouble is over: 1, 2, 4 and so on, to 30."""
    return itertools.chain((1.0, 2.0, 4.0, 8.0, 16.0), itertools.repeat(LONGEST))


class ResumeWaiter:
    """A `control.gates.TicketOwner` without tickets: all it does is hear that a pause is gone.

    Args:
        manager: whose constraints.
        scope: of the pause.
        portal: to the loop where somebody waits.
    """

    def __init__(self, manager: ConstraintManager, scope: str, portal: LoopPortal) -> None:
        self._manager = manager
        self._scope = scope
        self._portal = portal
        self._change = asyncio.Event()
        self._waits = waits_between_looks()

    async def pause(self, reason: str, by: Holder) -> None:
        """Pause the scope, and wait until that is lifted."""
        self._manager.enter(self)
        try:
            self._apply(reason, by)
            await self._until_lifted()
        finally:
            self._manager.leave(self)

    async def pause_for_a_while(self, reason: str, by: Holder) -> None:
        """The same, but return also when it is time to see whether the reason for it is gone; the
        pause is then still in force.
        """
        with contextlib.suppress(asyncio.TimeoutError, TimeoutError):
            await ended_within(next(self._waits), self.pause(reason, by))

    def resume(self, by: Holder) -> None:
        """The reason for its pause is gone."""
        if self._manager.find(self._scope, holder=by) is not None:
            self._manager.lift(self._scope, "pause", by=by, only=by)

    def _apply(self, reason: str, by: Holder) -> None:
        pause = self._manager.find(self._scope, holder=by)
        if pause is None or pause.reason != reason:  # one that is in force keeps its time
            self._manager.apply(self._scope, reason=reason, by=by)

    async def _until_lifted(self) -> None:
        while self._manager.find(self._scope) is not None:
            await self._change.wait()
            self._change.clear()

    def paused(self) -> None:
        """Nothing of it is held."""

    def lifting(self) -> None:
        """Nothing of it is held."""

    def lifted(self) -> None:
        """Some constraint is gone."""
        self._portal.call(self._change.set)

    def offer(self, ticket: Ticket) -> None:
        """Nothing of it ever asks."""

    def take_back(self, tickets: Iterable[Ticket], since: float) -> None:
        """Nothing of it ever waits."""

    def in_flight(self) -> Iterable[Ticket]:
        """Nothing of it runs."""
        return ()

    def process_of(self, ticket: Ticket) -> None:
        """Nothing of it runs."""

    def members(self, scope: Scope) -> frozenset[int]:
        """It has no nodes."""
        return frozenset()

    def names_of(self, ticket: Ticket) -> tuple[str, ...]:
        """Nothing of it is ever spoken of."""
        return ("",)

    def attempt_of(self, ticket: Ticket) -> tuple[str, int, bool]:
        """Nothing of it ever starts."""
        return "", 0, False
