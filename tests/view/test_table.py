"""Rows of nodes as HTML: every name is text, and large tables are cut."""

from __future__ import annotations

import html.parser
from xml.etree import ElementTree as ET

import pytest

from cascade_nb.view.picture.states import LOOKS
from cascade_nb.view.svg.style import SHEET
from cascade_nb.view.table import ROWS, Row, table_html


class Tags(html.parser.HTMLParser):
    """The tags and the text of a document."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.text = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        self.text += data


ROW = Row("planned", "run", "rows", "its helper _trim changed", "about 2 s", (" a", "-b", "+  c"))


def test_a_row_has_its_sign_word_name_words_and_time() -> None:
    seen = Tags(table_html("report: 1 to run", ["About 2 s of work."], [ROW])).text
    for part in ("report: 1 to run", "About 2 s of work.", "▷", " run", "rows", "about 2 s"):
        assert part in seen
    assert " a\n-b\n+  c" in seen


def test_a_difference_is_folded_below_its_sentence() -> None:
    with_lines = Tags(table_html("t", [], [ROW])).tags
    without = Tags(table_html("t", [], [ROW._replace(lines=())])).tags
    assert {"details", "summary", "pre"} <= set(with_lines)
    assert not {"details", "summary", "pre"} & set(without)


@pytest.mark.parametrize(
    "evil", ["<script>alert(1)</script>", "</td></table>", "a\0b", "\ud800", "\u202egnp", "a\nb"]
)
def test_names_and_words_are_text(evil: str) -> None:
    made = table_html(evil, [evil], [Row("held", evil, evil, evil, evil, (evil, f"+{evil}"))])
    assert "script" not in Tags(made).tags
    assert Tags(made).tags.count("table") == 1
    assert Tags(made).tags.count("tr") == 1
    made.encode("utf-8")
    assert not set(made) & set("\0\u202e")


def test_a_large_table_is_cut_and_says_so() -> None:
    seen = Tags(table_html("t", [], [ROW] * (ROWS + 50)))
    assert seen.tags.count("tr") == ROWS
    assert "… and 50 rows more" in seen.text


def test_long_words_are_cut() -> None:
    made = table_html(
        "x" * 10_000, [], [ROW._replace(name="y" * 10_000, lines=("+" + "z" * 9999,))]
    )
    assert len(made) < 6_000


def test_it_has_neither_script_nor_address_and_is_well_formed() -> None:
    made = table_html("t", ["n"], [ROW._replace(state=state) for state in LOOKS])
    assert "http" not in made
    assert "javascript" not in made
    ET.fromstring(made)


def test_it_takes_the_pages_colours_as_pictures_do() -> None:
    made = table_html("t", [], [ROW])
    for colour in ("--jp-content-font-color1", "--jp-success-color1", "prefers-color-scheme: dark"):
        assert colour in made
        assert colour in SHEET
