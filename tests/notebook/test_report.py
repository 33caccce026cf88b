"""`%cascade export report.html` writes a run as one page that needs nothing beside itself."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cascade_nb.notebook.report.page import _value
from cascade_nb.notebook.report.sanitised import sanitised
from tests.notebook.conftest import Notebook
from tests.support.examples import examples

pytestmark = pytest.mark.may_block("runs are waited for")

CELL = """%%cascade --quiet
class Table:
    def _repr_html_(self):
        return "<table><tr><td>in a table<script>bad()</script></td></tr></table>"
class Plain:
    def __repr__(self):
        return "<shown as text>"
class Raises:
    def __repr__(self):
        raise RuntimeError("no repr")
def table(size): return Table()
def plain(x): return Plain()
def raises(x): return Raises()
def fails(x): raise ValueError("<b>not bold</b>")
a = table(size)
b = plain(a)
c = raises(a)
many = plain.map(x=[1, 2, 3])
d = fails(many)
"""


@pytest.fixture
def here(notebook: Notebook, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Notebook:
    """A notebook whose folder is empty."""
    monkeypatch.chdir(tmp_path)
    return notebook


def test_a_report_tells_all_of_a_run_and_needs_nothing_beside_itself(here: Notebook) -> None:
    here.ok("import cascade_nb as cs")
    here.ok("size = cs.Param('size', default=4, type=int, description='how <i>much</i>')")
    here.ok(CELL)
    here.ok("run = cs.start([b, c, d], params={'size': 5}, on_error='continue')")
    here.ok("assert run.exception() is None or True\nnumber = run.number")
    here.ok("import concurrent.futures as f\ntry: run.result(60)\nexcept Exception: pass")
    told = here.ok("%cascade export report.html").text
    assert "Wrote report.html" in told
    page = Path("report.html").read_text()
    assert "<script" not in page
    assert not re.search(r"(?:src|href)=[\"']?(?!data:)[^\"' >]*//", page)
    for words in ("in a table</td>", "&lt;shown as text&gt;", "&lt;b&gt;not bold&lt;/b&gt;"):
        assert words in page
    for words in ("5</td>", "how &lt;i&gt;much", "Its repr raised RuntimeError", "Python</td>"):
        assert words in page
    assert page.count("<svg") >= 2
    assert "def fails(x): raise ValueError" in page
    again = here.run("%cascade export report.html")
    assert again.error is not None
    assert "there already" in again.text
    number = here.names["number"]
    here.ok(f"%cascade export report.html {number} --force")
    here.ok("del run\nimport gc\ncs.run(b)")
    gone = here.run(f"%cascade export other.html {number}")
    assert gone.error is not None
    assert "nobody has it any more" in gone.text


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("report.html", "nothing was run yet"),
        ("report.html 6", "no run '6'"),
        ("report.html 6 7", "a report is of one run"),
        ("report.html --tests", "a report is of one run"),
        ("nowhere/report.html", "no folder nowhere"),
        ("report.pdf", "no module and no page"),
    ],
)
def test_what_cannot_be_told_is_refused(here: Notebook, line: str, words: str) -> None:
    done = here.run(f"%cascade export {line}")
    assert done.error is not None
    assert words in done.text
    assert list(Path.cwd().iterdir()) == []


def test_the_page_of_a_thousand_nodes_has_at_most_300_kilobytes(here: Notebook) -> None:
    here.ok("import cascade_nb as cs")
    here.ok(
        "%%cascade --quiet\ndef a_task_of_a_usual_name(x): return None\n"
        "def last(*xs): return 1\n"
        "xs = [a_task_of_a_usual_name(n).named(f'a_node_{n}') for n in range(999)]\n"
        "end = last(*xs)"
    )
    here.ok("run = cs.start(end)\nrun.result(60)")
    here.ok("%cascade export report.html")
    page = Path("report.html").read_text()
    results = page.index("<h2>Results"), page.index("<h2>Nodes")
    assert len(page.encode()) - (results[1] - results[0]) <= 300_000


HOSTILE = [
    "<script>canary()</script>",
    "<img src=x onerror=canary()>",
    "<svg onload=canary()>",
    "<iframe srcdoc='<script>parent.canary()</script>'>",
    "<a href='javascript:canary()'>x</a>",
    "<td style='background:url(//x)' onmouseover=canary() colspan='2'>y</td>",
    "<math><mtext></mtext><script>canary()</script></math>",
    "<style>@import '//x'</style>",
    "<!--><script>canary()</script>-->",
    "</div></main><script>canary()",
    "<table><tr><td rowspan='99999'>z</table></table></div>",
    "<textarea><script>canary()</script></textarea>",
    "&lt;script&gt;canary()&lt;/script&gt;",
    "\ud800<b>half",
]


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, tuple[str, ...]]] = []
        self.depth = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, tuple(name for name, _ in attrs)))
        self.depth += tag not in ("br", "hr")

    def handle_endtag(self, tag: str) -> None:
        self.depth -= 1
        assert self.depth >= 0


@settings(max_examples=examples(100))
@given(st.lists(st.sampled_from(HOSTILE) | st.text("<>/ab'\"=&!-", max_size=20), max_size=6))
def test_of_anybodys_html_only_what_shows_something_comes_through(parts: list[str]) -> None:
    tags = Tags()
    made = sanitised("".join(parts))
    tags.feed(made)
    tags.close()
    assert tags.depth == 0
    assert {tag for tag, _ in tags.found} <= {"b", "a", "td", "table", "tr", "div"} - {"a"}
    assert {name for _, names in tags.found for name in names} <= {"colspan", "rowspan"}
    made.encode()


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("<p>a</p><embed src=x><p>b</p>", "<p>a</p><p>b</p>"),
        ("<select><option>A<option>B</select><p>b</p>", "<p>b</p>"),
        ("<html><head><title>t</title><body><p>b</p>", "<p>b</p>"),
        ("<div id=x></div><script>draw()</script>", ""),
        ("<img src=x><br>&nbsp;", ""),
    ],
)
def test_what_is_hidden_hides_nothing_behind_it(text: str, shown: str) -> None:
    assert sanitised(text) == shown


def test_a_result_whose_page_shows_nothing_is_told_as_text() -> None:
    shown = _value("a plot", {"text/html": "<div id=x></div><script>draw()</script>"})
    assert shown == "<pre>a plot</pre>"
