"""Holds where everything is, as Graphviz computed it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple


class Point(NamedTuple):
    """A place in points, rightwards and downwards from the upper left corner."""

    x: float
    y: float


class Curve(NamedTuple):
    """A line as cubic Bézier curves: `points` are a start and then three for each piece; `tip` the
    end of the arrowhead that goes on where the last one stops.
    """

    points: tuple[Point, ...]
    tip: Point | None

    @property
    def middle(self) -> Point:
        """Halfway along it, by its pieces."""
        half, odd = divmod(len(self.points) // 3, 2)
        if not odd:
            return self.points[3 * half]
        a, b, c, d = self.points[3 * half : 3 * half + 4]
        return Point((a.x + 3 * b.x + 3 * c.x + d.x) / 8, (a.y + 3 * b.y + 3 * c.y + d.y) / 8)


@dataclass(frozen=True)
class Geometry:
    """Places for a picture.

    Attributes:
        width, height: of everything, in points.
        centres: by id of box.
        curves: by id of line.
    """

    width: float
    height: float
    centres: Mapping[str, Point]
    curves: Mapping[str, tuple[Curve, ...]]


def read_geometry(output: bytes) -> Geometry:
    """What Graphviz wrote as `json0`, whose points go upwards.

    Only numbers and ids are taken from it, so that nothing else can come from there into a page.
    The format is described at https://graphviz.org/docs/outputs/json/, positions at
    https://graphviz.org/docs/attr-types/splineType/.

    Raises:
        ValueError: it is something else.
    """
    try:
        drawing: Any = json.loads(output)
        *_, right, top = map(float, drawing["bb"].split(","))
        centres = {
            item["name"]: _point(item["pos"], top)
            for item in drawing.get("objects", ())
            if "pos" in item
        }
        curves = {
            edge["id"]: tuple(_curve(part, top) for part in edge["pos"].split(";"))
            for edge in drawing.get("edges", ())
            if "pos" in edge
        }
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"no layout: {type(error).__name__} {error}") from error
    return Geometry(right, top, centres, curves)


def _point(text: str, top: float) -> Point:
    x, y = map(float, text.split(","))
    return Point(x, top - y)


def _curve(text: str, top: float) -> Curve:
    tip = None
    points = []
    for part in text.split():
        mark, comma, place = part.partition(",")
        if mark == "e":
            tip = _point(place, top)
        elif mark != "s":
            points.append(_point(mark + comma + place, top))
    if len(points) % 3 != 1:
        raise ValueError(f"no curve: {text[:80]!r}")
    return Curve(tuple(points), tip)
