"""Breakpoints: what would start now is held, with all that it reads there, until it is let go.

A breakpoint stays when it lets something go, as in a debugger: it holds the next node of its scope,
the next item of a map, and the next attempt at a node that has failed.
"""

from __future__ import annotations

from cascade_nb.control.constraint import Constraint
from cascade_nb.control.gates import Gate, Ticket, TicketOwner


class BreakpointGate(Gate):
    """Lets nothing pass but what was let go."""

    word = "held"
    says_the_same = False  # to each, what it is called

    def __init__(self, constraint: Constraint | None) -> None:
        super().__init__(constraint)
        # By what a person calls it, since an edit gives its run new tickets.
        self._let: set[tuple[str, str, int]] = set()
        self._let_on: set[tuple[TicketOwner, int]] = set()  # of what continues others
        self._came: dict[Ticket, float] = {}
        self._now = 0.0

    def refuses(self, ticket: Ticket, now: float) -> bool:
        self._now = now
        name, number, starts = ticket.owner.attempt_of(ticket)
        if starts:
            return (ticket.subject.run_id, name, number) not in self._let
        constraint = self.constraint
        by_name = constraint is not None and constraint.scope.kind in ("node", "from")
        return not by_name and (ticket.owner, ticket.key) not in self._let_on

    def give_back(self, ticket: Ticket) -> bool:
        name, number, starts = ticket.owner.attempt_of(ticket)
        if starts:
            self._let.discard((ticket.subject.run_id, name, number))
        else:
            self._let_on.discard((ticket.owner, ticket.key))
        return False

    def undo(self, ticket: Ticket) -> bool:
        return False

    def forget(self, owner: TicketOwner) -> None:
        super().forget(owner)
        self._let_on = {one for one in self._let_on if one[0] is not owner}

    def park(self, ticket: Ticket) -> None:
        super().park(ticket)
        self._came[ticket] = self._now

    def waiting(self) -> list[Ticket]:
        """What is held here, the first to start first."""
        found = [ticket for _, _, ticket in sorted(self.queue, key=_turn) if ticket.parked is self]
        self._came = {ticket: self._came[ticket] for ticket in found}
        return found

    def since(self, ticket: Ticket) -> float:
        """Since when it is held, on the manager's clock."""
        return self._came.get(ticket, self._now)

    def let(self, ticket: Ticket) -> None:
        """This one waits no longer, and passes when it comes again."""
        ticket.parked = None
        self._came.pop(ticket, None)
        name, number, starts = ticket.owner.attempt_of(ticket)
        if starts:
            self._let.add((ticket.subject.run_id, name, number))
        else:
            self._let_on.add((ticket.owner, ticket.key))


def _turn(entry: tuple[int, int, Ticket]) -> tuple[int, int]:
    return entry[:2]
