"""Breakpoints: what would start now is held, with all that it reads there, until it is let go.

A breakpoint stays when it lets something go, as in a debugger: it holds the next node of its scope,
the next item of a map, and the next attempt at a node that has failed. One with a condition holds
what comes to it until somebody beside the run has judged that, and then holds it or lets it pass.
"""

from __future__ import annotations

from typing import Final

from cascade_nb.control.constraint import Constraint, Scope
from cascade_nb.control.gates import Gate, Ticket, TicketOwner
from cascade_nb.control.holders import Holder
from cascade_nb.model.options.pause_condition import PauseIf

#: Whose those are that a workflow has itself: a person alone may let go what they hold.
THE_WORKFLOW: Final = Holder("program", "workflow", means="the workflow")
#: What a person calls a start, since an edit gives its run new tickets: the id of the run, the name
#: and the number of the attempt. Of what continues another: its owner, its key, and 0.
_Called = tuple[str | TicketOwner, str | int, int]
#: The start itself: its owner, its key, and the number of the attempt.
_Start = tuple[TicketOwner, int, int]


class Judgement:
    """What comes of the condition of a breakpoint for one start.

    Attributes:
        gate, ticket: at which it waits, with which.
        pause_if: the condition.
        holds: whether it is held; as long as that is not known, too.
        said: what is to be told of the condition: that it is being judged, that it raised.
    """

    def __init__(self, gate: BreakpointGate, ticket: Ticket, pause_if: PauseIf) -> None:
        self.gate, self.ticket, self.pause_if = gate, ticket, pause_if
        self.holds = True
        self.said = "is being judged"

    @property
    def counts(self) -> bool:
        """Whether somebody waits for it. Call under the manager's lock."""
        return self.ticket.parked is self.gate and self.gate.judgement_of(self.ticket) is self


class BreakpointGate(Gate):
    """Lets nothing pass but what was let go, and what its condition does not hold.

    Attributes:
        let_go: what was, and has not come to its end since.
    """

    word = "held"
    says_the_same = False  # to each, what it is called

    def __init__(self, constraint: Constraint | None) -> None:
        super().__init__(constraint)
        self.let_go: set[_Called] = set()
        # As what each has passed: when it is done, its node may be at its next attempt already.
        self._passed_as: dict[Ticket, tuple[_Called, _Start]] = {}
        self._judged: dict[_Start, Judgement] = {}
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
        if by_name and not isinstance(called[0], str):
            return False
        judged = self.judgement_of(ticket)
        return judged is None or judged.holds

    def take(self, ticket: Ticket) -> None:
        self._passed_as[ticket] = _called(ticket), _start(ticket)

    def give_back(self, ticket: Ticket) -> bool:
        passed = self._passed_as.pop(ticket, None)
        if passed is not None:
            self.let_go.discard(passed[0])
            self._judged.pop(passed[1], None)
        return False

    def undo(self, ticket: Ticket) -> bool:
        self._passed_as.pop(ticket, None)  # and it stays let go
        return False

    def forget(self, owner: TicketOwner) -> None:
        super().forget(owner)
        self.let_go = {called for called in self.let_go if called[0] is not owner}
        self._passed_as = {t: as_ for t, as_ in self._passed_as.items() if t.owner is not owner}
        self._judged = {start: one for start, one in self._judged.items() if start[0] is not owner}
        self._came = {t: since for t, since in self._came.items() if t.owner is not owner}

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

    def condition_of(self, ticket: Ticket) -> PauseIf | None:
        """What has to be true for this one to be held; None where nothing has."""
        assert self.constraint is not None
        return self.constraint.pause_if

    def judgement_of(self, ticket: Ticket) -> Judgement | None:
        """What came of the condition for this start, or will; None where nobody was asked."""
        return self._judged.get(_start(ticket)) if self._judged else None

    def to_judge(self, ticket: Ticket) -> Judgement | None:
        """What is to be judged of this one, which waits here; None where nothing is, or somebody
        does already.
        """
        condition = self.condition_of(ticket)
        if condition is None or self.judgement_of(ticket) is not None:
            return None
        made = self._judged[_start(ticket)] = Judgement(self, ticket, condition)
        return made

    def judge_anew(self) -> None:
        """Its condition is another."""
        self._judged.clear()

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

    def condition_of(self, ticket: Ticket) -> PauseIf | None:
        return ticket.subject.pause_if

    def constraint_of(self, ticket: Ticket) -> Constraint:
        scope, condition = (
            Scope("node", ticket.owner.attempt_of(ticket)[0]),
            self.condition_of(ticket),
        )
        return Constraint(scope, "breakpoint", pause_if=condition, holder=THE_WORKFLOW)


def is_called(scope: Scope, ticket: Ticket) -> bool:
    """Whether the scope is of one node or item, and of this ticket's."""
    owner = ticket.owner
    called = owner.attempt_of(ticket)[0], *owner.names_of(ticket)
    return scope.kind == "node" and scope.value in called


def _called(ticket: Ticket) -> _Called:
    name, number, starts = ticket.owner.attempt_of(ticket)
    return (ticket.subject.run_id, name, number) if starts else (ticket.owner, ticket.key, 0)


def _start(ticket: Ticket) -> _Start:
    _, number, starts = ticket.owner.attempt_of(ticket)
    return ticket.owner, ticket.key, number if starts else 0


def _turn(entry: tuple[int, int, Ticket]) -> tuple[int, int]:
    return entry[:2]
