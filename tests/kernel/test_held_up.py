"""A cell that holds up the kernel's loop holds up coroutines, which is said, and nothing else."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.support.kernels import NEWEST, RealKernel

SETUP = """
%load_ext cascade_nb
import cascade_nb as cs, asyncio, json, time
times = {}
"""

GRAPH = """%%cascade --quiet
def _mark(what): times.setdefault(what, time.monotonic())

def part(i):
    _mark("part"); time.sleep(.02)
    if i == 3 and "failed" not in times:
        _mark("failed"); raise ValueError("once")
    return i
parts = part.map(i=list(range(30))).with_retry(3, delay=.1)

@cs.task(executor="inline")
def total(xs): return sum(xs)
sum_of = total(parts)

@cs.resource(scope="run")
def db():
    _mark("opened")
    yield 10
    _mark("closed")

def use(x, it=cs.inject(db)): return x + it
used = use(sum_of)

def slow(): time.sleep(30)
late = slow().with_timeout(.2)

async def coroutine(x): return x * 2
doubled = coroutine(used)

@cs.resource(scope="run")
async def session():
    await asyncio.sleep(0)
    yield 5

def with_session(it=cs.inject(session)): return it
fives = with_session()
"""

BLOCKED = """
began = time.monotonic()
one, other, third = cs.start(used), cs.start(late), cs.start(doubled)
third.rate("task:part", "1000/s")
stopped = cs.start(slow().named("stopped"))
def block_until(condition):
    while not condition() and time.monotonic() < began + 120:
        time.sleep(.02)
block_until(lambda: stopped.status.running)
block_until(lambda: "closed" in times and one.done() and other.done())
block_until(lambda: "waits for the kernel's loop" in third.status.headline)
stopped.engine.grace = 60.0
stopped.cancel()
block_until(lambda: stopped.status.phase.value == "cancelling")
why = third.why("doubled")
print(json.dumps({
    "begun": "part" in times, "value": one.result(), "closed": "closed" in times,
    "other": type(other.exception()).__name__, "why": why, "headline": third.status.headline,
    "third": third.done(), "stopped": stopped.status.phase.value,
}))
"""


@pytest.fixture(scope="module")
def said() -> Any:
    with RealKernel.start(NEWEST) as kernel:
        kernel.execute(SETUP)
        kernel.execute(GRAPH)
        cell = kernel.execute(BLOCKED, 180.0)
        assert cell.error is None, cell.error
        after = kernel.execute("fresh = cs.start(fives)\n(await third, await fresh)")
        result = kernel.execute("cs.start(fives, fresh=True).result()")
        said = json.loads(cell.stdout.splitlines()[-1])
        yield {**said, "after": after.result, "result": result.result}


def test_a_run_of_threads_begins_at_once_and_goes_on_to_its_end(said: Any) -> None:
    assert said["begun"]  # while the cell went on
    assert said["value"] == 445
    assert said["closed"]


def test_timeouts_and_a_cancel_do_not_wait_for_the_cell(said: Any) -> None:
    assert said["other"] == "TaskTimeoutError"
    assert said["stopped"] == "cancelling"  # its thread sleeps on, within the grace


def test_a_coroutine_waits_for_the_cell_and_says_so(said: Any) -> None:
    words = "waits for the kernel's loop: a cell is running"
    assert said["why"] == [f"doubled {words}"]
    assert said["headline"].endswith(words)
    assert not said["third"]


def test_what_waited_for_the_cell_goes_on_after_it(said: Any) -> None:
    assert said["after"]["text/plain"] == "(890, 5)"


def test_the_result_of_a_coroutine_may_be_waited_for_in_a_cell(said: Any) -> None:
    assert said["result"]["text/plain"] == "5"
