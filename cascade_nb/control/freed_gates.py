"""Remembers which gates let more through than before, until whoever waits there is asked again."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable

from cascade_nb.control.gates import Gate
from cascade_nb.protocols.execution import Clock


class FreedGates:
    """The gates that refuse less than when somebody was last offered a way through."""

    def __init__(self) -> None:
        self._gates: deque[Gate] = deque()

    def add(self, *gates: Gate) -> None:
        """These refuse less now."""
        self._gates += gates

    def hand_out(self, clock: Clock, timer_changed: Callable[[], None]) -> None:
        """Drain them all, in the order in which they were freed.

        Args:
            clock: where time comes from.
            timer_changed: called when time alone will let the next one pass, and when has changed.
        """
        while self._gates:
            _drain(self._gates.popleft(), clock, timer_changed)


def _drain(gate: Gate, clock: Clock, timer_changed: Callable[[], None]) -> None:
    """Offer the waiters of a gate, in order, until it refuses or has none left."""
    while (ticket := gate.first()) is not None:
        now = clock.now()
        if gate.refuses(ticket, now):
            if gate.opens_at(now) < math.inf:
                timer_changed()
            break
        gate.pop()
        ticket.owner.offer(ticket)
