"""The panel of all runs as a Jupyter widget: what is synced with the browser."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from cascade_nb.notebook.panel.source import RUNS_SOURCE
from cascade_nb.notebook.panel.widget import Listener, SnapshotWidget, with_sheet

#: How it looks.
RUNS_STYLE: Final = with_sheet(Path(__file__).with_name("runs.css"))


class RunsWidget(SnapshotWidget):
    """The browser's side is `panel/js/runs_panel.js`."""

    _esm = RUNS_SOURCE
    _css = RUNS_STYLE

    def __init__(self, snapshot: Callable[[], dict[str, Any]], listener: Listener) -> None:
        again = "`%cascade panel` shows it anew, `%cascade status` says how runs are"
        super().__init__("Runs of this kernel (panel)", again, snapshot, listener)
