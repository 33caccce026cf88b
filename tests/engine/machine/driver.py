"""Whole runs of a real engine under random treatment, judged by value and by history."""

from __future__ import annotations

import asyncio
import itertools
import math
import time
from collections.abc import Mapping
from typing import Final, cast

import pytest

from cascade_nb.control.constraint import Constraint
from cascade_nb.engine import Engine
from cascade_nb.engine.dispatch import timeouts
from cascade_nb.executors import LocalExecutor
from cascade_nb.testing import SpySubscriber, VirtualClock
from tests.engine.machine.bench import Bench
from tests.engine.machine.dice import Dice, chance, one_of
from tests.engine.machine.judge import Started, judge_runs
from tests.engine.machine.programs import SECONDS, TAGS, TASKS, random_program
from tests.support.idle import IdleLoop
from tests.support.steps import StepExecutor

TOTALS: Final[Mapping[str, float]] = {"gpu": 2.0}
PATIENCE: Final = 60.0  # real seconds, for threads on a busy machine
LONG: Final = 20_000  # steps after which a program counts as one that never ends
MOVES: Final = (
    *("spin", "spin", "idle", "idle", "begin", "begin", "end", "end", "advance", "advance"),
    *("constrain", "constrain", "lift", "start", "cancel", "look"),
)


