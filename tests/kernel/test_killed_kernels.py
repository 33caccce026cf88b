"""Kernels are killed at random moments; the next one goes on, and a ledger outside of it all tells
whether anything that was completed ran again.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest

from tests.support.examples import KILLED_KERNELS, PROFILE
from tests.support.kernels import NEWEST, Execution, RealKernel
from tests.support.ledger import Ledger
from tests.support.redis_server import RedisServer

KILLS: Final = KILLED_KERNELS[PROFILE]
LEASE: Final = 1.0
ITEMS: Final = 30
AT_ONCE: Final = 4

ATTACH: Final = "run = %cascade attach --wait"

SETUP: Final = f"""
%load_ext cascade_nb
import time
from cascade_nb.defaults import default_engine

default_engine().lease = {LEASE}
default_engine().take_state(default_engine().state)
"""

WORKFLOW: Final = """%%cascade --quiet
def begin_{n}(x):
    _note("begin", f"first_{n}[{{x}}]")
    time.sleep(0.02 + x % 5 * 0.02)
    return x

def go_on_{n}(x):
    _note("begin", f"second_{n}[{{x}}]")
    time.sleep(0.01 + x % 3 * 0.02)
    return 2 * x

def sum_{n}(xs):
    _note("begin", "report_{n}")
    return sum(xs)

first_{n} = begin_{n}.map(x=list(range({items})))
second_{n} = go_on_{n}.map(x=first_{n})
report_{n} = sum_{n}(second_{n})
"""


@contextmanager
def place(kind: str, folder: Path) -> Iterator[str]:
    """The URL of a state that outlives kernels."""
    if kind == "sqlite":
        yield f"sqlite:///{folder / 'results.db'}"
    else:
        with RedisServer.start() as server:
            yield server.url


@contextmanager
def kernel_at(url: str, folder: Path, ledger: Ledger) -> Iterator[RealKernel]:
    """A kernel that keeps its results there."""
    extra = {"CASCADE_STATE": url, "CASCADE_KEY_FILE": str(folder / "key")}
    with RealKernel.start(NEWEST, **extra) as kernel:
        kernel.check(SETUP + ledger.writer)
        yield kernel


@pytest.mark.soak
@pytest.mark.parametrize("kind", ["sqlite", "redis"])
@pytest.mark.timeout(60 + 20 * KILLS)
def test_nothing_completed_runs_again_however_often_the_kernel_is_killed(
    kind: str, tmp_path: Path
) -> None:
    rng = random.Random(f"kill -9, {kind}")
    ledger = Ledger(tmp_path / "ledger")
    kills, runs, left = 0, 1, False
    with place(kind, tmp_path) as url:
        while kills < KILLS or left:
            with kernel_at(url, tmp_path, ledger) as kernel:
                since, in_flight = len(ledger.lines()), ledger.in_flight()
                cell = kernel.send(ATTACH) if left else begin(kernel, runs)
                patience = rng.uniform(0, 3.0) if kills < KILLS else 60.0
                if is_over_within(cell, patience):
                    left = False
                    if cell.error is not None:
                        # It was killed before it was written down, or after its end.
                        assert "nothing to take up" in cell.error.value, cell.error.traceback
                        begun = {line.what for line in ledger.lines()}
                        assert f"report_{runs}" in begun or f"first_{runs}[0]" not in begun
                        runs += f"report_{runs}" in begun
                        continue
                    done = kernel.check("print(run.result())").stdout.strip()
                    assert done == str(ITEMS * (ITEMS - 1))
                    runs += 1
                else:
                    kernel.kill()
                    kills, left = kills + 1, True
                again = ledger.run_again(since)
                assert ledger.broken_promises() == []
                assert set(again) <= in_flight, "more ran again than was in flight"
                assert max(again.values(), default=1) == 1
    assert kills == KILLS
    begun = {line.what for line in ledger.lines() if line.word == "begin"}
    assert len(begun) == (runs - 1) * (2 * ITEMS + 1)


def begin(kernel: RealKernel, n: int) -> Execution:
    """Start the n-th run."""
    kernel.check(WORKFLOW.format(n=n, items=ITEMS))
    kernel.check(f"%cascade limit global {AT_ONCE}")
    return kernel.send(f"run = %cascade run report_{n} --wait")


def is_over_within(cell: Execution, seconds: float) -> bool:
    """Whether the cell is done within so many seconds."""
    try:
        cell.wait(seconds)
    except TimeoutError:
        return False
    return True
