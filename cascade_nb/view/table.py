"""Draws rows of nodes as an HTML table that fits the page it stands on, light or dark.

The table is built element by element; every name is the text of an element. It has no script and
no link. Where a notebook is exported and sanitised, nbconvert shows the text of a style sheet and
the tags that it does not allow: `tbody`, which every table is given, `details`, which would fold a
difference. So how it looks stands at each element, a table is no `table`, nothing is folded, and
what is left of it is its lines.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple
from xml.etree.ElementTree import Element, SubElement, tostring

from cascade_nb.view.picture.labels import clean
from cascade_nb.view.picture.states import LOOKS
from cascade_nb.view.svg.style import colour

ROWS: Final = 200
_NAME: Final = 60
_WORDS: Final = 400
_LINE: Final = 200


class Row(NamedTuple):
    """One row.

    Attributes:
        names: of a node, or of several.
        words: what is to be said of it beside what its group says.
        time: a length of time in words, or nothing.
        nodes: how many it stands for.
    """

    names: str
    words: str = ""
    time: str = ""
    nodes: int = 1


class RowGroup(NamedTuple):
    """Rows below one heading.

    Attributes:
        state: a key of `LOOKS`, shown by its sign and colour.
        heading: what they have in common.
        time: of all of them, in words, or nothing.
        lines: a difference, which stands below the heading.
        rows: them.
    """

    state: str
    heading: str
    time: str
    lines: tuple[str, ...]
    rows: tuple[Row, ...]


def table_html(title: str, notes: Sequence[str], groups: Sequence[RowGroup]) -> str:
    """A table with its title, sentences below it, and at most two hundred rows."""
    root = _add(None, "div", style=_ROOT)
    root.set("class", "cascade-table")
    _add(_add(root, "div"), "b", clean(title, _WORDS))
    for note in notes:
        _add(root, "div", clean(note, _WORDS), _NOTE)
    room = ROWS
    for group in groups[:ROWS]:
        _group(_add(root, "div", style=_GROUP), group, room)
        room = max(0, room - len(group.rows))
    if len(groups) > ROWS:
        _add(root, "div", f"… and {len(groups) - ROWS:,} groups more", _NOTE)
    return tostring(root, encoding="unicode", method="html")


def _group(parent: Element, group: RowGroup, room: int) -> None:
    _heading(_add(parent, "div"), group)
    if group.lines:
        _difference(parent, group.lines)
    table: Element | None = None
    for row in group.rows[:room]:
        if not row.words and not row.time:
            table = None
            _add(parent, "div", clean(row.names, _WORDS), _NAMES)
            continue
        if table is None:
            table = _add(parent, "div", style=_TABLE, role="table")
        line = _add(table, "div", style=_ROW, role="row")
        _add(line, "span", clean(row.names, _WORDS), f"{_CELL};{_MONO}", "cell").tail = " "
        _add(line, "span", clean(row.words, _WORDS), f"{_CELL};{_FAINT}", "cell").tail = " "
        _add(line, "span", clean(row.time, _NAME), f"{_CELL};{_FAINT}", "cell")
    left = sum(row.nodes for row in group.rows[room:])
    if left:
        _add(parent, "div", f"… and {left:,} more", f"padding-left:1.5em;{_FAINT}")


def _heading(parent: Element, group: RowGroup) -> None:
    words = _add(parent, "b")
    coloured = f"color:{colour(_SIGNS[group.state])}" if group.state in _SIGNS else ""
    _add(words, "span", LOOKS[group.state].sign, coloured)
    _add(words, "span", f" {clean(group.heading, _WORDS)}").tail = " "
    _add(parent, "span", clean(group.time, _NAME), f"padding-left:1em;{_FAINT}")


def _difference(parent: Element, lines: Sequence[str]) -> None:
    difference = _add(parent, "pre", style=_CODE)
    for number, text in enumerate(lines):
        kind = {"+": f"color:{colour('done')}", "-": f"color:{colour('failed')}"}
        end = "\n" if number < len(lines) - 1 else ""
        _add(difference, "span", _cleaned(text) + end, kind.get(text[:1], _FAINT))


def _cleaned(line: str) -> str:
    """A line of a difference; the blanks at its beginning, behind its sign too, mean something."""
    code = line[1:].lstrip(" ")
    indent = len(line) - 1 - len(code)
    if line[:1] in ("+", "-", " "):
        return line[0] + " " * min(indent, _LINE) + clean(code, _LINE)
    return clean(line, _LINE)


def _add(
    parent: Element | None, tag: str, text: str = "", style: str = "", role: str = ""
) -> Element:
    said = {name: value for name, value in (("role", role), ("style", style)) if value}
    made = Element(tag, said) if parent is None else SubElement(parent, tag, said)
    made.text = text
    return made


#: By the state of a group, the colour of its sign.
_SIGNS: Final = {"planned": "running", "reused": "done", "held": "held", "queued": "queued"}
_ROOT: Final = f"color:{colour('ink')};font-size:var(--jp-ui-font-size1, 13px);line-height:1.5"
_FAINT: Final = "opacity:.75"
_NOTE: Final = f"max-width:60em;{_FAINT}"
_GROUP: Final = "border-top:1px solid rgba(128,128,128,.3);margin-top:5px;padding-top:5px"
_TABLE: Final = "display:table;padding-left:1.5em"
_ROW: Final = "display:table-row"
_CELL: Final = "display:table-cell;padding:2px 14px 2px 0;max-width:52em"
_MONO: Final = "font-family:var(--jp-code-font-family, monospace)"
_NAMES: Final = f"padding:2px 0 2px 1.5em;overflow-wrap:anywhere;{_MONO}"
# JupyterLab has rules of its own for code.
_CODE: Final = (
    "margin:3px 0 5px 1.5em;padding:4px 8px;font-size:.92em;line-height:1.45;overflow-x:auto;"
    "border-left:2px solid rgba(128,128,128,.4);background:none;color:inherit"
)
