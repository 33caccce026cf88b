"""Asks what is to be done where a cell is run again, as it was, whose run goes on.

Nothing waits for the answer, so that Run All comes to its end: until one is given, the run that
goes on is what the cell shows and gives. A headless execution is not asked.
"""

from __future__ import annotations

import asyncio
import html
from collections.abc import Callable
from typing import Any

from IPython.display import display

from cascade_nb.concurrency.loop_portal import LoopPortal
from cascade_nb.control.words import seconds_text
from cascade_nb.engine.runs.run import Run
from cascade_nb.notebook.kernel.shims import LaunchingCell
from cascade_nb.notebook.panel.panel import Panel
from cascade_nb.notebook.session import Session
from cascade_nb.notebook.shell import say

#: What the buttons say.
SHOW, CANCEL, BOTH = "Show it", "Cancel it, run anew", "Let both run"


def ask_whether_again(session: Session, going: Run, start: Callable[[], Any]) -> None:
    """Show the run that goes on, and ask; call it on the kernel's loop.

    Args:
        session: has its panel.
        going: what the cell has started before.
        start: starts another, and shows it below the cell that runs then.
    """
    _Question(going, start).show()
    panel = Panel.of(going)
    if panel is not None:
        panel.show_again()
    elif (widget := session.panels.get(going.id)) is not None:
        widget.show()
    else:
        say(repr(going))


class _Question:
    """The line with its buttons, until one of them is pressed."""

    def __init__(self, going: Run, start: Callable[[], Any]) -> None:
        # Loading ipywidgets takes a while, and not every notebook asks this.
        import ipywidgets  # noqa: PLC0415

        self._going = going
        self._start = start
        self._portal = LoopPortal(asyncio.get_running_loop())
        self._cell = LaunchingCell()
        status = going.status
        asks = (
            f"Run {status.number} of {status.title}, which this cell has started, has been going "
            f"on for {seconds_text(status.elapsed)}, with what was defined then. Nothing new was "
            "started:"
        )
        self._words = ipywidgets.HTML(html.escape(asks))
        chosen = {SHOW: self._show, CANCEL: self._cancel, BOTH: self._both}
        self._buttons = [_button(ipywidgets, words, does) for words, does in chosen.items()]
        layout = ipywidgets.Layout(flex_flow="row wrap", align_items="center", grid_gap="4px")
        self._row = ipywidgets.HBox([self._words, *self._buttons], layout=layout)

    def show(self) -> None:
        """Show it below the current cell."""
        display(self._row)  # type: ignore[no-untyped-call]
        self._going.add_done_callback(lambda _: self._portal.call(self._over))

    # ---- what was pressed: in any thread ---------------------------------------------------------

    def _show(self, _button: object) -> None:
        self._answered(f"Run {self._going.number} is shown; nothing new was started.")

    def _cancel(self, _button: object) -> None:
        self._answered(f"Run {self._going.number} is being cancelled; then this runs anew.")
        self._going.add_done_callback(lambda _: self._begin())
        self._portal.call(lambda: self._going.cancel("its cell was run again"))

    def _both(self, _button: object) -> None:
        self._answered(f"Run {self._going.number} goes on beside the new one.")
        self._begin()

    def _begin(self) -> None:
        self._portal.call(lambda: self._cell.call(self._start))

    def _answered(self, words: str) -> None:
        self._row.children = (self._words,)
        self._words.value = html.escape(words)
        for button in self._buttons:  # ipywidgets keeps every open one, and with it the run
            button.close()
        self._buttons = []

    def _over(self) -> None:
        """Where nobody answered before it was over there is nothing to ask any more."""
        if len(self._row.children) > 1:
            self._answered(f"Run {self._going.number} is over: run the cell again for a new one.")


def _button(ipywidgets: Any, words: str, pressed: Callable[[object], None]) -> Any:
    button = ipywidgets.Button(description=words, layout=ipywidgets.Layout(width="auto"))
    button.on_click(pressed)
    return button
