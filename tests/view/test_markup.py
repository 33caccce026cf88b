"""The SVG: whole, harmless, and ready to show states without a new layout."""

from __future__ import annotations

import re
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cascade_nb.errors import UnknownNameError
from cascade_nb.graph.graph import EdgeType, Graph
from cascade_nb.view.picture.captions import TIMES
from cascade_nb.view.picture.geometry import Curve, Geometry, Point
from cascade_nb.view.picture.marking import marks_on
from cascade_nb.view.picture.picture import Picture, picture_of
from cascade_nb.view.picture.states import LOOKS, Marks, together
from cascade_nb.view.svg.markup import draw, shown_width
from tests.support.examples import examples
from tests.view.graphs import every_kind, layered, of_names, pipeline, siblings

SVG = "{http://www.w3.org/2000/svg}"
KNOWN_TAGS = {"svg", "title", "desc", "style", "g", "path", "rect", "circle", "text"}
KNOWN_ATTRIBUTES = {
    *("class", "id", "role", "aria-label", "viewBox", "width", "height", "transform"),
    *("d", "x", "y", "r", "rx", "fill", "stroke", "font-family", "font-size", "font-weight"),
    *("stroke-width", "stroke-dasharray", "stroke-linecap", "stroke-linejoin", "text-anchor"),
    *("data-state", "data-task", "data-type", "data-ends", "data-progress", "data-full"),
}

hostile = st.one_of(
    st.text(st.characters(exclude_categories=()), max_size=60),
    st.sampled_from(
        [
            "</svg><script>alert(1)</script>",
            "]]><script>alert(1)</script>",
            "--><script>",
            '" onload="alert(1)',
            "javascript:alert(1)",
            "</title></text><image href='x' onerror='alert(1)'/>",
            "</style><style>*{display:none}",
            "&bogus;&#0;",
            "\x00",
            "\ud800\udfff",
            "<!DOCTYPE svg [<!ENTITY a 'b'>]>",
        ]
    ),
)


def in_rows(picture: Picture) -> Geometry:
    """Places as good as any, without Graphviz."""
    centres = {box.id: Point(100.0 + 250 * i, 50.0) for i, box in enumerate(picture.boxes)}
    curves = {}
    for line in picture.lines:
        a, b = centres[line.source], centres[line.target]
        curves[line.id] = (Curve((a, a, b, b), Point(b.x + 7, b.y)),)
    return Geometry(250.0 * len(centres), 100.0, centres, curves)


def drawn(graph: Graph, marks: Marks | None = None) -> ET.Element:
    picture = picture_of(graph)
    return ET.fromstring(draw(picture, in_rows(picture), marks or Marks()))


def node(root: ET.Element, title: str) -> ET.Element:
    (found,) = (
        group
        for group in root.iter(f"{SVG}g")
        if group.get("class") == "node" and part(group, "title").text == title
    )
    return found


def part(group: ET.Element, kind: str) -> ET.Element:
    """The element of this class in the group of a box."""
    (found,) = (
        element
        for element in group.iter()
        if element.get("class") == kind and element.tag != f"{SVG}title"
    )
    return found


@given(st.lists(hostile, min_size=1, max_size=8), hostile)
@settings(max_examples=examples(50))
def test_no_name_becomes_anything_but_text(names: list[str], title: str) -> None:
    graph = of_names([*names, title])
    svg = draw(picture_of(graph), in_rows(picture_of(graph)))
    root = ET.fromstring(svg)
    for element in root.iter():
        assert element.tag.removeprefix(SVG) in KNOWN_TAGS
        assert set(element.keys()) <= KNOWN_ATTRIBUTES
    assert sum(element.tag == f"{SVG}style" for element in root.iter()) == 1
    assert "<!" not in svg
    assert "<?" not in svg
    assert "]]>" not in svg
    assert svg.encode("utf-8")
    assert root.findtext(f"{SVG}style") == ET.fromstring(harmless()).findtext(f"{SVG}style")


def harmless() -> str:
    picture = picture_of(pipeline())
    return draw(picture, in_rows(picture))


def test_there_is_no_url_but_the_name_of_svg() -> None:
    assert re.findall(r"https?:[^\"' ]*|url\(|href|@import|javascript", harmless()) == [
        "http://www.w3.org/2000/svg"
    ]


def test_the_style_sheet_reaches_nothing_outside_its_picture() -> None:
    sheet = ET.fromstring(harmless()).findtext(f"{SVG}style")
    assert sheet is not None
    assert not set(sheet) & set("<>&")
    bare = sheet.replace("@media (prefers-color-scheme: dark) {", "")
    for selectors in re.findall(r"([^{}]+)\{", bare):
        for selector in selectors.split(","):
            assert selector.strip().startswith(".cascade-graph"), selector


