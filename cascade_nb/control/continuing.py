"""Lets go on what is held at breakpoints, while these stay."""

from __future__ import annotations

from cascade_nb.control.constraint import Constraint, Scope
from cascade_nb.control.gate_kinds.breakpoints import BreakpointGate
from cascade_nb.control.gates import Ticket, TicketOwner
from cascade_nb.control.guarding import Guarding
from cascade_nb.control.holders import A_PERSON, Holder


class Continuing(Guarding):
    """The part of a constraint manager that lets go on what breakpoints hold."""

    def at_breakpoints(
        self, scope: Scope, by: Holder = A_PERSON
    ) -> list[tuple[BreakpointGate, Ticket]]:
        """What is held at breakpoints within a scope, the first to start first. Call under `lock`.

        Args:
            scope: of what; as a node also an item: ``t[17]``.
            by: whose word counts: what others hold whom this one may not overrule is left out.
        """
        return [
            (gate, ticket)
            for gate in self.breakpoints()
            if gate.constraint is None or by.may_lift(gate.constraint.holder)
            for ticket in gate.waiting()
            if _is_within(scope, ticket)
        ]

    def go_on(self, scope: Scope, by: Holder = A_PERSON) -> int:
        """Let go on what is held at breakpoints within a scope; what is ready starts at once. Safe
        from any thread. Gives how much that is.

        Args:
            scope, by: as for `at_breakpoints`.
        """
        with self.lock:
            held = self.at_breakpoints(scope, by)
            of_owner: dict[TicketOwner, list[tuple[BreakpointGate, Ticket]]] = {}
            for gate, ticket in held:
                of_owner.setdefault(ticket.owner, []).append((gate, ticket))
            for owner, its in of_owner.items():
                owner.lifting()  # edits are looked at before any of them starts
                since = min(gate.since(ticket) for gate, ticket in its)
                for gate, ticket in its:
                    gate.let(ticket)
                owner.take_back([ticket for _, ticket in its], since)
                owner.lifted()
            self._freed.hand_out(self.clock, self.timer_changed)
            return len(held)

    def passed(self, ticket: Ticket) -> list[BreakpointGate]:
        """The breakpoints that have let `ticket` go. Call under `lock`."""
        now = self.clock.now()
        gates = [one for one in self._gates_of(ticket) if isinstance(one, BreakpointGate)]
        return [gate for gate in gates if not gate.refuses(ticket, now)]

    def holding(self, scope: Scope) -> list[Constraint]:
        """The pauses of a scope, and the breakpoints at which something within it is held."""
        with self.lock:
            held = [gate.constraint for gate, _ in self.at_breakpoints(scope)]
        pauses = self.standing(scope)
        return [*pauses, *dict.fromkeys(one for one in held if one is not None)]


def _is_within(scope: Scope, ticket: Ticket) -> bool:
    """Whether a ticket is of this scope, which may name an item, too."""
    subject = ticket.subject
    if not subject.is_of(scope.run):
        return False
    if scope.kind == "run":
        return subject.is_of(scope.value)
    if scope.kind in ("node", "from"):
        owner = ticket.owner
        called = owner.attempt_of(ticket)[0], owner.label_of(ticket)
        return ticket.node in owner.members(scope) or (
            scope.kind == "node" and scope.value in called
        )
    return scope.covers(subject.task_name, subject.tags)
