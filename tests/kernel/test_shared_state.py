"""Two real kernels at one state: the second reuses what the first has made, and what both need at
the same time is computed once when they are asked to.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.kernel.test_killed_kernels import kernel_at
from tests.support.killing import place
from tests.support.ledger import Ledger

WORKFLOW = """%%cascade --quiet
def load(n):
    _note("begin", "rows")
    time.sleep({seconds})
    return list(range(n))

def total(rows):
    _note("begin", "report")
    return sum(rows)

rows = load(1000)
report = total(rows)
"""


@pytest.mark.parametrize("kind", ["sqlite", "redis"])
def test_a_second_kernel_reuses_what_the_first_has_made(kind: str, tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger")
    with place(kind, tmp_path) as url:
        for _ in range(2):
            with kernel_at(url, tmp_path, ledger) as kernel:
                kernel.check(WORKFLOW.format(seconds=0))
                kernel.check("run = %cascade run report --wait")
                assert kernel.check("print(run.result())").stdout == "499500\n"
                states = kernel.check("print(run.states()['report'].value)").stdout.strip()
    assert states == "reused"
    assert [line.what for line in ledger.lines() if line.word == "begin"] == ["rows", "report"]


@pytest.mark.parametrize("kind", ["sqlite", "redis"])
def test_what_two_kernels_need_at_the_same_time_is_computed_once(kind: str, tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger")
    with (
        place(kind, tmp_path) as url,
        # Nobody dies, so nobody is to be taken for dead whose machine is busy for a second.
        kernel_at(url, tmp_path, ledger, lease=60.0) as one,
        kernel_at(url, tmp_path, ledger, lease=60.0) as other,
    ):
        kernels = (one, other)
        for kernel in kernels:
            kernel.check(WORKFLOW.format(seconds=2))
        cells = [kernel.send("run = %cascade run report --share --wait") for kernel in kernels]
        for kernel, cell in zip(kernels, cells, strict=True):
            error = cell.wait().error
            assert error is None, error.traceback
            assert kernel.check("print(run.result())").stdout == "499500\n"
    assert [line.what for line in ledger.lines() if line.word == "begin"] == ["rows", "report"]
