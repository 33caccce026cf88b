"""The panel of all runs as a Jupyter widget: what is synced with the browser."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import anywidget
import traitlets

from cascade_nb.notebook.panel.source import RUNS_SOURCE
from cascade_nb.notebook.panel.widget import STYLE
from cascade_nb.text import carryable

_SHEET: Final = Path(__file__).parent / "runs.css"
#: How it looks; what it shares with the panel of one run is that one's.
RUNS_STYLE: Final = "\n".join([STYLE, _SHEET.read_text(encoding="utf-8")])


class RunsWidget(anywidget.AnyWidget):
    """The browser's side is `js/runs_panel.js`.

    Attributes:
        snapshot: everything that is shown, for browsers that ask for it late. It is made when it is
            asked for and never sent as an update.

    Args:
        snapshot: makes the snapshot.
        listener: is given the browser's custom messages, in whatever thread they come.
    """

    _esm = RUNS_SOURCE
    _css = RUNS_STYLE
    snapshot = traitlets.Dict().tag(sync=True)

    def __init__(
        self,
        snapshot: Callable[[], dict[str, Any]],
        listener: Callable[[Mapping[str, Any]], object],
    ) -> None:
        self._make_snapshot = snapshot
        super().__init__()
        self.on_msg(lambda _widget, content, _buffers: listener(content))

    def get_state(self, key: Any = None, drop_defaults: bool = False) -> dict[str, Any]:
        """The synced state, with a snapshot of this moment where it is among what is asked for."""
        state: dict[str, Any] = super().get_state(key, drop_defaults)
        if "snapshot" in state:
            state["snapshot"] = self._make_snapshot()
        return carryable(state)  # type: ignore[no-any-return]

    def send(self, content: Any, buffers: Any = None) -> None:
        """Tell the browser, whatever text people have put into it."""
        super().send(carryable(content), buffers)

    def __repr__(self) -> str:
        return "Runs of this kernel (panel)"
