"""Memory guards: while more than a part of the memory is used, nothing new starts."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final

from cascade_nb.control.constraint import Constraint
from cascade_nb.control.gate_kinds.machine_memory import Reading
from cascade_nb.control.gates import Gate, Ticket, TicketOwner

GAP: Final = 0.03  # so far it must fall below what is allowed before anything starts again
_SOON: Final = 1.0  # seconds until a first look is there


class GuardGate(Gate):
    """Lets everything pass while enough memory is free, and nothing before it was looked at.

    Once closed it opens when the use has fallen a little below what is allowed: at the very limit
    it would open and close with each task.

    Attributes:
        closed: whether it refuses everything.
        reading: how it stood when it was looked at last; None where nobody looks, or can.
        trouble: why it could not be read, in words; what cannot be read holds nothing.
        users: who uses it, in words, while it is closed.
        stopped: what stands still in its process because of it.
    """

    def __init__(self, constraint: Constraint) -> None:
        super().__init__(constraint)
        self.closed = True
        self.reading: Reading | None = None
        self.trouble = ""
        self.users = ""
        self.stopped: dict[Ticket, None] = {}

    @property
    def rule(self) -> Constraint:
        """What was asked for."""
        assert self.constraint is not None
        return self.constraint

    @property
    def opens_below(self) -> float:
        """The part of the memory below which it opens, once it is closed."""
        return self.rule.memory - min(GAP, self.rule.memory / 10)

    def refuses(self, ticket: Ticket, now: float) -> bool:
        """Whether too much is used."""
        return self.closed

    def opens_at(self, now: float) -> float:
        """When a first look is there; after that only another look opens it."""
        return now + _SOON if self.reading is None and self.closed else math.inf

    def note(self, reading: Reading | None, users: str = "", trouble: str = "") -> bool:
        """It was looked at. Gives whether that opens or closes the gate.

        Args:
            reading: how it stands; None where it cannot be read.
            users: who uses it, in words.
            trouble: why it cannot be read.
        """
        was = self.closed
        if reading is None:
            self.closed = False
        else:
            known = self.reading is not None
            most = self.opens_below if known and was else self.rule.memory
            self.closed = reading.fraction > most
        said = (self.closed, self.users, self.trouble, self.reading is None)
        self.reading, self.trouble = reading, trouble
        self.users = users if self.closed else ""
        self.moves += said != (self.closed, self.users, self.trouble, self.reading is None)
        return was != self.closed

    def look_again(self) -> None:
        """Nobody looks any more: before anything passes somebody has to."""
        self.closed, self.reading, self.users = True, None, ""
        self.moves += 1

    def balance(self, sizes: Mapping[Ticket, int]) -> bool:
        """Suspend the largest while too much is used, and let the smallest go on when it is not.

        One at a time, since it takes a while until one sees what it did. One always runs: what
        stands still gives nothing back.

        Args:
            sizes: the bytes of each that runs in a process and may be suspended, or is.

        Returns:
            Whether another is to stand still, or to go on.
        """
        for ticket in [one for one in self.stopped if one not in sizes]:
            del self.stopped[ticket]
        running = [ticket for ticket in sizes if ticket not in self.stopped]
        if self.closed and self.rule.suspend:
            if len(running) > 1:
                self.stopped[max(running, key=lambda one: sizes[one])] = None
                return True
            if running:
                return False
        if not self.stopped:
            return False
        del self.stopped[min(self.stopped, key=lambda one: sizes[one])]
        return True

    def forget(self, owner: TicketOwner) -> None:
        """Nothing of it stands still any more."""
        super().forget(owner)
        for ticket in [one for one in self.stopped if one.owner is owner]:
            del self.stopped[ticket]
