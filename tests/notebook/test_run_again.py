"""A cell that is run again while its run goes on: it asks, and nothing waits for the answer."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.notebook.test_panel import WIDGET
from tests.support.clicks import click
from tests.support.kernels import LABELS, Execution, RealKernel

CELL = """%%cascade --quiet
import asyncio, threading
from cascade_nb.shortcuts.answering import live_runs
go = threading.Event()
def wait(i):
    go.wait()
    return i
long = [wait(i) for i in range(2)]
"""
NUMBERS = "print(sorted(run.number for run in live_runs()))"
OVER = "while live_runs(): await asyncio.sleep(0.02)"


@pytest.fixture
def kernel() -> Iterator[RealKernel]:
    with RealKernel.start(LABELS[0]) as running:
        running.check("%load_ext cascade_nb")
        running.check(CELL)
        yield running
        running.check("go.set()")


def again(kernel: RealKernel, code: str = "got = %cascade run long", **how: bool) -> Execution:
    """Run the cell, the same one each time."""
    cell = kernel.execute(code, cellId="a", **how)
    assert cell.error is None
    return cell


def going_on(kernel: RealKernel) -> list[int]:
    numbers: list[int] = eval(kernel.check(NUMBERS).stdout)
    return numbers


def press(kernel: RealKernel, cell: Execution, words: str) -> None:
    """Press a button that a cell has shown."""
    opened = [message["content"] for message in cell.of_type("comm_open")]
    (button,) = [o for o in opened if o["data"]["state"].get("description") == words]
    click(kernel, button["comm_id"], {"event": "click"})


def models(cell: Execution) -> list[str]:
    return [shown[WIDGET]["model_id"] for shown in cell.displays if WIDGET in shown]


def question(cell: Execution) -> str:
    """What the cell asks, or has said last in its place."""
    opened = [m["content"]["data"]["state"] for m in cell.of_type("comm_open")]
    return " ".join(str(state["value"]) for state in opened if state.get("value"))


def test_the_run_that_goes_on_is_shown_until_somebody_says_otherwise(kernel: RealKernel) -> None:
    first = again(kernel)
    second = again(kernel)
    assert models(second)[-1] == models(first)[-1], "its panel stands below the cell again"
    assert len(models(second)) == 2, "and the question above it"
    assert "Run 1 of wait, wait, which this cell has started, has been going on for" in question(
        second
    )
    assert going_on(kernel) == [1]
    assert kernel.check("print(got.number)").stdout == "1\n"

    press(kernel, second, "Let both run")
    kernel.check("while len(live_runs()) < 2: await asyncio.sleep(0.02)")
    assert going_on(kernel) == [1, 2]

    third = again(kernel)
    assert "Run 2" in question(third)
    press(kernel, third, "Cancel it, run anew")
    kernel.check("go.set()")
    kernel.check(OVER)
    told = kernel.check("%cascade runs")
    words = "\n".join(str(shown.get("text/plain", "")) for shown in told.displays)
    assert "  3  " in words
    assert "Cancelled" in words


def test_a_cell_that_asks_for_something_else_is_not_asked(kernel: RealKernel) -> None:
    kernel.check(
        "%%cascade --quiet\nimport cascade_nb as cs\nn = cs.Param('n', default=1)\nlong = [wait(n)]"
    )
    assert question(again(kernel, "got = %cascade run long -p n=1")) == ""
    assert question(again(kernel, "got = %cascade run long -p n=2")) == ""
    assert going_on(kernel) == [1, 2]
    assert "Run 2" in question(again(kernel, "got = %cascade run long -p n=2"))
    kernel.check("k = 3")
    assert question(again(kernel, "got = %cascade run long -p n={k}")) == ""
    assert "Run 3" in question(again(kernel, "got = %cascade run long -p n={k}"))
    kernel.check("k = 4")
    assert question(again(kernel, "got = %cascade run long -p n={k}")) == ""
    kernel.check("go.set()")
    assert kernel.check("print(await got)").stdout == "[4]\n"


def test_what_is_over_is_run_anew_and_a_loop_in_a_cell_is_not_asked(kernel: RealKernel) -> None:
    loop = again(
        kernel, "for _ in range(2):\n    get_ipython().run_line_magic('cascade', 'run long')"
    )
    assert going_on(kernel) == [1, 2]
    assert question(loop) == ""
    kernel.check("go.set()")
    kernel.check(OVER)
    assert question(again(kernel)) == ""


def test_a_run_shows_itself_by_its_panel_and_where_none_can_be_in_a_line(
    kernel: RealKernel,
) -> None:
    started = again(kernel, "import cascade_nb as cs\nrun = cs.start(long)\nrun")
    assert len(models(started)) == 1
    assert models(again(kernel, "run")) == models(started), "the same panel once more"
    assert models(again(kernel, "run", allow_stdin=False)) == []
    assert "<run 1 of wait, wait: Running" in str(again(kernel, "print(run)").stdout)


def test_a_headless_execution_is_not_asked_and_comes_to_its_end(kernel: RealKernel) -> None:
    again(kernel)
    kernel.check("import threading\nthreading.Timer(0.5, go.set).start()")
    cell = again(kernel, allow_stdin=False)
    assert question(cell) == ""
    assert kernel.check("print(got.number)").stdout == "2\n"
