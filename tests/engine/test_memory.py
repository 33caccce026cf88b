"""What a run leaves in memory: nothing but what was asked to stay."""

from __future__ import annotations

import gc
import tracemalloc
from typing import Any

import pytest

import cascade_nb as cs
from cascade_nb.control.gates import Ticket
from cascade_nb.engine import Engine
from cascade_nb.engine.dispatch.attempt import Attempt
from cascade_nb.engine.reporting.history import RUNS
from cascade_nb.engine.runs.driver import RunDriver
from cascade_nb.graph import Node
from tests.engine.tools import outcome, until

COUNTED = (RunDriver, Node, Ticket, Attempt)


@cs.task(executor="inline")
def give(*xs: Any) -> Any:
    return len(xs)


@cs.task
def in_thread(*xs: Any) -> Any:
    return len(xs)


@cs.task
async def on_loop(*xs: Any) -> Any:
    return len(xs)


@cs.task
def fail(*xs: Any) -> Any:
    raise ValueError("no")


def count() -> dict[str, int]:
    gc.collect()
    found = dict.fromkeys((kind.__name__ for kind in COUNTED), 0)
    for thing in gc.get_objects():
        for kind in COUNTED:
            if isinstance(thing, kind):
                found[kind.__name__] += 1
    return found


@pytest.mark.parametrize("task", [give, in_thread, on_loop, fail], ids=lambda t: t.name)
async def test_nothing_of_a_run_that_nobody_holds_stays(engine: Engine, task: Any) -> None:
    engine.limit("global", 3)
    before = count()  # what tests that came earlier still hold, a module's graph for instance

    async def some_runs() -> None:
        for i in range(5):
            run = engine.start([task(i, give(j)) for j in range(10)], on_error="continue")
            await outcome(run)

    await some_runs()
    await until(lambda: all(number <= before[kind] for kind, number in count().items()))


async def test_memory_is_flat_over_many_runs(engine: Engine) -> None:
    async def runs(number: int) -> int:
        for _ in range(number):
            await engine.run(give(give(1), on_loop(2)), fresh=True)
        gc.collect()
        return tracemalloc.get_traced_memory()[0]

    tracemalloc.start()
    first = await runs(RUNS + 50)  # of so many a few words are remembered
    last = await runs(300)
    tracemalloc.stop()
    assert last - first < 100_000  # a run of three nodes holds far more than 300 bytes


async def test_a_node_costs_at_most_a_kilobyte_beyond_its_result(engine: Engine) -> None:
    layer = [give() for _ in range(100)]
    for _ in range(49):
        layer = [give(layer[i], layer[(i + 1) % 100], layer[(i + 2) % 100]) for i in range(100)]
    graph = cs.build_graph(layer)
    await engine.run(give())
    gc.collect()
    tracemalloc.start()
    run = engine.start(graph)
    await until(lambda: run.status.done > 2_500)
    await run
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak / len(graph) <= 1_000
