"""Equal calls of what draws, or reads the clock, keep results of their own."""

from __future__ import annotations

import contextlib
import pathlib
from collections.abc import Callable
from typing import Any

import pytest

import cascade_nb as cs
from cascade_nb.engine import Engine
from tests.graph.cells import Cells

SOURCE = """
import itertools, random, time
def draw(x=0): return random.random()
def through_a_helper(x=0): return draw(x)
def clock(x=0):
    time.sleep(1e-6)
    return time.perf_counter_ns()
def both(*xs): return list(xs)
def counts(x=0): return x
"""
KINDS = ["draw", "through_a_helper", "clock"]


@pytest.fixture
def tasks() -> dict[str, Any]:
    names = Cells().run(SOURCE).names
    return {name: cs.task(names[name]) for name in [*KINDS, "both", "counts"]}


@pytest.mark.parametrize("lasting", [False, True], ids=["in memory", "on disk"])
@pytest.mark.parametrize("kind", KINDS)
def test_equal_calls_keep_results_of_their_own(
    tmp_path: pathlib.Path, tasks: dict[str, Any], kind: str, lasting: bool
) -> None:
    task, both = tasks[kind], tasks["both"]
    state = f"sqlite:///{tmp_path}/state.db" if lasting else None
    targets: list[Callable[[], Any]] = [
        lambda: [task() for _ in range(4)],
        lambda: [task(1).named(f"n{n}") for n in range(4)],
        lambda: [both(*[task(2) for _ in range(4)]), both(task(3), task(3)).named("end")],
        lambda: [task.map(x=[4] * 4).named(f"map {n}") for n in range(2)],
    ]
    with contextlib.closing(Engine(state_backend=state)) as engine:
        for target in targets:
            first = engine.start(target()).result()
            flat = [one for part in first for one in (part if isinstance(part, list) else [part])]
            assert len(set(flat)) == len(flat)
            run = engine.start(target())
            assert run.result() == first
            assert run.status.done == 0
        more = engine.start(task.map(x=[4] * 6).named("map 0")).result()
        assert len(set(more)) == 6


def test_what_draws_is_known_by_its_name(tasks: dict[str, Any]) -> None:
    draw, clock = tasks["draw"], tasks["clock"]
    with contextlib.closing(Engine()) as engine:
        one = engine.start(draw().named("one")).result()
        assert engine.start(draw().named("other")).result() != one
        assert engine.start(draw().named("one")).result() == one
        read = engine.start(clock().named("one")).result()
        assert engine.start(clock().named("other")).result() == read  # the plan says how old it is


def test_equal_calls_of_what_only_computes_share_what_is_kept(tasks: dict[str, Any]) -> None:
    counts = tasks["counts"]
    with contextlib.closing(Engine()) as engine:
        engine.start(counts(1).named("one")).result()
        run = engine.start([counts(1).named("other"), counts(1)])
        assert run.result() == [1, 1]
        assert run.status.reused == 2
