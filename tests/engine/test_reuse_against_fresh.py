"""An engine that has run other programs gives what a fresh one gives, and runs nothing twice."""

from __future__ import annotations

import asyncio
import pathlib
import tempfile
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import cascade_nb as cs
from cascade_nb.engine import Engine
from cascade_nb.errors import CascadeError, DependencyMissingError
from cascade_nb.events import TaskExecutionFinished, TaskExecutionStarted, TaskSkipped
from cascade_nb.graph import NodeKind
from cascade_nb.state import MemoryState
from cascade_nb.testing import SpySubscriber
from tests.support.examples import examples
from tests.support.random_programs import Program, forget_tries
from tests.support.worlds import World

SEEDS = st.integers(0, 2**32)
# Which of a history's seeds, and which variant of its program.
STEPS = st.lists(st.tuples(st.sampled_from((0, 0, 1)), st.integers(0, 6)), min_size=3, max_size=14)


class _KeepsAll(MemoryState):
    """Keeps every result, as states do that last."""

    keeps_all = True


async def outcome(engine: Engine, program: Program) -> Any:
    """What a run of a program comes to."""
    forget_tries()
    try:
        return await engine.run(program.target, params=program.params, on_error="continue")
    except DependencyMissingError as error:
        # Of several causes any may come first, and where results are there the order is another.
        return f"skipped: {str(error).partition(':')[0]}"
    except CascadeError as error:
        return f"failed: {type(error).__name__}"


async def history(seeds: list[tuple[int, int]], state: type[MemoryState]) -> None:
    warm, fresh = Engine(state_backend=state()), Engine(reuse=False)
    spy = SpySubscriber(warm.bus)
    wanted: dict[tuple[int, int], Any] = {}
    stands: set[str] = set()  # what kept results stand on
    for seed in seeds:
        program = Program(*seed)
        if seed not in wanted:
            wanted[seed] = await outcome(fresh, program)
        before = len(spy.events)
        got = await outcome(warm, program)
        assert got == wanted[seed], f"program {seed} of {seeds}"
        ended = [e for e in spy.events[before:] if isinstance(e, TaskExecutionFinished)]
        done = {e.task_id for e in ended if e.status == "completed"}
        kept = program.own if warm.state.keeps_all else program.kept
        for name in done & kept.keys() - program.ordered:
            assert kept[name] not in stands, f"{name} of {seed} of {seeds} ran again"
        stands.update(own for name, own in kept.items() if own is not None and name in done)
    await warm.aclose()
    await fresh.aclose()


@settings(max_examples=examples(250))
@given(seeds=st.tuples(SEEDS, SEEDS), steps=STEPS, keeps_all=st.booleans())
def test_random_histories_give_what_fresh_engines_give_and_nothing_that_stands_runs_twice(
    seeds: tuple[int, int], steps: list[tuple[int, int]], keeps_all: bool
) -> None:
    programs = [(seeds[which], variant) for which, variant in steps]
    asyncio.run(history(programs, _KeepsAll if keeps_all else MemoryState))


async def in_a_changing_world(
    place: pathlib.Path, seeds: list[tuple[int, int, int]], state: type[MemoryState]
) -> None:
    """Each step is a seed, a variant, and how often the world changes before it."""
    world = World(place)
    warm, fresh = Engine(state_backend=state()), Engine(reuse=False)
    spy = SpySubscriber(warm.bus)
    try:
        for number, (seed, variant, changes) in enumerate(seeds):
            rng = Random(seed * 100 + number)
            for _ in range(changes):
                world.change(rng)
            program = Program(seed, variant, worldly=True)
            wanted = await outcome(fresh, program)
            got = await outcome(warm, program)
            assert got == wanted, f"program {number} of {seeds}"
            before = len(spy.events)
            assert await outcome(warm, program) == wanted, f"again, {number} of {seeds}"
            again = [e for e in spy.events[before:] if isinstance(e, TaskExecutionStarted)]
            tasks = {node.task_name for node in cs.build_graph(program.target).nodes}
            # What runs each time takes along what is made of it, and so does what it comes after.
            fixed = "anew" not in tasks and not program.ordered and not isinstance(got, str)
            assert not (fixed and warm.state.keeps_all and again), f"{number} of {seeds}"
    finally:
        world.leave()
        await warm.aclose()
        await fresh.aclose()


@pytest.mark.may_block("its tasks read files on the loop itself")
@settings(max_examples=examples(80))
@given(
    seeds=st.tuples(SEEDS, SEEDS),
    steps=st.lists(
        st.tuples(st.sampled_from((0, 0, 1)), st.integers(0, 3), st.integers(0, 3)),
        min_size=3,
        max_size=12,
    ),
    keeps_all=st.booleans(),
)
def test_whatever_of_the_world_changes_a_run_gives_what_a_fresh_one_gives(
    seeds: tuple[int, int], steps: list[tuple[int, int, int]], keeps_all: bool
) -> None:
    programs = [(seeds[which], variant, changes) for which, variant, changes in steps]
    with tempfile.TemporaryDirectory() as place:
        state = _KeepsAll if keeps_all else MemoryState
        asyncio.run(in_a_changing_world(pathlib.Path(place), programs, state))


@settings(max_examples=examples(30))
@given(seeds=st.tuples(SEEDS, SEEDS), steps=STEPS, keeps_all=st.booleans())
def test_a_plan_of_a_random_program_says_what_its_run_does(
    seeds: tuple[int, int], steps: list[tuple[int, int]], keeps_all: bool
) -> None:
    async def main() -> None:
        engine = Engine(state_backend=(_KeepsAll if keeps_all else MemoryState)())
        spy = SpySubscriber(engine.bus)
        for which, variant in steps:
            program = Program(seeds[which], variant)
            plan = await engine.plan(program.target, params=program.params)
            before = len(spy.events)
            failed = str(await outcome(engine, program)).startswith("failed")
            new = spy.events[before:]
            ran = {event.task_id for event in new if isinstance(event, TaskExecutionStarted)}
            # Which nodes a skip takes along, and what only those need, is seen when it runs.
            skips = {event.reason for event in new if isinstance(event, TaskSkipped)}
            sure = not failed and "UpstreamSkipped" not in skips
            for step in plan.steps:
                where = (step, seeds[which], variant, steps)
                assert step.action == "run" or step.node not in ran, where
                is_task = plan.graph.node(step.node).kind is NodeKind.TASK
                if is_task and step.action == "run" and "only if" not in step.reason:
                    assert not sure or step.node in ran, where
        await engine.aclose()

    asyncio.run(main())
