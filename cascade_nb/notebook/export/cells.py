"""Finds the cells that a shell has run, as Python, in the order in which it ran them."""

from __future__ import annotations

import re
from typing import Any, Final
from weakref import WeakKeyDictionary

from cascade_nb.notebook.export.statements import RunCell
from cascade_nb.notebook.session import Session
from cascade_nb.notebook.shell import running_cell

_DEFINES: Final = re.compile(r"%%cascade\b[^\n]*")
#: What runs the rest of a cell in the user's namespace.
_AROUND: Final = re.compile(r"%%(?:time|capture|prun)\b[^\n]*")
_FUTURE: Final = re.compile(r"^from __future__ import [^\n]*\bannotations\b", re.MULTILINE)

#: By number of a cell that was run, what the frontend calls it.
_keys: Final[WeakKeyDictionary[Session, dict[int, str]]] = WeakKeyDictionary()
#: What was run of a notebook that nobody sits at, each with its number.
_read: Final[WeakKeyDictionary[Session, list[tuple[int, str]]]] = WeakKeyDictionary()
#: By number of a cell that imported a module as the workspace, its name and text.
_imported: Final[WeakKeyDictionary[Session, dict[int, tuple[str, str]]]] = WeakKeyDictionary()


def note_read(session: Session, cells: list[tuple[int, str]]) -> None:
    """These are the cells of a notebook that is read without a history."""
    _read[session] = cells


def note_cell(session: Session, result: Any) -> None:
    """A cell was run, with this result of IPython's."""
    number, info = result.execution_count, result.info
    if number is not None and info is not None and info.cell_id is not None:
        _keys.setdefault(session, {})[number] = info.cell_id


def note_import(session: Session, number: int, name: str, text: str) -> None:
    """Cell `number` has imported a module of this name and text as the workspace."""
    _imported.setdefault(session, {})[number] = name, text


def run_cells(session: Session) -> list[RunCell]:
    """The cells that were run, and before the cell that imported a module the lines of that."""
    if session in _read:
        return [_cell(session, number, text) for number, text in _read[session]]
    history = getattr(session.shell, "history_manager", None)
    texts = history.input_hist_raw if history is not None else []
    found, imported, keys = [], _imported.get(session, {}), _keys.get(session, {})
    first = running_cell(session.shell).number - len(texts) + 1  # above 0 after a %reset
    for number, text in enumerate(texts, first):
        if number in imported:
            found.append(RunCell(*imported[number], defines=False))
        if text.strip():
            found.append(_cell(session, number, text)._replace(key=keys.get(number, "")))
    return found


def has_annotations_as_texts(session: Session) -> bool:
    """Whether a cell has asked for that, which holds for all after it."""
    return any(_FUTURE.search(cell.python) for cell in run_cells(session))


def _cell(session: Session, number: int, text: str) -> RunCell:
    """A cell whose lines stand where they were."""
    lines = text.split("\n")
    defines, head = False, 0
    for place, line in enumerate(map(str.strip, lines), 1):
        if defines := _DEFINES.match(line) is not None:
            head = place
            break
        if _AROUND.match(line):
            head = place
        elif line and not line.startswith("#"):
            break
    body = "\n".join(lines[head:])
    # IPython takes empty lines away at the beginning.
    blank = next((i for i, line in enumerate(lines[head:]) if line.strip()), 0)
    python = "\n" * (head + blank) + session.shell.transform_cell(body)
    return RunCell(f"In[{number}]", python, defines)
