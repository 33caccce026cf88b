"""Draws rows of nodes as an HTML table that fits the page it stands on, light or dark.

The table is built element by element; every name is the text of an element. It has no script and
no link, and says the same without its style sheet.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple
from xml.etree.ElementTree import Element, SubElement, tostring

from cascade_nb.view.picture.labels import clean
from cascade_nb.view.picture.states import LOOKS
from cascade_nb.view.svg.style import themed

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
        lines: a difference, which stands folded below the heading.
        rows: them.
    """

    state: str
    heading: str
    time: str
    lines: tuple[str, ...]
    rows: tuple[Row, ...]


def table_html(title: str, notes: Sequence[str], groups: Sequence[RowGroup]) -> str:
    """A table with its title, sentences below it, and at most two hundred rows."""
    root = Element("div", {"class": "cascade-table"})
    _add(root, "style", _SHEET)
    _add(root, "p", clean(title, _WORDS), "head")
    for note in notes:
        _add(root, "p", clean(note, _WORDS), "note")
    table = SubElement(root, "table")
    room = ROWS
    for group in groups[:ROWS]:
        _group(table, group, room)
        room = max(0, room - len(group.rows))
    if len(groups) > ROWS:
        _add(root, "p", f"… and {len(groups) - ROWS:,} groups more", "note")
    return tostring(root, encoding="unicode", method="html")


def _group(table: Element, group: RowGroup, room: int) -> None:
    body = SubElement(table, "tbody", {"data-state": group.state})
    head = SubElement(body, "tr", {"class": "group"})
    title = SubElement(head, "th", {"scope": "rowgroup", "colspan": "2"})
    into = title
    if group.lines:
        details = SubElement(title, "details")
        into = SubElement(details, "summary")
        _difference(details, group.lines)
    _add(into, "span", LOOKS[group.state].sign, "sign")
    _add(into, "span", f" {clean(group.heading, _WORDS)}")
    _add(head, "td", clean(group.time, _NAME), "time")
    for row in group.rows[:room]:
        line = SubElement(body, "tr")
        names = {"class": "name"} if row.words or row.time else {"class": "name", "colspan": "3"}
        SubElement(line, "td", names).text = clean(row.names, _WORDS)
        if row.words or row.time:
            _add(line, "td", clean(row.words, _WORDS), "words")
            _add(line, "td", clean(row.time, _NAME), "time")
    left = sum(row.nodes for row in group.rows[room:])
    if left:
        line = SubElement(body, "tr")
        SubElement(line, "td", {"colspan": "3", "class": "left"}).text = f"… and {left:,} more"


def _difference(parent: Element, lines: Sequence[str]) -> None:
    difference = SubElement(parent, "pre")
    for number, text in enumerate(lines):
        kind = {"+": "came", "-": "went"}.get(text[:1], "same")
        end = "\n" if number < len(lines) - 1 else ""
        _add(difference, "span", _cleaned(text) + end, kind)


def _cleaned(line: str) -> str:
    """A line of a difference; the blanks at its beginning, behind its sign too, mean something."""
    code = line[1:].lstrip(" ")
    indent = len(line) - 1 - len(code)
    if line[:1] in ("+", "-", " "):
        return line[0] + " " * min(indent, _LINE) + clean(code, _LINE)
    return clean(line, _LINE)


def _add(parent: Element, tag: str, text: str, name: str = "") -> None:
    SubElement(parent, tag, {"class": name} if name else {}).text = text


# Said twice, so that it counts for more than the page's own rules for tables and code.
_ROOT: Final = "div.cascade-table.cascade-table"
_LOOK: Final = {
    "": "color: var(--cs-ink); font-size: var(--jp-ui-font-size1, 13px); line-height: 1.5",
    "p": "margin: 0 0 2px; max-width: 60em",
    ".head": "font-weight: 600",
    ".note": "color: var(--cs-faint)",
    "table": "border-collapse: collapse; margin: 6px 0 2px; font-size: inherit",
    "tr": "background: none",
    "td": "padding: 2px 14px 2px 0; text-align: left; vertical-align: top; max-width: 52em;"
    " white-space: normal; color: inherit",
    "th": "padding: 5px 14px 2px 1.5em; text-indent: -1.5em; text-align: left;"
    " vertical-align: top; font-weight: 600; color: inherit",
    ".group": "border-top: 1px solid color-mix(in srgb, var(--cs-faint) 28%, transparent)",
    ".group .time": "padding-top: 5px",
    ".time": "white-space: nowrap; color: var(--cs-faint)",
    ".name": "padding-left: 1.5em; font-family: var(--jp-code-font-family, monospace);"
    " font-size: 0.95em; overflow-wrap: anywhere",
    ".left": "padding-left: 1.5em",
    ".words, .left": "color: var(--cs-faint)",
    ".sign": "display: inline-block; width: 1.1em; text-align: center; text-indent: 0",
    "[data-state=planned] .sign": "color: var(--cs-running)",
    "[data-state=reused] .sign": "color: var(--cs-done)",
    "[data-state=held] .sign": "color: var(--cs-held)",
    "[data-state=queued] .sign": "color: var(--cs-queued)",
    "[data-state=skipped] .name": "color: var(--cs-faint)",
    "summary": "cursor: pointer; display: list-item",
    "pre": "margin: 3px 0 5px; text-indent: 0; padding: 4px 8px; font-weight: 400;"
    " font-size: 0.92em; line-height: 1.45; overflow-x: auto;"
    " border-left: 2px solid color-mix(in srgb, var(--cs-faint) 40%, transparent);"
    " background: none; color: inherit",
    ".came": "color: var(--cs-done)",
    ".went": "color: var(--cs-failed)",
    ".same": "color: var(--cs-faint)",
}
_SHEET: Final = "\n".join(
    [
        *themed(_ROOT),
        *(
            ", ".join(f"{_ROOT} {part}".rstrip() for part in what.split(", ")) + f" {{ {how} }}"
            for what, how in _LOOK.items()
        ),
    ]
)
