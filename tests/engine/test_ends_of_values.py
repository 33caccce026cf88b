"""The end of a value is code of the user's: it comes without the engine's lock, and beside the loop
where bodies do.

Such code may take as long as it likes, or call back into this library.
"""

from __future__ import annotations

import gc
import sys
import threading
import traceback
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

import cascade_nb as cs
from cascade_nb.engine import Engine
from cascade_nb.engine.core.results import ResultTable
from cascade_nb.engine.core.scheduler import READY
from cascade_nb.file_stamps import NO_STAMPS
from cascade_nb.graph.build import build_graph
from cascade_nb.protocols.state_backend import Entry
from cascade_nb.state import MemoryState
from cascade_nb.state.sizes import size_in_memory
from tests.engine.conftest import MakeEngine
from tests.engine.test_dataflow import every_lane, task_for
from tests.engine.tools import PATIENCE, until

ENDED = "cascade_ended"  # in `sys`, since what a module of the user's holds would count in keys


class Held:
    """Tells when it ends."""

    def __init__(self, size: int = 1) -> None:
        self.room = bytearray(size)

    def __del__(self) -> None:
        getattr(sys, ENDED, int)()


class Ends:
    """Notes how values end."""

    def __init__(self, engine: Engine, on_loop: bool) -> None:
        self.lock: Any = engine.constraints.lock
        self.loop = threading.get_ident() if on_loop else None
        self.count = 0
        self.wrong: list[str] = []

    def __call__(self) -> None:
        self.count += 1
        locked = self.lock._is_owned()
        if locked or threading.get_ident() == self.loop:
            steps = traceback.extract_stack()[-5:-2]
            at = " > ".join(f"{Path(s.filename).stem}:{s.lineno}" for s in steps)
            self.wrong.append(f"{'locked' if locked else 'on the loop'}, by {at}")


def targets(lane: str) -> dict[str, Callable[[], Any]]:
    """What frees values in a way of its own, and how many."""

    def make(n: int = 1) -> Any:
        return Held()

    def several() -> Any:
        return [Held(), Held(), Held()]

    def read(*xs: Any) -> int:
        return len(xs)

    def loop(left: int, value: Any) -> Any:
        return again.lazy(left - 1, Held()) if left else 1

    def hand_on(n: int) -> Any:
        return made.lazy(n)

    made, rows, reads, again = (task_for(lane, fn) for fn in (make, several, read, loop))
    on = task_for(lane, hand_on)
    yes = task_for(lane, lambda x: True)
    return {
        "a chain": lambda: reads(made(reads(made(1)))),
        "several readers": lambda: [reads(value := made(2)), reads(value, 2), reads([value])],
        "a map": lambda: reads(made.map(n=[1, 2, 3])),
        "many in one": lambda: reads(rows()),
        "what nobody reads": lambda: reads(1).after(made(3)),
        "a condition": lambda: reads(4).run_if(yes(made(4))),
        "a continuation": lambda: reads(on(7)),
        "a continuation that nobody reads": lambda: reads(1).after(on(8)),
        "a loop": lambda: again(5, made(5)),
        "tried again": lambda: reads(made(6)).with_retry(2),
    }


@pytest.fixture
def no_gc() -> Iterator[None]:
    """What is in a cycle ends wherever Python comes to collect it; nobody can say where."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@every_lane
@pytest.mark.usefixtures("no_gc")
async def test_no_value_ends_under_the_lock_nor_on_the_loop(
    make_engine: MakeEngine, monkeypatch: pytest.MonkeyPatch, lane: str
) -> None:
    engine = make_engine()
    ends = Ends(engine, on_loop=lane == "thread")
    monkeypatch.setattr(sys, ENDED, ends, raising=False)
    for name, target in targets(lane).items():
        ends.count = 0
        await engine.run(target(), fresh=True)
        await until(lambda: ends.count, name)
        assert ends.wrong == [], name


def test_a_result_that_lost_its_readers_meanwhile_is_handed_out_to_end_without_the_lock() -> None:
    give = cs.task(lambda *xs: 1, name="give")
    graph = build_graph(give(first := give(), second := give(1)))
    reader = graph.targets[0]
    for value, freed in (([1], [[1]]), (1, [])):  # of a number nobody notices the end
        table, state = ResultTable(graph, {}), [READY] * len(graph.nodes)
        table.over(reader, state)  # it was skipped
        for lazy in (first, second):
            index = graph.place[lazy.identity]
            table.finished(index, value, state)
            assert table.values[index] is None
            assert table.take_freed() == freed


@pytest.mark.usefixtures("no_gc")
async def test_what_a_state_in_memory_lets_go_ends_beside_who_holds_the_lock(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = MemoryState(limit_bytes=3 * size_in_memory(Held()))
    ends = Ends(engine, on_loop=True)
    monkeypatch.setattr(sys, ENDED, ends, raising=False)
    with engine.constraints.lock:
        for key in "aabcde":  # the second supersedes, and the last two turn out the first
            state.put(Entry(key, Held(), 1.0, None, (), 1.0, NO_STAMPS, "hold", 2.0), Silent())
    await until(lambda: ends.count == 3)
    await state.clean()
    await until(lambda: ends.count == 6)
    assert ends.wrong == []


class Silent:
    """Hears what became of entries."""

    def kept(self, entries: Sequence[Entry]) -> None:
        """Nothing comes of it."""

    def not_kept(self, entries: Sequence[Entry], error: Exception) -> None:
        raise error


@every_lane
async def test_the_end_of_a_value_may_take_long_and_call_back(
    make_engine: MakeEngine, monkeypatch: pytest.MonkeyPatch, lane: str
) -> None:
    engine, asked, let_go = make_engine(), threading.Event(), threading.Event()
    give = cs.task(reuse=False)(lambda: 1)

    def end() -> None:
        assert engine.runs is not None
        str(cs.status())
        if lane == "thread":
            cs.pause("task:nobody")
            cs.resume("task:nobody")
            asked.set()
            let_go.wait(PATIENCE)
        asked.set()

    def hold() -> Held:
        return Held()

    make, read = task_for(lane, hold), task_for(lane, lambda x: 1)
    monkeypatch.setattr(sys, ENDED, end, raising=False)
    run = engine.start(read(read(make())))
    try:
        await until(asked.is_set)
        assert await engine.run(give()) == 1  # meanwhile
    finally:
        let_go.set()
    assert await run == 1