def test_every_colour_of_the_sheet_is_a_variable_with_something_to_fall_back_to() -> None:
    sheet = ET.fromstring(harmless()).findtext(f"{SVG}style")
    assert sheet is not None
    assert "prefers-color-scheme: dark" in sheet
    assert all("," in use for use in re.findall(r"var\(--jp-[^)]*\)", sheet))
    own = set(re.findall(r"var\((--cs-[\w-]+)", sheet))
    assert own <= set(re.findall(r"(--cs-[\w-]+):", sheet))


def test_the_braces_of_the_sheet_are_balanced() -> None:
    sheet = ET.fromstring(harmless()).findtext(f"{SVG}style")
    assert sheet is not None
    depth = 0
    for char in sheet:
        depth += (char == "{") - (char == "}")
        assert 0 <= depth <= 2
    assert depth == 0


def test_it_has_words_for_those_who_cannot_see_it() -> None:
    root = drawn(pipeline(), Marks({"raw": "done", "tidy": "failed"}))
    assert root.get("role") == "img"
    assert root.findtext(f"{SVG}title") == "Workflow report"
    assert root.findtext(f"{SVG}desc") == "7 nodes in 7 boxes, for report; 1 done, 1 failed."


def test_ids_are_those_of_the_picture_and_stand_once() -> None:
    picture = picture_of(every_kind())
    root = ET.fromstring(draw(picture, in_rows(picture)))
    ids = [element.get("id") for element in root.iter() if element.get("id")]
    assert sorted(map(str, ids)) == sorted(
        [box.id for box in picture.boxes] + [line.id for line in picture.lines]
    )


def test_every_box_has_what_a_state_needs() -> None:
    for group in drawn(every_kind()).iter(f"{SVG}g"):
        if group.get("class") != "node":
            continue
        assert group.get("data-state") == "waiting"
        assert part(group, "shape").get("d")
        assert part(group, "icon").get("d") == ""
        assert group.find(f"{SVG}title") is not None


def test_a_stack_has_a_place_for_its_progress() -> None:
    group = node(drawn(siblings(13)), f"clean {TIMES}13")
    assert part(group, "progress").text in {None, ""}
    assert part(group, "caption").text == "side by side"
    assert part(group, "bar").get("width") == "0"
    assert float(part(group, "bar").get("data-full", "0")) > 20
    assert len([e for e in group if e.get("class") == "behind"]) == 2


def test_a_target_has_a_ring_and_nothing_else_has() -> None:
    root = drawn(pipeline())
    rings = [e for e in root.iter() if e.get("class") == "ring"]
    assert len(rings) == 1
    assert part(node(root, "report"), "title").get("font-weight") == "600"


def test_kinds_of_nodes_have_different_outlines() -> None:
    root = drawn(every_kind())
    outline = {
        group.get("data-task"): re.sub(r"[-\d. ]+", "", part(group, "shape").get("d", ""))
        for group in root.iter(f"{SVG}g")
        if group.get("class") == "node"
    }
    kinds = [outline[task] for task in ("clean", "param", "router", "is_fresh")]
    assert len(set(kinds)) == 4
    assert outline["load"] == outline["clean"]


def test_types_of_lines_have_different_dashes_and_heads() -> None:
    root = drawn(every_kind())
    looks = {}
    for group in root.iter(f"{SVG}g"):
        if group.get("data-type"):
            line, head = group
            looks[group.get("data-type")] = (line.get("stroke-dasharray"), head.get("class"))
    assert looks["data"] == (None, "head")
    assert looks["order"] == ("5 4", "vee")
    assert looks["condition"] == ("0.1 4", "open")
    assert len(looks) == len(EdgeType)


def test_a_line_for_several_edges_says_how_many_in_its_middle() -> None:
    picture = picture_of(siblings(1_300))
    root = ET.fromstring(draw(picture, in_rows(picture)))
    counts = [text for text in root.iter(f"{SVG}text") if text.get("class") == "count"]
    assert [(text.text, text.get("x")) for text in counts] == [("1,300", "225"), ("1,300", "475")]
    one_by_one = picture_of(siblings(3))
    assert 'class="count"' not in draw(one_by_one, in_rows(one_by_one))


