"""Would the state machine find a fault? Each of these is planted, and must be found."""

from __future__ import annotations

from typing import Final

import pytest

from tests.engine.machine.dice import SeededDice
from tests.engine.machine.world import play
from tests.support.mutants import Mutant

#: Programs that a fault may survive at most. Most are found by one of the first ten.
PROGRAMS: Final = 1_200

_MANAGER: Final = "cascade_nb.control.manager:ConstraintManager"
_GATES: Final = "cascade_nb.control.gate_kinds.pauses_and_limits"
_SCHEDULER: Final = "cascade_nb.engine.core.scheduler:Scheduler"

MUTANTS: Final = (
    Mutant(
        "what is given back is offered to nobody",
        f"{_MANAGER}.release",
        "self._freed.add(*frees)",
        "pass",
    ),
    Mutant(
        "only the first waiter is offered what is free",
        "cascade_nb.control.freed_gates:_drain",
        "ticket.owner.offer(ticket)",
        "ticket.owner.offer(ticket)\n        break",
    ),
    Mutant(
        "a token is taken before the others are asked",
        f"{_MANAGER}.admit",
        "if gate.refuses(ticket, now)), None)",
        "if gate.refuses(ticket, now) or gate.take(ticket)), None)",
    ),
    Mutant(
        "nobody looks a second time before a start",
        f"{_MANAGER}.recheck",
        "if ticket.seen == self.restriction_epoch:",
        "if True:",
    ),
    Mutant(
        "a new pause calls for no second look",
        f"{_MANAGER}._install",
        "self.restriction_epoch += 1",
        "pass",
    ),
    Mutant(
        "a lowered limit calls for no second look",
        f"{_MANAGER}.apply",
        "self.restriction_epoch += constraint.limit < gate.limit",
        "pass",
    ),
    Mutant(
        "a rate limit that came before the start is paid nothing",
        f"{_MANAGER}.recheck",
        "gate.take(ticket)",
        "pass",
    ),
    Mutant(
        "a start that was withdrawn keeps its slot and its token",
        f"{_MANAGER}.recheck",
        "self.give_up(ticket)",
        "pass",
    ),
    Mutant(
        "a token is given back that was never paid",
        f"{_GATES}:RateGate.undo",
        "if ticket not in self.paid:",
        "if False:",
    ),
    Mutant(
        "a token comes back when the work is done",
        f"{_GATES}:RateGate.give_back",
        "return False",
        "self.tokens += 1; return True",
    ),
    Mutant(
        "a changed rate limit fills its bucket anew",
        f"{_GATES}:RateGate.change",
        "min(self.tokens, self.capacity)",
        "self.capacity",
    ),
    Mutant(
        "a quiet time saves up more than the capacity",
        f"{_GATES}:RateGate._fill",
        "min(self.capacity, self.tokens + (now - self.filled) * self.rate)",
        "self.tokens + (now - self.filled) * self.rate",
    ),
    Mutant(
        "what runs when a limit comes is not counted",
        f"{_MANAGER}._install",
        "if gate in self._gates_of(ticket):",
        "if False:",
    ),
    Mutant(
        "resume lifts the limits of the scope too",
        f"{_MANAGER}.lift",
        "TYPES if type is None else (type,)",
        "TYPES",
    ),
    Mutant(
        "what waited for a constraint is forgotten with it",
        "cascade_nb.control.continuing:Continuing._free",
        "owner.take_back(tickets, since)",
        "pass",
    ),
    Mutant(
        "a raised limit frees nobody until something ends",
        f"{_MANAGER}.apply",
        "constraint.limit\n            self._freed.add(gate)",
        "constraint.limit",
    ),
    Mutant(
        "only pauses end by themselves",
        f"{_MANAGER}.tick",
        "gate.constraint.expires <= now:",
        "gate.constraint.expires <= now and gate.constraint.type == 'pause':",
    ),
    Mutant(
        "nobody is told when a constraint ends by itself",
        "cascade_nb.control.gate_index:GateIndex.next_change",
        "[*ends, *opens]",
        "opens",
    ),
    Mutant(
        "nobody is told when the next token comes",
        f"{_MANAGER}._park",
        "if gate.opens_at(now) < math.inf:",
        "if False:",
    ),
    Mutant(
        "a waiter that goes away leaves those behind it waiting",
        f"{_MANAGER}.forget",
        "self._freed.add(gate)",
        "pass",
    ),
    Mutant(
        "a run that ends keeps what it held",
        "cascade_nb.control.gates:Gate.leave",
        "self.give_back(ticket)",
        "pass",
    ),
    Mutant(
        "a run that ends offers what it held to nobody",
        f"{_MANAGER}.leave",
        "steps.callback(self._freed.add, gate)",
        "pass",
    ),
    Mutant(
        "a run that begins does not hear of pauses on nodes by name",
        f"{_MANAGER}.enter",
        "gate.members[owner] = owner.members(gate.constraint.scope)",
        "pass",
    ),
    Mutant(
        "a new constraint is not seen by tasks that were looked at before",
        "cascade_nb.control.gate_index:GateIndex._put",
        "self.version += 1",
        "pass",
    ),
    Mutant(
        "a limit lets one more in",
        f"{_GATES}:ConcurrencyGate.refuses",
        ">= self.limit",
        "> self.limit",
    ),
    Mutant(
        "a resource is promised twice",
        "cascade_nb.control.gate_kinds.resource_pools:PoolGate.take",
        "self.shares[ticket] = amount",
        "self.shares[ticket] = amount / 2",
    ),
    Mutant(
        "only the first tag of a task is looked at",
        "cascade_nb.control.constraint:Scope.covers",
        "any(map(self.matches, tags))",
        "any(map(self.matches, sorted(tags)[:1]))",
    ),
    Mutant(
        "an end lowers the count of what is missing twice",
        f"{_SCHEDULER}.finish",
        "missing[other] = missing[other] - 1",
        "missing[other] = missing[other] - 2",
    ),
    Mutant(
        "an end that was no success is told to nobody",
        f"{_SCHEDULER}._over",
        "if not left and state[other] == WAITING:",
        "if False:",
    ),
    Mutant(
        "a node that is over already is waited for",
        f"{_SCHEDULER}.demand",
        "if now < DONE:",
        "if now <= DONE:",
    ),
    Mutant(
        "what is needed in addition is not asked for",
        f"{_SCHEDULER}.need",
        "ready = self.demand(more := tuple(more))",
        "ready, more = [], tuple(more)",
    ),
    Mutant(
        "the second who waits for a node drives out the first",
        f"{_SCHEDULER}.need",
        "[*_each(dependents[source]), node]",
        "[node]",
    ),
    Mutant(
        "the second who asks for a node drives out the first",
        f"{_SCHEDULER}.demand",
        "dependents[source] = [others, node]",
        "dependents[source] = node",
    ),
    Mutant(
        "a node starts twice",
        f"{_SCHEDULER}.start",
        "if self.state[node] != READY:",
        "if self.state[node] < READY:",
    ),
    Mutant(
        "a mapped node waits for one item too few",
        f"{_SCHEDULER}.expand",
        "self._missing[node] = count",
        "self._missing[node] = max(1, count - 1)",
    ),
    Mutant(
        "a cancelled node counts as one that is still to come",
        f"{_SCHEDULER}.cancel",
        "self.unfinished -= 1",
        "pass",
    ),
)

