"""Waits, before a run has anything to wait with, until somebody resumes it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from cascade_nb.concurrency.loop_portal import LoopPortal
from cascade_nb.control.constraint import Scope
from cascade_nb.control.gates import Ticket
from cascade_nb.control.holders import Holder
from cascade_nb.control.manager import ConstraintManager


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

    async def pause(self, reason: str, by: str) -> None:
        """Pause the scope, and wait until that is lifted."""
        self._manager.enter(self)
        try:
            self._manager.apply(self._scope, reason=reason, by=Holder("program", by, shown=by))
            while self._manager.find(self._scope) is not None:
                self._change.clear()
                await self._change.wait()
        finally:
            self._manager.leave(self)

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

    def label_of(self, ticket: Ticket) -> str:
        """Nothing of it is ever spoken of."""
        return ""
