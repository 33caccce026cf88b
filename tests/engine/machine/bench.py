"""Random workflows as real ones: tasks whose bodies do what the program says, and count."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import weakref
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import cascade_nb as cs
from cascade_nb.model.lazy.lazy import Lazy
from cascade_nb.model.tasks.task import Task
from cascade_nb.testing import VirtualClock
from tests.engine.machine.expected import columns_of
from tests.engine.machine.programs import DEFAULT, Program, Step, combine, fails_for, outcome_of


class PlannedError(Exception):
    """What a body raises when the program says that it fails."""


class Bench:
    """One program as lazy values.

    Its bodies know it by a weak reference, which nobody follows who reads what a body leads to:
    from here that is all of the tests' machinery, for each kind of task of each program.

    Args:
        act: called by bodies that act.
        threads: whether threads may go their own ways.

    Attributes:
        bodies: how often each body began, by step and item.
        lazies: by step.
        target: what to run.
    """

    def __init__(
        self, program: Program, clock: VirtualClock, act: Callable[[int], None], threads: bool
    ) -> None:
        self.program = program
        self.bodies: Counter[tuple[int, str]] = Counter()
        self._clock = clock
        self._act = act
        self._chain_tries: Counter[tuple[int, str, int]] = Counter()
        self._counting = threading.Lock()
        self._resources = {
            "run": cs.resource(scope="run", name="for_a_run")(_desk_async),
            # A sync one is opened in a thread, whose pace no test of single steps can wait for.
            "task": cs.resource(scope="task", name="for_a_task")(_desk if threads else _desk_async),
        }
        self._tasks: dict[tuple[str, str, str], Task[..., Any]] = {}
        self.lazies: list[Lazy] = []
        for step in program.steps:
            self.lazies.append(self._lazy(step))
        targets = [self.lazies[index] for index in program.targets]
        self.target: Any = targets[0] if len(targets) == 1 else {"all": targets}

    @property
    def continued(self) -> list[int]:
        """The steps that return lazy values."""
        return [step.index for step in self.program.steps if step.returns != "value"]

    def value_of(self, results: list[Any]) -> Any:
        """What the target comes to when its steps come to `results`."""
        return results[0] if len(results) == 1 else {"all": results}

    # ---- lazy values -----------------------------------------------------------------------

    def _lazy(self, step: Step) -> Lazy:
        reads = [self.lazies[index] for index in step.reads]
        lazy: Any
        if step.kind == "router":
            last = {} if step.dead_end else {2: 5}
            lazy = cs.Router(reads[0], {0: reads[1], 1: reads[2], **last})
        elif step.kind == "map":
            lazy = self._map(step, reads)
        elif step.optional:
            lazy = self._task(step, "lax")(step.index, *reads)
        elif step.borrows:
            injected = cs.inject(self._resources[step.borrows])
            lazy = self._task(step, "strict")(step.index, *_in_shape(step, reads), desk=injected)
        else:
            lazy = self._task(step, "strict")(step.index, *_in_shape(step, reads))
        if step.kind != "router":
            if step.attempts > 1 or step.fails:
                lazy = lazy.with_retry(step.attempts, step.delay, on=PlannedError)
            if step.gpu:
                amount = cs.task(executor="inline")(_same)(step.gpu)
                lazy = lazy.with_constraints(gpu=amount if step.lazy_gpu else step.gpu)
        if step.condition is not True:
            of = self.lazies[step.condition] if step.condition is not False else False
            lazy = lazy.run_if(of)
        if step.after:
            lazy = lazy.after(*(self.lazies[index] for index in step.after))
        lazy = lazy.tagged(*sorted(step.tags)) if step.tags else lazy
        named: Lazy = lazy.named(step.name) if step.name else lazy
        return named

    def _map(self, step: Step, reads: list[Lazy]) -> Lazy:
        task = self._task(step, "item")
        if reads and self.program.steps[step.reads[0]].kind == "list":
            return task.partial(index=step.index, others=reads[1:]).map(item=reads[0])
        items, _ = columns_of(step, self.program.steps, reads)
        return task.partial(index=step.index, others=None).map(item=items)

    def _task(self, step: Step, signature: str) -> Task[..., Any]:
        key = (step.task, step.lane, signature)
        if key not in self._tasks:
            body = getattr(Bench, f"_{signature}_{'async' if step.lane == 'async' else 'sync'}")
            made = cs.task(name=step.task, executor=step.lane)(body(weakref.proxy(self)))
            self._tasks[key] = made
        return self._tasks[key]

    # ---- bodies ----------------------------------------------------------------------------

    def _strict_sync(self) -> Callable[..., Any]:
        def body(index: int, *inputs: Any, desk: list[str] | None = None) -> Any:
            assert desk in (None, ["open"]), desk
            return self._work(index, None, list(inputs))

        return body

    def _lax_sync(self) -> Callable[..., Any]:
        def body(index: int, a: int = DEFAULT, b: int = DEFAULT, c: int = DEFAULT) -> Any:
            return self._work(index, None, [a, b, c][: len(self.program.steps[index].reads)])

        return body

    def _item_sync(self) -> Callable[..., Any]:
        def body(index: int, item: Any, others: Any) -> Any:
            return self._work(index, item, [item, _others(others)])

        return body

    def _strict_async(self) -> Callable[..., Any]:
        async def body(index: int, *inputs: Any, desk: list[str] | None = None) -> Any:
            assert desk in (None, ["open"]), desk
            return await self._work_async(index, None, list(inputs))

        return body

    def _lax_async(self) -> Callable[..., Any]:
        async def body(index: int, a: int = DEFAULT, b: int = DEFAULT, c: int = DEFAULT) -> Any:
            count = len(self.program.steps[index].reads)
            return await self._work_async(index, None, [a, b, c][:count])

        return body

    def _item_async(self) -> Callable[..., Any]:
        async def body(index: int, item: Any, others: Any) -> Any:
            return await self._work_async(index, item, [item, _others(others)])

        return body

    def _work(self, index: int, item: Any, values: Any) -> Any:
        step = self.program.steps[index]
        with self._attempt(step, item) as number:
            if step.rests:
                cs.checkpoint()
            return self._result(step, item, number, values)

    async def _work_async(self, index: int, item: Any, values: Any) -> Any:
        step = self.program.steps[index]
        with self._attempt(step, item) as number:
            for _ in range(step.yields):
                await asyncio.sleep(0)
            if step.seconds:
                await self._clock.sleep(step.seconds)
            if step.rests:
                await cs.checkpoint()
            return self._result(step, item, number, values)

    @contextlib.contextmanager
    def _attempt(self, step: Step, item: Any) -> Iterator[int]:
        key = (step.index, repr(item))
        with self._counting:
            self.bodies[key] += 1
            number = self.bodies[key]
        if step.acts:
            self._act(step.index)
        yield number

    def _result(self, step: Step, item: Any, number: int, values: Any) -> Any:
        # Of a step that runs once more, having been let go of, every attempt is a good one.
        if number <= fails_for(step, item):
            raise PlannedError(f"attempt {number} at step {step.index}")
        values = _undo_shape(step, values)
        if step.returns == "shared":
            return self.lazies[step.shared]
        value = outcome_of(step, values)
        return (
            self._chain(step, repr(item), value, step.length) if step.returns == "chain" else value
        )

    def _chain(self, step: Step, item: str, value: Any, left: int) -> Any:
        """A loop: each round is a task that returns the next."""

        bench = weakref.proxy(self)

        def round_(left: int) -> Any:
            key = (step.index, item, left)
            bench._chain_tries[key] += 1
            if bench._chain_tries[key] <= left % 2:
                raise PlannedError(f"round {left} of step {step.index}")
            return bench._chain(step, item, value, left - 1) if left else value

        lane = "thread" if step.lane == "async" else step.lane
        task = cs.task(name="round", executor=lane)(round_)
        return task.lazy(left).with_retry(2, on=PlannedError)


def _in_shape(step: Step, reads: list[Lazy]) -> list[Any]:
    """How what it reads stands among its arguments."""
    if step.shape == "plain":
        return [*reads]
    return [reads] if step.shape == "list" else [{"deep": [tuple(reads)]}]


def _undo_shape(step: Step, values: list[Any]) -> Any:
    if step.kind == "map" or step.optional or step.shape == "plain":
        return values
    return values[0] if step.shape == "list" else list(values[0]["deep"][0])


async def _desk_async() -> AsyncIterator[list[str]]:
    state = ["open"]
    yield state
    state[0] = "closed"


def _desk() -> Iterator[list[str]]:
    state = ["open"]
    yield state
    state[0] = "closed"


def _others(others: list[Any] | None) -> int:
    return combine(0, others) if others is not None else 0


def _same(value: float) -> float:
    return value
