"""The panel in JupyterLab: what it shows, and what it answers to a click."""

from __future__ import annotations

from dataclasses import dataclass

from playwright.sync_api import Locator, expect
from playwright.sync_api import TimeoutError as TooLate

from tests.support.notebook_page import LabNotebook

#: Of the switch by its name, and not of its element: Lab may show a widget anew.
_WATCH = """
element => {
  window.answers = []
  const name = element.getAttribute('aria-label')
  const note = records => {
    for (const { target } of records) {
      if (target.getAttribute('aria-label') !== name) continue
      const is = name => target.getAttribute(name) === 'true'
      if (!is('aria-busy')) window.answers.push({ on: is('aria-checked'), at: Date.now() / 1000 })
    }
  }
  const seen = { subtree: true, attributeFilter: ['aria-busy'] }
  window.answering?.disconnect()  // of an earlier panel's, which would tell all of it twice
  window.answering = new MutationObserver(note)
  window.answering.observe(document.body, seen)
}
"""


#: Where the kernel has none, clicks arrive as they always did.
_HAS_SUBSHELLS = """
() => {
  const kernel = window.jupyterapp.shell.currentWidget.sessionContext.session?.kernel
  if (!kernel?.supportsSubshells) return true
  return [...kernel._comms.values()].every(comm => comm._subshellId !== null)
}
"""


@dataclass(frozen=True)
class Answer:
    """What became of a click.

    Attributes:
        on: whether the switch is on now.
        clicked, at: when the page saw the click and the answer, in seconds since the epoch.
    """

    on: bool
    clicked: float
    at: float


class LabPanel:
    """The panel below a cell of a notebook."""

    def __init__(self, notebook: LabNotebook, cell: int) -> None:
        self.notebook = notebook
        self.root: Locator = notebook.output(cell, ".cascade-panel")
        try:
            self.root.wait_for()
        except TooLate as late:
            shown = f"instead of a panel there is {notebook.text(cell)!r}"
            raise AssertionError(f"{shown}; the page's console: {notebook.console[-20:]}") from late
        expect(self.root.locator(".cs-title")).not_to_be_empty()
        self.pause = self.root.get_by_role("switch", name="Pause this run")
        self.headline = self.root.locator(".cs-headline")
        self.pause.evaluate(_WATCH)
        # Lab opens the subshell of a widget only after it has shown it.
        notebook.page.wait_for_function(_HAS_SUBSHELLS)

    def click_pause(self) -> float:
        """Flip the switch of the run; returns when the page saw it, in seconds since the epoch."""
        # While a run is being prepared its phase says so and nothing else, and the switch with it.
        self.notebook.wait_until(
            lambda: self.root.get_attribute("data-phase") != "starting", "the run does not begin"
        )
        return self.notebook.click(self.pause)

    def answers(self) -> list[tuple[bool, float]]:
        """State and time of each answer so far."""
        told = self.notebook.page.evaluate("() => window.answers")
        return [(answer["on"], answer["at"]) for answer in told]

    def flip_pause(self) -> Answer:
        """Flip the switch of the run and wait for the answer."""
        before = len(self.answers())
        clicked = self.click_pause()
        self.notebook.wait_until(lambda: len(self.answers()) > before, "no answer to a click")
        on, at = self.answers()[-1]
        return Answer(on, clicked, at)

    def wait_for_phase(self, *phases: str) -> None:
        """Until the run is in one of these."""
        self.notebook.wait_until(
            lambda: self.root.get_attribute("data-phase") in phases,
            f"the panel does not say {' or '.join(phases)}",
        )
