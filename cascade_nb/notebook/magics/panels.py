"""Shows the panel of a run, and shows it again below another cell.

A panel's widget may be looked at in as many places as one likes, and it outlives its run: what it
shows then is how the run ended.
"""

from __future__ import annotations

from argparse import Namespace
from typing import Final

from cascade_nb.engine.runs.run import Run
from cascade_nb.notebook.kernel.shims import is_headless, running_kernel
from cascade_nb.notebook.kernel.task_output import TaskOutput
from cascade_nb.notebook.overview.in_words import here_in_words, in_force_in_words
from cascade_nb.notebook.panel.panel import Panel
from cascade_nb.notebook.panel.saved import summary
from cascade_nb.notebook.session import Session
from cascade_nb.notebook.shell import say

MOST: Final = 200  # panels that can be shown again, as many as there are runs that are remembered


def open_panel(session: Session, run: Run, output: TaskOutput | None = None) -> Panel | None:
    """Show the panel of a run below the current cell; None at a prompt, which has no panels.

    Args:
        session: remembers it.
        run: just started, or at whatever point it is.
        output: what its tasks write, where that is taken already.
    """
    if running_kernel() is None:
        return None
    panel = Panel.open(run, output=output)
    run.is_shown = not panel.headless
    if panel.widget is not None:
        panels = session.panels
        panels[run.id] = panel.widget
        while len(panels) > MOST:
            del panels[next(iter(panels))]
    return panel


def show_panel(session: Session, given: Namespace, _awaited: bool) -> None:
    """Show the panel of all runs, or that of one again; where there can be none, say how it is."""
    if given.run is None:
        _show_overview(session)
        return
    status = session.status_named(given.run)
    widget = session.panels.get(status.run_id)
    if widget is not None:
        widget.show()
        return
    run = next((one for one in session.runs() if one.id == status.run_id), None)
    if run is None or is_headless() or open_panel(session, run) is None:
        say(summary(status, TaskOutput()))


def _show_overview(session: Session) -> None:
    """All runs: alive where there is a page, and in words, which stay in the saved notebook."""
    say("\n\n".join(filter(None, [here_in_words(session), in_force_in_words(session)])))
    if running_kernel() is None or is_headless():
        return
    if session.overview is None:
        # Loading ipywidgets takes a while, and not every notebook asks for this.
        from cascade_nb.notebook.overview.overview import Overview  # noqa: PLC0415

        session.overview = Overview(session)
    session.overview.show()
