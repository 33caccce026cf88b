"""The marks beside the cells of a notebook in JupyterLab, with a real kernel."""

from __future__ import annotations

from typing import Final

import pytest
from playwright.sync_api import Browser

from tests.support.axe import complaints
from tests.support.kernels import NEWEST
from tests.support.lab import LabServer
from tests.support.lab_panel import LabPanel
from tests.support.notebook_page import LabNotebook

CELLS: Final = (
    "%load_ext cascade_nb\nimport threading\ngo = threading.Event()",
    "%%cascade --quiet\ndef load(n): return list(range(n))\nrows = load(5)",
    "%%cascade --quiet\ndef fit(k): go.wait(60); return 1 / (k - 3)\nscores = fit.map(k=rows)",
    "%%cascade --quiet\ndef pick(s): return max(s)\nbest = pick(scores)",
    "run = %cascade run best",
    "1 + 1",
)

#: By cell, the number that it has in the page: what its mark says, and where its lines begin.
MARKS: Final = """
() => [...document.querySelectorAll('.jp-Notebook .jp-Cell')].map(cell => {
  const marks = [...cell.querySelectorAll('.cascade-beside')].map(mark => mark.dataset.state)
  return [cell.querySelector('.jp-InputPrompt')?.textContent ?? '', marks.join()]
})
"""
PLACES: Final = """
() => [...document.querySelectorAll('.jp-Notebook .cm-line')]
  .map(line => line.getBoundingClientRect()).map(({ x, y }) => [x, y])
"""
#: Whether a mark lies over the number of its cell, over what was typed, or over what is clicked.
OVERLAPS: Final = """
() => [...document.querySelectorAll('.cascade-beside')].map(mark => {
  const { left, right, top, bottom } = mark.getBoundingClientRect()
  const number = document.createRange()
  number.selectNodeContents(mark.parentElement.querySelector('.jp-InputPrompt'))
  const beside = mark.parentElement.querySelectorAll('.jp-InputArea-editor, .jp-Collapser')
  const others = [number, ...beside]
  return others.some(other => {
    const box = other.getBoundingClientRect()
    return box.left < right && left < box.right && box.top < bottom && top < box.bottom
  })
})
"""


def marks(notebook: LabNotebook) -> dict[str, str]:
    """By the number of a cell, what stands beside it, where anything does."""
    found: list[tuple[str, str]] = notebook.page.evaluate(MARKS)
    return {number.strip("[]: "): mark for number, mark in found if mark}


@pytest.mark.parametrize("width", [1400, 700])
def test_a_cell_says_beside_it_how_its_nodes_stand(
    lab: LabServer, browser: Browser, width: int
) -> None:
    size = (width, 1000)
    with lab.open(browser, CELLS, NEWEST, viewport=size) as notebook:
        for cell in range(4):
            notebook.run(cell)
        assert marks(notebook) == {}
        before = notebook.page.evaluate(PLACES)
        notebook.run(4)
        panel = LabPanel(notebook, 4)
        running = {"2": "done", "3": "running"}
        notebook.wait_until(lambda: marks(notebook) == running, "the cells are not marked")
        above = [place for place in before if place[1] < before[-2][1]]
        assert notebook.page.evaluate(PLACES)[: len(above)] == above  # no line has moved
        assert notebook.page.evaluate(OVERLAPS) == [False, False]
        assert complaints(notebook.page, ".cascade-beside") == []
        notebook.ask_kernel("go.set()")
        panel.wait_for_phase("failed")
        ended = {"2": "done", "3": "failed", "4": "cancelled"}
        notebook.wait_until(lambda: marks(notebook) == ended, "the marks do not say the end")
        notebook.write(1, CELLS[1].replace("(5)", "(3)"))
        notebook.run(1)
        stale = {"6": "stale", "3": "failed", "4": "cancelled"}
        notebook.wait_until(lambda: marks(notebook) == stale, "nothing is stale")
        # A mark goes where its cell goes.
        notebook.page.evaluate(
            """async () => {
                const { commands, shell } = window.jupyterapp
                shell.currentWidget.content.activeCellIndex = 1
                await commands.execute('notebook:move-cell-down')
                await commands.execute('notebook:insert-cell-above')
            }"""
        )
        notebook.wait_until(lambda: marks(notebook) == stale, "a mark stays behind")
        notebook.run(5)  # which is the run's, one further down
        done = {"6": "done", "3": "done", "4": "done"}
        notebook.wait_until(lambda: marks(notebook) == done, "the marks are of the run before")
        panel = LabPanel(notebook, 5)
        notebook.page.evaluate(
            "() => window.jupyterapp.commands.execute('notebook:clear-all-cell-outputs')"
        )
        notebook.wait_until(lambda: not marks(notebook), "the marks outlive their panel")
        assert [told for told in notebook.console if told[0] == "pageerror"] == []
