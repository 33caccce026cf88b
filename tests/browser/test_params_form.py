"""The form of the parameters: in a bare page with texts of anybody, and in JupyterLab."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, expect

from cascade_nb.notebook.panel.source import FORM_SOURCE
from cascade_nb.notebook.parameters.widget import FORM_STYLE
from tests.support.axe import complaints
from tests.support.kernels import LABELS
from tests.support.lab import LabServer
from tests.support.panel_page import EVIL, PanelPage


def field(name: str, kind: str, value: str | None, **more: Any) -> dict[str, Any]:
    told = {"name": name, "kind": kind, "choices": [], "description": EVIL, "words": EVIL}
    return {**told, "value": value, "default": value, **more}


STATE: dict[str, Any] = {
    "fields": [
        field("size", "slider", "3", low=1, high=10, step=1),
        field("mode", "choice", EVIL, choices=["fast", EVIL]),
        field("day", "date", "2026-01-05"),
        field("deep", "bool", "True"),
        field(EVIL, "text", EVIL, default="other"),
        field("needed", "number", None, default=None, step=1),
    ],
    "cost": EVIL,
    "stale": ["report"],
    "working": False,
    "busyWords": "The running cell holds the kernel.",
}


@pytest.fixture
def page(browser: Browser) -> Iterator[PanelPage]:
    made = PanelPage(browser, source=FORM_SOURCE, style=FORM_STYLE, state=STATE)
    yield made
    made.close()


def test_texts_of_anybody_are_text_and_axe_finds_nothing(page: PanelPage) -> None:
    expect(page.panel.locator(".cs-cost")).to_have_text(EVIL)
    expect(page.panel.get_by_label("mode", exact=True)).to_have_value(EVIL)
    assert page.page.evaluate("() => window.hacked") is None
    assert complaints(page.page, ".cascade-form") == []
    page.page.emulate_media(color_scheme="dark")
    assert complaints(page.page, ".cascade-form") == []


def test_what_is_chosen_is_asked_once_and_what_is_refused_stays_to_be_mended(
    page: PanelPage,
) -> None:
    needed = page.panel.get_by_label("needed", exact=True)
    needed.fill("12")
    needed.press("Enter")
    [asked] = page.sent("choose")
    assert (asked["name"], asked["value"]) == ("needed", "12")
    page.tell(ack=asked["seq"], error="parameter 'needed' takes less")
    expect(page.panel.get_by_role("alert")).to_have_text("parameter 'needed' takes less")
    expect(needed).to_have_value("12")
    expect(needed).to_have_attribute("aria-invalid", "true")
    page.panel.get_by_label("deep", exact=True).uncheck()
    assert page.sent("choose")[-1]["value"] is False
    page.panel.get_by_role("button", name="back to its default").click()
    assert page.sent("reset")[-1]["name"] == EVIL


def test_a_form_in_lab_chooses_for_the_next_run_and_says_what_it_costs(
    lab: LabServer, browser: Browser
) -> None:
    define = (
        "%%cascade --quiet\nsize = cs.Param('size', default=3, type=range(1, 100))\n"
        "def load(n): return list(range(n))\nrows = load(size)"
    )
    cells = ["%load_ext cascade_nb\nimport cascade_nb as cs", define, "%cascade params"]
    cells.append("run = %cascade run rows --wait")
    with lab.open(browser, cells, LABELS[0]) as notebook:
        for cell in range(3):
            notebook.run(cell)
        form = notebook.output(2, ".cascade-form")
        cost = form.locator(".cs-cost")
        expect(cost).to_have_text("A run of everything computes 1 of 1 node.")
        notebook.run(3)
        _slide(form.get_by_label("size", exact=True), 42)
        expect(cost).to_contain_text("Stale with these values: rows.")
        notebook.run(3)
        assert notebook.ask_kernel("print(len(run.result()))") == "42\n"
        form.get_by_role("button", name="back to its default").click()
        expect(cost).to_have_text("All results stand: a run would compute nothing.")
        notebook.run(3)
        assert notebook.ask_kernel("print(len(run.result()))") == "3\n"
        # The same form below another cell, and in a page that is opened later.
        notebook.run(2)
        _slide(notebook.output(2, ".cascade-form").get_by_label("size", exact=True), 7)
        notebook.save()
        with lab.reopen(browser, notebook.name) as other:
            again = other.output(2, ".cascade-form").get_by_label("size", exact=True)
            expect(again).to_have_value("7")


def _slide(control: Locator, to: int) -> None:
    events = "e.dispatchEvent(new Event('input')); e.dispatchEvent(new Event('change'))"
    control.evaluate(f"(e, to) => {{ e.value = to; {events} }}", to)
