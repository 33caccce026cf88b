"""The form of the parameters as a Jupyter widget: what is synced with the browser."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from cascade_nb.notebook.panel.source import FORM_SOURCE
from cascade_nb.notebook.panel.widget import Listener, SnapshotWidget, with_sheet

#: How it looks.
FORM_STYLE: Final = with_sheet(Path(__file__).with_name("form.css"))


class ParamsWidget(SnapshotWidget):
    """The browser's side is `panel/js/params_form.js`."""

    _esm = FORM_SOURCE
    _css = FORM_STYLE

    def __init__(self, snapshot: Callable[[], dict[str, Any]], listener: Listener) -> None:
        again = "`%cascade params` shows it anew, `%cascade params NAME=VALUE` needs no form"
        super().__init__("Parameters (form)", again, snapshot, listener)
