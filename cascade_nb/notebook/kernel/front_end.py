"""Knows the pages that keep no widget when they are loaded again, by the marks that they document.

JupyterLab and Notebook ask the kernel for a widget's state and show it again. Colab and VS Code do
not, so a widget there needs a line beside it with the command that shows it anew.

========= ==========================================================================================
Colab     its kernels have loaded `google.colab`; anywidget calls what lets other people's widgets
          in there (`google.colab.output.enable_custom_widget_manager`)
VS Code   a cell's id is the address of a document of VS Code; where another page names no cells,
          VS Code's Jupyter extension has put the path of the notebook into the user's names
========= ==========================================================================================
"""

from __future__ import annotations

import sys
from typing import Any, Final

from IPython import get_ipython

#: What a cell's id begins with, and what the user's names have.
_ADDRESS: Final = "vscode-"
_PATH: Final = "__vsc_ipynb_file__"


def forgetful_page() -> str | None:
    """The page of the current cell, where it forgets its widgets: "Colab" or "VS Code"."""
    shell = get_ipython()
    if shell is None:
        return None
    if "google.colab" in sys.modules:
        return "Colab"
    request: dict[str, Any] = getattr(shell, "get_parent", dict)() or {}
    cell = (request.get("metadata") or {}).get("cellId")
    is_code = str(cell).startswith(_ADDRESS) if cell else _PATH in shell.user_ns
    return "VS Code" if is_code else None
