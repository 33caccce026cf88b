"""Reads a notebook for the nodes that it defines, in an IPython of this process, to run them or to
write them as a module: no kernel, no page, and no run of its own.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, NamedTuple

from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

from cascade_nb.errors import CascadeError, UsageError
from cascade_nb.graph.build import Bindings
from cascade_nb.notebook.cells.needed_lines import SourceCell, needed_cells
from cascade_nb.notebook.export.cells import note_read
from cascade_nb.notebook.export.flow import Wanted, prepared
from cascade_nb.notebook.extension import load_ipython_extension, session_of
from cascade_nb.notebook.session import Session

_HEAD: Final = re.compile(r"\s*%%cascade\b[^\n]*")
#: What a cell asks of runs is left out; what holds for the run to come is not.
_ASKS: Final = re.compile(
    r"^([ \t]*)(?:\w+\s*=\s*)?%cascade\s+(?!limit\b|rate\b|breaker\b|guard\b|state\b)\S.*$",
    re.MULTILINE,
)
_HOLDS: Final = re.compile(r"^%cascade\s+(?:limit|rate|breaker|guard|state)\b.*$", re.MULTILINE)


class ReadNotebook(NamedTuple):
    """A notebook that was read.

    Attributes:
        names: of its nodes.
        target: what a name means; raises a `UsageError` where that is nothing to run.
        bindings: what names mean to one another.
    """

    names: list[str]
    target: Callable[[str], Any]
    bindings: Bindings


def read_notebook(path: Path, wanted: str, *, with_state: bool = True) -> ReadNotebook:
    """Run the `%%cascade` cells of a notebook, and what these need of the others.

    Args:
        path: of the notebook.
        wanted: the name that is asked for; it may be bound in a plain cell.
        with_state: whether it says where results are kept.

    Raises:
        UsageError: it is no notebook, or a cell of it fails.
    """
    session = _read(path, [wanted], with_state)
    here = session.workspace
    return ReadNotebook(list(here.meanings()), lambda name: session.targets([name])[1], here)


def export_notebook(path: Path, wanted: Wanted) -> list[str]:
    """Write what a notebook defines as a module.

    Args:
        path: of the notebook.
        wanted: what of it, and where to.

    Returns:
        Lines that say what was written.

    Raises:
        UsageError: it is no notebook, a cell of it fails, or it cannot be a module.
    """
    return prepared(_read(path, wanted.names, with_state=False), wanted)()


def _read(path: Path, wanted: list[str], with_state: bool) -> Session:
    texts = _code_cells(path)
    shell = _shell()
    load_ipython_extension(shell)
    session = session_of(shell)
    cells = needed_cells(_prepared(shell, texts, with_state), wanted)
    note_read(session, [(one.number, one.text) for one in cells])
    for cell in cells:
        shell.execution_count = cell.number  # what messages call it
        done: Any = shell.run_cell(cell.text, store_history=False, silent=False)
        error = done.error_before_exec or done.error_in_exec
        if error is not None:
            what = str(error) if isinstance(error, CascadeError) else _words(error)
            raise UsageError(f"cell {cell.number} of {path} failed: {what}") from error
    return session


def _prepared(shell: Any, texts: list[str], with_state: bool) -> list[SourceCell]:
    """Cells, each as it is to be run."""
    cells = []
    for number, text in enumerate(texts, 1):
        head = _HEAD.match(text)
        if head is not None:
            body = _ASKS.sub(r"\1pass", text[head.end() :])
            python = shell.transform_cell(body)
            cells.append(SourceCell(number, f"%%cascade --quiet{body}", python, defines=True))
            continue
        cells += [
            SourceCell(number, line, "", defines=True)
            for line in _HOLDS.findall(text)
            if with_state or line.split()[1] != "state"
        ]
        if not text.lstrip().startswith("%%"):  # another magic's
            python = shell.transform_cell(text)
            cells.append(SourceCell(number, python, python, defines=False))
    return cells


def _code_cells(path: Path) -> list[str]:
    if path.exists() and not path.is_file():  # of a pipe nobody knows when it ends
        raise UsageError(f"{path} is no file")
    try:
        said = json.loads(path.read_text(encoding="utf-8"))
        return ["".join(cell["source"]) for cell in said["cells"] if cell["cell_type"] == "code"]
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror or error}") from None
    except (ValueError, TypeError, LookupError) as error:
        raise UsageError(f"{path} is no notebook: {error}") from None


def _shell() -> Any:
    """A shell that keeps no history, and lets us say what failed."""
    config = Config()
    config.HistoryManager.enabled = False
    shell: Any = InteractiveShell.instance(config=config)
    shell.showtraceback = lambda *_args, **_more: None
    shell.showsyntaxerror = lambda *_args, **_more: None
    shell.showindentationerror = lambda *_args, **_more: None
    return shell


def _words(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"
