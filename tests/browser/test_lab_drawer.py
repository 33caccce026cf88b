"""The drawer of a node in JupyterLab, with a real kernel: seen, clicked and typed."""

from __future__ import annotations

from typing import Any, Final

import pytest
from playwright.sync_api import Browser, Locator, expect

from tests.support.kernels import LABELS
from tests.support.lab import LabServer
from tests.support.lab_panel import LabPanel
from tests.support.notebook_page import LabNotebook

NEWEST: Final = LABELS[0]

LOAD: Final = "%load_ext cascade_nb\nimport threading\nimport cascade_nb as cs"
DEFINE: Final = """%%cascade --quiet
class Rich:
    def _repr_html_(self):
        return "<b class='rich'>seen</b>"
    def __repr__(self):
        return "as text"

def first(n):
    print("reading <b>", n)
    return Rich()

def second(one, k):
    if k == 2:
        raise ValueError("<img src=x onerror='window.hacked = 1'>")
    return k

one = first(3)
two = second(one, 2)
"""
RUN: Final = "%cascade run two"


def drawer(panel: LabPanel) -> Locator:
    return panel.root.locator(".cs-drawer")


def open_node(panel: LabPanel, name: str) -> Locator:
    """Click the box of a node, when it is drawn."""
    panel.root.locator(f"[id='node-{name}']").click()
    pane = drawer(panel)
    expect(pane.locator(".cs-name")).to_have_text(name)
    return pane


def show(pane: Locator, tab: str) -> Locator:
    """Choose a tab; gives what it shows when the kernel has answered."""
    pane.get_by_role("tab", name=tab).click()
    body = pane.get_by_role("tabpanel", name=tab)
    expect(body).not_to_have_attribute("aria-busy", "true")
    return body


def distrust(notebook: LabNotebook, cell: int) -> None:
    """Have the reader not trust a cell, as in a notebook of another's that was not run whole."""
    notebook.page.evaluate(
        "i => { window.jupyterapp.shell.currentWidget.content.model.cells.get(i).trusted = false }",
        cell,
    )


@pytest.mark.parametrize("width", [1400, 700])
def test_a_node_is_found_out_about_by_clicking(
    lab: LabServer, browser: Browser, width: int
) -> None:
    # Here the picture moves, as it does for most people.
    seen: Any = {"viewport": (width, 1000), "reduced_motion": "no-preference"}
    with lab.open(browser, [LOAD, DEFINE, RUN], NEWEST, **seen) as notebook:
        for cell in range(3):
            notebook.run(cell)
        panel = LabPanel(notebook, 2)
        panel.wait_for_phase("failed")
        pane = open_node(panel, "one")
        result = show(pane, "Result")
        # Jupyter's own repr where the notebook is trusted, and text where it is not.
        expect(result.locator("b.rich")).to_have_text("seen")
        distrust(notebook, 0)  # of a cell that is not trusted itself Lab shows no widget at all
        show(pane, "Why")
        result = show(pane, "Result")
        expect(result).to_contain_text("as text")
        assert result.locator("b.rich").count() == 0
        result.get_by_role("button", name="Put into a variable").click()
        expect(pane.get_by_role("status")).to_have_text("It is in one_value.")
        assert notebook.ask_kernel("print(one_value)") == "as text\n"
        expect(show(pane, "Log")).to_have_text("reading <b> 3\n")
        pane = open_node(panel, "two")
        error = show(pane, "Error")
        expect(error).to_contain_text("ValueError: <img src=x")
        error.get_by_role("button", name="cell [2], line 14").click()
        expect(notebook.page.locator(".jp-Cell").nth(1)).to_be_in_viewport()
        inputs = show(pane, "Inputs")
        inputs.get_by_role("button", name="one").click()
        expect(pane.locator(".cs-name")).to_have_text("one")
        notebook.page.keyboard.press("Escape")
        expect(pane).to_be_hidden()
        assert notebook.page.evaluate("() => document.activeElement.id") == "node-two"
        assert notebook.page.evaluate("() => window.hacked") is None
        assert [told for told in notebook.console if told[0] == "pageerror"] == []
        open_node(panel, "two").get_by_role("button", name="Retry what failed").click()
        expect(notebook.output(2, ".cascade-panel")).to_have_count(2)
        notebook.restart()
        show_again = drawer(panel).get_by_role("tab", name="Log")
        show_again.click()
        expect(drawer(panel).get_by_role("status")).to_contain_text("kernel that ran this is gone")
