"""The script and style of the panel of all runs, in a bare page: no kernel, no Jupyter."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from cascade_nb.notebook.overview.widget import RUNS_STYLE
from cascade_nb.notebook.panel.source import RUNS_SOURCE
from tests.support.axe import complaints
from tests.support.panel_page import EVIL, PanelPage

COUNTS = {"total": 96, "done": 30, "reused": 11, "failed": 0, "skipped": 0, "running": 4}
ENDED = {"phase": "succeeded", "headline": "Done in 2 s", "live": False, "elapsed": 2.0}
ROWS: dict[str, Any] = {
    "a": {
        "number": 7,
        "title": "report",
        "phase": "running",
        "counts": COUNTS,
        "headline": "Running 4 tasks",
        "live": True,
        "elapsed": 72.0,
        "ticking": True,
        "panel": "x",
    },
    "b": {"number": 6, "title": "report", "counts": COUNTS, **ENDED, "started": 900, "panel": None},
    "c": {"number": 5, "title": "report", "counts": COUNTS, **ENDED, "started": 800, "panel": None},
}
HELD = {
    "scope": "task:clean",
    "kind": "pause",
    "what": "clean tasks",
    "does": "paused",
    "words": "paused by you: look first",
    "since": 940,
    "until": None,
}
STATE: dict[str, Any] = {
    "order": ["a", "b", "c"],
    "rows": ROWS,
    "held": False,
    "time": 1000.0,
    "twin": "",
    "constraints": [HELD],
}
COMPARISON: dict[str, Any] = {
    "title": "Run 5 → run 6 of report: 2 s → 3 s",
    "changed": [{"words": "`clean` changed", "lines": ["-a", "+b", " c"], "nodes": "rows"}],
    "slower": ["train: 2 s → 3 s each, 12 times"],
    "faster": ["load: 3 s → 1 s"],
    "values": [["report", "0.81", "0.84"]],
    "notes": ["1 result cannot be compared: not kept any more."],
}


@pytest.fixture
def runs(browser: Browser) -> Iterator[PanelPage]:
    page = PanelPage(browser, source=RUNS_SOURCE, style=RUNS_STYLE, state=STATE)
    yield page
    page.close()


def compare(runs: PanelPage, comparison: dict[str, Any]) -> None:
    """Pick both runs that are over, and have the kernel answer."""
    for number in (6, 5):
        runs.panel.get_by_role("checkbox", name=f"Compare run {number}").check()
    page = runs.page.evaluate("() => window.sent.filter(message => message.page).at(-1).page")
    answer = {"type": "compared", "page": page, "before": "c", "after": "b"}
    told = {**answer, "comparison": comparison}
    runs.page.evaluate("message => window.call('msg:custom', message)", told)
    expect(runs.panel.locator(".cs-both")).to_contain_text("5")


def test_what_is_clicked_is_asked_of_that_run_and_shown_when_it_is_acknowledged(
    runs: PanelPage,
) -> None:
    runs.switch("Pause run 7").click()
    assert runs.sent("hold") == [{"type": "hold", "run": "a", "on": True, "seq": 1}]
    expect(runs.switch("Pause run 7")).to_have_attribute("aria-checked", "false")
    runs.tell(rows={"a": {**ROWS["a"], "phase": "pausing"}}, ack=1, error=None)
    expect(runs.switch("Pause run 7")).to_have_attribute("aria-checked", "true")
    runs.switch("Hold everything").click()
    runs.panel.get_by_role("button", name="Cancel run 7").click()
    runs.panel.get_by_role("button", name="Lift: clean tasks: paused").click()
    assert runs.sent("hold")[1] == {"type": "hold", "run": "", "on": True, "seq": 2}
    assert runs.sent("cancel") == [{"type": "cancel", "run": "a", "seq": 3}]
    assert runs.sent("lift") == [{"type": "lift", "scope": "task:clean", "kind": "pause", "seq": 4}]
    runs.tell(constraints=[], held=True, ack=4, error="refused")
    expect(runs.switch("Hold everything")).to_have_attribute("aria-checked", "true")
    expect(runs.panel.get_by_text("In force")).to_be_hidden()
    expect(runs.panel.get_by_role("status").first).to_have_text("refused")


def test_a_run_that_begins_comes_first_and_one_that_is_forgotten_goes(runs: PanelPage) -> None:
    new = {**ROWS["a"], "number": 8, "title": "new"}
    runs.tell(rows={"d": new}, order=["d", "a", "b"])
    expect(runs.panel.locator(".cs-called")).to_have_text(["new", "report", "report"])
    expect(runs.panel.locator(".cs-one .cs-run")).to_have_text(["run 8", "run 7", "run 6"])


def test_two_that_are_picked_are_compared_the_older_one_first(runs: PanelPage) -> None:
    compare(runs, COMPARISON)
    (asked,) = runs.sent("compare")
    assert (asked["before"], asked["after"]) == ("c", "b")
    for words in ("`clean` changed", "train: 2 s", "load: 3 s", "0.81 → 0.84", "not kept any more"):
        expect(runs.panel.locator(".cs-compared")).to_contain_text(words)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1400, 330])
def test_everyone_can_use_it_and_it_fits_at_the_side(
    browser: Browser, scheme: str, width: int
) -> None:
    viewport = {"width": width, "height": 900}
    runs = PanelPage(
        browser,
        source=RUNS_SOURCE,
        style=RUNS_STYLE,
        state=STATE,
        color_scheme=scheme,
        viewport=viewport,
    )
    compare(runs, COMPARISON)
    runs.panel.locator("summary").click()
    assert complaints(runs.page, ".cascade-panel") == []
    wide = "() => document.documentElement.scrollWidth"
    assert runs.page.evaluate(wide) <= width
    runs.close()


def test_whatever_texts_people_and_tasks_make_up_they_are_text(runs: PanelPage) -> None:
    row = {**ROWS["a"], "title": EVIL, "headline": EVIL}
    held = {**HELD, "what": EVIL, "does": EVIL, "words": EVIL, "scope": EVIL}
    runs.tell(rows={"a": row}, constraints=[held])
    evil = {
        "title": f"5{EVIL}",
        "changed": [{"words": EVIL, "lines": [EVIL, f"+{EVIL}"], "nodes": EVIL}],
        "slower": [EVIL],
        "faster": [EVIL],
        "values": [[EVIL, EVIL, EVIL]],
        "notes": [EVIL],
    }
    compare(runs, evil)
    runs.tell(ack=1, error=EVIL)
    expect(runs.panel.get_by_role("status").first).to_contain_text("onerror")
    assert runs.page.evaluate("() => window.hacked") is None
    assert runs.panel.locator("img, script").count() == 0
