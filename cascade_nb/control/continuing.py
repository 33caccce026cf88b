"""Lets go on what is held at breakpoints, while these stay."""

from __future__ import annotations

from cascade_nb.control.constraint import Constraint, Scope
from cascade_nb.control.gate_kinds.breakpoints import BreakpointGate, Judgement, is_called
from cascade_nb.control.gates import Gate, Ticket, TicketOwner
from cascade_nb.control.guarding import Guarding
from cascade_nb.control.holders import A_PERSON, Holder


class Continuing(Guarding):
    """The part of a constraint manager that lets go on what breakpoints hold."""

    def go_on(self, scope: Scope, by: Holder = A_PERSON) -> tuple[int, list[Constraint]]:
        """Let go on what is held at breakpoints within a scope; what is ready starts at once. Safe
        from any thread.

        Args:
            scope: of what; as a node also an item: ``t[17]``.
            by: whose word counts: what others hold whom this one may not overrule stays held.

        Returns:
            How much goes on, and the breakpoints of those others that hold something of it.
        """
        with self.lock:
            count, theirs = 0, list[Constraint]()
            for owner, held in self._at_breakpoints(scope).items():
                its = [(gate, ticket) for gate, ticket in held if gate.obeys(by)]
                theirs += [gate.constraint_of(t) for gate, t in held if not gate.obeys(by)]
                if its:
                    self._let(owner, its, by)
                count += len(its)
            self._freed.hand_out(self.clock, self.timer_changed)
            return count, list(dict.fromkeys(theirs))

    def judged(self, judgement: Judgement, holds: bool, said: str = "") -> bool:
        """The condition of a breakpoint is judged, or at least something is known of it. Call under
        `lock`; what may go on starts at once.

        Args:
            judgement: what was to be judged.
            holds: whether it is held.
            said: what is to be told of the condition.

        Returns:
            Whether it still counts: it was not let go, cancelled, or asked anew meanwhile.
        """
        if not judgement.counts:
            return False
        gate, ticket = judgement.gate, judgement.ticket
        judgement.holds, judgement.said = holds, said
        gate.moves += 1
        if not holds:
            ticket.parked = None
            ticket.owner.take_back([ticket], gate.since(ticket))
        return True

    def held_by_workflow(self, scope: Scope) -> list[str]:
        """The ids of what within a scope its own workflow holds."""
        with self.lock:
            found = [one for its in self._at_breakpoints(scope).values() for one in its]
            return [t.owner.attempt_of(t)[0] for gate, t in found if gate is self._workflow]

    def passed(self, ticket: Ticket) -> list[BreakpointGate]:
        """The breakpoints that have let `ticket` go. Call under `lock`."""
        now = self.clock.now()
        gates = [one for one in self._gates_of(ticket) if isinstance(one, BreakpointGate)]
        return [gate for gate in gates if not gate.refuses(ticket, now)]

    def run_over(self, run_id: str) -> None:
        """Nothing of this run starts any more: what was let go of it is remembered no longer."""
        with self.lock:
            for gate in self.breakpoints():
                gate.run_over(run_id)

    def _at_breakpoints(
        self, scope: Scope
    ) -> dict[TicketOwner, list[tuple[BreakpointGate, Ticket]]]:
        """What is held at breakpoints within a scope, by its owner, the first to start first."""
        held: dict[TicketOwner, list[tuple[BreakpointGate, Ticket]]] = {}
        for gate in self.breakpoints():
            for ticket in gate.waiting():
                held.setdefault(ticket.owner, []).append((gate, ticket))
        by_name = scope.kind in ("node", "from")
        for owner, its in held.items():  # asked once, since it looks at each node of its graph
            members = owner.members(scope) if by_name else frozenset[int]()
            held[owner] = [one for one in its if _is_within(scope, one[1], members)]
        return held

    def _let(
        self, owner: TicketOwner, its: list[tuple[BreakpointGate, Ticket]], by: Holder
    ) -> None:
        owner.lifting()  # edits are looked at before any of them starts
        since = min(gate.since(ticket) for gate, ticket in its)
        for _, ticket in its:
            for gate in self._gates_of(ticket):  # at all of them, or the next would hold it at once
                if isinstance(gate, BreakpointGate) and gate.obeys(by):
                    gate.let(ticket)
        owner.take_back([ticket for _, ticket in its], since)
        owner.lifted()

    def _free(self, gate: Gate, since: float) -> None:
        """All that waits at a gate is ready again. Call under `lock`."""
        freed: dict[TicketOwner, list[Ticket]] = {}
        for ticket in gate.pop_all():
            freed.setdefault(ticket.owner, []).append(ticket)
        for owner, tickets in freed.items():
            owner.take_back(tickets, since)
        for owner in self._owners:
            owner.lifted()


def _is_within(scope: Scope, ticket: Ticket, members: frozenset[int]) -> bool:
    """Whether a ticket is of this scope, which may name an item, too."""
    subject = ticket.subject
    if not subject.is_of(scope.run):
        return False
    if scope.kind == "run":
        return subject.is_of(scope.value)
    if scope.kind in ("node", "from"):
        return ticket.node in members or is_called(scope, ticket)
    return scope.covers(subject.task_name, subject.tags)
