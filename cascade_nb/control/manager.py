"""Decides whether a node may start now, by all constraints that are in force."""

from __future__ import annotations

import contextlib
import dataclasses
import math
from collections.abc import Callable, Mapping
from typing import Any

from cascade_nb.control.confirming import Confirming
from cascade_nb.control.constraint import (
    TYPES,
    Constraint,
    Key,
    Scope,
    checked_type,
    new_constraint,
    parse_scope,
)
from cascade_nb.control.constraint_numbers import checked_ttl
from cascade_nb.control.freed_gates import FreedGates
from cascade_nb.control.gate_index import HOLD, gate_for
from cascade_nb.control.gate_kinds.breakers import BreakerGate
from cascade_nb.control.gate_kinds.breakpoints import BreakpointGate
from cascade_nb.control.gate_kinds.pauses_and_limits import ConcurrencyGate, PauseGate, RateGate
from cascade_nb.control.gate_kinds.process_state import taking
from cascade_nb.control.gates import Gate, Ticket, TicketOwner
from cascade_nb.control.holders import A_PERSON, Holder, holder_of
from cascade_nb.events.bus import MessageBus
from cascade_nb.model.options.pause_condition import PauseIf
from cascade_nb.protocols.execution import Clock


class ConstraintManager(Confirming):
    """Every constraint in force, and who waits for it.

    `apply` and `lift` are safe from any thread and in force when they return. `admit`, `release`
    and `recheck` are for owners, who hold `lock` around them together with their own move, so that
    no start can slip between a pause and its acknowledgement. What such a move frees is noted, and
    nobody is called back: when it is done its owner calls `hand_out`.

    Args:
        clock: where time comes from.
        bus: told when a constraint is applied, lifted or expired.
        resources: by name, how much there is of what `.with_constraints` can ask for.

    Raises:
        PolicyError: an amount is negative or no number.
    """

    def __init__(
        self, clock: Clock, bus: MessageBus, resources: Mapping[str, float] | None = None
    ) -> None:
        super().__init__(resources)
        self.clock = clock
        self.bus = bus
        self.restriction_epoch = 0  # counts what may forbid more: only then is a second look needed
        # The engine's: `next_change` may be sooner than it was. Without one, its test's affair.
        self.timer_changed: Callable[[], None] = lambda: None
        self.breakers = 0  # how many there are: without one, nobody need say what has failed
        self._owners: list[TicketOwner] = []
        self._freed = FreedGates()

    def enter(self, owner: TicketOwner) -> None:
        """An owner begins: constraints on nodes by name learn which of its nodes they are about."""
        with self.lock:
            self._owners.append(owner)
            for gate in self._node_gates:
                assert gate.constraint is not None
                gate.members[owner] = owner.members(gate.constraint.scope)

    def leave(self, owner: TicketOwner) -> None:
        """An owner ends: nothing of it waits or holds any more. Where a gate goes wrong, the others
        have back what they gave.
        """
        with self.lock, contextlib.ExitStack() as steps:
            self._owners.remove(owner)
            own = (*self.pools.values(), *self._process.all(), self._workflow)
            for gate in reversed((*self._gates.values(), *own)):
                steps.callback(self._freed.add, gate)
                steps.callback(gate.leave, owner)

    def admit(self, ticket: Ticket) -> Gate | None:
        """Let `ticket` start, or park it. Call under `lock`.

        Returns:
            None when it may start, all it needs taken. Else the gate where it waits, nothing taken.
        """
        gates = self._gates_of(ticket)
        if gates:
            now = self.clock.now()
            with taking if ticket.subject.states else contextlib.nullcontext():
                refusing = next((gate for gate in gates if gate.refuses(ticket, now)), None)
                for gate in gates if refusing is None else ():
                    gate.take(ticket)
            if refusing is not None:
                self._park(ticket, refusing, now)
                return refusing
        ticket.seen = self.restriction_epoch
        return None

    def release(self, ticket: Ticket) -> bool:
        """`ticket` is done. Gives whether it frees something to `hand_out`. Call under `lock`."""
        gates = self._gates_of(ticket)
        if not gates:
            return False
        frees = [gate for gate in gates if gate.give_back(ticket)]
        self._freed.add(*frees)
        return bool(frees)

    def failed(self, ticket: Ticket, words: str | None) -> None:
        """An attempt of `ticket` has failed; what that trips is held when this returns. Call under
        `lock`, before its release, when all that follows is carried out.

        Args:
            ticket: of what has failed.
            words: what it was, and its error; None where it was cancelled.
        """
        for gate in self._gates_of(ticket):
            if isinstance(gate, BreakerGate):
                if gate.note(ticket, words, self.clock.now()):
                    self.restriction_epoch += 1
                    self._hold_for(gate)
                self._freed.add(gate)  # a probe that was cancelled makes way for another

    def _hold_for(self, gate: BreakerGate) -> None:
        """Pause what a breaker that has tripped is about, beside the pauses of others."""
        left = gate.probe_at - self.clock.now()
        ttl = None if left == math.inf else max(left, 1e-9)
        about = gate.rule.scope
        gate.pause = self.apply(about, reason=gate.story, by=gate.holder, ttl=ttl, wait=False)
        gate.retime(self._pause_of(gate))

    def hand_out(self) -> None:
        """Offer what has become free to who waits for it, in order. Call under `lock`, when the
        move that freed it is done: who is offered something may move in turn.
        """
        self._freed.hand_out(self.clock, self.timer_changed)

    def recheck(self, ticket: Ticket) -> bool:
        """A last look before an admitted `ticket` starts. Call under `lock`.

        Returns:
            True when what came in between forbids it: it has given everything back, and waits.
        """
        if ticket.seen == self.restriction_epoch:
            return False
        ticket.seen = self.restriction_epoch
        now = self.clock.now()
        gates = self._gates_of(ticket)
        for gate in gates:
            if gate.refuses_start(ticket, now):
                self._park(ticket, gate, now)  # before others are offered what it gives back
                self.give_up(ticket)
                return True
        for gate in gates:
            gate.take(ticket)  # a rate limit that came in between is owed its token
        return False

    def give_up(self, ticket: Ticket) -> None:
        """An admitted `ticket` does not start: it gives back everything. Call under `lock`."""
        self._freed.add(*[gate for gate in self._gates_of(ticket) if gate.undo(ticket)])

    def lend(self, ticket: Ticket, back: bool = False) -> None:
        """What `ticket` is for waits for other work, which has its places. Call under `lock`."""
        self._freed.add(*[gate for gate in self._gates_of(ticket) if gate.lend(ticket, back)])

    def forget(self, ticket: Ticket) -> None:
        """`ticket` waits no longer. Call under `lock`."""
        gate, ticket.parked = ticket.parked, None
        if gate is not None:
            self._freed.add(gate)  # in a strict queue the next may have waited behind it only

    def apply(
        self,
        scope: str | Scope,
        type: str = "pause",
        params: Mapping[str, Any] | None = None,
        *,
        reason: str = "",
        by: str | Holder = "",
        ttl: float | None = None,
        pause_if: PauseIf | None = None,
        wait: bool = True,
    ) -> Constraint:
        """Put a constraint into force, in the place of an earlier one of the same scope, type and
        holder, and beside those of others.

        Args:
            scope: see `parse_scope`.
            type: "pause", "concurrency", "rate_limit", "breaker", "guard" or "breakpoint".
            params: its numbers, as the wire has them; see `Constraint.params`.
            reason: why, for people.
            by: whose it is; as text see `holder_of`.
            ttl: seconds until it ends by itself.
            pause_if: the condition of a breakpoint, of the inputs of what comes to it.
            wait: for the word of those that were handed work elsewhere; False under `lock`.

        Raises:
            ConstraintError: a scope, type or number that no constraint can have; nothing changed.
        """
        lasts = checked_ttl(ttl)
        made = new_constraint(parse_scope(scope), type, params or {}, reason, holder_of(by))
        with self.lock:
            now = self.clock.now()
            expires = None if lasts is None else now + lasts
            constraint = dataclasses.replace(made, since=now, expires=expires, pause_if=pause_if)
            gate = self._gates.get(constraint.key)
            if gate is None:
                self._install(gate_for(constraint, now))
            elif isinstance(gate, ConcurrencyGate):
                self.restriction_epoch += constraint.limit < gate.limit
                gate.constraint, gate.limit = constraint, constraint.limit
                self._freed.add(gate)
            elif isinstance(gate, RateGate):
                gate.change(constraint, now)
                self._freed.add(gate)
            elif isinstance(gate, BreakerGate):
                gate.change(constraint)
                gate.retime(self._pause_of(gate))
                self._freed.add(gate)
            else:
                # The pause goes on: it began when it began, but for the reason and time given last.
                assert gate.constraint is not None
                constraint = dataclasses.replace(constraint, since=gate.constraint.since)
                asked, gate.constraint = gate.constraint.pause_if, constraint
                for owner in self._owners:
                    owner.paused()
                if isinstance(gate, BreakpointGate) and asked is not pause_if:
                    self.restriction_epoch += 1  # of those that were admitted, too
                    gate.judge_anew()
                    self._free(gate, constraint.since)
            self._gates[constraint.key].moves += 1
            self.timer_changed()
            untold = self._in_force(constraint, lasts, wait)
            self.hand_out()
        self._confirm(untold)
        return constraint

    def lift(
        self,
        scope: str | Scope,
        type: str | None = None,
        *,
        by: Holder = A_PERSON,
        only: Holder | None = None,
        exactly: bool = False,
    ) -> list[Constraint]:
        """Take constraints out of force: of one type, or all of this scope, in all runs where it
        names none. Gives what was lifted.

        Args:
            scope, type: of which.
            by: who asks for it. Of what this one may not lift nothing changes.
            only: whose constraints are meant; without one, everybody's.
            exactly: whether what holds in one run alone stays, where the scope names none.

        Raises:
            ConstraintError: there is no such scope or type.
        """
        wanted = parse_scope(scope)
        if type is not None:
            checked_type(type)
        with self.lock:
            types = TYPES if type is None else (type,)
            meant = self._meant(wanted, by, only, exactly)
            keys = sorted((k for k in meant if k[1] in types), key=lambda k: k[1] != "pause")
            done: list[Constraint] = []
            for breaker in map(self._gates.get, meant if "pause" in types and not only else ()):
                if isinstance(breaker, BreakerGate) and breaker.story:
                    if breaker.pause is not None and self._pause_of(breaker) is None:
                        done.append(breaker.pause)  # which may be over, while its probe is not
                    breaker.close()
                    self._freed.add(breaker)
            done += [self._remove(key, "lifted", by) for key in keys]
            self.hand_out()
            return done

    def hold(self, run_id: str, reason: str) -> None:
        """Let nothing of a run start until it is let go: its owner's own pause, which nobody else
        can lift and nobody is told of. Call under `lock`.
        """
        constraint = Constraint(Scope("run", run_id), HOLD, reason=reason, since=self.clock.now())
        if constraint.key not in self._gates:
            self._install(PauseGate(constraint))

    def let_go(self, run_id: str) -> None:
        """The opposite of `hold`. Call under `lock`."""
        key = Scope("run", run_id), HOLD, A_PERSON
        if key in self._gates:
            self._remove(key, "lifted")

    def tick(self) -> None:
        """Do what time brings about: end what expired, let pass what has a token now."""
        with self.lock:
            now = self.clock.now()
            for key, gate in list(self._gates.items()):
                assert gate.constraint is not None
                if gate.constraint.expires is not None and gate.constraint.expires <= now:
                    if key in self._gates:
                        self._remove(key, "expired")
                elif isinstance(gate, (RateGate, BreakerGate)):
                    self._freed.add(gate)
            self._freed.add(*self._process.all())
            self.hand_out()

    def _install(self, gate: Gate) -> None:
        assert gate.constraint is not None
        scope = gate.constraint.scope
        if self._put(gate):
            gate.members = {owner: owner.members(scope) for owner in self._owners}
        self.restriction_epoch += 1
        self.breakers += isinstance(gate, BreakerGate)
        for owner in self._owners:
            if isinstance(gate, (PauseGate, BreakpointGate)):
                owner.paused()
            if isinstance(gate, ConcurrencyGate):
                # What runs already counts, or its number would start on top of it.
                for ticket in owner.in_flight():
                    if gate in self._gates_of(ticket):
                        gate.take(ticket)

    def _remove(self, key: Key, cause: str, by: Holder = A_PERSON) -> Constraint:
        gate = self._gates[key]
        constraint = gate.constraint
        assert constraint is not None
        if isinstance(gate, (PauseGate, BreakpointGate)):
            for owner in self._owners:
                owner.lifting()
        self._take_out(gate)
        self.breakers -= isinstance(gate, BreakerGate)
        self.timer_changed()
        self._tell_lifted(constraint, cause, by)
        self._free(gate, constraint.since)
        if isinstance(gate, BreakerGate) and self._pause_of(gate) is not None:
            self._remove((key[0], "pause", gate.holder), cause, by)
        return constraint

    def _park(self, ticket: Ticket, gate: Gate, now: float) -> None:
        gate.park(ticket)
        if gate.opens_at(now) < math.inf:
            self.timer_changed()
