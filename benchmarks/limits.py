"""What Python alone would take: the least that anything of this kind can cost.

`ready_loop` is a whole scheduler and nothing else: it runs what is ready, in order, and lets go of
results after their last reader. With a `Watch` it also makes two events a task and looks at a pause
before each, the least that a run which can be seen and held must do. `pool_loop` does the same in
threads, `tasks` leaves it to asyncio.
"""

from __future__ import annotations

import asyncio
import graphlib
import queue
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any


class Program:
    """Functions and what each reads, by number; a kit of shapes.

    Args:
        bodies: what the nodes call.
    """

    def __init__(self, bodies: Any) -> None:
        self._bodies = bodies
        self.calls: list[Callable[..., Any]] = []
        self.inputs: list[tuple[int, ...]] = []

    def add_call(self, call: Callable[..., Any], inputs: tuple[int, ...]) -> int:
        """One more node."""
        self.calls.append(call)
        self.inputs.append(inputs)
        return len(self.calls) - 1

    def leaf(self, number: int) -> int:
        """A node that reads nothing."""
        return self.add_call(partial(self._bodies.leaf, number), ())

    def step(self, before: int) -> int:
        """A node that reads one other."""
        return self.add_call(self._bodies.step, (before,))

    def add(self, left: int, right: int) -> int:
        """A node that reads two."""
        return self.add_call(self._bodies.add, (left, right))

    def join(self, left: int, middle: int, right: int) -> int:
        """A node that reads three."""
        return self.add_call(self._bodies.join, (left, middle, right))

    def total(self, values: list[int]) -> int:
        """A node that reads a list of others."""
        return self.add_call(lambda *items: self._bodies.total(list(items)), tuple(values))


class Event:
    """What happened to a task, when."""

    __slots__ = ("at", "kind", "task")

    def __init__(self, kind: str, task: int, at: float) -> None:
        self.kind = kind
        self.task = task
        self.at = at


class Watch:
    """Somebody who listens, and may say to wait."""

    def __init__(self) -> None:
        self.events: deque[Event] = deque()
        self.paused = False


def readers_of(program: Program) -> tuple[list[list[int]], list[int], list[int], deque[int]]:
    """Who reads each node; how many inputs each waits for; how many readers are left; the ready."""
    inputs = program.inputs
    readers: list[list[int]] = [[] for _ in inputs]
    for number, reads in enumerate(inputs):
        for source in reads:
            readers[source].append(number)
    waits = [len(reads) for reads in inputs]
    ready = deque(number for number, count in enumerate(waits) if not count)
    return readers, waits, [len(who) for who in readers], ready


def ready_loop(program: Program) -> Any:
    """Run everything; the last node's value."""
    readers, waits, left, ready = readers_of(program)
    calls, inputs = program.calls, program.inputs
    values: list[Any] = [None] * len(calls)
    while ready:
        number = ready.popleft()
        reads = inputs[number]
        values[number] = calls[number](*[values[source] for source in reads])
        for source in reads:
            left[source] -= 1
            if not left[source]:
                values[source] = None
        for reader in readers[number]:
            waits[reader] -= 1
            if not waits[reader]:
                ready.append(reader)
    return values[-1]


def ready_loop_with_events(program: Program, watch: Watch) -> Any:
    """The same, for somebody who listens and may say to wait."""
    readers, waits, left, ready = readers_of(program)
    calls, inputs = program.calls, program.inputs
    values: list[Any] = [None] * len(calls)
    tell, clock = watch.events.append, time.time
    while ready:
        while watch.paused:
            time.sleep(0.001)
        number = ready.popleft()
        tell(Event("started", number, clock()))
        reads = inputs[number]
        values[number] = calls[number](*[values[source] for source in reads])
        tell(Event("finished", number, clock()))
        for source in reads:
            left[source] -= 1
            if not left[source]:
                values[source] = None
        for reader in readers[number]:
            waits[reader] -= 1
            if not waits[reader]:
                ready.append(reader)
    return values[-1]


def sorter_loop(program: Program) -> Any:
    """Run everything in the order that the standard library's `graphlib` gives, and keep every
    result to the end, as its documentation shows it.
    """
    sorter: graphlib.TopologicalSorter[int] = graphlib.TopologicalSorter()
    calls, inputs = program.calls, program.inputs
    for number, reads in enumerate(inputs):
        sorter.add(number, *reads)
    sorter.prepare()
    values: list[Any] = [None] * len(calls)
    while sorter.is_active():
        for number in sorter.get_ready():
            values[number] = calls[number](*[values[source] for source in inputs[number]])
            sorter.done(number)
    return values[-1]


def pool_loop(program: Program, pool: ThreadPoolExecutor) -> Any:
    """Run everything in the pool's threads, each node as soon as it is ready."""
    readers, waits, left, ready = readers_of(program)
    calls, inputs = program.calls, program.inputs
    values: list[Any] = [None] * len(calls)
    over: queue.SimpleQueue[tuple[int, Any, BaseException | None]] = queue.SimpleQueue()

    def work(number: int, arguments: list[Any]) -> None:
        try:
            over.put((number, calls[number](*arguments), None))
        except BaseException as error:  # or the loop would wait for it for ever
            over.put((number, None, error))

    unfinished = len(calls)
    while unfinished:
        while ready:
            number = ready.popleft()
            pool.submit(work, number, [values[source] for source in inputs[number]])
        number, values[number], error = over.get()
        if error is not None:
            raise error
        unfinished -= 1
        for source in inputs[number]:
            left[source] -= 1
            if not left[source]:
                values[source] = None
        for reader in readers[number]:
            waits[reader] -= 1
            if not waits[reader]:
                ready.append(reader)
    return values[-1]


async def tasks(program: Program) -> Any:
    """One asyncio task for each node, which awaits those of its inputs."""
    made: list[asyncio.Task[Any]] = []
    calls, inputs = program.calls, program.inputs

    async def work(number: int) -> Any:
        return await calls[number](*[await made[source] for source in inputs[number]])

    made.extend(asyncio.create_task(work(number)) for number in range(len(calls)))
    return await made[-1]


async def naps(number: int, at_once: int, seconds: float) -> int:
    """So many sleeps on the loop, so many at once."""
    gate = asyncio.Semaphore(at_once)

    async def nap() -> int:
        async with gate:
            await asyncio.sleep(seconds)
        return 1

    return sum(await asyncio.gather(*[nap() for _ in range(number)]))


def blocking_naps(number: int, threads: int, seconds: float) -> int:
    """So many sleeps in so many threads."""

    def nap(_: int) -> int:
        time.sleep(seconds)
        return 1

    with ThreadPoolExecutor(threads) as pool:
        return sum(pool.map(nap, range(number)))
