"""The quickstart runs from top to bottom in a real kernel, headless, and shows what it says."""

from __future__ import annotations

import re
from pathlib import Path

import nbformat
import pytest
from nbformat import NotebookNode

from tests.support.headless import execute
from tests.support.kernels import LABELS, RealKernel

QUICKSTART = Path(__file__).resolve().parents[2] / "notebooks" / "quickstart.ipynb"


def text_of(cell: NotebookNode) -> str:
    """What a cell printed and showed in words."""
    text = ""
    for output in cell.outputs:
        if output.output_type == "stream":  # one print may arrive in several pieces
            text += output.text
        else:
            text += "\n" + str(output.get("data", {}).get("text/plain", "")) + "\n"
    return text


@pytest.fixture(scope="module")
def executed() -> NotebookNode:
    notebook: NotebookNode = nbformat.read(QUICKSTART, as_version=4)
    execute(notebook)
    return notebook


def cell(notebook: NotebookNode, start: str) -> NotebookNode:
    found: NotebookNode = next(
        c for c in notebook.cells if c.cell_type == "code" and start in c.source
    )
    return found


def test_it_is_committed_without_outputs() -> None:
    cells = nbformat.read(QUICKSTART, as_version=4).cells
    assert all(not c.outputs and c.execution_count is None for c in cells if c.cell_type == "code")


@pytest.mark.slow
@pytest.mark.may_block("a kernel is waited for")
@pytest.mark.timeout(1200)
class TestExecuted:
    def test_the_first_run_leaves_nothing_to_those_after_it(self, executed: NotebookNode) -> None:
        shown = cell(executed, "def load()").outputs
        assert not any("cups" in str(output.get("data", {})) for output in shown)
        assert "No limit any more" in text_of(cell(executed, "limit brew off"))

    def test_the_graph_stands_below_the_cell_that_made_it(self, executed: NotebookNode) -> None:
        shown = cell(executed, "def load()").outputs
        pictures = [o for o in shown if "image/svg+xml" in o.get("data", {})]
        assert pictures
        assert "text/plain" in pictures[0].data

    def test_the_pause_holds_the_last_task_and_says_so(self, executed: NotebookNode) -> None:
        words = text_of(cell(executed, "status.held == 0"))
        assert "1 task held" in words
        assert "to look at the scores first" in words

    def test_the_redefinition_runs_only_what_depends_on_it(self, executed: NotebookNode) -> None:
        plans = [c for c in executed.cells if c.source.startswith("%cascade plan report")]
        words = text_of(plans[1])
        assert re.search(r"2 run: `choose` changed, line 2.*\n  best\b", words, re.DOTALL)
        assert re.search(r"4 stand\n.*scores", words)
        assert "files" not in words  # what libraries look through in order to be used is none
        reused = re.search(
            r"(\d+) results reused, (\d+) tasks run", text_of(cell(executed, "reused"))
        )
        assert reused
        assert int(reused[2]) < 6

    def test_it_ends_with_the_plot(self, executed: NotebookNode) -> None:
        shown = cell(executed, "axes.barh").outputs
        assert any("image/png" in output.get("data", {}) for output in shown)


@pytest.mark.may_block("a kernel is waited for")
def test_who_sits_at_it_sees_a_panel_and_a_pause_in_the_first_cells() -> None:
    cells = [c for c in nbformat.read(QUICKSTART, as_version=4).cells if c.cell_type == "code"]
    last = next(i for i, c in enumerate(cells) if "resume brew" in c.source)
    assert last < 5
    with RealKernel.start(LABELS[-1]) as kernel:
        load, build, run, pause, resume = [kernel.check(c.source, 180.0) for c in cells[: last + 1]]
    assert not build.displays
    assert any("application/vnd.jupyter.widget-view+json" in shown for shown in run.displays)
    assert re.search(r"\d+ tasks? held", pause.stdout)
    assert "12 cups: cup 1, cup 2, " in resume.stdout
    assert not load.error