@pytest.mark.parametrize(
    ("points", "middle"),
    [
        (((0, 0), (0, 0), (8, 4), (8, 4)), (4, 2)),
        (((0, 0), (1, 1), (2, 2), (3, 0), (4, 0), (5, 0), (9, 9)), (3, 0)),
    ],
)
def test_the_middle_of_a_curve_is_on_it(
    points: tuple[tuple[float, float], ...], middle: tuple[float, float]
) -> None:
    assert Curve(tuple(Point(*point) for point in points), None).middle == middle


def test_dashes_are_explained_where_there_are_some() -> None:
    words = [e.text for e in drawn(every_kind()).iter() if e.get("class") == "note"]
    assert words == ["starts only afterwards", "runs only if"]
    assert not [e for e in drawn(pipeline()).iter() if e.get("class") == "note"]


def test_what_was_folded_is_said_in_the_picture() -> None:
    words = [e.text for e in drawn(layered(5000, 30)).iter() if e.get("class") == "note"]
    assert words[0] is not None
    assert words[0].startswith("5,001 nodes are too many to draw one by one")


def test_states_are_painted_without_moving_anything() -> None:
    graph = pipeline()
    states = dict(zip([n.id for n in graph.nodes], LOOKS, strict=False))
    before, after = drawn(graph), drawn(graph, Marks(states, {"candidates": (5, 12)}))
    for one, other in zip(before.iter(), after.iter(), strict=True):
        assert one.tag == other.tag
        for name in ("x", "y", "transform", "viewBox"):
            assert one.get(name) == other.get(name)
        if one.get("class") in {"shape", "ring", "behind"}:
            assert one.get("d") == other.get("d")


@pytest.mark.parametrize("state", LOOKS)
def test_each_state_has_its_own_mark(state: str) -> None:
    group = node(drawn(pipeline(), Marks({"raw": state})), "raw")
    assert group.get("data-state") == state
    assert part(group, "icon").get("d") == LOOKS[state].icon
    tooltip = group.findtext(f"{SVG}title")
    assert tooltip is not None
    assert (LOOKS[state].word in tooltip) == (state != "waiting")


def test_states_differ_by_more_than_their_colour() -> None:
    signs = [look.sign for look in LOOKS.values()]
    assert len(set(signs)) == len(signs)
    sheet = ET.fromstring(harmless()).findtext(f"{SVG}style") or ""
    # Two states share an icon; the one badge is full and the other hollow.
    assert LOOKS["done"].icon == LOOKS["reused"].icon
    assert "[data-state=reused] .badge circle" in sheet
    icons = [look.icon for state, look in LOOKS.items() if state != "reused"]
    assert len(set(icons)) == len(icons)


def test_progress_is_painted_where_it_is_known() -> None:
    root = drawn(pipeline(), Marks({"candidates": "running"}, {"candidates": (3, 12)}))
    group = node(root, f"candidates {TIMES}12")
    assert group.get("data-progress") == "3/12"
    assert part(group, "progress").text == "3/12"
    bar = part(group, "bar")
    assert float(bar.get("width", "0")) == pytest.approx(
        float(bar.get("data-full", "0")) / 4, abs=0.1
    )


def test_siblings_show_how_many_of_them_are_over() -> None:
    states = {f"clean#{i}": "done" for i in range(1, 5)} | {
        "clean#5": "reused",
        "clean#6": "failed",
    }
    picture = picture_of(siblings(13))
    marked = marks_on(picture, Marks(states))[picture.boxes[1].id]
    assert (marked.state, marked.progress) == ("failed", (5, 13))


def test_an_unknown_state_is_refused_with_the_nearest_one() -> None:
    with pytest.raises(UnknownNameError, match="'runnning'; did you mean 'running'"):
        marks_on(picture_of(pipeline()), Marks({"raw": "runnning"}))


@pytest.mark.parametrize(
    ("states", "whole"),
    [
        ([], "waiting"),
        (["done", "failed", "running"], "failed"),
        (["done", "running", "held"], "running"),
        (["done", "held", "waiting"], "held"),
        (["done", "waiting"], "waiting"),
        (["done", "reused", "skipped"], "done"),
        (["reused", "skipped"], "reused"),
        (["skipped"], "skipped"),
        (["cancelled", "done"], "cancelled"),
    ],
)
def test_a_stack_is_in_the_most_urgent_state_of_its_nodes(states: list[str], whole: str) -> None:
    assert together(states) == whole


@given(st.floats(1, 20_000), st.floats(1, 20_000))
def test_a_wider_picture_is_never_shown_narrower(one: float, other: float) -> None:
    narrow, wide = sorted([one, other])
    assert shown_width(narrow) <= shown_width(wide)
    assert 0.75 * wide <= shown_width(wide) <= wide
