"""Would the claims about breakers find a fault? Each of these is planted, and must be found."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

import pytest

from cascade_nb.control import ConstraintManager
from cascade_nb.events import MessageBus
from cascade_nb.testing import VirtualClock
from tests.control import test_breakers as claims
from tests.control.test_breakers import Failing
from tests.support.mutants import Mutant

_GATE: Final = "cascade_nb.control.gate_kinds.breakers:BreakerGate"
_MANAGER: Final = "cascade_nb.control.manager:ConstraintManager"

MUTANTS: Final = (
    Mutant(
        "one failure fewer trips it",
        f"{_GATE}.note",
        "len(self.noted) < self.rule.failures",
        "len(self.noted) < self.rule.failures - 1",
    ),
    Mutant(
        "failures count for ever",
        f"{_GATE}.note",
        "now - self.noted[0][0] > self.rule.within",
        "False",
    ),
    Mutant(
        "a failure at the end of the time does not count",
        f"{_GATE}.note",
        "> self.rule.within",
        ">= self.rule.within",
    ),
    Mutant("it does not count anew", f"{_GATE}.close", "self.noted.clear()", "pass"),
    Mutant(
        "a resume by hand frees nothing",
        f"{_MANAGER}.lift",
        "breaker.close()",
        "pass",
    ),
    Mutant(
        "everything is a probe",
        f"{_GATE}.refuses",
        "return probe is not None and",
        "return False and",
    ),
    Mutant(
        "what a probe has started waits for it",
        f"{_GATE}.refuses",
        "probe is not ticket and probe not in ticket.within",
        "probe is not ticket",
    ),
    Mutant(
        "what began before it tripped decides",
        f"{_GATE}.note",
        "return False  # it began",
        "pass  # it began",
    ),
    Mutant(
        "a cancelled probe is a success",
        f"{_GATE}.note",
        "self.undo(ticket)",
        "pass",
    ),
    Mutant(
        "a probe that was cancelled makes way for nobody",
        f"{_MANAGER}.failed",
        "self._freed.add(gate)",
        "pass",
    ),
    Mutant(
        "a success frees nobody",
        f"{_GATE}.give_back",
        "return True",
        "return False",
    ),
    Mutant(
        "a breaker that is lifted leaves its pause",
        f"{_MANAGER}._remove",
        "if isinstance(gate, BreakerGate) and self._pause_of(gate) is not None:",
        "if False:",
    ),
    Mutant(
        "it takes the pause of whoever has set it with it",
        "cascade_nb.control.gate_index:GateIndex._pause_of",
        "breaker.holder",
        "breaker.rule.holder",
    ),
    Mutant(
        "it takes over the pause of whoever has set it",
        f"{_MANAGER}._hold_for",
        "by=gate.holder",
        "by=gate.rule.holder",
    ),
    Mutant(
        "what was admitted before it tripped may begin",
        f"{_MANAGER}.recheck",
        "if gate.refuses_start(ticket, now):",
        "if False:",
    ),
    Mutant(
        "other numbers forget what has failed",
        f"{_GATE}.change",
        "deque(self.noted, maxlen",
        "deque((), maxlen",
    ),
)

#: Those that need nothing but a manager, the quickest first.
CLAIMS: Final[tuple[Callable[..., None], ...]] = (
    claims.test_nothing_starts_that_it_holds_not_even_what_was_admitted_before,
    claims.test_what_waits_for_a_probe_is_held_and_told_so,
    claims.test_a_run_that_its_probe_has_started_passes_with_it,
    claims.test_a_failure_that_began_before_it_tripped_does_not_decide,
    claims.test_a_pause_that_somebody_has_on_its_scope_stays_theirs,
    claims.test_other_numbers_forget_nothing,
    claims.test_two_scopes_count_each_for_itself,
    *(
        lambda probe=probe, **given: claims.test_one_node_is_its_probe_and_its_end_decides(
            probe=probe, **given
        )
        for probe in ("end", "fail", "cancel")
    ),
    lambda **given: claims.test_it_takes_its_own_pause_with_it(ttl=None, **given),
    lambda **_: claims.test_it_trips_exactly_when_so_many_failures_lie_within_its_time(),
)


def hold() -> Iterator[None]:
    """Check one claim after the other, each with a manager of its own."""
    for claim in CLAIMS:
        clock = VirtualClock()
        manager = ConstraintManager(clock, MessageBus())
        code = claim.__code__
        given = {"manager": manager, "crowd": Failing(manager), "clock": clock}
        named = code.co_varnames[: code.co_argcount]
        takes_all = bool(code.co_flags & 0x08)
        claim(**{name: value for name, value in given.items() if takes_all or name in named})
        yield


@pytest.mark.parametrize("mutant", MUTANTS, ids=str)
def test_the_claims_find_out_that(mutant: Mutant, monkeypatch: pytest.MonkeyPatch) -> None:
    mutant.plant(monkeypatch)
    with pytest.raises((AssertionError, KeyError, IndexError, ValueError)):
        list(hold())


def test_without_a_fault_they_hold() -> None:
    assert len(list(hold())) == len(CLAIMS)
