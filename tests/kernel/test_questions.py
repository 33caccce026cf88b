"""In a real kernel: a question is answered on its panel while a cell awaits the run."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.kernels import NEWEST, RealKernel
from tests.support.panel_client import PanelClient

SETUP = """
%load_ext cascade_nb
import cascade_nb as cs
"""

GRAPH = """%%cascade --quiet
def rows(): return 1204
def report(ok): return "published" if ok else "kept back"
approve = cs.ask("Approve {:,} rows\\u202e?", rows())
result = report(approve)
"""


@pytest.fixture(scope="module")
def kernel() -> Iterator[RealKernel]:
    with RealKernel.start(NEWEST) as running:
        for cell in (SETUP, GRAPH):
            running.check(cell)
        yield running


def test_a_form_on_the_panel_answers_while_a_cell_awaits_the_run(kernel: RealKernel) -> None:
    cell = kernel.send("run = %cascade run result --wait\nprint(run.result())")
    panel = PanelClient.when_open(kernel, cell)
    panel.hello()
    panel.wait_until(lambda: panel.shown["questions"])
    [question] = panel.shown["questions"]
    assert question["text"] == "Approve 1,204 rows\u202e?"
    assert question["fields"][0]["kind"] == "bool"
    asked = {"type": "answer", "run": question["run"], "name": "approve", "page": "one"}
    panel.send(**asked, value="perhaps", seq=101)
    panel.wait_until(lambda: any(patch.get("ack") == 101 for patch in panel.patches))
    [refused] = [patch for patch in panel.patches if patch.get("ack") == 101]
    assert "yes or no" in refused["error"]
    panel.send(**asked, value="yes", seq=102)
    panel.wait_until(lambda: panel.shown["ended"])
    assert panel.shown["questions"] == []
    cell.wait()
    assert "published" in cell.stdout
    assert "answered by" in kernel.check("print(cs.plan(approve))").stdout
