"""Rows of nodes as HTML: every name is text, and large tables are cut."""

from __future__ import annotations

import html.parser
from xml.etree import ElementTree as ET

import pytest
from nbformat.v4 import new_code_cell, new_notebook, new_output

from cascade_nb.view.picture.states import LOOKS
from cascade_nb.view.svg.style import SHEET
from cascade_nb.view.table import ROWS, Row, RowGroup, table_html


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


ROW = Row("rows", "reads clean", "about 2 s")
HEADING = "2 run: `clean` changed, line 3"
GROUP = RowGroup("planned", HEADING, "about 4 s", (" a", "-b", "+  c"), (ROW,))


def test_a_group_has_its_sign_heading_time_and_rows() -> None:
    seen = Tags(table_html("report: 2 to run", ["About 4 s of work."], [GROUP])).text
    for part in ("report: 2 to run", "About 4 s of work.", "▷", HEADING, "about 4 s"):
        assert part in seen
    for part in ROW[:3]:
        assert part in seen
    assert " a\n-b\n+  c" in seen


def test_a_difference_stands_below_its_heading() -> None:
    made = table_html("t", [], [GROUP])
    assert made.index(HEADING) < made.index("<pre") < made.index("reads clean")
    assert "<pre" not in table_html("t", [], [GROUP._replace(lines=())])


@pytest.mark.parametrize(
    "evil", ["<script>alert(1)</script>", "</td></table>", "a\0b", "\ud800", "\u202egnp", "a\nb"]
)
def test_names_and_words_are_text(evil: str) -> None:
    rows = (Row(evil, evil, evil), Row(evil))
    made = table_html(evil, [evil], [RowGroup("held", evil, evil, (evil, f"+{evil}"), rows)])
    assert "script" not in Tags(made).tags
    assert Tags(made).tags.count("pre") == 1
    assert made.count('role="row"') == 1
    assert Tags(made).tags.count("div") == 8
    made.encode("utf-8")
    assert not set(made) & set("\0\u202e")


def test_a_large_table_is_cut_and_says_so() -> None:
    many = GROUP._replace(rows=(ROW,) * ROWS + (ROW._replace(nodes=50),))
    seen = Tags(table_html("t", [], [many, GROUP]))
    assert "… and 50 more" in seen.text
    assert "… and 1 more" in seen.text
    assert seen.text.count("reads clean") == ROWS
    assert "… and 50 groups more" in Tags(table_html("t", [], [GROUP] * (ROWS + 50))).text


def test_long_words_are_cut() -> None:
    lines = ("+" + "z" * 9999,)
    long = GROUP._replace(lines=lines, rows=(Row("y" * 10_000, "w" * 10_000),))
    assert len(table_html("x" * 10_000, [], [long])) < 7_000


def test_it_has_neither_script_nor_address_and_is_well_formed() -> None:
    made = table_html("t", ["n"], [GROUP._replace(state=state) for state in LOOKS])
    assert "http" not in made
    assert "javascript" not in made
    ET.fromstring(made)


def test_it_takes_the_pages_colours_as_pictures_do() -> None:
    made = table_html("t", [], [GROUP])
    for colour in ("--jp-content-font-color1", "--jp-brand-color1", "#1769c0", "#6cb2f5"):
        assert colour in made
        assert colour in SHEET


def test_a_sanitised_export_shows_no_markup_as_text() -> None:
    from nbconvert import HTMLExporter

    row = ROW._replace(names="a < b")
    made = table_html("1 < 2", ["About 4 s."], [GROUP._replace(rows=(row, Row("c")))])
    nb = new_notebook(
        cells=[new_code_cell(outputs=[new_output("display_data", {"text/html": made})])]
    )
    exporter = HTMLExporter(sanitize_html=True)
    page, _ = exporter.from_notebook_node(nb)
    shown = Tags(page[page.index("<body") :]).text
    assert "1 < 2" in shown
    assert "a < b" in shown
    for left in ("</", "style=", "{", "<td", "<div"):
        assert left not in shown
