"""A run of a thousand finished nodes is taken up in seconds, and none of them begins again."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Final

import pytest

from tests.kernel.test_killed_kernels import ATTACH, kernel_at
from tests.support.killing import LEASE, place
from tests.support.ledger import Ledger

COUNT: Final = 1_000
SECONDS: Final = 60.0  # thirty times what it takes, so that a busy machine does not matter

WORKFLOW: Final = f"""%%cascade --quiet
def piece(x):
    _note("begin", f"pieces[{{x}}]")
    return x

def total(xs):
    _note("begin", "report")
    return sum(xs)

pieces = [piece(x) for x in range({COUNT})]
report = total(pieces)
"""


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["sqlite", "redis"])
def test_a_thousand_finished_nodes_are_taken_up_in_seconds(kind: str, tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger")
    with place(kind, tmp_path) as url:
        with kernel_at(url, tmp_path, ledger) as kernel:
            kernel.check(WORKFLOW)
            kernel.check("%cascade pause total")
            kernel.check("run = %cascade run report")
            kernel.check(
                f"import asyncio\nwhile run.status.done < {COUNT}: await asyncio.sleep(0.05)"
            )
            kernel.kill()
        time.sleep(LEASE)
        with kernel_at(url, tmp_path, ledger) as kernel:
            began = time.monotonic()
            kernel.check(ATTACH.removesuffix(" --wait"))
            kernel.check("%cascade resume total")
            shown = kernel.check("print(await run)").stdout
            took = time.monotonic() - began
    assert shown == f"{sum(range(COUNT))}\n"
    begun = [line.what for line in ledger.lines() if line.word == "begin"]
    assert len(begun) == len(set(begun)) == COUNT + 1
    assert took < SECONDS
