"""Groups that a reader opens: what is drawn then."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from cascade_nb.graph.build import build_graph
from cascade_nb.graph.graph import Graph
from cascade_nb.view.picture.folding import Because, Folded, fold
from cascade_nb.view.picture.opening import PARTS, GroupName, name_of, open_groups
from cascade_nb.view.picture.picture import Bounds, picture_of
from tests.view.graphs import layered, made, siblings


def sizes(folded: Folded) -> list[int]:
    return [len(group.nodes) for group in folded.groups]


def names(folded: Folded) -> list[GroupName]:
    return [name_of([node.id for node in group.nodes]) for group in folded.groups]


def test_a_small_group_opens_into_its_nodes_with_their_lines() -> None:
    graph = siblings(20)
    folded = fold(graph)
    assert sizes(folded) == [1, 20, 1]
    opened = open_groups(graph, folded, {names(folded)[1]})
    assert sizes(opened) == [1] * 22
    assert len(opened.links) == 40
    assert set(opened.counts) == {1}
    assert {group.because for group in opened.groups} == {Because.ALONE}
    assert sizes(open_groups(graph, folded, {GroupName("clean#1", 19)})) == [1, 20, 1]


def test_a_large_group_opens_into_parts_that_open_in_turn() -> None:
    graph = siblings(4_000)
    folded = fold(graph)
    opened = {names(folded)[1]}
    parts = open_groups(graph, folded, opened)
    assert sizes(parts) == [1, *[100] * PARTS, 1]
    assert {group.because for group in parts.groups[1:-1]} == {Because.PART}
    # the first part is another group than the whole, though it begins with the same node
    opened.add(names(parts)[1])
    again = open_groups(graph, folded, opened)
    assert sizes(again)[:5] == [1, 3, 3, 3, 3]
    assert sum(sizes(again)) == 4_002
    assert dict(zip(again.links, again.counts, strict=True))[again.links[0]] == 3


def test_a_layer_opens_into_its_tasks() -> None:
    start = made("load")()
    values = [made(f"step_{i % 7}")(start, i) for i in range(200)]
    graph = build_graph(made("gather")(values))
    layer = fold(graph, 3)
    (place,) = (i for i, group in enumerate(layer.groups) if group.because is Because.LAYER)
    opened = open_groups(graph, layer, {names(layer)[place]})
    assert len(opened.groups) == len(layer.groups) + 6
    tasks = [{node.task_name for node in group.nodes} for group in opened.groups]
    assert all(len(task) == 1 for task in tasks)


@given(
    width=st.integers(1, 120),
    height=st.integers(1, 4),
    most=st.integers(2, 60),
    picks=st.lists(st.integers(0, 200), max_size=4),
)
def test_whatever_is_opened_each_node_is_drawn_once(
    width: int, height: int, most: int, picks: Sequence[int]
) -> None:
    graph = layered(width, height)
    folded = fold(graph, most)
    opened: set[GroupName] = set()
    drawn = folded
    for pick in picks:
        found = names(drawn)
        opened.add(found[pick % len(found)])
        drawn = open_groups(graph, folded, opened)
        at = [node.index for group in drawn.groups for node in group.nodes]
        assert sorted(at) == list(range(len(graph)))
        assert len(set(names(drawn))) == len(drawn.groups)
        assert sum(drawn.counts) <= sum(1 for node in graph.nodes for _ in node.edges())
    assert sum(sizes(drawn)) == len(graph)


def test_a_box_says_what_can_be_done_with_it() -> None:
    graph: Graph = siblings(4_000)
    whole = picture_of(graph)
    group = whole.boxes[1]
    assert (group.size, group.part) == (4_000, False)
    opened = picture_of(graph, Bounds(), {name_of(whole.members[group.id])})
    first, second = opened.boxes[1:3]
    assert (first.size, first.part, second.size, second.part) == (100, True, 100, True)
    assert first.id == group.id  # so that who looked at it goes on from there
    assert first.caption == "clean#1 to clean#100"
    assert [box.part for box in (opened.boxes[0], opened.boxes[-1])] == [False, False]
    ids = [box.id for box in opened.boxes]
    assert len(set(ids)) == len(ids)
    for one, other in itertools.pairwise(opened.boxes[1:-1]):
        assert opened.members[one.id][-1] != opened.members[other.id][0]
