"""A graph that displays itself."""

from __future__ import annotations

import base64
import json
import struct
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from IPython.core.formatters import DisplayFormatter

from cascade_nb.errors import UsageError
from cascade_nb.graph.graph import Graph
from cascade_nb.view.graphviz.layout import lay_out
from cascade_nb.view.picture.picture import picture_of
from cascade_nb.view.picture.states import Marks
from cascade_nb.view.visual import Visual, lay_out_for_file, static_bundle, static_metadata
from tests.view.conftest import MakeDot
from tests.view.graphs import chain, every_kind, layered, pipeline, row, siblings


def test_ipython_gets_svg_png_and_words() -> None:
    data, metadata = DisplayFormatter().format(Visual(pipeline()))  # type: ignore[no-untyped-call]
    assert data.keys() == {"text/plain", "image/svg+xml", "image/png"}
    assert ET.fromstring(data["image/svg+xml"]).get("class") == "cascade-graph"
    png = base64.b64decode(data["image/png"])
    pixels = struct.unpack(">II", png[16:24])
    assert metadata["image/png"]["width"] == pytest.approx(pixels[0] / 2, abs=1)
    assert data["text/plain"].startswith("report: 7 nodes")


def test_ipython_may_ask_for_less() -> None:
    data, _ = Visual(pipeline())._repr_mimebundle_(include={"text/plain"})
    assert data.keys() == {"text/plain"}
    data, _ = Visual(pipeline())._repr_mimebundle_(exclude={"image/png"})
    assert data.keys() == {"text/plain", "image/svg+xml"}


async def test_a_prepared_one_displays_itself_without_a_child(fake_dot: MakeDot) -> None:
    dot = fake_dot('exec $DOT "$@"')
    visual = await Visual.prepared(pipeline())
    starts = len(dot.starts)
    assert visual._repr_mimebundle_()[0]["image/svg+xml"] == visual.svg
    assert len(dot.starts) == starts


def test_a_display_does_not_hold_up_a_notebook_for_long(
    fake_dot: MakeDot, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_dot("exec sleep 1000")
    monkeypatch.setattr("cascade_nb.view.visual.PATIENCE", 0.4)
    visual = Visual(pipeline())
    data, metadata = visual._repr_mimebundle_()
    assert data.keys() == {"text/plain", "image/svg+xml"}
    assert "No PNG: painting it took longer than" in data["text/plain"]
    assert metadata == {}
    assert visual.png is None


def test_words_never_wait_for_a_layout(fake_dot: MakeDot) -> None:
    dot = fake_dot("exec sleep 1000")
    visual = Visual(pipeline())
    assert repr(visual) == visual.text
    assert "candidates" in f"{visual}"
    assert "digraph" in visual.dot
    assert dot.starts == []


def test_states_are_painted() -> None:
    visual = Visual(pipeline(), Marks({"raw": "failed"}))
    assert visual.svg is not None
    assert 'data-state="failed"' in visual.svg
    assert "raw ✕" in visual.text


@pytest.mark.parametrize(
    ("suffix", "beginning"),
    [
        (".svg", b"<svg "),
        (".PNG", b"\x89PNG"),
        (".dot", b"digraph "),
        (".gv", b"digraph "),
        (".txt", b"report: 7 nodes"),
    ],
)
def test_it_is_saved_as_what_the_suffix_says(tmp_path: Path, suffix: str, beginning: bytes) -> None:
    file = Visual(pipeline()).save(str(tmp_path / f"picture{suffix}"))
    assert file.read_bytes().startswith(beginning)


@pytest.mark.parametrize("name", ["picture.pdf", "picture", ".svg"])
def test_another_suffix_is_refused_with_those_there_are(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match=r"\.svg, \.png, \.dot, \.gv or \.txt"):
        Visual(pipeline()).save(tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_a_picture_that_is_not_there_is_not_saved(
    tmp_path: Path, fake_dot: MakeDot, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_dot("exec sleep 1000")
    monkeypatch.setattr("cascade_nb.view.visual.PATIENCE", 0.1)
    visual = Visual(pipeline())
    with pytest.raises(UsageError, match=r"No PNG: .* Save it as \.svg, \.txt or \.dot instead\."):
        visual.save(tmp_path / "picture.png")
    assert not (tmp_path / "picture.png").exists()


async def test_the_bundle_has_a_summary_above_the_picture_in_words() -> None:
    rendered = await lay_out(picture_of(siblings(13)))
    text = static_bundle(rendered, "Run 7 done in 3 s")["text/plain"].splitlines()
    assert text[:2] == ["Run 7 done in 3 s", "gather: 15 nodes"]


@pytest.mark.parametrize(
    ("graph", "kinds"),
    [
        (siblings(2500), {"text/plain", "image/svg+xml", "image/png"}),
        (chain(2500), {"text/plain", "image/svg+xml", "image/png"}),
        (layered(2500, kinds=40), {"text/plain", "image/svg+xml"}),
        (layered(2500, kinds=400), {"text/plain", "image/svg+xml"}),
        (row(390), {"text/plain", "image/svg+xml"}),
    ],
    ids=["siblings", "chain", "40 kinds", "400 kinds", "a row"],
)
async def test_what_a_large_graph_puts_into_a_notebooks_file_is_bounded(
    graph: Graph, kinds: set[str]
) -> None:
    rendered = await lay_out_for_file(graph, await lay_out(picture_of(graph)))
    bundle = static_bundle(rendered)
    assert bundle.keys() == kinds
    assert len(json.dumps([bundle, static_metadata(rendered)])) <= 300_000
    assert ("image/png" in static_metadata(rendered)) == ("image/png" in bundle)
    assert any(box.target for box in rendered.picture.boxes)


async def test_what_fits_a_file_is_drawn_there_as_everywhere() -> None:
    rendered = await lay_out(picture_of(every_kind()), ["svg"])
    assert await lay_out_for_file(every_kind(), rendered) is rendered


async def test_a_picture_that_no_file_takes_is_words_there() -> None:
    rendered = await lay_out(picture_of(row(390)), ["svg"])
    bundle = static_bundle(rendered)
    assert bundle.keys() == {"text/plain"}
    assert "No picture here: its " in bundle["text/plain"]


async def test_a_run_that_ended_is_painted_on_the_same_picture() -> None:
    rendered = await lay_out(picture_of(every_kind()), ["svg"])
    painted = rendered.painted(Marks({"load#1": "done"}))
    assert painted is not None
    assert painted.count('data-state="done"') == 1
    assert static_metadata(rendered) == {}


def test_importing_the_view_imports_neither_graphviz_nor_a_notebook() -> None:
    names = "graphviz pygraphviz IPython ipywidgets"
    script = (
        "import sys, cascade_nb.view\n"
        f"print([name for name in '{names}'.split() if name in sys.modules])"
    )
    root = Path(__file__).parents[2]
    found = subprocess.check_output([sys.executable, "-c", script], cwd=root, text=True)
    assert found.strip() == "[]"
