"""Scheduler and constraints, driven at random and judged by an oracle after every move.

What must hold: dependencies first; one start for each permitted attempt; nothing starts while it is
held; every limit, rate and resource is respected at each start; no token is spent by a refusal;
whoever may start is not left waiting; when what holds for ever is lifted everything comes to its
end, and nothing is held any more.
"""

from __future__ import annotations

import sys

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from tests.engine.machine.dice import ScriptedDice
from tests.engine.machine.world import World
from tests.support.examples import examples

#: Programs in `make test`; the others of the 2,000 are whole runs of an engine.
PROGRAMS = 1_500

short = st.binary(min_size=16, max_size=16)
long = st.binary(min_size=128, max_size=128)


class Machine(RuleBasedStateMachine):
    """The moves of `World`, in whatever order finds a fault."""

    def __init__(self) -> None:
        super().__init__()
        self.world = World()
        self.lift_everything = False

    @initialize(script=long, lift_everything=st.booleans(), stops=st.booleans())
    def begin_with_two_runs(self, script: bytes, lift_everything: bool, stops: bool) -> None:
        self.lift_everything = lift_everything
        self.world = World(stops=stops)
        dice = ScriptedDice(script)
        self.world.start_run(dice)
        self.world.start_run(dice)

    @rule(script=long)
    def start_run(self, script: bytes) -> None:
        self.world.start_run(ScriptedDice(script))

    @rule(script=short)
    def ask(self, script: bytes) -> None:
        self.world.ask(ScriptedDice(script))

    @rule(script=short)
    def begin(self, script: bytes) -> None:
        self.world.begin(ScriptedDice(script))

    @rule(script=short)
    def end(self, script: bytes) -> None:
        self.world.end(ScriptedDice(script))

    @rule(script=long)
    def work(self, script: bytes) -> None:
        self.world.work(ScriptedDice(script))

    @rule(script=short)
    def constrain(self, script: bytes) -> None:
        self.world.constrain(ScriptedDice(script))

    @rule(script=short)
    def lift(self, script: bytes) -> None:
        self.world.lift(ScriptedDice(script))

    @rule(script=short)
    def judge(self, script: bytes) -> None:
        self.world.judge(ScriptedDice(script))

    @rule(script=short)
    def go_on(self, script: bytes) -> None:
        self.world.go_on(ScriptedDice(script))

    @rule(script=short)
    def advance(self, script: bytes) -> None:
        self.world.advance(ScriptedDice(script))

    @rule(script=short)
    def skip(self, script: bytes) -> None:
        self.world.skip(ScriptedDice(script))

    @rule(script=short)
    def cancel(self, script: bytes) -> None:
        self.world.cancel(ScriptedDice(script))

    @rule(script=short)
    def illegal(self, script: bytes) -> None:
        self.world.illegal(ScriptedDice(script))

    @invariant()
    def the_oracle_agrees(self) -> None:
        self.world.check()

    def teardown(self) -> None:
        if sys.exc_info()[0] is None:  # of a program that broke off nothing more can be asked
            self.world.finish(everything=self.lift_everything)


@pytest.mark.slow
class TestSchedulerAndConstraints(Machine.TestCase):  # type: ignore[misc, valid-type]
    settings = settings(max_examples=examples(PROGRAMS))
