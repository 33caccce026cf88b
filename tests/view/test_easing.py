"""Places read from Graphviz, and the plain curves that are drawn instead of some of its own."""

from __future__ import annotations

import json

import pytest

from cascade_nb.graph.graph import EdgeType
from cascade_nb.view.picture.geometry import Curve, Geometry, Point, read_geometry
from cascade_nb.view.picture.picture import Box, Line, Picture, Shape
from cascade_nb.view.svg.easing import eased


def box(name: str, width: int = 60) -> Box:
    return Box(name, Shape.TASK, name, "", name, name, False, False, width, 30)


def placed(
    *boxes: tuple[Box, float, float], upright: bool = False
) -> tuple[Picture, Geometry, Curve]:
    """A picture with one line from the first box to the last, which Graphviz drew as a detour."""
    first, last = boxes[0][0].id, boxes[-1][0].id
    line = Line("edge", first, last, EdgeType.DATA)
    picture = Picture("", tuple(b for b, _, _ in boxes), (line,), {}, (), 2, (), upright, 2, 1)
    start, end = Point(boxes[0][1], boxes[0][2]), Point(boxes[-1][1], boxes[-1][2])
    detour = Curve((start, Point(-99, -99), Point(-99, 99), Point(end.x - 40, end.y)), end)
    centres = {b.id: Point(x, y) for b, x, y in boxes}
    return picture, Geometry(300, 300, centres, {"edge": (detour,)}), detour


def drawn(picture: Picture, geometry: Geometry) -> Curve:
    (curve,) = eased(picture, geometry).curves["edge"]
    return curve


def test_a_line_between_neighbours_becomes_a_plain_s() -> None:
    picture, geometry, _ = placed((box("a"), 30, 100), (box("b"), 170, 20))
    curve = drawn(picture, geometry)
    assert curve.points[0] == Point(60, 100)
    assert curve.tip == Point(140, 20)
    heights = [point.y for point in curve.points]
    assert heights == sorted(heights, reverse=True)
    assert [point.x for point in curve.points] == sorted(point.x for point in curve.points)


def test_a_line_passes_a_wider_box_of_its_column_before_it_bends() -> None:
    picture, geometry, _ = placed(
        (box("a"), 60, 200), (box("wide", 120), 60, 100), (box("b"), 230, 20)
    )
    assert drawn(picture, geometry).points[3] == Point(120, 200)  # straight on until there


def test_a_line_bends_before_it_comes_to_a_wider_box_of_the_other_column() -> None:
    picture, geometry, _ = placed(
        (box("a"), 60, 200), (box("wide", 120), 250, 100), (box("b"), 250, 20)
    )
    curve = drawn(picture, geometry)
    assert curve.points[6].x < 190
    assert curve.points[6].y == 20
    assert curve.tip == Point(220, 20)


def test_a_line_with_a_box_in_its_way_stays_as_it_was_laid_out() -> None:
    picture, geometry, detour = placed(
        (box("a", 20), 10, 100), (box("between", 20), 70, 60), (box("b", 20), 150, 20)
    )
    assert drawn(picture, geometry) == detour


def test_a_box_above_the_line_is_not_in_its_way() -> None:
    picture, geometry, detour = placed(
        (box("a", 20), 10, 100), (box("above", 20), 70, 10), (box("b", 20), 150, 90)
    )
    assert drawn(picture, geometry) != detour


def test_a_line_backwards_stays_as_it_was_laid_out() -> None:
    picture, geometry, detour = placed((box("a"), 230, 20), (box("b"), 60, 200))
    assert drawn(picture, geometry) == detour


def test_an_upright_picture_is_eased_downwards() -> None:
    picture, geometry, detour = placed((box("a"), 40, 15), (box("b"), 120, 95), upright=True)
    curve = drawn(picture, geometry)
    assert curve != detour
    assert curve.points[0] == Point(40, 30)
    assert curve.tip == Point(120, 80)


def test_places_are_turned_downwards() -> None:
    # Graphviz counts upwards from the lower end.
    output = {
        "bb": "0,0,200,100",
        "objects": [{"name": "a", "pos": "50,90"}],
        "edges": [{"id": "e", "pos": "e,90,10 10,90 20,90 30,90 40,80"}],
    }
    geometry = read_geometry(json.dumps(output).encode())
    assert (geometry.width, geometry.height) == (200, 100)
    assert geometry.centres == {"a": Point(50, 10)}
    (curve,) = geometry.curves["e"]
    assert curve.points[0] == Point(10, 10)
    assert curve.tip == Point(90, 90)


@pytest.mark.parametrize(
    "output",
    [
        b"",
        b"{}",
        b"[]",
        b"null",
        b"<svg/>",
        b'{"bb": "0,0,x,1"}',
        b'{"bb": "0,0,1,1", "objects": [{"name": "a", "pos": "1"}]}',
        b'{"bb": "0,0,1,1", "edges": [{"id": "e", "pos": "1,1 2,2"}]}',
        b'{"bb": "0,0,1,1", "edges": [{"id": "e", "pos": 7}]}',
        b"\xff\xfe",
    ],
)
def test_what_is_no_layout_is_refused_with_one_kind_of_error(output: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        read_geometry(output)
