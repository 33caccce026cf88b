"""Knows every gate there is, and which of them a ticket has to pass."""

from __future__ import annotations

import math
import threading
from collections.abc import Iterable, Mapping
from typing import Final

from cascade_nb.control.constraint import Constraint, Key, Scope, parse_scope
from cascade_nb.control.gate_kinds.breakers import BreakerGate
from cascade_nb.control.gate_kinds.breakpoints import BreakpointGate, WorkflowGate
from cascade_nb.control.gate_kinds.memory_guard import GuardGate
from cascade_nb.control.gate_kinds.pauses_and_limits import ConcurrencyGate, PauseGate, RateGate
from cascade_nb.control.gate_kinds.process_state import ProcessGates
from cascade_nb.control.gate_kinds.resource_pools import pools_of
from cascade_nb.control.gates import Gate, Subject, Ticket
from cascade_nb.control.holders import A_PERSON, Holder
from cascade_nb.protocols.execution import Clock

HOLD: Final = "hold"  # no type that anybody can ask for
#: The kinds of gates that are asked before others.
_FIRST: Final = (PauseGate, BreakerGate, BreakpointGate)


class GateIndex:
    """The gates of everything in force, found by what they are about.

    Args:
        resources: by name, how much there is of what `.with_constraints` can ask for.

    Raises:
        PolicyError: an amount is negative or no number.
    """

    clock: Clock

    def __init__(self, resources: Mapping[str, float] | None = None) -> None:
        self.lock = threading.RLock()
        self.version = 0  # counts changes of the set of gates
        self.pools = pools_of({} if resources is None else resources)
        self._gates: dict[Key, Gate] = {}
        self._beside: dict[tuple[Scope, str], list[Gate]] = {}  # by scope and type, each holder's
        self._node_gates: list[Gate] = []
        self._process = ProcessGates()
        self._workflow = WorkflowGate()

    def idle(self, subject: Subject) -> bool:
        """Whether nothing at all stands in the way of this subject; one look, for the hot path."""
        if self._node_gates:
            return False
        if subject.version != self.version:
            self._look_up(subject)
        return not subject.gates

    def constraints(self) -> list[Constraint]:
        """Everything in force, oldest first."""
        with self.lock:
            gates = (gate for key, gate in self._gates.items() if key[1] != HOLD)
            found = (gate.constraint for gate in gates if gate.constraint is not None)
            return sorted(found, key=lambda constraint: constraint.since)

    def constraints_on(self, run_id: str, type: str | None = None) -> list[Constraint]:
        """Those in force, of one type where it is given, that can be about nodes of a run; oldest
        first.
        """
        return [
            one
            for one in self.constraints()
            if type in (None, one.type)
            and one.scope.run in ("", run_id)
            and (one.scope.kind != "run" or one.scope.value == run_id)
        ]

    def next_change(self) -> float:
        """When `tick` has something to do, on the clock; infinity when only events can."""
        with self.lock:
            now = self.clock.now()
            ends = [c.expires for c in self.constraints() if c.expires is not None]
            gates = (*self._gates.values(), *self._process.all())
            opens = [gate.opens_at(now) for gate in gates if gate.first() is not None]
            return min([*ends, *opens], default=math.inf)

    def find(
        self, scope: str | Scope, type: str = "pause", holder: Holder | None = None
    ) -> Constraint | None:
        """The constraint of this scope and type, if one is in force: the first where no holder is
        named.
        """
        found = self.standing(scope, type)
        return next((one for one in found if holder in (None, one.holder)), None)

    def standing(self, scope: str | Scope, type: str = "pause") -> list[Constraint]:
        """Those of this scope and type, which stand beside each other: people's first, then the
        oldest.
        """
        gates = list(self._beside.get((parse_scope(scope), type), ()))
        found = [gate.constraint for gate in gates if gate.constraint is not None]
        return sorted(found, key=lambda one: (one.holder.kind != "person", one.since))

    def pause_over(self, ticket: Ticket) -> Gate | None:
        """The pause over the node of `ticket`, which may run or wait. Call under `lock`."""
        return next((g for g in self._gates_of(ticket) if isinstance(g, PauseGate)), None)

    def pause_of(self, subject: Subject) -> Gate | None:
        """The pause over all nodes of `subject`, on none of them by name. Call under `lock`."""
        if subject.version != self.version:
            self._look_up(subject)
        return next((gate for gate in subject.gates if isinstance(gate, PauseGate)), None)

    def pauses_by_name(self) -> list[PauseGate]:
        """The pauses on nodes by name. Call under `lock`."""
        return [gate for gate in self._node_gates if isinstance(gate, PauseGate)]

    def holds_itself(self, run_id: str) -> bool:
        """Whether a run is held for a moment by what runs it, and goes on by itself."""
        return (Scope("run", run_id), HOLD, A_PERSON) in self._gates

    def breakpoints(self) -> list[BreakpointGate]:
        """Those in force, and those of workflows. Call under `lock`."""
        found = (gate for gate in self._gates.values() if isinstance(gate, BreakpointGate))
        return [*found, self._workflow]

    def stops_start(self, ticket: Ticket) -> bool:
        """Whether a pause or a breakpoint is over the node of `ticket`, which may have been handed
        over and not have begun. Call under `lock`.
        """
        now, kinds = self.clock.now(), (PauseGate, BreakpointGate)
        return any(isinstance(g, kinds) and g.refuses(ticket, now) for g in self._gates_of(ticket))

    def _put(self, gate: Gate) -> bool:
        """Know this one too. Gives whether it is about nodes by name."""
        assert gate.constraint is not None
        key = gate.constraint.key
        self._gates[key] = gate
        gate.beside = self._beside.setdefault(key[:2], [])
        gate.beside.append(gate)
        self.version += 1
        by_name = key[0].kind in ("node", "from")
        if by_name:
            self._node_gates.append(gate)
        return by_name

    def _take_out(self, gate: Gate) -> None:
        """Know this one no longer."""
        assert gate.constraint is not None
        key = gate.constraint.key
        del self._gates[key]
        gate.beside.remove(gate)
        if not gate.beside:
            del self._beside[key[:2]]
        if gate in self._node_gates:
            self._node_gates.remove(gate)
        self.version += 1

    def _meant(
        self, scope: Scope, by: Holder, only: Holder | None, exactly: bool = False
    ) -> list[Key]:
        """What is of a scope, in all runs where it names none, and may be lifted by somebody.

        Args:
            scope: that.
            exactly: whether what is of one run alone is not meant where it names none.
            by: who would lift it.
            only: whose is meant; None for everybody's.
        """
        return [
            key
            for key in self._gates
            if scope in (key[0], key[0] if exactly else key[0].everywhere)
            and by.may_lift(key[2])
            and only in (None, key[2])
        ]

    def _pause_of(self, breaker: BreakerGate) -> Gate | None:
        """The pause that a breaker has put into force, while it stands."""
        return self._gates.get((breaker.rule.scope, "pause", breaker.holder))

    def _gates_of(self, ticket: Ticket) -> tuple[Gate, ...]:
        subject = ticket.subject
        if subject.version != self.version:
            self._look_up(subject)
        gates = subject.gates
        if self._node_gates:
            own = [gate for gate in self._node_gates if gate.concerns(ticket)]
            gates = in_order_of_asking((*gates, *own))
        if ticket.needs:
            gates = (*gates, *(self.pools[name] for name in ticket.needs))
        return gates

    def _look_up(self, subject: Subject) -> None:
        others = (gate for gate in self._gates.values() if gate not in self._node_gates)
        own = (self._workflow,) if subject.breaks else ()
        covering = in_order_of_asking((*(gate for gate in others if gate.covers(subject)), *own))
        subject.gates = (*covering, *self._process.of(subject))
        subject.version = self.version


def gate_for(constraint: Constraint, now: float) -> Gate:
    """The gate that puts `constraint` into force."""
    if constraint.type == "rate_limit":
        return RateGate(constraint, now)
    if constraint.type == "breaker":
        return BreakerGate(constraint)
    if constraint.type == "guard":
        return GuardGate(constraint)
    if constraint.type == "breakpoint":
        return BreakpointGate(constraint)
    return (ConcurrencyGate if constraint.type == "concurrency" else PauseGate)(constraint)


def in_order_of_asking(gates: Iterable[Gate]) -> tuple[Gate, ...]:
    """Pauses first: whoever is paused says so, rather than that a slot is missing."""
    return tuple(sorted(gates, key=_place))


def _place(gate: Gate) -> int:
    return next((place for place, kind in enumerate(_FIRST) if isinstance(gate, kind)), len(_FIRST))
