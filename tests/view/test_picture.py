"""Boxes: their ids, shapes, words and sizes."""

from __future__ import annotations

from cascade_nb.graph.build import build_graph
from cascade_nb.graph.graph import EdgeType, Graph
from cascade_nb.model.params.param import Param
from cascade_nb.view.picture.captions import TIMES
from cascade_nb.view.picture.labels import width_of
from cascade_nb.view.picture.picture import TITLE_SIZE, Box, Picture, Shape, picture_of
from tests.view.graphs import chain, every_kind, layered, made, of_names, pipeline, siblings, train


def box(picture: Picture, title: str) -> Box:
    (found,) = (box for box in picture.boxes if box.title == title)
    return found


def test_the_same_graph_built_anew_has_the_same_ids() -> None:
    for build in (pipeline, every_kind, lambda: siblings(30), lambda: layered(900, 500)):
        one, other = picture_of(build()), picture_of(build())
        assert [b.id for b in one.boxes] == [b.id for b in other.boxes]
        assert [line.id for line in one.lines] == [line.id for line in other.lines]
        assert one == other


def test_ids_differ_within_a_picture_and_know_their_nodes() -> None:
    for graph in (pipeline(), every_kind(), siblings(30), layered(900, 500)):
        picture = picture_of(graph)
        ids = [box.id for box in picture.boxes] + [line.id for line in picture.lines]
        assert len(set(ids)) == len(ids)
        members = [node for box in picture.boxes for node in picture.members[box.id]]
        assert sorted(members) == sorted(node.id for node in graph.nodes)


def test_an_id_stays_when_the_graph_grows_behind_it() -> None:
    # The panel keeps what it knows of a box by its id while cells are added.
    start = made("load")()
    before = picture_of(build_graph(made("clean")(start)))
    after = picture_of(build_graph(made("plot")(made("clean")(start))))
    assert {b.id for b in before.boxes} < {b.id for b in after.boxes}
    assert {line.id for line in before.lines} < {line.id for line in after.lines}


def test_each_kind_of_node_has_its_shape() -> None:
    shapes = {box.task: box.shape for box in picture_of(every_kind()).boxes}
    assert shapes["param"] is Shape.PARAM
    assert shapes["router"] is Shape.ROUTER
    assert shapes["is_fresh"] is Shape.CONDITION
    assert shapes["clean"] is Shape.TASK
    assert box(picture_of(every_kind()), "is_fresh").caption == "decides"


def test_what_was_asked_for_is_marked() -> None:
    assert [box.title for box in picture_of(pipeline()).boxes if box.target] == ["report"]


def test_lines_are_of_the_type_of_their_edges() -> None:
    picture = picture_of(every_kind())
    task = {box.id: box.task for box in picture.boxes}
    types = {(task[line.source], task[line.target]): line.type for line in picture.lines}
    assert types["load", "clean"] is EdgeType.DATA
    assert types["is_fresh", "clean"] is EdgeType.CONDITION
    assert types["warm_up", "train"] is EdgeType.ORDER
    assert types["fast", "router"] is EdgeType.DATA


def test_a_mapped_node_is_a_stack_with_its_count() -> None:
    candidates = box(picture_of(pipeline(12)), f"candidates {TIMES}12")
    assert candidates.stacked
    assert candidates.caption == "train() for each model"
    assert len(picture_of(pipeline(12)).members[candidates.id]) == 1


def test_a_mapped_node_whose_items_are_not_known_yet_is_a_stack_without_count() -> None:
    mapped = train.partial(data=1).map(model=made("models")())
    assert box(picture_of(build_graph(mapped)), "train").stacked


def test_siblings_are_a_stack_with_their_count() -> None:
    picture = picture_of(siblings(1300))
    clean = box(picture, f"clean {TIMES}1,300")
    assert clean.stacked
    assert clean.caption == "side by side"
    assert picture.members[clean.id][:2] == ("clean#1", "clean#2")


def test_a_name_is_shown_above_the_task() -> None:
    tidy = box(picture_of(pipeline()), "tidy")
    assert (tidy.caption, tidy.task) == ("clean()", "clean")


def test_a_parameter_says_its_type_and_not_its_value() -> None:
    # A default may be a password.
    graph = build_graph(made("login")(Param("token", "s3cret", str)))
    token = box(picture_of(graph), "token")
    assert token.caption == "parameter: str"
    assert "s3cret" not in repr(picture_of(graph))


def test_a_node_that_will_be_skipped_says_so() -> None:
    graph = build_graph(made("mail")(1).run_if(False))
    assert box(picture_of(graph), "mail").caption == "will be skipped"


def test_a_router_says_how_many_ways_there_are() -> None:
    assert box(picture_of(every_kind()), "route(pick)").caption == "one of 3"


def test_words_fit_their_box() -> None:
    for graph in (pipeline(), every_kind(), siblings(1300), of_names(["x" * 5000, "漢" * 5000])):
        for drawn in picture_of(graph).boxes:
            assert width_of(drawn.title, TITLE_SIZE) + 20 <= drawn.width
            assert drawn.width < 500


def test_a_picture_of_a_huge_graph_is_bounded_and_says_so() -> None:
    picture = picture_of(layered(5000, kinds=700))
    assert len(picture.boxes) <= 400
    assert len(picture.lines) <= 2000
    (note,) = picture.notes
    assert note.startswith("5,001 nodes are too many to draw one by one: those that come about")
    assert picture_of(pipeline()).notes == ()


def test_a_long_narrow_graph_grows_downwards_and_a_short_one_to_the_right() -> None:
    assert picture_of(chain(30)).upright
    assert not picture_of(pipeline()).upright
    assert not picture_of(siblings(12)).upright


def test_names_that_nobody_checked_are_made_fit() -> None:
    hostile: list[str] = ["a\x00b", "\ud800", "x" * 10**6, "</svg><script>", "javascript:alert(1)"]
    picture = picture_of(of_names(hostile))
    for drawn in picture.boxes:
        for words in (drawn.title, drawn.caption, drawn.tooltip, drawn.task):
            assert words.isprintable()
            assert len(words) <= 200
    assert len(picture.title) <= 80


def graph_of_same_names() -> Graph:
    return build_graph([made("a-b")(), made("a_b")(), made("a b")()])


def test_names_that_look_alike_have_different_ids() -> None:
    assert len({box.id for box in picture_of(graph_of_same_names()).boxes}) == 3
