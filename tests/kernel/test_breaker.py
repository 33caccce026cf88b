"""In a real kernel: what fails too often is held, with why, and freed by hand or by a probe."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from tests.support.kernels import NEWEST, RealKernel

SETUP = """
%load_ext cascade_nb
import cascade_nb as cs, asyncio
down, asked = [True], []
"""

GRAPH = """%%cascade --quiet
def fetch(x):
    asked.append(x)
    if down:
        raise ConnectionError(f"no answer to {x}")
    return x
pages = fetch.map(x=list(range(6))).with_retry(50)
def other(i): return i
others = other.map(i=list(range(9)))
def both(a, b): return sum(a) + sum(b)
report = both(pages, others)
"""

HELD = """
async def until(condition):
    for _ in range(4500):
        if condition(): return
        await asyncio.sleep(.02)
    raise AssertionError(run.status.headline)
"""


@pytest.fixture(scope="module")
def kernel() -> Iterator[RealKernel]:
    with RealKernel.start(NEWEST) as running:
        for cell in (SETUP, GRAPH, HELD):
            running.check(cell)
        yield running


def told(kernel: RealKernel, code: str) -> str:
    """What a cell that must succeed shows."""
    done = kernel.check(code)
    shown = [str(bundle.get("text/plain", "")) for bundle in done.displays]
    return "\n".join([done.stdout, *shown])


def test_what_fails_too_often_is_held_until_it_is_resumed(kernel: RealKernel) -> None:
    said = told(kernel, "%cascade breaker fetch 3/1m")
    assert "3 failures within 1 min hold it: fetch tasks." in said
    kernel.check("run = %cascade run report --fresh")
    # The others go on, each when its turn comes.
    kernel.check("await until(lambda: (run.status.held, run.status.done) == (6, 9))")
    kernel.check("await until(lambda: not run.status.running)")
    status = told(kernel, "%cascade status")
    assert "9 of " in status, status
    headline = told(kernel, "print(run.status.headline)")
    assert re.search(
        r"fetch tasks paused .+ by the breaker: 3 failures of fetch tasks within 1 min: ", headline
    )
    assert "ConnectionError: no answer to " in headline
    assert "`%cascade resume fetch` frees it" in headline
    assert "is held: fetch tasks paused" in told(kernel, "%cascade why pages")
    kernel.check("n = len(asked); await asyncio.sleep(.3); assert len(asked) == n, asked")
    resumed = told(kernel, "down.clear()\n%cascade resume fetch")
    assert "Resumed: fetch tasks (by the breaker: 3 failures of fetch tasks" in resumed
    assert kernel.check("(await run) == 15 + 36").result == {"text/plain": "True"}
    kernel.check("%cascade breaker fetch off")


def test_a_probe_frees_it_when_it_works_again(kernel: RealKernel) -> None:
    kernel.check("down.append(True); asked.clear()")
    kernel.check("%cascade breaker fetch 2/1m --probe 0.5s")
    kernel.check("run = %cascade run report --fresh")
    kernel.check("await until(lambda: 'its probe failed' in run.status.headline)")
    kernel.check("down.clear()")
    assert kernel.check("(await run) == 15 + 36").result == {"text/plain": "True"}
    assert "fetch tasks" not in told(kernel, "%cascade resume")
    assert "No breaker any more" in told(kernel, "%cascade breaker fetch off")