#: Faults of breakpoints, found where there are some.
STOPPING: Final = (
    Mutant(
        "what the condition of a breakpoint does not hold is held",
        "cascade_nb.control.continuing:Continuing.judged",
        "ticket.owner.take_back([ticket], gate.since(ticket))",
        "pass",
    ),
    Mutant(
        "what was judged by another condition is not judged anew",
        f"{_MANAGER}.apply",
        "gate.judge_anew()",
        "pass",
    ),
    Mutant(
        "what was let go at a breakpoint is held there again",
        "cascade_nb.control.gate_kinds.breakpoints:BreakpointGate.let",
        "self.let_go.add(_called(ticket))",
        "pass",
    ),
)


@pytest.mark.parametrize("mutant", [*MUTANTS, *STOPPING], ids=str)
def test_the_machine_finds_out_that(mutant: Mutant, monkeypatch: pytest.MonkeyPatch) -> None:
    mutant.plant(monkeypatch)
    for seed in range(PROGRAMS):
        try:
            play(SeededDice(seed), stops=mutant in STOPPING)
        except (Exception, pytest.fail.Exception):  # whatever it breaks on, it was seen
            return
    pytest.fail(f"{PROGRAMS} programs went well although {mutant.fault}")


def test_without_a_fault_they_go_well() -> None:
    for seed in range(50):
        play(SeededDice(seed), stops=seed % 2 == 0)
