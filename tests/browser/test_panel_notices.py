"""The panel tells who looks elsewhere, where the browser allows it; in a bare page."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.test_panel_questions import asked
from tests.support.panel_page import PanelPage

#: Writes down what a browser would show, since nobody can look at that; and who has the focus.
BROWSER = """
permission => {
  window.told = []
  window.Notification = class {
    static permission = permission
    static async requestPermission() { Notification.permission = 'granted' }
    constructor(title, { body }) { window.told.push(`${title}: ${body}`) }
  }
  document.hasFocus = () => window.looks ?? false
}
"""


@pytest.fixture
def panel(browser: Browser) -> Iterator[PanelPage]:
    page = PanelPage(browser)
    yield page
    page.close()


def told(panel: PanelPage) -> list[str]:
    found: list[str] = panel.page.evaluate("() => window.told")
    return found


def allow(panel: PanelPage, permission: str = "granted") -> None:
    panel.page.evaluate(BROWSER, permission)


def test_the_tab_says_how_far_the_run_is_and_how_it_ended_to_who_looks_elsewhere(
    panel: PanelPage,
) -> None:
    """Others write the title too, JupyterLab as its tabs change; hidden is what nobody looks at."""
    hide = "on => Object.defineProperty(document, 'hidden', { value: on, configurable: true })"
    title = "title => document.title = title"
    panel.page.evaluate(title, "a.ipynb")
    counts = {"done": 3, "reused": 0, "total": 12, "failed": 0, "skipped": 0, "running": 2}
    panel.tell(phase="running", ended=False, counts=counts)
    expect(panel.page).to_have_title("▶ 25 % · a.ipynb")
    panel.page.evaluate(title, "b.ipynb")
    expect(panel.page).to_have_title("▶ 25 % · b.ipynb")
    panel.page.evaluate(hide, True)
    panel.tell(phase="failed", ended=True)
    expect(panel.page).to_have_title("✕ · b.ipynb")
    panel.page.evaluate(hide, False)
    expect(panel.page).to_have_title("b.ipynb")


#: Which icons the page has, as a browser chooses among them, and whether each is a picture.
ICONS = """
async () => (await Promise.all([...document.querySelectorAll("link[rel=icon]")].map(async link => {
  const image = new Image()
  image.src = link.href
  await image.decode()
  return [link.className, link.dataset.sign ?? "", image.width > 0]
}))).sort()
"""


def test_the_tabs_icon_says_how_the_run_is_beside_those_that_jupyter_changes(
    panel: PanelPage,
) -> None:
    """Lab marks a busy kernel by another icon of its own, at any moment, and undoes that."""
    page = panel.page
    page.evaluate(
        """() => {
          const dot = document.createElement("canvas")
          dot.width = dot.height = 16
          for (const kind of ["idle", "busy"]) {
            const link = document.createElement("link")
            link.className = `${kind} favicon`
            link.rel = kind === "idle" ? "icon" : ""
            link.href = dot.toDataURL()
            document.head.append(link)
          }
          // as JupyterLab does
          window.busy = on => {
            const [before, now] = on ? ["idle", "busy"] : ["busy", "idle"]
            const old = document.querySelector(`link[rel="icon"].${before}.favicon`)
            const made = document.querySelector(`link.${now}.favicon`)
            old.rel = ""
            made.rel = "icon"
            made.parentNode.replaceChild(made, made)
          }
        }"""
    )
    counts = {"done": 3, "reused": 0, "total": 12, "failed": 0, "skipped": 0, "running": 2}
    panel.tell(phase="running", ended=False, counts=counts)
    assert page.evaluate(ICONS) == [["cascade-icon", "▶", True], ["idle favicon", "", True]]
    page.evaluate("busy(true)")
    panel.tell(counts={**counts, "running": 0, "held": 9})
    assert page.evaluate(ICONS) == [["busy favicon", "", True], ["cascade-icon", "‖", True]]
    page.evaluate("busy(false)")
    page.evaluate("Object.defineProperty(document, 'hidden', { value: true, configurable: true })")
    for phase, sign in (("failed", "✕"), ("succeeded", "✓"), ("cancelled", "■")):
        panel.tell(phase=phase, ended=True)
        assert page.evaluate(ICONS) == [["cascade-icon", sign, True], ["idle favicon", "", True]]
    page.evaluate("window.closeFirst()")
    assert page.evaluate(ICONS) == [["idle favicon", "", True]]


def test_an_end_a_question_and_a_hold_by_itself_are_told(panel: PanelPage) -> None:
    allow(panel)
    panel.tell(questions=[asked("Go on?")])
    panel.tell(headline=["Running 3 tasks"])
    panel.tell(
        questions=[],
        headline=["Nothing is running: fetch tasks paused just now by the breaker: 3 failures"],
    )
    panel.tell(headline=["Paused just now by you"])
    panel.tell(ended=True, phase="failed", headline=["Failed after 3 s · <b>x</b>"])
    panel.tell(ended=True)
    assert told(panel) == [
        "report: q asks: Go on?",
        "report: Nothing is running: fetch tasks paused just now by the breaker: 3 failures",
        "report: Failed after 3 s · <b>x</b>",
    ]


def test_who_looks_is_not_told_and_who_has_said_no_is_not_asked(panel: PanelPage) -> None:
    allow(panel)
    panel.page.evaluate("() => { window.looks = true }")
    panel.tell(questions=[asked("Go on?")])
    assert told(panel) == []
    button = panel.panel.locator(".cs-notify")
    expect(button).to_be_hidden()
    allow(panel, "denied")
    panel.tell(questions=[])
    panel.tell(questions=[asked("Go on?")])
    expect(button).to_be_hidden()
    assert told(panel) == []


def test_a_click_asks_the_browser_and_nothing_else_does(panel: PanelPage) -> None:
    allow(panel, "default")
    panel.tell(headline=["Running 3 tasks"])
    button: Any = panel.panel.get_by_role("button", name="Notify me")
    expect(button).to_be_visible()
    panel.tell(ended=False, questions=[asked("One?", name="one")])
    assert told(panel) == []
    button.click()
    expect(button).to_be_hidden()
    panel.tell(questions=[asked("Two?", name="two")])
    assert told(panel) == ["report: two asks: Two?"]
