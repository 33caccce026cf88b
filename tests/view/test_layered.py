"""The layout of our own: every box has its room, every line runs from one to the other."""

from __future__ import annotations

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cascade_nb.graph.build import build_graph
from cascade_nb.graph.graph import EdgeType
from cascade_nb.view.layered import plain_layout
from cascade_nb.view.picture.geometry import Geometry, Point
from cascade_nb.view.picture.picture import Box, Line, Picture, Shape, picture_of
from tests.support.workflows import NAMES, Bench, Workflow
from tests.view.graphs import pipeline

NEARLY = 0.01


def picture(sizes: list[tuple[int, int]], edges: set[tuple[int, int]], upright: bool) -> Picture:
    boxes = tuple(
        Box(f"n{n}", Shape.TASK, f"n{n}", "", "", "t", n % 5 == 0, n % 7 == 0, width, height)
        for n, (width, height) in enumerate(sizes)
    )
    lines = tuple(Line(f"e{a}-{b}", f"n{a}", f"n{b}", EdgeType.DATA) for a, b in sorted(edges))
    homes = tuple(range(len(sizes)))
    return Picture("p", boxes, lines, {}, homes, len(sizes), (), upright, 3, len(lines))


@st.composite
def pictures(draw: st.DrawFn) -> Picture:
    sizes = draw(st.lists(st.tuples(st.integers(20, 200), st.integers(20, 60)), max_size=25))
    pairs = list(combinations(range(len(sizes)), 2))
    edges = draw(st.sets(st.sampled_from(pairs), max_size=60)) if pairs else set()
    return picture(sizes, edges, draw(st.booleans()))


def check(of: Picture) -> Geometry:
    geometry = plain_layout(of)
    sides = {}
    rooms = []
    for box in of.boxes:
        (x, y), (width, height) = geometry.centres[box.id], box.room
        rooms.append((x - width / 2, y - height / 2, x + width / 2, y + height / 2))
        assert rooms[-1][0] >= -NEARLY
        assert rooms[-1][1] >= -NEARLY
        assert rooms[-1][2] <= geometry.width + NEARLY
        assert rooms[-1][3] <= geometry.height + NEARLY
        sides[box.id] = (
            (Point(x, y - height / 2), Point(x, y + height / 2))
            if of.upright
            else (Point(x - width / 2, y), Point(x + width / 2, y))
        )
    for a, b in combinations(rooms, 2):
        assert a[2] <= b[0] or b[2] <= a[0] or a[3] <= b[1] or b[3] <= a[1]
    for line in of.lines:
        (curve,) = geometry.curves[line.id]
        assert len(curve.points) % 3 == 1
        assert curve.points[0] == pytest.approx(sides[line.source][1])
        assert curve.tip == pytest.approx(sides[line.target][0])
        along = [p.y if of.upright else p.x for p in curve.points]
        assert along == sorted(along)  # it never turns back
    return geometry


@given(pictures())
def test_no_box_covers_another_and_each_line_joins_its_two(of: Picture) -> None:
    check(of)


@pytest.mark.parametrize("name", NAMES)
def test_recorded_workflows_have_a_layout(name: str) -> None:
    check(picture_of(build_graph(Bench(Workflow.load(name), ["inline"]).target)))


def test_the_same_picture_has_the_same_layout() -> None:
    assert plain_layout(picture_of(pipeline())) == plain_layout(picture_of(pipeline()))


def test_lines_that_need_not_cross_do_not() -> None:
    # two ladders side by side, named so that their order at first is the worst
    edges = {(0, 5), (1, 4), (2, 7), (3, 6), (4, 8), (5, 9), (6, 10), (7, 11)}
    geometry = check(picture([(60, 30)] * 12, edges, upright=False))
    by_rank: dict[float, list[str]] = {}
    for box, centre in sorted(geometry.centres.items(), key=lambda one: one[1].y):
        by_rank.setdefault(centre.x, []).append(box)
    first, second, third = (by_rank[x] for x in sorted(by_rank))
    after = {f"n{a}": f"n{b}" for a, b in edges}
    assert [after[box] for box in first] == second
    assert [after[box] for box in second] == third
