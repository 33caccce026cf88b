"""The form of the parameters as a Jupyter widget: what is synced with the browser."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from cascade_nb.notebook.panel.source import FORM_SOURCE
from cascade_nb.notebook.panel.widget import SHEETS, STYLE, Listener, SnapshotWidget

_SHEET: Final = SHEETS / "form.css"


class ParamsWidget(SnapshotWidget):
    """The browser's side is `panel/js/params_form.js`; its looks are the panel's, and its own."""

    _esm = FORM_SOURCE
    _css = "\n".join([STYLE, _SHEET.read_text(encoding="utf-8")])

    def __init__(self, snapshot: Callable[[], dict[str, Any]], listener: Listener) -> None:
        super().__init__("Parameters (form)", snapshot, listener)
