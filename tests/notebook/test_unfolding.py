"""Groups of a panel's picture open and close in a real kernel, while the run goes on and after."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest

from tests.support.kernels import LABELS, RealKernel
from tests.support.panel_client import PanelClient

RUN = """
import asyncio, gc, threading
import cascade_nb as cs
from cascade_nb.notebook.panel.panel import Panel
go = threading.Event()
@cs.task
def load():
    return 1
@cs.task(shares_process=True)
def train(data, i):
    go.wait()
    return i
@cs.task
def choose(models):
    return max(models)
data = load()
run = cs.start(choose([train(data, i) for i in range(20)]), fresh=True)
panel = Panel.open(run)
"""

#: The nodes of the group, each in a box of its own.
NODES = [f"node-train_x23_{i}" for i in range(1, 21)]


@pytest.fixture(scope="module")
def kernel() -> Iterator[RealKernel]:
    with RealKernel.start(LABELS[0]) as running:
        yield running


def test_a_group_opens_and_closes_while_the_run_goes_on_and_after_it(kernel: RealKernel) -> None:
    panel = PanelClient(kernel, kernel.check(RUN))
    panel.hello()
    clicks = itertools.count(1_000)

    def turn(box: str, opens: bool) -> str | None:
        seq = next(clicks)
        panel.send(type="fold", box=box, open=opens, page="one", seq=seq)
        error: str | None = panel.answer(seq)["error"]
        return error

    def shows(count: int) -> bool:
        return str(panel.state["svg"]).count('class="node"') == count

    panel.wait_until(lambda: shows(3) and panel.shown["counts"]["running"] > 0)
    assert turn(NODES[0], True) is None
    panel.wait_until(lambda: shows(22))
    # What runs is told of the boxes that there are now.
    panel.wait_until(lambda: any(panel.shown["boxes"].get(box) == ["running"] for box in NODES[1:]))
    assert turn(NODES[5], True) is None  # one node is no group: nothing comes of it
    assert turn("node-nowhere", True) is None
    assert turn(NODES[7], False) is None
    panel.wait_until(lambda: shows(3))
    kernel.check("go.set(); await panel.finished(); del panel")
    panel.wait_until(lambda: panel.shown["phase"] == "succeeded")
    assert turn(NODES[0], True) is None
    panel.wait_until(lambda: shows(22) and panel.shown["boxes"].get(NODES[19]) == ["done"])
    # Who looks later sees it as it is now.
    panel.hello()
    assert panel.shown["boxes"][NODES[19]] == ["done"]
    assert turn(NODES[3], False) is None
    panel.wait_until(lambda: shows(3) and panel.shown["boxes"][NODES[0]] == ["done", 20, 20])
