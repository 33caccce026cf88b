"""The panel of all runs in a real kernel: what it tells, and what a click on it does."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import pytest

from tests.notebook.test_panel import WIDGET
from tests.support.kernels import LABELS, Execution, RealKernel
from tests.support.panel_client import PanelClient

CELL = """%%cascade --quiet
import threading
go = threading.Event()
def clean(x):
    return x + 1
def wait(i):
    go.wait()
    return i
rows = clean(1)
long = [wait(i) for i in range(3)]
"""


def words(cell: Execution) -> str:
    return "\n".join(str(bundle.get("text/plain", "")) for bundle in cell.displays)


class Runs(PanelClient):
    """The panel of all runs that a cell has opened."""

    def __init__(self, kernel: RealKernel) -> None:
        super().__init__(kernel, kernel.check("%cascade panel"))
        self._number = itertools.count(100)
        self.rows: dict[str, Any] = {**self.shown["rows"]}

    def _hear(self) -> None:
        known = len(self.patches)
        super()._hear()
        for patch in self.patches[known:]:
            self.rows |= patch.get("rows", {})

    def ask(self, **message: Any) -> dict[str, Any]:
        """Click, and wait for the answer."""
        seq = next(self._number)
        self.send(**message, page="one", seq=seq)
        return self.answer(seq)

    def run(self, number: int) -> str:
        """The id of the run of this number."""
        return next(run_id for run_id, row in self.rows.items() if row["number"] == number)


@pytest.fixture(scope="module")
def kernel() -> Iterator[RealKernel]:
    """A kernel in which two runs are over, with an edit between them, and one goes on."""
    with RealKernel.start(LABELS[0]) as running:
        running.check("%load_ext cascade_nb")
        running.check(CELL)
        running.check("%cascade run rows --wait")
        running.check(CELL.replace("x + 1", "x + 2"))
        running.check("%cascade run rows --wait")
        running.check("%cascade run long")
        yield running
        running.check("go.set()")


@pytest.fixture(scope="module")
def runs(kernel: RealKernel) -> Runs:
    client = Runs(kernel)
    client.hello()
    client.send(type="watch", visible=True)
    return client


def test_it_tells_what_goes_on_and_what_was_and_each_runs_own_panel(runs: Runs) -> None:
    runs.wait_until(lambda: runs.rows[runs.run(3)]["counts"]["running"] == 3)
    shown = [runs.rows[run_id] for run_id in runs.shown["order"]]
    assert [(row["number"], row["live"]) for row in shown] == [(3, True), (2, False), (1, False)]
    assert [row["phase"] for row in shown[1:]] == ["succeeded", "succeeded"]
    assert all(row["panel"] for row in shown)


def test_asked_for_again_it_is_the_same_one(kernel: RealKernel, runs: Runs) -> None:
    shown = [d[WIDGET]["model_id"] for d in runs.cell.displays if WIDGET in d]
    again = kernel.check("%cascade panel")
    assert [d[WIDGET]["model_id"] for d in again.displays if WIDGET in d] == shown
    assert not again.of_type("comm_open")


def test_everything_is_held_and_what_is_in_force_is_lifted_there(
    kernel: RealKernel, runs: Runs
) -> None:
    assert runs.ask(type="hold", run="", on=True)["error"] is None
    runs.wait_until(lambda: runs.shown["held"] and runs.shown["constraints"])
    (held,) = runs.shown["constraints"]
    assert (held["what"], held["does"]) == ("everything", "paused")
    assert "global" in words(kernel.check("%cascade status"))
    kernel.check("%cascade limit clean 2")
    kernel.check("%cascade limit run:r1/task:clean 1")
    runs.wait_until(lambda: len(runs.shown["constraints"]) == 3)
    rows = list(runs.shown["constraints"])
    assert [row["what"] for row in rows[1:]] == ["clean tasks", "clean tasks in run r1"]
    for place in (1, 1, 0):  # each lifts the one that it is of
        one = rows.pop(place)
        assert runs.ask(type="lift", scope=one["scope"], kind=one["kind"])["error"] is None
        runs.wait_until(lambda: runs.shown["constraints"] == rows)
    runs.wait_until(lambda: runs.shown["constraints"] == [] and not runs.shown["held"])
    assert "In force" not in words(kernel.check("%cascade status"))


def test_a_run_is_held_let_go_and_cancelled_there(kernel: RealKernel, runs: Runs) -> None:
    run_id = runs.run(3)
    assert runs.ask(type="hold", run=run_id, on=True)["error"] is None
    runs.wait_until(lambda: runs.rows[run_id]["phase"] == "pausing")
    assert runs.ask(type="hold", run=run_id, on=False)["error"] is None
    runs.wait_until(lambda: runs.rows[run_id]["phase"] == "running")
    assert runs.ask(type="cancel", run=run_id)["error"] is None
    kernel.check("go.set()")
    runs.wait_until(lambda: runs.rows[run_id]["phase"] == "cancelled")
    assert runs.ask(type="hold", run=run_id, on=True)["error"] == "that run is over"


def test_two_runs_are_compared_for_the_page_that_asks(kernel: RealKernel, runs: Runs) -> None:
    before, after = runs.run(1), runs.run(2)
    runs.ask(type="compare", before=before, after=after)
    (answer,) = [one for one in runs.patches if one["type"] == "compared"]
    assert (answer["page"], answer["before"], answer["after"]) == ("one", before, after)
    comparison = answer["comparison"]
    assert comparison["changed"][0]["words"] == "`clean` changed, line 2"
    assert comparison["values"] == [["rows", "2", "3"]]
    told = words(kernel.check("%cascade runs 1 2"))
    assert "`clean` changed, line 2 · rows" in told
    assert "rows: 2 → 3" in told


def test_what_means_nothing_does_nothing(runs: Runs) -> None:
    for wrong in (
        {"type": "lift", "scope": "global", "kind": "everything", "page": "one", "seq": 1},
        {"type": "hold", "run": 3, "on": True, "page": "one", "seq": 2},
        {"type": "compare", "before": None, "after": "x", "page": "one", "seq": 3},
        {},
    ):
        runs.send(**wrong)
    answer = runs.ask(type="lift", scope="nonsense:x", kind="pause")
    assert "nonsense" in answer["error"]
    runs.ask(type="compare", before="gone", after="gone too")
    (said,) = [one["error"] for one in runs.patches if one.get("before") == "gone"]
    assert said == "one of these runs is not remembered any more"


def test_a_headless_execution_is_told_in_words(kernel: RealKernel) -> None:
    cell = kernel.execute("%cascade panel", allow_stdin=False)
    assert cell.error is None
    assert not any(WIDGET in d for d in cell.displays)
    assert "Runs of this kernel:" in words(cell)
