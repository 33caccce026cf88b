"""Questions of random runs go as a plain model says: asked, answered at several doors, refused,
held, timed out, cancelled, and asked again by the next kernel.
"""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.engine.machine.asking import play
from tests.engine.machine.dice import ScriptedDice, SeededDice
from tests.support.examples import examples

#: Programs in `make test`.
PROGRAMS = 8


@pytest.mark.slow
@given(script=st.binary(min_size=400, max_size=400))
@settings(max_examples=examples(PROGRAMS))
def test_questions_go_as_they_ought_to(script: bytes) -> None:
    asyncio.run(play(ScriptedDice(script)))


@pytest.mark.parametrize("seed", range(8))
def test_programs_that_are_the_same_each_time_go_well(seed: int) -> None:
    asyncio.run(play(SeededDice(seed)))
