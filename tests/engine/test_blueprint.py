"""The machinery of a run: made beside the loop where it is much, and cancelled in time."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any

import pytest

import cascade_nb as cs
from cascade_nb.concurrency.threads import FEW
from cascade_nb.engine.core.priorities import NativeSolver
from cascade_nb.engine.core.results import ResultTable
from cascade_nb.engine.engine import Engine
from cascade_nb.engine.runs.preparation import Preparation
from cascade_nb.errors import RunCancelledError
from cascade_nb.events import TaskExecutionStarted, TaskSkipped
from cascade_nb.graph.build import build_graph
from cascade_nb.model.lazy.calls import LazyResult
from cascade_nb.testing import SpySubscriber
from tests.engine.conftest import MakeEngine


class NotingSolver(NativeSolver):
    """Notes which thread asks it."""

    def __init__(self) -> None:
        self.threads: list[threading.Thread] = []

    def ranks(
        self, inputs: Sequence[Sequence[int]], seconds: Callable[[int], float | None] | None = None
    ) -> list[int]:
        self.threads.append(threading.current_thread())
        return super().ranks(inputs, seconds)


@cs.task(executor="inline")
def give(i: int) -> int:
    return i


@cs.task(executor="inline")
def count(values: list[int]) -> int:
    return len(values)


@pytest.mark.parametrize(("nodes", "beside"), [(FEW, False), (FEW + 1, True)])
async def test_the_machinery_of_many_nodes_is_made_beside_the_loop(
    make_engine: MakeEngine, nodes: int, beside: bool
) -> None:
    solver = NotingSolver()
    engine = make_engine(solver=solver)
    assert await engine.start(count([give(i) for i in range(nodes - 1)])) == nodes - 1
    (asked,) = solver.threads
    assert (asked is not threading.main_thread()) is beside


@pytest.mark.parametrize("nodes", [2, FEW + 1])
async def test_a_cancel_that_comes_when_all_is_ready_is_obeyed(
    make_engine: MakeEngine, monkeypatch: pytest.MonkeyPatch, nodes: int
) -> None:
    # Between the end of the preparation and the first start the loop takes other turns.
    engine = make_engine()
    ran: list[int] = []
    run = engine.start(count([cs.task(name="note")(ran.append)(i) for i in range(nodes - 1)]))
    begin = Preparation.begin

    async def cancelled_at_its_end(*args: object) -> object:
        prepared = await begin(*args)  # type: ignore[arg-type]
        run.cancel()
        return prepared

    monkeypatch.setattr(Preparation, "begin", cancelled_at_its_end)
    with pytest.raises(RunCancelledError):
        await run
    assert ran == []


def test_a_result_that_is_there_is_held_only_for_who_reads_it() -> None:
    first, second = give(1), give(2)
    middle, named = count([first]), count([second]).named("named")
    graph = build_graph(count([middle, named, first]))
    at = [graph.place[lazy.identity] for lazy in (first, second, middle, named)]
    ledger = ResultTable(graph, {index: index for index in at})
    assert [ledger.values[index] is not None for index in at] == [True, False, True, True]
    ledger = ResultTable(graph, {graph.targets[0]: 3, at[0]: 1, at[3]: 1})
    # What has a name may be asked for by it.
    assert [ledger.values[index] is not None for index in at] == [False, False, False, True]
    assert set(ledger.pruned) == {at[2], at[1]}


@pytest.mark.parametrize("nodes", [3, FEW + 1])
async def test_what_only_a_reused_result_would_have_read_is_told_as_reused(
    engine: Engine, spy: SpySubscriber, nodes: int
) -> None:
    def target() -> LazyResult[Any]:
        return count([give(i) for i in range(nodes - 1)])

    await engine.run(target())
    spy.events.clear()
    run = engine.start(target())
    assert await run == nodes - 1
    told = spy.events_of_type(TaskSkipped)
    assert sorted(event.task_name for event in told) == ["count", *["give"] * (nodes - 1)]
    assert {event.reason for event in told} == {"Reused"}
    assert spy.events_of_type(TaskExecutionStarted) == []
    assert run.status.reused == nodes
