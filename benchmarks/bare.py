"""Contenders that are Python and nothing else: the loops of `limits`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, Final

from benchmarks.cases import NAP, NAPS_AT_ONCE, Case, Contender, NotForThisError
from benchmarks.limits import (
    Program,
    Watch,
    blocking_naps,
    naps,
    pool_loop,
    ready_loop,
    ready_loop_with_events,
    sorter_loop,
    tasks,
)
from benchmarks.shapes import ARRAYS, SHAPES, AsyncBodies, Bodies, expected


def _program(workload: str, size: int, bodies: Any, items: list[int] | None = None) -> Program:
    program = Program(bodies)
    if workload == "map":
        assert items is not None
        mapped = [program.add_call(partial(bodies.step, item), ()) for item in items]
        program.total(mapped)
    else:
        SHAPES.get(workload, SHAPES["chain"])(size, program)
    return program


def bodies_of(workload: str) -> tuple[Any, Callable[[Any], Any]]:
    """What the nodes call, and how to look at the value."""
    if workload in ARRAYS:
        from benchmarks.arrays import BODIES, last_number  # noqa: PLC0415 - numpy, for these alone

        return BODIES[workload], last_number
    return Bodies, lambda value: value


def _with_loop(run: Callable[[Program], Any], workload: str, mode: str, size: int) -> Case:
    if mode != "inline" or workload == "naps":
        raise NotForThisError("it runs one after the other")
    bodies, look = bodies_of(workload)

    def work() -> Any:
        items = bodies.items(size) if workload == "map" else None
        return look(run(_program(workload, size, bodies, items)))

    return Case(work, expected(workload, size))


def limit_loop(workload: str, mode: str, size: int) -> Case:
    """The ready loop."""
    return _with_loop(ready_loop, workload, mode, size)


def limit_loop_with_events(workload: str, mode: str, size: int) -> Case:
    """The ready loop with two events a task and a look at a pause."""
    return _with_loop(
        lambda program: ready_loop_with_events(program, Watch()), workload, mode, size
    )


def graphlib_loop(workload: str, mode: str, size: int) -> Case:
    """A loop over the standard library's topological order."""
    return _with_loop(sorter_loop, workload, mode, size)


def bare_pool(workload: str, mode: str, size: int) -> Case:
    """A loop that submits to the standard library's thread pool."""
    if mode != "threads":
        raise NotForThisError("it is about threads")
    if workload == "naps":
        return Case(lambda: blocking_naps(size, NAPS_AT_ONCE[mode], NAP[mode]), size)
    pool = ThreadPoolExecutor()

    def work() -> Any:
        items = pool.submit(Bodies.items, size).result() if workload == "map" else None
        return pool_loop(_program(workload, size, Bodies, items), pool)

    return Case(work, expected(workload, size), pool.shutdown)


def bare_asyncio(workload: str, mode: str, size: int) -> Case:
    """A task for each node."""
    if mode != "async":
        raise NotForThisError("it is about coroutines")
    loop = asyncio.new_event_loop()
    if workload == "naps":
        sleeps = lambda: loop.run_until_complete(naps(size, NAPS_AT_ONCE[mode], NAP[mode]))  # noqa: E731
        return Case(sleeps, size, loop.close)

    async def work() -> Any:
        items = await AsyncBodies.items(size) if workload == "map" else None
        return await tasks(_program(workload, size, AsyncBodies, items))

    return Case(lambda: loop.run_until_complete(work()), expected(workload, size), loop.close)


CONTENDERS: Final[Mapping[str, Contender]] = {
    "limit loop": limit_loop,
    "limit loop, events": limit_loop_with_events,
    "graphlib loop": graphlib_loop,
    "bare thread pool": bare_pool,
    "bare asyncio": bare_asyncio,
}
