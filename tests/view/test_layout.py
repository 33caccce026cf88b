"""Layouts in child processes: real ones, slow ones, broken ones."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from cascade_nb.errors import UsageError
from cascade_nb.view.graphviz import child
from cascade_nb.view.graphviz.layout import Rendered, lay_out, lay_out_now
from cascade_nb.view.graphviz.layout_cache import LayoutCache
from cascade_nb.view.layered import plain_layout
from cascade_nb.view.picture.captions import TIMES
from cascade_nb.view.picture.geometry import Geometry
from cascade_nb.view.picture.picture import picture_of
from tests.support.leaks import is_running
from tests.view.conftest import FOR_EVER, MakeDot
from tests.view.graphs import chain, every_kind, layered, of_names, pipeline, siblings

PNG = b"\x89PNG\r\n\x1a\n"


def is_whole(rendered: Rendered) -> bool:
    """Whether everything that was asked for is there."""
    assert rendered.svg is not None, rendered.problem
    assert rendered.png is not None, rendered.problem
    assert ET.fromstring(rendered.svg).tag.endswith("svg")
    return rendered.png.startswith(PNG) and rendered.problem == ""


async def test_either_program_gives_svg_png_and_words(either_program: str) -> None:
    rendered = await lay_out(picture_of(every_kind()))
    assert is_whole(rendered), either_program
    assert "is_fresh" in rendered.text


async def test_both_programs_put_the_boxes_in_the_same_order(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    picture = picture_of(pipeline())
    by_dot = (await lay_out(picture, ["svg"])).geometry
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("cascade_nb.view.graphviz.layout._LAYOUTS", LayoutCache(room=4, keeps=bool))
    by_wheel = (await lay_out(picture, ["svg"])).geometry
    assert by_dot is not None
    assert by_wheel is not None
    orders = [
        sorted(geometry.centres, key=lambda box: geometry.centres[box])
        for geometry in (by_dot, by_wheel)
    ]
    assert orders[0] == orders[1]


async def test_every_box_and_line_has_a_place_and_no_two_boxes_share_one() -> None:
    for graph in (pipeline(), every_kind(), siblings(12), chain(30)):
        picture = picture_of(graph)
        geometry = (await lay_out(picture, ["svg"])).geometry
        assert geometry.curves.keys() == {line.id for line in picture.lines}
        rooms = []
        for box in picture.boxes:
            (x, y), (width, height) = geometry.centres[box.id], box.room
            rooms.append((x - width / 2, y - height / 2, x + width / 2, y + height / 2))
            assert rooms[-1][0] >= -1
            assert rooms[-1][2] <= geometry.width + 1
        for i, a in enumerate(rooms):
            for b in rooms[i + 1 :]:
                assert a[2] <= b[0] or b[2] <= a[0] or a[3] <= b[1] or b[3] <= a[1]


async def test_only_what_is_asked_for_is_made(fake_dot: MakeDot) -> None:
    dot = fake_dot('exec $DOT "$@"')
    rendered = await lay_out(picture_of(pipeline()), ["svg"])
    assert rendered.svg
    assert rendered.png is None
    assert rendered.problem == ""
    assert len(dot.starts) == 1


async def test_an_unknown_format_is_refused() -> None:
    with pytest.raises(UsageError, match="'pdf'"):
        await lay_out(picture_of(pipeline()), ["pdf"])


@pytest.mark.parametrize("line", FOR_EVER)
async def test_when_time_is_up_the_child_is_dead_and_a_plain_layout_remains(
    fake_dot: MakeDot, line: str
) -> None:
    dot = fake_dot(line)
    began = time.monotonic()
    rendered = await lay_out(picture_of(pipeline()), limit=1.0)
    assert time.monotonic() - began < 30
    assert rendered.geometry == plain_layout(rendered.picture)
    assert rendered.svg is not None
    assert rendered.png is None
    assert rendered.problem.startswith("No PNG: painting it took longer than")
    assert f"candidates {TIMES}12" in rendered.text
    assert len(dot.starts) == 3  # the fine layout, then the coarse one, and the image
    assert not any(map(is_running, dot.starts))


async def test_when_the_fine_layout_takes_too_long_there_is_a_coarse_one(
    fake_dot: MakeDot,
) -> None:
    dot = fake_dot(
        'f=$(cat); case "$f" in *mclimit*) echo "$f" | $DOT "$@";; *) exec sleep 1000;; esac'
    )
    rendered = await lay_out(picture_of(pipeline()), ["svg"], limit=6.0)
    assert rendered.svg is not None, rendered.problem
    assert rendered.problem == ""
    assert len(dot.starts) == 2


async def test_what_took_too_long_is_tried_again_when_it_is_asked_for_again(
    fake_dot: MakeDot,
) -> None:
    fake_dot("exec sleep 1000")
    picture = picture_of(pipeline())
    assert (await lay_out(picture, ["svg"], limit=0.2)).geometry == plain_layout(picture)
    fake_dot('exec $DOT "$@"')
    assert (await lay_out(picture, ["svg"])).geometry != plain_layout(picture)


@pytest.mark.parametrize(
    "line",
    [
        "exit 3",
        "echo >&2 'There is no layout engine support for dot'; exit 1",
        "exit 0",  # and no word
        "echo not a layout",
        "kill -9 $$",
    ],
)
async def test_a_broken_dot_is_replaced_by_the_wheel(fake_dot: MakeDot, line: str) -> None:
    fake_dot(line)
    assert is_whole(await lay_out(picture_of(pipeline())))


async def test_a_dot_that_cannot_be_started_is_replaced_by_the_wheel(
    no_dot: None, tmp_path: Path
) -> None:
    script = tmp_path / "dot"
    script.write_bytes(b"\x7fELF no program")
    script.chmod(0o755)
    assert is_whole(await lay_out(picture_of(pipeline())))


async def test_where_there_is_no_graphviz_there_is_a_picture_and_no_png(
    fake_dot: MakeDot, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_dot("echo >&2 'libfoo.so: missing'; exit 127")
    monkeypatch.setattr(sys, "executable", "")
    rendered = await lay_out(picture_of(pipeline()))
    assert rendered.svg is not None
    assert rendered.problem == "No PNG: dot: libfoo.so: missing."
    monkeypatch.setenv("PATH", "")
    rendered = await lay_out(picture_of(pipeline()))
    assert rendered.svg is not None
    assert "neither a `dot` on the PATH" in rendered.problem


async def test_a_machine_without_fonts_gets_no_png_of_empty_letters(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("cascade_nb.view.graphviz.layout.has_fonts", lambda: False)
    rendered = await lay_out(picture_of(pipeline()))
    assert rendered.svg
    assert rendered.png is None
    assert rendered.problem == ("No PNG: this machine has no fonts to write the words with.")


def test_fonts_are_looked_for_where_linux_keeps_them(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    monkeypatch.setenv("XDG_DATA_DIRS", "")
    monkeypatch.setattr(child, "SHARED_FOLDERS", ())
    assert not child.has_fonts()
    (tmp_path / ".fonts" / "deep").mkdir(parents=True)
    (tmp_path / ".fonts" / "deep" / "Some.TTF").touch()
    assert child.has_fonts()


def test_a_script_waits_for_its_picture(either_program: str) -> None:
    assert is_whole(lay_out_now(picture_of(every_kind()))), either_program


def test_the_wheels_child_takes_no_module_from_its_own_folder(tmp_path: Path) -> None:
    script = tmp_path / "graphviz_child.py"
    script.write_bytes(Path(child.__file__).with_name("graphviz_child.py").read_bytes())
    (tmp_path / "shlex.py").write_text("raise ImportError('the wrong one')")
    command = [sys.executable, str(script), "dot", "plain"]
    drawn = subprocess.check_output(command, input=b"digraph { a }")
    assert drawn.startswith(b"graph 1")


async def test_names_that_nobody_checked_are_laid_out(either_program: str) -> None:
    names = ["a\x00b", "\ud800", "x" * 10**5, "</svg><script>", '"];', "\\N", "<b>"]
    assert is_whole(await lay_out(picture_of(of_names(names)))), either_program


@pytest.mark.parametrize(("kinds", "reach"), [(390, 20), (390, 5), (200, 20), (30, 20)])
async def test_a_dense_graph_is_laid_out_in_time(kinds: int, reach: int) -> None:
    # Without a bound on how far its lines go, Graphviz takes minutes for some of these.
    picture = picture_of(layered(2000, kinds, reach))
    rendered = await lay_out(picture, ["svg"], limit=60)
    assert isinstance(rendered.geometry, Geometry), rendered.problem


async def test_one_node_alone_is_a_picture() -> None:
    assert is_whole(await lay_out(picture_of(chain(1))))
