"""A plan says where tasks would run, what travels and what cannot, and starts nothing there."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psutil
import pytest

import cascade_nb as cs
from cascade_nb.engine import Engine
from cascade_nb.errors import UsageError
from tests.engine.conftest import MakeEngine

NOWHERE = "tcp://127.0.0.1:1"


@cs.task
def load(n: int) -> list[int]:
    return [n]


@cs.task
def clean(rows: list[int]) -> list[int]:
    return rows


@cs.task(executor="thread")
def report(*rows: list[int]) -> int:
    return len(rows)


def locked() -> Any:
    lock = threading.Lock()
    return cs.task(lambda rows: [lock, rows], name="locked")


async def test_it_says_where_each_runs_what_travels_and_what_cannot(engine: Engine) -> None:
    before = psutil.Process().children()
    first = clean(load(1).named("raw")).named("rows")
    target = report(first, locked()(first).named("odd"), *(clean(load(n)) for n in (2, 3)))
    plan = await engine.plan(target, on="processes")
    runs, travels, cannot = plan.where
    assert runs == "It runs load \u00d73, clean \u00d73, locked in processes; report in threads."
    assert travels == "What travels: rows, odd, clean#1, clean#2 back from processes."
    assert cannot.startswith("locked cannot run in a process: `lock`, of `locked`")
    assert psutil.Process().children() == before
    assert runs in str(plan)
    with pytest.raises(UsageError) as caught:  # the run says the same
        await engine.run(target, on="processes")
    assert f"{caught.value}." == cannot


async def test_what_stands_comes_from_here(engine: Engine) -> None:
    raw = load(1).named("raw")
    await engine.run(raw)
    plan = await engine.plan(clean(raw).named("rows"), on=NOWHERE)  # where nobody answers
    place = f"the Dask cluster at {NOWHERE}"
    assert plan.where == (
        f"It runs clean on {place}.",
        f"What travels: raw to {place}; rows back from {place}.",
    )


async def test_from_place_to_place(engine: Engine) -> None:
    there = cs.task(lambda rows: rows, executor="processes", name="there")
    plan = await engine.plan(report(there(load(1).named("raw")).named("far")), on="dask")
    place = "the Dask cluster of this machine"
    assert plan.where == (
        f"It runs load on {place}; there in processes; report in threads.",
        f"What travels: raw from {place} to processes; far back from processes.",
    )


async def test_in_threads_nothing_is_to_be_said_and_in_a_pool_of_threads_nothing_travels(
    engine: Engine,
) -> None:
    assert (await engine.plan(clean(load(1)))).where == ()
    with ThreadPoolExecutor(1) as pool:
        plan = await engine.plan(clean(load(1)), on=pool)
        assert plan.where == ("It runs load, clean in a ThreadPoolExecutor.",)
    with pytest.raises(UsageError, match=r"did you mean .processes.[?]$"):
        await engine.plan(clean(load(1)), on="procesess")


async def test_what_an_engine_runs_elsewhere_by_itself_is_said_too(
    make_engine: MakeEngine,
) -> None:
    engine = make_engine(executor="processes")
    plan = await engine.plan(clean(load(1)).named("rows"))
    assert plan.where[0] == "It runs load, clean in processes."


async def test_what_would_be_refused_is_said(engine: Engine) -> None:
    @cs.resource
    def session() -> Iterator[int]:
        yield 1

    @cs.task(executor="processes")
    def query(connection: int = cs.inject(session)) -> int:
        return connection

    (words,) = (await engine.plan(query())).where
    assert "query" in words
    assert "the resource that it takes lives in this one" in words
