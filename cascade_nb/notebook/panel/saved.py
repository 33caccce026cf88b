"""Keeps the picture of a run, a few lines of text and its times in the notebook's file.

A widget is not saved, and a notebook that is opened without its kernel says in its place that a
model was not found, even where the same output has a picture as well. So these are outputs of their
own, which are shown before the run, now and then while it goes on, since the notebook may be saved
or its kernel be lost meanwhile, and once more when it is over. When tasks were under way is shown
then.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

from IPython.display import display

from cascade_nb.concurrency.threads import run_in_thread
from cascade_nb.control.words import count_text
from cascade_nb.engine.observing.status import Phase, RunStatus
from cascade_nb.engine.reporting.report import (
    counts_line,
    failure_lines,
    inside_lines,
    standing_lines,
    summary_lines,
    title_line,
)
from cascade_nb.notebook.kernel.shims import LaunchingCell
from cascade_nb.notebook.kernel.task_output import TaskOutput
from cascade_nb.notebook.panel.recorded_times import times_of
from cascade_nb.text import carryable, readable
from cascade_nb.view.graphviz.layout import Rendered
from cascade_nb.view.svg.timeline import draw_times, times_text
from cascade_nb.view.visual import static_bundle, static_metadata

if TYPE_CHECKING:
    from IPython.display import DisplayHandle

    from cascade_nb.engine.runs.run import Run

#: Characters of the tasks' output, from its end, that are kept in the file.
OUTPUT: Final = 8_000


class SavedRun:
    """Outputs of the current cell: a picture, text, and in the end when tasks were under way.

    Args:
        run: just started. Its id stands in all of them, so that a panel beside them can tell that
            they say the same as it.
        output: what its tasks write.
    """

    def __init__(self, run: Run, output: TaskOutput) -> None:
        self._run = run
        self._output = output
        self._started = time.time()
        self._told: object = None
        self._handles: dict[str, DisplayHandle] = {}
        self._picture: Rendered | None = None

    def show_again(self) -> None:
        """Show both below the current cell, whose earlier outputs are gone."""
        self._handles, self._told = {}, None
        self.show_picture(self._picture)
        self.show_text()

    def show_picture(self, rendered: Rendered | None) -> None:
        """Show it, or show it anew; None keeps its place until it is laid out."""
        self._picture = rendered
        if rendered is None:
            text = f"The graph of run {self._run.id} is being drawn."
            self._show("picture", {"text/plain": text}, {})
            return
        data = static_bundle(rendered)
        svg = data.get("image/svg+xml")
        if svg is not None:
            data["image/svg+xml"] = self._named(svg)
        else:
            data["text/plain"] = f"The graph of run {self._run.id}:\n{data['text/plain']}"
        self._show("picture", data, static_metadata(rendered))

    def show_text(self) -> None:
        """Say how the run stands, unless that has been said and only time has passed since."""
        status = self._run.status
        lines = [counts_line(status), *failure_lines(status), *_written(self._output)]
        told = (status.phase, tuple(lines))
        if told == self._told:
            return
        self._told = told
        nodes = count_text(len(self._run.graph), "node")
        head = f"{title_line(status)} · started {_clock(self._started)} · {nodes}"
        if status.phase is Phase.STARTING:
            lines = [head]
        elif status.phase.is_over:
            lines[:1] = [head, *standing_lines(status)]
        else:
            inside = [*standing_lines(status), *inside_lines(status)]
            lines[:1] = [head, f"As of {_clock(time.time())}:", *inside]
        self._show("text", {"text/plain": readable("\n".join(lines))}, {})

    async def show_times(self, cell: LaunchingCell) -> None:
        """Show below `cell` when the tasks of the run, which is over, were under way."""

        def made() -> dict[str, str] | None:
            times = times_of(self._run)
            if times is None:
                return None
            words = f"When the tasks of run {self._run.id} were under way:\n{times_text(times)}"
            return {
                "text/plain": readable(words),
                "image/svg+xml": self._named(draw_times(times)),
            }

        data = await run_in_thread(made)
        if data is not None:
            cell.call(self._show, "times", data, {})

    def _named(self, svg: str) -> str:
        return svg.replace("<svg ", f'<svg data-run="{self._run.id}" ', 1)

    def _show(self, name: str, data: dict[str, Any], metadata: dict[str, Any]) -> None:
        data = carryable(data)
        handle = self._handles.get(name)
        if handle is None:
            shown = display(  # type: ignore[no-untyped-call]
                data, metadata=metadata, raw=True, display_id=True
            )
            assert shown is not None, "a display with an id gives a handle"
            self._handles[name] = shown
        else:
            handle.update(data, metadata=metadata, raw=True)  # type: ignore[no-untyped-call]


def summary(status: RunStatus, output: TaskOutput) -> str:
    """A run in a few lines: what it did, what failed and where, and the end of its output."""
    return "\n".join([*summary_lines(status), *_written(output)])


def _clock(moment: float) -> str:
    """Day and time, as a clock in the kernel's room shows it."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(moment))


def _written(output: TaskOutput) -> list[str]:
    written = "".join(chunk.text for chunk in output.tail(OUTPUT)).rstrip()
    return ["", "Its output, or the end of it:", written] if written else []
