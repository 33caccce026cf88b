"""Breakpoints: what would start now is held, with all that it reads there, until it is let go.

A breakpoint stays when it lets something go, as in a debugger: it holds the next node of its scope,
the next item of a map, and the next attempt at a node that has failed.
"""

from __future__ import annotations

from typing import Final

from cascade_nb.control.constraint import Constraint, Scope
from cascade_nb.control.gates import Gate, Ticket, TicketOwner
from cascade_nb.control.holders import Holder

#: Whose those are that a workflow has itself: a person alone may let go what they hold.
THE_WORKFLOW: Final = Holder("program", "workflow", means="the workflow")
#: What a person calls a start, since an edit gives its run new tickets: the id of the run, the name
#: and the number of the attempt. Of what continues another: its owner, its key, and 0.
_Called = tuple[str | TicketOwner, str | int, int]


class BreakpointGate(Gate):
    """Lets nothing pass but what was let go.

    Attributes:
        let_go: what was, and has not come to its end since.
    """

    word = "held"
    says_the_same = False  # to each, what it is called

    def __init__(self, constraint: Constraint | None) -> None:
        super().__init__(constraint)
        self.let_go: set[_Called] = set()
        # As what each has passed: when it is done, its node may be at its next attempt already.
        self._passed_as: dict[Ticket, _Called] = {}
        self._came: dict[Ticket, float] = {}
        self._now = 0.0

    def concerns(self, ticket: Ticket) -> bool:
        """Also where it is about one item of a mapped node."""
        assert self.constraint is not None
        scope = self.constraint.scope
        if super().concerns(ticket):
            return True
        is_item = scope.value.endswith("]") and is_called(scope, ticket)
        return is_item and ticket.subject.is_of(scope.run)

    def refuses(self, ticket: Ticket, now: float) -> bool:
        self._now = now
        called = _called(ticket)
        if called in self.let_go:
            return False
        constraint = self.constraint
        by_name = constraint is not None and constraint.scope.kind in ("node", "from")
        return isinstance(called[0], str) or not by_name

    def take(self, ticket: Ticket) -> None:
        self._passed_as[ticket] = _called(ticket)

    def give_back(self, ticket: Ticket) -> bool:
        called = self._passed_as.pop(ticket, None)
        if called is not None:
            self.let_go.discard(called)
        return False

    def undo(self, ticket: Ticket) -> bool:
        self._passed_as.pop(ticket, None)  # and it stays let go
        return False

    def forget(self, owner: TicketOwner) -> None:
        super().forget(owner)
        self.let_go = {called for called in self.let_go if called[0] is not owner}
        self._passed_as = {t: as_ for t, as_ in self._passed_as.items() if t.owner is not owner}

    def run_over(self, run_id: str) -> None:
        """Nothing of this run starts any more, nor of what an edit would make of it."""
        self.let_go = {called for called in self.let_go if called[0] != run_id}

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
        """This one passes here when it comes again; where it waits here, it waits no longer."""
        if ticket.parked is self:
            ticket.parked = None
        self._came.pop(ticket, None)
        self.let_go.add(_called(ticket))

    def constraint_of(self, ticket: Ticket) -> Constraint:
        """What a person is told holds this one."""
        assert self.constraint is not None
        return self.constraint

    def obeys(self, by: Holder) -> bool:
        """Whether this one may let go what is held here."""
        return by.may_lift(THE_WORKFLOW if self.constraint is None else self.constraint.holder)


class WorkflowGate(BreakpointGate):
    """The breakpoints that are part of workflows, `.pause_before()`: of all runs, for good."""

    def __init__(self) -> None:
        super().__init__(None)

    @property
    def title(self) -> str:
        return "breakpoint of the workflow"

    def constraint_of(self, ticket: Ticket) -> Constraint:
        scope = Scope("node", ticket.owner.attempt_of(ticket)[0])
        return Constraint(scope, "breakpoint", holder=THE_WORKFLOW)


def is_called(scope: Scope, ticket: Ticket) -> bool:
    """Whether the scope is of one node or item, and of this ticket's."""
    owner = ticket.owner
    called = owner.attempt_of(ticket)[0], owner.label_of(ticket)
    return scope.kind == "node" and scope.value in called


def _called(ticket: Ticket) -> _Called:
    name, number, starts = ticket.owner.attempt_of(ticket)
    return (ticket.subject.run_id, name, number) if starts else (ticket.owner, ticket.key, 0)


def _turn(entry: tuple[int, int, Ticket]) -> tuple[int, int]:
    return entry[:2]
