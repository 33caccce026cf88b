"""Pictures in the language of Graphviz."""

from __future__ import annotations

import json
import re
import subprocess

from hypothesis import given, settings
from hypothesis import strategies as st

from cascade_nb.view.graphviz.dot import dot_of
from cascade_nb.view.picture.captions import TIMES
from cascade_nb.view.picture.picture import picture_of
from tests.support.examples import examples
from tests.view.graphs import chain, every_kind, of_names, pipeline, siblings

hostile = st.one_of(
    st.text(st.characters(exclude_categories=()), max_size=40),
    st.sampled_from(
        [
            '"];evil->"x',
            "<b>bold</b>",
            "<<table><tr><td>x</td></tr></table>>",
            "\\N\\G\\E\\l",
            "\\",
            'ends with \\"',
            "&lt;&#60;&bogus;",
            "\x00\x1b\x7f\x85",
            "javascript:alert(1)",
            "{a|<p>b}",
        ]
    ),
)


def read(dot: str) -> dict[str, object]:
    """What Graphviz understands of it."""
    done = subprocess.run(
        ["dot", "-Tjson0"], input=dot.encode(), capture_output=True, check=True, timeout=60
    )
    assert b"syntax error" not in done.stderr
    found: dict[str, object] = json.loads(done.stdout)
    return found


def test_equal_graphs_give_equal_texts() -> None:
    assert dot_of(picture_of(every_kind())) == dot_of(picture_of(every_kind()))


def test_a_stack_is_one_node_with_its_count() -> None:
    dot = dot_of(picture_of(siblings(13)))
    assert dot.count("clean") == dot.count("node-clean_x23_1") + 1
    assert f"clean {TIMES}13" in dot


def test_data_is_solid_order_dashed_and_condition_dotted() -> None:
    picture = picture_of(every_kind())
    attributes = dict(re.findall(r'id="(edge-\w+)" style=(\w+)', dot_of(picture)))
    styles = {line.type.value: attributes[line.id] for line in picture.lines}
    assert styles == {"data": "solid", "order": "dashed", "condition": "dotted"}


def test_nodes_and_lines_carry_the_ids_of_the_picture() -> None:
    picture = picture_of(every_kind())
    drawing = read(dot_of(picture))
    objects, edges = drawing["objects"], drawing["edges"]
    assert isinstance(objects, list)
    assert isinstance(edges, list)
    assert {item["id"] for item in objects} == {box.id for box in picture.boxes}
    assert {edge["id"] for edge in edges} == {line.id for line in picture.lines}


def test_a_long_graph_grows_downwards() -> None:
    assert "rankdir=TB" in dot_of(picture_of(chain(30)))
    assert "rankdir=LR" in dot_of(picture_of(pipeline()))


@given(st.lists(hostile, min_size=1, max_size=20))
@settings(max_examples=examples(40))
def test_no_name_is_anything_but_a_label(names: list[str]) -> None:
    picture = picture_of(of_names(names))
    drawing = read(dot_of(picture))
    objects, edges = drawing["objects"], drawing.get("edges", [])
    assert isinstance(objects, list)
    assert isinstance(edges, list)
    assert [item["name"] for item in objects] == [box.id for box in picture.boxes]
    assert len(edges) == len(picture.lines)
    allowed = {"_gvid", "class", "fixedsize", "fontname", "fontsize", "height", "id", "label"}
    allowed |= {"margin", "name", "penwidth", "pos", "shape", "style", "width"}
    for item in objects:
        assert item.keys() <= allowed  # no URL, no tooltip, no attribute that a name brought along
