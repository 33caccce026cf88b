"""The panel as a Jupyter widget: what is synced with the browser; nothing here decides anything."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import anywidget
import ipywidgets
import traitlets
from IPython.display import display

from cascade_nb.notebook.kernel.front_end import forgetful_page
from cascade_nb.notebook.panel.source import PANEL_SOURCE
from cascade_nb.text import carryable

_SHEETS: Final = Path(__file__).parent
_NAMES: Final = ("panel.css", "canvas.css", "drawer.css", "timeline.css", "cells.css")
#: How it looks.
STYLE: Final = "\n".join((_SHEETS / name).read_text(encoding="utf-8") for name in _NAMES)

Listener = Callable[[Mapping[str, Any]], object]


def with_sheet(sheet: Path) -> str:
    """The panel's looks, and behind them those of a widget's own sheet."""
    return "\n".join([STYLE, sheet.read_text(encoding="utf-8")])


class SnapshotWidget(anywidget.AnyWidget):
    """A widget that tells a browser everything when it is asked, and else what changed.

    Attributes:
        snapshot: everything that is shown, for browsers that ask for it late: a second window, a
            page that was loaded again. It is made when it is asked for and never sent as an update.

    Args:
        name: what a frontend without widgets shows.
        again: what to type where it is gone, in words; see `forgetful_page`.
        snapshot: makes the snapshot.
        listener: is given the browser's custom messages, in whatever thread they come.
    """

    snapshot = traitlets.Dict().tag(sync=True)

    def __init__(
        self, name: str, again: str, snapshot: Callable[[], dict[str, Any]], listener: Listener
    ) -> None:
        self._name = name
        self._again = again
        self._make_snapshot = snapshot
        self._listener = listener
        super().__init__()
        self.on_msg(lambda _widget, content, _buffers: self._listener(content))

    def show(self) -> None:
        """Show it below the current cell, and where the page will forget it, what to type then."""
        display(self)  # type: ignore[no-untyped-call]
        page = forgetful_page()
        if page is not None:
            words = f"{page} forgets this when its page is loaded again: {self._again}."
            display({"text/plain": words}, raw=True)  # type: ignore[no-untyped-call]

    def get_state(self, key: Any = None, drop_defaults: bool = False) -> dict[str, Any]:
        """The synced state, with a snapshot of this moment where it is among what is asked for."""
        state: dict[str, Any] = super().get_state(key, drop_defaults)
        if "snapshot" in state:
            state["snapshot"] = self._make_snapshot()
        return carryable(state)  # type: ignore[no-any-return]

    def send(self, content: Any, buffers: Any = None) -> None:
        """Tell the browser, whatever text people and tasks have put into it."""
        super().send(carryable(content), buffers)

    def __repr__(self) -> str:
        return self._name


class PanelWidget(SnapshotWidget):
    """The panel of a run. The browser's side is `js/panel.js`.

    Attributes:
        svg: the picture of the graph, set once for each topology; patches name what changed on it.
        displays: what tasks displayed, or None as long as nothing was.
        since: what became stale since the run was over, in a sentence.
        cells: by cell of the notebook, how its nodes stand since the run was over; nothing as long
            as it goes on, when patches say so.

    Args:
        title: of the run.
        number: of the run.
        snapshot, listener: as of every `SnapshotWidget`.
    """

    _esm = PANEL_SOURCE
    _css = STYLE
    svg = traitlets.Unicode("").tag(sync=True)
    since = traitlets.Unicode("").tag(sync=True)
    cells = traitlets.Dict().tag(sync=True)
    displays = traitlets.Instance(ipywidgets.Output, allow_none=True).tag(
        sync=True, **ipywidgets.widget_serialization
    )

    def __init__(
        self, title: str, number: int, snapshot: Callable[[], dict[str, Any]], listener: Listener
    ) -> None:
        again = (
            f"`%cascade panel {number}` shows it anew, `%cascade status` says how the run is, and "
            "`%cascade pause`, `resume` and `cancel` need no panel. Nor can it notify you there; "
            "`cs.notify` does"
        )
        super().__init__(f"{title} · run {number} (panel)", again, snapshot, listener)

    def show_displays(self, bundles: tuple[dict[str, Any], ...]) -> None:
        """Show these display outputs, as nbformat has them, and no others."""
        if self.displays is None:
            self.displays = ipywidgets.Output()
        self.displays.outputs = carryable(bundles)

    def rest(self, last: dict[str, Any], also: Listener) -> None:
        """From now on show this: ipywidgets keeps every widget, and none shall keep a run that is
        over.

        Args:
            last: what the page is told.
            also: hears everything else, and keeps no run either.
        """
        self._make_snapshot = lambda: last
        self._listener = lambda message: self._say_again(message, last, also)

    def _say_again(
        self, message: Mapping[str, Any], last: Mapping[str, Any], also: Listener
    ) -> None:
        if message.get("type") == "hello":
            self.send({"type": "patch", **last})
        else:
            also(message)
