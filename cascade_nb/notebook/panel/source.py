"""Puts the panel's JavaScript modules together as the one that a widget may have.

A widget's code comes to the page as one text, where an import of a neighbour would find nothing. So
the modules stand one below the other, those that others import first, without their import lines:
no tool has to build anything, neither here nor where it is installed.
"""

from __future__ import annotations

import re
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Final

_FOLDER: Final = Path(__file__).parent / "js"
_IMPORT: Final = re.compile(r'^import \{[^}]*\} from "\./(\w+)\.js"\n', re.MULTILINE)
_EXPORT: Final = re.compile(r"^export (?!default)", re.MULTILINE)


def _put_together(entry: str) -> str:
    """One text of a module and of all that it imports."""
    texts: dict[str, str] = {}
    left = [entry]
    while left:
        name = left.pop()
        if name not in texts:
            texts[name] = (_FOLDER / f"{name}.js").read_text(encoding="utf-8")
            left += _IMPORT.findall(texts[name])
    needs = {name: _IMPORT.findall(text) for name, text in sorted(texts.items())}
    in_order = TopologicalSorter(needs).static_order()
    return "\n".join(_EXPORT.sub("", _IMPORT.sub("", texts[name])) for name in in_order)


#: The panel of one run as one module, whose default export is the widget; the same for the form of
#: the parameters, and for the panel of all runs.
PANEL_SOURCE: Final = _put_together("panel")
FORM_SOURCE: Final = _put_together("params_form")
RUNS_SOURCE: Final = _put_together("runs_panel")
