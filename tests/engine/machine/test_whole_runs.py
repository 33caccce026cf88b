"""Random workflows on a real engine, treated at random, judged by value and by history.

Each program is a few runs of random graphs (maps, routers, conditions, retries, loops, resources,
checkpoints) in all lanes, while constraints come and go, time passes, runs are cancelled and bodies
pause things themselves. The value must be that of a plain recursion, and the events must tell of no
broken promise.
"""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.engine.machine.dice import ScriptedDice, SeededDice
from tests.engine.machine.driver import play
from tests.support.examples import examples
from tests.support.idle import run_on_idle_loop

#: Programs in `make test`; the others of the 2,000 drive scheduler and constraints alone.
PROGRAMS = 500


@pytest.mark.slow
@given(script=st.binary(min_size=1_500, max_size=1_500))
@settings(max_examples=examples(PROGRAMS))
def test_runs_come_to_what_they_ought_to(script: bytes) -> None:
    run_on_idle_loop(play(ScriptedDice(script)))


@pytest.mark.parametrize("seed", range(50))
def test_programs_that_are_the_same_each_time_go_well(seed: int) -> None:
    run_on_idle_loop(play(SeededDice(seed)))
