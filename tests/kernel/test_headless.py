"""Under nbclient, papermill and nbconvert nothing is lost, and a run is waited for."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import nbformat
import papermill
import pytest
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from nbformat.v4 import new_code_cell, new_notebook

from tests.support.kernels import LABELS, Execution, RealKernel

pytestmark = pytest.mark.may_block("a kernel is waited for")

TASKS = """%%cascade
import time

def load(n):
    time.sleep(0.2)
    print("loading", n)
    return list(range(n))

def broken(x):
    return 1 / x

raw = load(5)
"""


@pytest.fixture(scope="module", params=LABELS)
def shared(request: pytest.FixtureRequest) -> Iterator[RealKernel]:
    """One kernel of each version, with the extension and a few tasks."""
    with RealKernel.start(request.param) as running:
        for code in ("%load_ext cascade_nb", TASKS):
            assert headless(running, code).error is None
        yield running


def headless(kernel: RealKernel, code: str) -> Execution:
    """Run a cell as nbclient does: without input and without the cell's identity."""
    return kernel.execute(code, allow_stdin=False)


def texts(cell: Execution) -> str:
    return "\n".join([cell.stdout, *(str(b.get("text/plain", "")) for b in cell.displays)])


def test_a_run_is_waited_for_and_its_output_stays_in_the_cell(shared: RealKernel) -> None:
    cell = headless(shared, "run = %cascade run raw --fresh\nprint(run.done(), run.result())")
    assert cell.error is None
    assert "loading 5" in cell.stdout
    assert "True [0, 1, 2, 3, 4]" in cell.stdout
    assert "Done in" in texts(cell)
    pictures = [b for b in cell.displays if "image/svg+xml" in b]
    assert any("✓" in b["text/plain"] for b in pictures)
    assert not any("cascade-times" in b["image/svg+xml"] for b in pictures)  # one attempt only
    assert not any("widget-view" in kind for b in cell.displays for kind in b)


def test_a_cell_that_runs_something_is_waited_for(shared: RealKernel) -> None:
    cell = headless(shared, "%%cascade --run\nmore = load(3)")
    assert cell.error is None
    assert "loading 3" in cell.stdout
    assert "Done in" in texts(cell)


def test_the_graph_is_drawn_before_the_cell_ends(shared: RealKernel) -> None:
    cell = headless(shared, "%%cascade\nother = load(2)")
    assert [set(b) for b in cell.displays] == [{"text/plain", "image/svg+xml", "image/png"}]


def test_a_run_that_fails_fails_the_cell(shared: RealKernel) -> None:
    assert headless(shared, "%%cascade --quiet\nb = broken(0)").error is None
    cell = headless(shared, "%cascade run b")
    assert cell.status == "error"
    assert cell.error is not None
    assert cell.error.name == "TaskFailedError"
    assert "✕" in texts(cell)


def test_a_run_below_another_magic_and_in_a_function_is_waited_for(shared: RealKernel) -> None:
    for code in (
        "%%time\nrun = %cascade run raw --fresh\nprint(run.done())",
        "def go():\n    run = %cascade run raw --fresh\n    return run.done()\nprint(go())",
    ):
        cell = headless(shared, code)
        assert cell.error is None
        assert "True" in cell.stdout
        assert "Done in" in texts(cell)


def notebook_of(*cells: str) -> nbformat.NotebookNode:
    made: nbformat.NotebookNode = new_notebook(cells=[new_code_cell(source) for source in cells])
    return made


def test_nbclient_keeps_everything_and_stops_where_a_run_fails() -> None:
    notebook = notebook_of(
        "%load_ext cascade_nb",
        TASKS,
        "%cascade run raw",
        "%cascade run broken(0)",
        "print('after')",
    )
    with pytest.raises(CellExecutionError):
        NotebookClient(notebook, timeout=120, kernel_name="python3").execute()
    ran = "\n".join(map(str, notebook.cells[2].outputs))
    assert "loading 5" in ran
    assert re.search("Done in", ran)
    assert not notebook.cells[4].outputs


def test_papermill_runs_a_notebook_with_its_parameters(tmp_path: Path) -> None:
    notebook = notebook_of("n = 1", "%load_ext cascade_nb", TASKS, "%%cascade --run\nx = load(n)")
    notebook.cells[0].metadata["tags"] = ["parameters"]
    notebook.metadata["kernelspec"] = {"name": "python3", "language": "python", "display_name": ""}
    nbformat.write(notebook, tmp_path / "in.ipynb")
    done = papermill.execute_notebook(
        tmp_path / "in.ipynb", tmp_path / "out.ipynb", {"n": 4}, progress_bar=False
    )
    assert "loading 4" in str(done.cells[-1].outputs)


def test_cells_that_a_cell_runs_run_their_workflow(shared: RealKernel) -> None:
    # That is what %run does with a notebook, for which these kernels have no nbformat.
    cells = (
        "%%cascade --run inner\ndef count(n): return n\ninner = count(3)",
        "%cascade run inner",
    )
    made = headless(
        shared,
        f"for cell in {cells * 2}:\n"
        "    get_ipython().run_cell(cell, silent=True).raise_error()\n"
        "run = %cascade run inner --wait\nprint(run.result())",
    )
    assert made.error is None
    assert made.stdout.splitlines()[-1] == "3"


def test_a_cell_that_nbclient_interrupts_when_its_time_is_up_ends_cleanly() -> None:
    tasks = """%%cascade --quiet
import asyncio
import cascade_nb as cs
def steps(n):
    for _ in cs.track(range(2000)): time.sleep(0.02)
async def waits(n): await asyncio.sleep(40)
s, w = steps(1), waits(1)
"""
    ways = (
        "run = %cascade run s --wait",
        "%cascade run w",
        "cs.run(s)",
        "await cs.start(w)",
        "%%cascade --run\nlast = waits(2)",
    )
    after = "print(len(cs.shortcuts.default_engine().runs))"
    notebook = notebook_of("%load_ext cascade_nb\nimport time", tasks)
    for way in ways:
        notebook.cells += notebook_of(way, after).cells
    NotebookClient(
        notebook,
        timeout_func=lambda cell: 3 if cell.source in ways else 120,  # it waits long before that
        interrupt_on_timeout=True,
        allow_errors=True,
        kernel_name="python3",
    ).execute()
    for number, (way, told) in enumerate(
        zip(notebook.cells[2::2], notebook.cells[3::2], strict=True), 1
    ):
        (error,) = [one for one in way.outputs if one.output_type == "error"]
        line = rf"\w+: run {number} of \w+ was interrupted"
        assert re.fullmatch(line, "\n".join(error.traceback)), error.traceback
        assert told.outputs[0].text == "0\n", way.source
        if "cascade" in way.source:
            assert "Cancelled after" in str(way.outputs)
    assert "last · run 5" in str(notebook.cells[-2].outputs), "it ran what it did not define"
