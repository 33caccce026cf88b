"""What of a run stays in the notebook's file: its picture and a few lines of text.

A widget is not saved, and a notebook that is opened without its kernel says in its place that a
model was not found, even where the same output has a picture as well. So these are outputs of their
own, which are shown before the run and written once more when it is over.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from IPython.display import display

from cascade_nb.control.words import count_text, seconds_text
from cascade_nb.engine.status import RunStatus
from cascade_nb.notebook.output import TaskOutput
from cascade_nb.view.layout import Rendered
from cascade_nb.view.visual import static_bundle, static_metadata

if TYPE_CHECKING:
    from IPython.display import DisplayHandle

#: Characters of the tasks' output, from its end, and number of failures that are kept in the file.
OUTPUT: Final = 8_000
FAILURES: Final = 20


class SavedRun:
    """Two outputs of the current cell: a picture, and text.

    Args:
        run_id: stands in both, so that a panel beside them can tell that they say the same as it.
    """

    def __init__(self, run_id: str) -> None:
        self._run_id = run_id
        self._handles: dict[str, DisplayHandle] = {}

    def show_picture(self, rendered: Rendered | None) -> None:
        """Show it, or show it anew; None keeps its place until it is laid out."""
        if rendered is None:
            text = f"The graph of run {self._run_id} is being drawn."
            self._show("picture", {"text/plain": text}, {})
            return
        data = static_bundle(rendered)
        if rendered.svg is not None:
            named = f'<svg data-run="{self._run_id}" '
            data["image/svg+xml"] = rendered.svg.replace("<svg ", named, 1)
        self._show("picture", data, static_metadata(rendered))

    def show_text(self, text: str) -> None:
        """Show it, or show it anew."""
        self._show("text", {"text/plain": text}, {})

    def _show(self, name: str, data: dict[str, Any], metadata: dict[str, Any]) -> None:
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
    counts = [f"{status.done + status.reused:,} of {status.total:,} done"]
    for name in ("reused", "failed", "skipped", "cancelled", "running", "waiting", "held"):
        number = getattr(status, name)
        if number:
            counts.append(f"{number:,} {name}")
    lines = [
        f"{status.title} · run {status.number} ({status.run_id})",
        status.headline,
        f"{', '.join(counts)} · {seconds_text(status.elapsed)}",
    ]
    for failure in status.failures[:FAILURES]:
        place = f"\n    {failure.where}" if failure.where else ""
        lines.append(f"✕ {failure.task}: {failure.error}{place}")
    if len(status.failures) > FAILURES:
        lines.append(f"… and {count_text(len(status.failures) - FAILURES, 'failure')} more")
    written = "".join(chunk.text for chunk in output.tail(OUTPUT)).rstrip()
    if written:
        lines += ["", "Its output, or the end of it:", written]
    return "\n".join(lines)
