"""A run's core without an engine: whatever order its driver does things in, it comes to the same.

Maps, routers, conditions, retries, loops and failures, of random programs, judged by a plain
recursion. Faults planted in the core must be found.
"""

from __future__ import annotations

from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.engine.machine.alone import Alone
from tests.engine.machine.dice import ScriptedDice, SeededDice
from tests.support.examples import examples
from tests.support.mutants import Mutant

#: Programs that a fault may survive at most.
PROGRAMS: Final = 2_000

_CORE: Final = "cascade_nb.engine.core"

MUTANTS: Final = (
    Mutant(
        "what stops goes on with what is ready",
        f"{_CORE}.skips:SkipPropagation.stop",
        "state.changes.ready.clear()",
        "pass",
    ),
    Mutant(
        "what becomes ready after a stop starts",
        f"{_CORE}.run_state:RunState.arrive",
        "if self.stopping is not None:",
        "if False:",
    ),
    Mutant(
        "a retry is not counted",
        f"{_CORE}.run_core:RunCore.failed",
        "self.tries[index] = number + 1",
        "pass",
    ),
    Mutant(
        "a false condition counts as true",
        f"{_CORE}.control_flow:ControlFlow._decided",
        "if not wanted:",
        "if False:",
    ),
    Mutant(
        "a map that a failed item belongs to is over as if it were not",
        f"{_CORE}.control_flow:ControlFlow._items_are_over",
        "if all(one == DONE for one in states):",
        "if True:",
    ),
    Mutant(
        "a branch is not waited for",
        f"{_CORE}.control_flow:ControlFlow._need",
        "state.scheduler.need(index, more)",
        "state.scheduler.need(index, ())",
    ),
    Mutant(
        "a result goes before its last reader is over",
        f"{_CORE}.results:ResultTable.over",
        "left = readers[source] = readers[source] - 1",
        "left = readers[source] = readers[source] - 2",
    ),
    Mutant(
        "what a loop returned is read by nobody",
        f"{_CORE}.continuation:Continuations.continue_with",
        "results.also_reads(index, target)",
        "pass",
    ),
    Mutant(
        "a skipped input counts as one that is there",
        f"{_CORE}.skips:SkipPropagation._dooms",
        "return not has_default(node, source, state.results.place)",
        "return False",
    ),
    Mutant(
        "only the first of what is ready goes on",
        f"{_CORE}.run_state:RunState.arrive",
        "for index in ready:",
        "for index in ready[:1]:",
    ),
    Mutant(
        "what is to be looked at is forgotten",
        f"{_CORE}.run_core:RunCore.finished",
        "if self.agenda:",
        "if False:",
    ),
)


@pytest.mark.slow
@given(script=st.binary(min_size=300, max_size=300))
@settings(max_examples=examples(400))
def test_a_run_comes_to_the_same_in_whatever_order_things_are_done(script: bytes) -> None:
    Alone(ScriptedDice(script)).play()


@pytest.mark.parametrize("mutant", MUTANTS, ids=str)
def test_the_core_alone_tells_that(mutant: Mutant, monkeypatch: pytest.MonkeyPatch) -> None:
    mutant.plant(monkeypatch)
    for seed in range(PROGRAMS):
        try:
            Alone(SeededDice(seed)).play()
        except Exception:  # whatever it breaks on, it was seen
            return
    pytest.fail(f"{PROGRAMS} programs went well although {mutant.fault}")


def test_without_a_fault_they_go_well() -> None:
    for seed in range(200):
        Alone(SeededDice(seed)).play()
