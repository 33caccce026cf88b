"""Draws plain curves between neighbours, in place of the layout's where nothing is in the way.

Graphviz routes each line for itself, and where many fan out of one box or into one, they bulge and
cross. Lines that are the same S, only taller for some, never cross a neighbour that shares an end
with them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Final, NamedTuple

from cascade_nb.view.picture.geometry import Curve, Geometry, Point
from cascade_nb.view.picture.picture import Picture

_HEAD: Final = 7.0  # points that an arrowhead takes
_LEAST: Final = 12.0  # points that an S needs from one side to the other
_MOST: Final = 200.0  # points from one box to another that is still its neighbour
_CLEARANCE: Final = 6.0  # points between a line and a box that it passes


class _Place(NamedTuple):
    """The room of a box in a picture that grows to the right."""

    left: float
    right: float
    upper: float
    lower: float

    @property
    def column(self) -> int:
        """What boxes of one rank have in common, since the layout puts their middles in a row."""
        return round(self.left + self.right)


def eased(picture: Picture, geometry: Geometry) -> Geometry:
    """`geometry` with a plain curve for each line that has room for one."""
    places = _places(picture, geometry)
    curves = dict(geometry.curves)
    for line in picture.lines:
        drawn = curves.get(line.id, ())
        if len(drawn) == 1 and drawn[0].tip is not None:
            points = _plain(places[line.source], places[line.target], places.values())
            if points:
                *body, tip = (_turned(point, picture.upright) for point in points)
                curves[line.id] = (Curve(tuple(body), tip),)
    return dataclasses.replace(geometry, curves=curves)


def _places(picture: Picture, geometry: Geometry) -> dict[str, _Place]:
    places = {}
    for box in picture.boxes:
        x, y = _turned(geometry.centres[box.id], picture.upright)
        width, height = reversed(box.room) if picture.upright else box.room
        places[box.id] = _Place(x - width / 2, x + width / 2, y - height / 2, y + height / 2)
    return places


def _plain(source: _Place, target: _Place, places: Iterable[_Place]) -> tuple[Point, ...]:
    """A straight piece out of one column, past wider boxes there, an S, a straight piece into the
    other column; or nothing, where a box stands in the way. The last point is the tip of an
    arrowhead.
    """
    start = Point(source.right, (source.upper + source.lower) / 2)
    tip = Point(target.left, (target.upper + target.lower) / 2)
    upper, lower = min(start.y, tip.y) - _CLEARANCE, max(start.y, tip.y) + _CLEARANCE
    out, into = start.x, tip.x
    for place in places:
        if place.lower < upper or place.upper > lower:
            continue
        if place.column == source.column:
            out = max(out, place.right)
        elif place.column == target.column:
            into = min(into, place.left)
        elif source.column < place.column < target.column:
            return ()
    into -= _HEAD
    if into - out < _LEAST or tip.x - start.x > _MOST:
        return ()
    middle = (out + into) / 2
    end = Point(tip.x - _HEAD, tip.y)
    leave, arrive = Point(out, start.y), Point(into, end.y)
    bend = (Point(middle, start.y), Point(middle, end.y), arrive)
    return (start, start, leave, leave, *bend, arrive, end, end, tip)


def _turned(point: Point, turn: bool) -> Point:
    """`point` with its axes exchanged, so that an upright picture is like one that lies."""
    return Point(point.y, point.x) if turn else point
