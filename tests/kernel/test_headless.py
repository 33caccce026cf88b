"""Under nbclient, papermill and nbconvert nothing is lost, and a run is waited for."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import nbformat
import papermill
import pytest
from jupyter_client.manager import AsyncKernelManager
from nbclient.exceptions import CellExecutionError
from nbformat.v4 import new_code_cell, new_notebook

from tests.engine.tools import until_blocking
from tests.support.headless import PATIENT, execute
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
        execute(notebook)
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
        tmp_path / "in.ipynb",
        tmp_path / "out.ipynb",
        {"n": 4},
        progress_bar=False,
        iopub_timeout=PATIENT["iopub_timeout"],
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


class InterruptsOnce(AsyncKernelManager):
    """Interrupts a cell once: nbclient does so again and again, each time its time is up anew."""

    file = Path()  #: There when a cell waits for what it has started.

    async def interrupt_kernel(self) -> None:  # type: ignore[override]  # as it is there, too
        if self.file.exists():
            self.file.unlink()
            await self._async_interrupt_kernel()

    @classmethod
    def seconds(cls, cell: nbformat.NotebookNode) -> int:
        """How long a cell may take: those that wait, one second from when they do so."""
        if "interrupt" not in cell.metadata.get("tags", ()):
            return 300
        until_blocking(cls.file.exists)
        return 1


#: In a kernel, it writes a file when the loop is free, so that the cell waits, and its task runs.
WRITES = """
import asyncio, pathlib
from cascade_nb.defaults import default_engine
from cascade_nb.events import TaskExecutionStarted
started = asyncio.Event()
loop = asyncio.get_running_loop()
default_engine().bus.subscribe(
    lambda _: loop.call_soon_threadsafe(started.set), TaskExecutionStarted
)
async def write():
    await started.wait()
    pathlib.Path({file!r}).touch()
writing = loop.create_task(write())
def before_a_cell(_):
    global writing
    writing.cancel()
    started.clear()
    writing = loop.create_task(write())
"""


def test_a_cell_that_nbclient_interrupts_when_its_time_is_up_ends_cleanly(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(InterruptsOnce, "file", tmp_path / "it waits")
    tasks = """%%cascade --quiet
import asyncio
import cascade_nb as cs
def steps(n):
    for _ in cs.track(range(10_000)): time.sleep(0.02)
async def waits(n): await asyncio.sleep(200)
s, w = steps(1), waits(1)
"""
    ways = (
        "run = %cascade run s --wait",
        "%cascade run w",
        "cs.run(s)",
        "await cs.start(w)",
        "%%cascade --run\nlast = waits(2)",
    )
    after = "while default_engine().runs: await asyncio.sleep(0.01)\nprint('none goes on')"
    writes = WRITES.format(file=str(InterruptsOnce.file))
    hears = "get_ipython().events.register('pre_run_cell', before_a_cell)"
    notebook = notebook_of("%load_ext cascade_nb\nimport time", tasks, f"{writes}\n{hears}")
    for way in ways:
        notebook.cells += notebook_of(way, after).cells
        notebook.cells[-2].metadata["tags"] = ["interrupt"]
    execute(
        notebook,
        timeout_func=InterruptsOnce.seconds,
        kernel_manager_class=InterruptsOnce,
        interrupt_on_timeout=True,
        allow_errors=True,
    )
    for number, (way, told) in enumerate(
        zip(notebook.cells[3::2], notebook.cells[4::2], strict=True), 1
    ):
        (error,) = [one for one in way.outputs if one.output_type == "error"]
        line = rf"\w+: run {number} of \w+ was interrupted"
        assert re.fullmatch(line, "\n".join(error.traceback)), error.traceback
        assert "none goes on" in str(told.outputs), way.source
        if "cascade" in way.source:
            assert "Cancelled after" in str(way.outputs)
    assert "last · run 5" in str(notebook.cells[-2].outputs), "it ran what it did not define"
