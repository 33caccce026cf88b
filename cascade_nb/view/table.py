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
        state: a key of `LOOKS`, shown by its sign and colour.
        word: what the state is called here.
        name: of the node, or of several.
        words: what is to be said of it.
        time: a length of time in words, or nothing.
        lines: a difference, which stands folded below the words.
    """

    state: str
    word: str
    name: str
    words: str
    time: str = ""
    lines: tuple[str, ...] = ()


def table_html(title: str, notes: Sequence[str], rows: Sequence[Row]) -> str:
    """A table with its title, sentences below it, and at most two hundred rows."""
    root = Element("div", {"class": "cascade-table"})
    _add(root, "style", _SHEET)
    _add(root, "p", clean(title, _WORDS), "head")
    for note in notes:
        _add(root, "p", clean(note, _WORDS), "note")
    body = SubElement(SubElement(root, "table"), "tbody")
    for row in rows[:ROWS]:
        _row(body, row)
    if len(rows) > ROWS:
        _add(root, "p", f"… and {len(rows) - ROWS:,} rows more", "note")
    return tostring(root, encoding="unicode", method="html")


def _row(body: Element, row: Row) -> None:
    line = SubElement(body, "tr", {"data-state": row.state})
    state = SubElement(line, "td", {"class": "state"})
    _add(state, "span", LOOKS[row.state].sign, "sign")
    _add(state, "span", f" {clean(row.word, _NAME)}")
    _add(line, "td", clean(row.name, _NAME), "name")
    words = SubElement(line, "td", {"class": "words"})
    if row.lines:
        details = SubElement(words, "details")
        _add(details, "summary", clean(row.words, _WORDS))
        difference = SubElement(details, "pre")
        for number, text in enumerate(row.lines):
            kind = {"+": "came", "-": "went"}.get(text[:1], "same")
            end = "\n" if number < len(row.lines) - 1 else ""
            _add(difference, "span", _cleaned(text) + end, kind)
    else:
        words.text = clean(row.words, _WORDS)
    _add(line, "td", clean(row.time, _NAME), "time")


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
    "tr": "background: none; border-top: 1px solid color-mix(in srgb, var(--cs-faint) 28%,"
    " transparent)",
    "td": "padding: 3px 14px 3px 0; text-align: left; vertical-align: top; max-width: 52em;"
    " white-space: normal; color: inherit",
    ".state, .time": "white-space: nowrap",
    ".name": "font-family: var(--jp-code-font-family, monospace); font-size: 0.95em",
    ".sign": "display: inline-block; width: 1.1em; text-align: center",
    "[data-state=planned] .state": "color: var(--cs-running)",
    "[data-state=reused] .state": "color: var(--cs-done)",
    "[data-state=held] .state": "color: var(--cs-held)",
    "[data-state=queued] .state": "color: var(--cs-queued)",
    "[data-state=skipped] td, .time": "color: var(--cs-faint)",
    "summary": "cursor: pointer; display: list-item",
    "pre": "margin: 3px 0 5px; padding: 4px 8px; font-size: 0.92em; line-height: 1.45;"
    " overflow-x: auto; border-left: 2px solid color-mix(in srgb, var(--cs-faint) 40%,"
    " transparent); background: none; color: inherit",
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
