"""Kernels are killed at random moments; the next one goes on, and nothing completed runs again.

`tests/engine/test_killed_processes.py` does the same to plain processes, more often.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pytest

from tests.support.examples import KILLED_KERNELS, PROFILE
from tests.support.kernels import NEWEST, Execution, RealKernel
from tests.support.killing import (
    AT_ONCE,
    FUNCTIONS,
    ITEMS,
    LEASE,
    REPORT,
    Victim,
    kill_again_and_again,
    place,
    was_none_left,
)
from tests.support.ledger import Ledger

KILLS: Final = KILLED_KERNELS[PROFILE]

ATTACH: Final = "run = %cascade attach --wait"

SETUP: Final = """
%load_ext cascade_nb
import time
from cascade_nb.defaults import default_engine

default_engine().lease = {lease}
default_engine().take_state(default_engine().state)
"""

WORKFLOW: Final = f"""%%cascade --quiet
{FUNCTIONS}
first_{{n}} = begin_{{n}}.map(x=list(range({ITEMS})))
second_{{n}} = go_on_{{n}}.map(x=first_{{n}})
{REPORT} = sum_{{n}}(second_{{n}})
"""


class KernelVictim:
    """A kernel, and the cell in which it computes."""

    def __init__(self, kernel: RealKernel, cell: Execution) -> None:
        self._kernel = kernel
        self._cell = cell

    def is_over_within(self, seconds: float) -> bool:
        try:
            self._cell.wait(seconds)
        except TimeoutError:
            return False
        return True

    def value(self) -> str | None:
        if self._cell.error is not None:
            assert was_none_left(self._cell.error.value), self._cell.error.traceback
            return None
        return self._kernel.check("print(run.result())").stdout.strip()

    def kill(self) -> None:
        self._kernel.kill()


@contextmanager
def kernel_at(url: str, folder: Path, ledger: Ledger, lease: float = LEASE) -> Iterator[RealKernel]:
    """A kernel that keeps its results there, and says that it lives within so many seconds."""
    extra: dict[str, Any] = {"CASCADE_STATE": url, "CASCADE_KEY_FILE": str(folder / "key")}
    with RealKernel.start(NEWEST, **extra) as kernel:
        kernel.check(SETUP.format(lease=lease) + ledger.writer)
        yield kernel


@pytest.mark.soak
@pytest.mark.parametrize("kind", ["sqlite", "redis"])
@pytest.mark.timeout(600 + 20 * KILLS)
def test_nothing_completed_runs_again_however_often_the_kernel_is_killed(
    kind: str, tmp_path: Path
) -> None:
    ledger = Ledger(tmp_path / "ledger")

    @contextmanager
    def start(n: int, left: bool) -> Iterator[Victim]:
        with kernel_at(url, tmp_path, ledger) as kernel:
            yield KernelVictim(kernel, kernel.send(ATTACH) if left else begin(kernel, n))

    with place(kind, tmp_path) as url:
        kill_again_and_again(start, ledger, KILLS, random.Random(f"kill -9, {kind}"))


def begin(kernel: RealKernel, n: int) -> Execution:
    """Start the n-th run."""
    kernel.check(WORKFLOW.format(n=n))
    kernel.check(f"%cascade limit global {AT_ONCE}")
    return kernel.send(f"run = %cascade run {REPORT.format(n=n)} --wait")