class Driver:
    """One engine, its runs, and the moves of a program.

    Args:
        threads: whether sync bodies run in real threads, at their own pace.
    """

    def __init__(self, dice: Dice, threads: bool) -> None:
        self.dice = dice
        self.threads = threads
        self.loop = cast("IdleLoop", asyncio.get_running_loop())
        self.clock = VirtualClock(epoch=0.0)
        self.steps = StepExecutor(1 + dice.pick(3))
        self.engine = Engine(
            executor=LocalExecutor(2) if threads else self.steps,
            clock=self.clock,
            system_resources=TOTALS,
            reuse=False,
        )
        self.spy = SpySubscriber(self.engine.bus)
        self.started: list[Started] = []
        self.ending = False

    async def drive(self, moves: int) -> None:
        """The whole program."""
        self.start()
        for _ in range(moves):
            move = one_of(self.dice, MOVES)
            done = getattr(self, move)()
            if done is not None:
                await done
        await self._finish()
        await self.engine.aclose()
        await self.loop.idle()
        self._judge()

    # ---- moves -----------------------------------------------------------------------------

    def start(self) -> None:
        """One more run."""
        if len(self.started) == 3:
            return
        program = random_program(self.dice, threads=self.threads)
        bench = Bench(program, self.clock, self._act, self.threads)
        run = self.engine.start(bench.target, on_error=program.on_error)
        self.started.append(Started(bench, run))

    async def spin(self) -> None:
        """The loop goes round a few times."""
        for _ in range(1 + self.dice.pick(5)):
            await asyncio.sleep(0)

    async def idle(self) -> None:
        """The loop does what it has to do."""
        await self.loop.idle()

    def begin(self) -> None:
        """A worker begins."""
        if self.steps.waiting:
            self.steps.begin(self.dice.pick(len(self.steps.waiting)))

    def end(self) -> None:
        """A worker ends."""
        if self.steps.working:
            self.steps.end(self.dice.pick(len(self.steps.working)))

    async def advance(self) -> None:
        """Time passes. What was admitted before begins before, so that rates can be judged."""
        await self._pass(one_of(self.dice, SECONDS))

    async def constrain(self) -> None:
        """A constraint comes into force or is changed."""
        scope, ttl = self._scope(), one_of(self.dice, SECONDS) if chance(self.dice, 30) else None
        kind = one_of(self.dice, ("pause", "limit", "limit", "rate"))
        if kind == "pause":
            self.engine.pause(scope, ttl=ttl)
        elif kind == "limit":
            self.engine.limit(scope, one_of(self.dice, (1, 2, 0)), ttl=ttl)
        else:
            # What is told is when something began, and it has paid when it was admitted.
            await self._begin_all()
            rate = one_of(self.dice, ("1/s", "2/s", "30/m"))
            self.engine.rate(scope, rate, capacity=1 + self.dice.pick(2), ttl=ttl)

    def lift(self) -> None:
        """One that is in force is lifted."""
        known = self.engine.constraints.constraints()
        if known:
            self._lift(one_of(self.dice, known))

    def cancel(self) -> None:
        """A run is cancelled."""
        chosen = one_of(self.dice, self.started)
        if chance(self.dice, 40) and not chosen.run.done():
            chosen.cancelled = True
            chosen.run.cancel()

    def look(self) -> None:
        """Somebody looks; looking must never hurt."""
        chosen = one_of(self.dice, self.started)
        assert chosen.run.status.headline
        states = sorted(chosen.run.states())
        if states:
            assert chosen.run.why(one_of(self.dice, states))

    # ---- inside ----------------------------------------------------------------------------

    def _act(self, index: int) -> None:
        """A body pauses something itself, from whatever thread it runs in."""
        if not self.ending:
            if index % 2:
                self.engine.pause(f"task:{TASKS[index % 3]}")
            else:
                self.engine.limit("global", 1 + index % 3)

    def _scope(self) -> str:
        chosen = one_of(self.dice, self.started)
        nodes = chosen.run.graph.nodes
        name = nodes[self.dice.pick(len(nodes))].name or "n0"
        scopes = ("global", f"task:{one_of(self.dice, TASKS)}", f"tag:{one_of(self.dice, TAGS)}")
        return one_of(
            self.dice, (*scopes, f"node:{name}", f"from:{name}", chosen.run.scope, "task:*")
        )

    def _lift(self, constraint: Constraint) -> None:
        scope = str(constraint.scope)
        if constraint.type == "pause":
            assert self.engine.resume(scope)
        elif constraint.type == "concurrency":
            self.engine.limit(scope, None)
        else:
            self.engine.rate(scope, None)

    async def _begin_all(self) -> None:
        """Have everything begin that was admitted."""
        await self.loop.idle()
        while self.steps.waiting:
            self.steps.begin()
            await self.loop.idle()

    async def _pass(self, seconds: float) -> None:
        """Time passes, and stops wherever it brings something about."""
        end = self.clock.now() + seconds
        while True:
            await self._begin_all()
            when = min(self.clock.next_call, end)
            self.clock.advance(max(0.0, when - self.clock.now()))
            if self.clock.next_call > when >= end:
                return

    async def _finish(self) -> None:
        """Lift what could hold for ever, and see everything to its end."""
        self.ending = True
        self._free(everything=chance(self.dice, 50))
        deadline = time.monotonic() + PATIENCE
        for turn in itertools.count():
            await self.loop.idle()
            if self.steps.step():
                continue  # also what a cancelled run left behind
            if all(each.run.done() for each in self.started) and self._rested():
                return
            if self.clock.next_call < math.inf:
                if turn > LONG:  # what waits for a thread on a busy machine may ask by the clock
                    patient = self.threads and time.monotonic() < deadline
                    assert patient, f"it never ends: {self._story()}"
                    await asyncio.sleep(0.0005)
                self.clock.advance(self.clock.next_call - self.clock.now())
                continue
            assert self.threads, f"deadlock: {self._story()}"
            assert time.monotonic() < deadline, f"deadlock: {self._story()}"
            self._free()  # a body in a thread may have been about to pause something
            await asyncio.sleep(0.0005)

    def _free(self, everything: bool = False) -> None:
        """Lift what could hold for ever, or all that is in force."""
        for constraint in self.engine.constraints.constraints():
            shut = constraint.type == "pause" or (
                constraint.type == "concurrency" and not constraint.limit
            )
            if everything or shut:
                self._lift(constraint)

    def _rested(self) -> bool:
        """Whether no worker has anything to do any more, those that were given up among them."""
        workers = self.engine.loop_binding.services().workers.threads
        return (
            workers.free == self.engine.adapters.executors("thread").capacity and not workers.lost
        )

    def _story(self) -> list[str]:
        return [
            f"{each.run!r} " + "; ".join(f"{k} {v}" for k, v in each.run.states().items())
            for each in self.started
        ]

    def _judge(self) -> None:
        judge_runs(self.started, self.spy.events, TOTALS, lag=math.inf if self.threads else 0.0)
        manager = self.engine.constraints
        assert all(pool.free == pool.total for pool in manager.pools.values())
        for gate in manager._gates.values():
            assert gate.first() is None
            assert not list(gate.passed())
        assert not manager._freed._gates, "something is free and was offered to nobody"
        assert not self.engine.runs
        free = self.engine.loop_binding.services().workers.threads.free
        assert self._rested(), f"{free} workers are free when nothing runs"


async def play(dice: Dice, moves: int = 25) -> None:
    """A whole program; must run on an `IdleLoop`."""
    threads = chance(dice, 15)
    with pytest.MonkeyPatch.context() as patch:
        if threads:  # they close what they opened in real time, which is not this clock's
            patch.setattr(timeouts, "CLOSES_WITHIN", math.inf)
        await Driver(dice, threads).drive(moves)
