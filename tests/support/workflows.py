"""Workflows that people ran, from tests/data/workflows, as graphs of tasks that take no time.

    workflow = Workflow.load("montage-chameleon-2mass-01d-001")
    bench = Bench(workflow, lanes=["thread", "async", "inline"])
    assert await engine.start(bench.target) == bench.value

Each task is named after its category in the record, each node after its place in it; what took long
there is tagged `long`, the rest `short`.
"""

from __future__ import annotations

import asyncio
import dataclasses
import json
import statistics
import threading
import time
import weakref
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import cascade_nb as cs
from tests.support.oracle import Facts

FOLDER: Final = Path(__file__).parents[1] / "data" / "workflows"
NAMES: Final = tuple(sorted(path.stem for path in FOLDER.glob("*.json")))

#: Seconds that the longest task of a workflow takes here.
LONGEST: Final = 0.01


@dataclasses.dataclass(frozen=True)
class Step:
    """One task of a record.

    Attributes:
        seconds: how long it takes here.
        parents: the steps that it waits for, all of them earlier ones.
    """

    index: int
    category: str
    tag: str
    seconds: float
    parents: tuple[int, ...]

    @property
    def name(self) -> str:
        """What its node is called."""
        return f"{self.category}-{self.index}"


@dataclasses.dataclass(frozen=True)
class Workflow:
    """A record: its steps, each after those that it waits for."""

    name: str
    steps: tuple[Step, ...]

    @classmethod
    def load(cls, name: str) -> Workflow:
        """The record of that name; one of `NAMES`."""
        record = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
        taken = [seconds for _, seconds, _ in record["tasks"]]
        scale, middle = LONGEST / max(taken), statistics.median(taken)
        return cls(
            name,
            tuple(
                Step(
                    index,
                    record["categories"][category],
                    "long" if seconds > middle else "short",
                    seconds * scale,
                    tuple(parents),
                )
                for index, (category, seconds, parents) in enumerate(record["tasks"])
            ),
        )

    @cached_property
    def above(self) -> tuple[frozenset[str], ...]:
        """By step, the names of all that it comes after, its own among them."""
        above: list[frozenset[str]] = []
        for step in self.steps:
            own = frozenset([step.name])
            above.append(own.union(*(above[parent] for parent in step.parents)))
        return tuple(above)

    @cached_property
    def sinks(self) -> tuple[int, ...]:
        """The steps that nothing waits for."""
        inner = {parent for step in self.steps for parent in step.parents}
        return tuple(step.index for step in self.steps if step.index not in inner)

    def facts(self, run_id: str) -> dict[str, Facts]:
        """By name of the node, what scopes ask of it."""
        return {
            step.name: Facts(
                run=run_id,
                task=step.category,
                tags=frozenset([step.tag]),
                names=frozenset([step.name]),
                downstream_of=self.above[step.index],
            )
            for step in self.steps
        }


class Bench:
    """A workflow as lazy values; their bodies say in which order they began.

    Args:
        lanes: by category in turn, where its bodies run.

    Attributes:
        begun: the steps whose bodies have begun.
        target, value: what to run, and what it comes to.
    """

    def __init__(self, workflow: Workflow, lanes: Sequence[str]) -> None:
        self.workflow = workflow
        self.begun: list[int] = []
        self._lock = threading.Lock()
        self._acts: dict[int, Callable[[], object]] = {}
        categories = dict.fromkeys(step.category for step in workflow.steps)
        tasks = {
            category: self._task(category, lanes[number % len(lanes)])
            for number, category in enumerate(categories)
        }
        lazies: list[Any] = []
        for step in workflow.steps:
            call: Any = tasks[step.category](step, [lazies[parent] for parent in step.parents])
            lazies.append(call.named(step.name).tagged(step.tag))
        self.target: Any = [lazies[sink] for sink in workflow.sinks]
        self.value: Any = list(workflow.sinks)

    def when(self, count: int, act: Callable[[], object]) -> None:
        """Have `act` called by the `count`-th body to begin, or here if that has begun."""
        with self._lock:
            late = count <= len(self.begun)
            if not late:
                self._acts[count] = act
        if late:
            act()

    def forget(self) -> None:
        """Nobody is to call anything any more."""
        with self._lock:
            self._acts.clear()

    def _begin(self, step: Step, inputs: list[int]) -> None:
        assert inputs == list(step.parents)
        with self._lock:
            self.begun.append(step.index)
            act = self._acts.pop(len(self.begun), None)
        if act is not None:
            act()

    def _task(self, category: str, lane: str) -> Any:
        # Weakly: nobody who reads what a body leads to is to go through all that is behind this.
        bench: Bench = weakref.proxy(self)

        def inline(step: Step, inputs: list[int]) -> int:
            bench._begin(step, inputs)
            return step.index

        def in_thread(step: Step, inputs: list[int]) -> int:
            bench._begin(step, inputs)
            time.sleep(step.seconds)
            return step.index

        async def on_loop(step: Step, inputs: list[int]) -> int:
            bench._begin(step, inputs)
            await asyncio.sleep(step.seconds)
            return step.index

        body = {"inline": inline, "thread": in_thread, "async": on_loop}[lane]
        return cs.task(name=category, executor=lane)(body)
