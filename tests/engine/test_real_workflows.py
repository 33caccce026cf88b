"""Workflows that people ran, paused at random moments: nothing held starts, and all of it is done.

Who pauses is now a task in the midst of its body, in whatever thread that is, and now a controller
at the other end of a connector. What is in force is judged twice: by what the one who paused knows,
from the moment at which it was acknowledged, and by what the engine says.
"""

from __future__ import annotations

import random
import threading
from collections import Counter
from collections.abc import Iterable

import pytest

from cascade_nb.engine import Engine, Phase, Run
from cascade_nb.events import Event, RunFinished, TaskExecutionFinished, TaskExecutionStarted
from cascade_nb.testing import ControllerTestApp, InProcessConnector, SpySubscriber
from tests.engine.conftest import MakeEngine
from tests.engine.tools import until
from tests.support.history import check_history
from tests.support.oracle import Facts, covers
from tests.support.workflows import NAMES, Bench, Workflow

SEEDS = range(5)
PAUSES = 6
LANES = ("thread", "async", "inline")


class Held(Event):
    """Somebody's pause was acknowledged."""

    scope: str = ""


class LetGo(Event):
    """Somebody is about to lift a pause."""

    scope: str = ""


class Somebody:
    """Pauses one run here and there, and lifts what was paused, sooner or later."""

    def __init__(
        self, run: Run, bench: Bench, connector: InProcessConnector, dice: random.Random
    ) -> None:
        self.run = run
        self.bench = bench
        self.dice = dice
        self.standing: list[str] = []
        self._bus = run.engine.bus
        self._controller = ControllerTestApp(connector)

    async def disturb(self) -> None:
        """A few pauses, of which the first holds everything."""
        total = len(self.bench.workflow.steps)
        await self._pause("global", self.dice.randint(1, total // 2), remotely=False)
        await until(self._is_still, "the end of what had begun")
        assert self.run.status.phase is Phase.PAUSED
        assert len(self.bench.begun) < total
        await self._resume("global")
        for _ in range(PAUSES - 1):
            count = len(self.bench.begun) + self.dice.randint(1, max(1, total // PAUSES))
            await self._pause(self._scope(), count, remotely=self.dice.random() < 0.4)
            if self.dice.random() < 0.3:
                await until(lambda: self._is_still() or self.run.done())
            if self.dice.random() < 0.6:
                await self._resume(self.dice.choice(self.standing))
        self.dice.shuffle(self.standing)
        for scope in list(self.standing):
            await self._resume(scope)

    async def _pause(self, scope: str, count: int, *, remotely: bool) -> None:
        """Pause when the `count`-th body begins, or earlier if nothing begins any more."""
        moment = threading.Event()

        def act() -> None:
            if not remotely:
                self.run.pause(scope)
                self._bus.publish(Held(scope=scope))
            moment.set()

        self.bench.when(count, act)
        await until(lambda: moment.is_set() or self._is_still() or self.run.done())
        self.bench.forget()
        if not moment.is_set():
            act()
        if remotely:
            await self._controller.pause(scope)
            self._bus.publish(Held(scope=scope))
        self.standing.append(scope)

    async def _resume(self, scope: str) -> None:
        self.standing.remove(scope)
        self._bus.publish(LetGo(scope=scope))
        if self.dice.random() < 0.5:
            self.run.resume(scope)
        else:
            await self._controller.resume(scope)

    def _is_still(self) -> bool:
        status = self.run.status
        return status.held > 0 and status.running == 0

    def _scope(self) -> str:
        """One that is not paused yet; mostly of something that is still to come."""
        begun = set(self.bench.begun)
        steps = self.bench.workflow.steps
        left = [step for step in steps if step.index not in begun] or steps
        while True:
            step = self.dice.choice(left)
            scope = self.dice.choice(
                [
                    "global",
                    self.run.scope,
                    f"task:{step.category}",
                    f"task:{step.category[:4]}*",
                    f"node:{step.name}",
                    f"from:{step.name}",
                    f"tag:{step.tag}",
                ]
            )
            if scope not in self.standing:
                return scope


def started_while_held(events: Iterable[Event], facts: dict[str, Facts]) -> list[str]:
    """What began between the acknowledgement of a pause of it and the moment before its end."""
    held: list[str] = []
    wrong = []
    for event in events:
        if isinstance(event, Held):
            held.append(event.scope)
        elif isinstance(event, LetGo):
            held.remove(event.scope)
        elif isinstance(event, TaskExecutionStarted):
            reasons = [scope for scope in held if covers(scope, facts[event.task_id])]
            wrong += [f"{event.task_id} began in spite of {scope}" for scope in reasons]
    return wrong


async def play(engine: Engine, connector: InProcessConnector, name: str, seed: int) -> None:
    dice = random.Random(f"{name} {seed}")
    workflow = Workflow.load(name)
    bench = Bench(workflow, dice.sample(LANES, len(LANES)))
    spy = SpySubscriber(engine.bus)
    run = engine.start(bench.target)
    await Somebody(run, bench, connector, dice).disturb()
    await until(run.done, f"the end of {run!r}")
    assert run.result() == bench.value

    everyone = Counter(step.name for step in workflow.steps)
    begun = spy.events_of_type(TaskExecutionStarted)
    ended = spy.events_of_type(TaskExecutionFinished)
    assert Counter(event.task_id for event in begun) == everyone
    assert Counter(e.task_id for e in ended if e.status == "completed") == everyone
    assert Counter(bench.begun) == Counter(range(len(workflow.steps)))
    assert isinstance([event for event in spy.events if event.run_id == run.id][-1], RunFinished)
    assert started_while_held(spy.events, workflow.facts(run.id)) == []
    check_history(spy.events, {run.id: run.graph}, stopping=[run.id])


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", NAMES)
async def test_whatever_is_paused_and_whenever_nothing_held_starts_and_all_is_done(
    make_engine: MakeEngine, connector: InProcessConnector, name: str, seed: int
) -> None:
    await play(make_engine(connector=connector), connector, name, seed)


def test_there_are_ten_of_them_and_each_is_a_graph_of_its_own() -> None:
    assert len(NAMES) == 10
    workflows = [Workflow.load(name) for name in NAMES]
    assert [workflow.name for workflow in workflows] == list(NAMES)
    assert sum(len(workflow.steps) for workflow in workflows) == 3_460
    for workflow in workflows:
        assert all(parent < s.index for s in workflow.steps for parent in s.parents)
