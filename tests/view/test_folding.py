"""What is drawn as one, and what is not."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cascade_nb.graph.build import build_graph
from cascade_nb.graph.graph import EdgeType, Graph
from cascade_nb.model.lazy.lazy import Lazy
from cascade_nb.view.picture.folding import Because, fold
from tests.view.graphs import chain, every_kind, layered, made, pipeline, row, siblings


def sizes(graph: Graph) -> dict[str, int]:
    """How many nodes the largest group of each task has."""
    found: dict[str, int] = {}
    for group in fold(graph).groups:
        name = group.nodes[0].task_name
        found[name] = max(found.get(name, 0), len(group.nodes))
    return found


def test_twelve_siblings_are_drawn_one_by_one() -> None:
    folded = fold(siblings(12))
    assert len(folded.groups) == 14
    assert {group.because for group in folded.groups} == {Because.ALONE}


def test_thirteen_siblings_are_drawn_as_one() -> None:
    folded = fold(siblings(13))
    assert [len(group.nodes) for group in folded.groups] == [1, 13, 1]
    assert folded.groups[1].because is Because.ALIKE
    assert folded.links == ((0, 1, EdgeType.DATA), (1, 2, EdgeType.DATA))


def test_a_link_counts_the_edges_between_the_nodes_of_two_groups() -> None:
    start = made("load")()
    features = [made("feature")(start, i) for i in range(15)]
    models = [made("train")(one, k) for one in features for k in range(2)]
    folded = fold(build_graph(made("choose")(models)))
    assert dict(zip(folded.links, folded.counts, strict=True)) == {
        (0, 1, EdgeType.DATA): 15,
        (1, 2, EdgeType.DATA): 30,
        (2, 3, EdgeType.DATA): 30,
    }


def test_a_chain_of_one_task_is_not_folded() -> None:
    assert len(fold(chain(60)).groups) == 60


def test_chains_side_by_side_fold_link_by_link() -> None:
    clean, score = made("clean"), made("score")
    graph = build_graph(made("gather")([score(clean(i)) for i in range(20)]))
    assert sizes(graph) == {"clean": 20, "score": 20, "gather": 1}


def test_pairs_of_siblings_fold_though_no_two_have_the_same_parents() -> None:
    project, diff = made("project"), made("diff")
    images = [project(i) for i in range(15)]
    graph = build_graph(made("gather")([diff(a, b) for a, b in itertools.pairwise(images)]))
    # The first and the last image are in one pair only, but how many does not count.
    assert sizes(graph) == {"project": 15, "diff": 14, "gather": 1}


@pytest.mark.parametrize(
    "odd_one", ["reads more", "is read", "is asked for", "waits", "is conditional"]
)
def test_a_node_with_another_place_is_no_sibling(odd_one: str) -> None:
    start, clean, other = made("load")(), made("clean"), made("other")()
    nodes: list[Lazy] = [clean(start, i) for i in range(14)]
    extra: list[Lazy] = []
    if odd_one == "reads more":
        nodes[3] = clean(start, other)
    elif odd_one == "is read":
        extra = [made("plot")(nodes[3])]
    elif odd_one == "is asked for":
        extra = [nodes[3]]
    elif odd_one == "waits":
        nodes[3] = nodes[3].after(other)
    else:
        nodes[3] = nodes[3].run_if(other)
    assert sizes(build_graph([made("gather")(nodes), *extra]))["clean"] == 13


@pytest.mark.parametrize("graph", [pipeline(), every_kind(), siblings(300), chain(150)])
def test_every_node_is_drawn_exactly_once(graph: Graph) -> None:
    drawn = [node.index for group in fold(graph).groups for node in group.nodes]
    assert sorted(drawn) == list(range(len(graph)))


def test_what_is_legible_is_not_folded_further() -> None:
    assert sizes(side_by_side(chains=4, length=24))["step3"] == 1  # 97 boxes


def test_where_there_are_many_boxes_two_siblings_fold() -> None:
    folded = fold(side_by_side(chains=4, length=26))  # 105 boxes
    assert {len(group.nodes) for group in folded.groups} == {1, 4}
    assert {group.because for group in folded.groups} == {Because.ALONE, Because.CROWDED}


def side_by_side(chains: int, length: int) -> Graph:
    ends = []
    for _ in range(chains):
        value = made("step0")()
        for k in range(1, length):
            value = made(f"step{k}")(value)
        ends.append(value)
    return build_graph(made("gather")(ends))


def test_too_many_boxes_are_folded_by_task_and_the_target_stays_apart() -> None:
    folded = fold(chain(401))
    assert [len(group.nodes) for group in folded.groups] == [400, 1]
    assert folded.groups[0].because is Because.KIND
    assert folded.links == ((0, 1, EdgeType.DATA),)  # and none from the box to itself


def test_four_hundred_boxes_are_drawn() -> None:
    assert len(fold(chain(400)).groups) == 400


def test_too_many_tasks_are_folded_by_depth_but_for_the_commonest_and_the_target() -> None:
    start = made("load")()
    common = [made("common")(start, i) for i in range(50)]
    rare = [made(f"rare{i}")(start) for i in range(600)]
    graph = build_graph(made("gather")(common, rare))
    folded = fold(graph)
    assert [(len(group.nodes), group.because) for group in folded.groups] == [
        (1, Because.ALONE),  # load
        (50, Because.KIND),
        (600, Because.LAYER),
        (1, Because.ALONE),  # the target
    ]


def test_a_long_row_of_different_tasks_is_folded_piece_by_piece() -> None:
    folded = fold(row(900))
    assert 200 < len(folded.groups) <= 400
    assert {len(group.nodes) for group in folded.groups[:-2]} == {3}
    # It is a row still: each piece follows the one before it.
    assert [(a, b) for a, b, _ in folded.links] == list(
        itertools.pairwise(range(len(folded.groups)))
    )


def test_lines_that_go_too_far_are_too_many() -> None:
    # A layout takes its time for the ranks that lines go over, more than for their number.
    folded = fold(layered(390, kinds=390, reach=5))
    assert folded.length <= 6000
    assert len(folded.groups) < 390


@given(
    st.integers(1, 120),
    st.integers(1, 120),
    st.integers(2, 40),
    st.integers(2, 30),
    st.integers(1, 60),
    st.integers(1, 300),
)
def test_the_bounds_hold_for_any_graph(
    count: int, kinds: int, reach: int, most_boxes: int, most_lines: int, most_length: int
) -> None:
    graph = layered(count, min(kinds, count), reach)
    folded = fold(graph, most_boxes, most_lines, most_length)
    assert len(folded.groups) <= most_boxes
    assert len(folded.links) <= most_lines
    assert folded.length <= most_length
    assert sum(len(group.nodes) for group in folded.groups) == len(graph)


@given(st.lists(st.tuples(st.integers(0, 2), st.sets(st.integers(1, 30), max_size=3)), max_size=60))
def test_folding_siblings_makes_no_cycle(rows: list[tuple[int, set[int]]]) -> None:
    tasks = [made("a"), made("b"), made("c")]
    values: list[Lazy] = []
    for kind, back in rows:
        values.append(tasks[kind](*[values[-b] for b in back if b <= len(values)]))
    graph = build_graph(made("gather")([made("start")(), *values]))
    folded = fold(graph, most_boxes=10**6, most_lines=10**6)
    left = {place: set[int]() for place in range(len(folded.groups))}
    for source, target, _ in folded.links:
        left[target].add(source)
    while free := [place for place, sources in left.items() if not sources]:
        for place in free:
            del left[place]
        for sources in left.values():
            sources.difference_update(free)
    assert not left


def test_each_link_is_of_one_type_and_stands_once() -> None:
    start = made("load")()
    both = made("use")(start).after(start)
    folded = fold(build_graph(both))
    assert set(folded.links) == {(0, 1, EdgeType.DATA), (0, 1, EdgeType.ORDER)}
    assert len(folded.links) == 2
