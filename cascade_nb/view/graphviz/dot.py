"""Writes pictures as DOT: once for Graphviz to find places, once with the places for it to paint.

The only file that imports the `graphviz` package, and only when it has something to write.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from cascade_nb.graph.graph import EdgeType
from cascade_nb.view.picture.geometry import Curve, Geometry, Point
from cascade_nb.view.picture.picture import CAPTION_SIZE, STEP, TITLE_SIZE, Box, Picture, Shape
from cascade_nb.view.picture.states import LOOKS, Mark

if TYPE_CHECKING:
    from graphviz import Digraph

_FACE: Final = "Helvetica"
_STYLES: Final = {EdgeType.DATA: "solid", EdgeType.ORDER: "dashed", EdgeType.CONDITION: "dotted"}
_ARROWS: Final = {EdgeType.DATA: "normal", EdgeType.ORDER: "vee", EdgeType.CONDITION: "empty"}
_SHAPES: Final = {
    Shape.TASK: {"shape": "box", "style": "rounded,filled"},
    Shape.PARAM: {"shape": "polygon", "sides": "4", "skew": "0.1", "style": "filled"},
    Shape.ROUTER: {"shape": "house", "orientation": "270", "style": "filled"},
    Shape.CONDITION: {"shape": "hexagon", "style": "filled"},
}
# Several times faster on dense graphs, for straight lines and more crossings.
_CHEAP: Final = {"splines": "line", "mclimit": "0.1", "nslimit": "1", "nslimit1": "1"}


def dot_of(picture: Picture, *, cheap: bool = False) -> str:
    """`picture` as DOT, without places. Equal pictures give equal texts.

    Lines leave in the middle of a box's one side and arrive in the middle of the other, where all
    shapes that are drawn touch the room that they are given here as a rectangle.

    Args:
        cheap: whether a fast layout is wanted rather than a fine one.
    """
    # Where many lines fan out, they need more room from one rank to the next.
    graph = _digraph(
        rankdir="TB" if picture.upright else "LR",
        nodesep="0.22",
        ranksep=f"{(0.34 if picture.upright else 0.42) + 0.03 * min(picture.breadth, 20):.2f}",
        **(_CHEAP if cheap else {"splines": "true"}),
    )
    graph.attr("node", shape="box", style="rounded", fixedsize="true")
    tail, head = ("s", "n") if picture.upright else ("e", "w")
    graph.attr("edge", tailport=tail, headport=head)
    for box in picture.boxes:
        width, height = box.room
        graph.node(
            box.id,
            label=_label(f"{box.title}\n{box.caption}" if box.caption else box.title),
            id=box.id,
            width=_inches(width),
            height=_inches(height),
            **{"class": box.shape.value},
            **({"penwidth": "2"} if box.target else {}),
        )
    for line in picture.lines:
        graph.edge(line.source, line.target, id=line.id, **_stroke(line.type))
    return str(graph.source)


def painting_of(
    picture: Picture, geometry: Geometry, marks: Mapping[str, Mark], size: float
) -> str:
    """`picture` in place, for an engine that moves nothing (`nop2`); the same image as
    `markup.draw` gives.

    Args:
        size: pixels for one point.
    """
    graph = _digraph(bgcolor="white", pad="0.16", dpi=f"{72 * size:g}", outputorder="edgesfirst")
    graph.attr("node", fixedsize="true", penwidth="1.1")
    painter = _Painter(graph, geometry.height)
    for box in picture.boxes:
        painter.box(box, geometry.centres[box.id], marks.get(box.id, Mark()))
    for line in picture.lines:
        for curve in geometry.curves.get(line.id, ()):
            places = painter.curve(curve)
            graph.edge(line.source, line.target, pos=places, color="#8a93a3", **_stroke(line.type))
    for number, note in enumerate(picture.notes):
        place = Point(geometry.width / 2, geometry.height + 16 + 14 * number)
        painter.text(f"note{number}", place, note, CAPTION_SIZE, "#5b6270")
    return str(graph.source)


class _Painter:
    """Puts what a box consists of where it belongs; DOT's points go upwards from the lower left
    corner.
    """

    def __init__(self, graph: Digraph, top: float) -> None:
        self.graph = graph
        self.top = top

    def box(self, box: Box, centre: Point, mark: Mark) -> None:
        look = LOOKS[mark.state]
        room_width, room_height = box.room
        middle = Point(
            centre.x - room_width / 2 + box.inset + box.width / 2,
            centre.y - room_height / 2 + box.inset + box.height / 2,
        )
        colours = {"color": look.ink, **_SHAPES[box.shape]}
        if box.stacked:
            for back in (2, 1):
                behind = box.inset + back * STEP
                self.put(
                    f"{box.id}-{back}",
                    Point(middle.x + behind, middle.y + behind),
                    box.width,
                    box.height,
                    fillcolor="white",
                    **colours,
                )
        if box.target:
            wide, high = box.width + 2 * box.inset, box.height + 2 * box.inset
            self.put(f"{box.id}-ring", middle, wide, high, fillcolor="white", **colours)
        self.put(box.id, middle, box.width, box.height, fillcolor=look.wash, **colours)
        second = mark.progress_text or box.caption
        lift = 7 if second else 0
        bold = "-Bold" if box.target else ""
        self.text(
            f"{box.id}-title",
            Point(middle.x, middle.y - lift),
            box.title,
            TITLE_SIZE,
            "#1f2430",
            _FACE + bold,
        )
        if second:
            below = Point(middle.x, middle.y + 9)
            self.text(f"{box.id}-caption", below, second, CAPTION_SIZE, "#5b6270")
        if look.sign:
            corner = Point(middle.x + box.width / 2 - 2, middle.y - box.height / 2 + 1)
            hollow = look.wash == "#ffffff"
            self.put(
                f"{box.id}-badge",
                corner,
                14,
                14,
                label=_label(look.sign),
                shape="circle",
                style="filled",
                fillcolor="white" if hollow else look.ink,
                color=look.ink if hollow else "white",
                fontcolor=look.ink if hollow else "white",
                fontsize="9",
            )

    def put(
        self, name: str, place: Point, width: float, height: float, label: str = "", **attrs: str
    ) -> None:
        self.graph.node(
            name,
            label=label,
            pos=f"{place.x:g},{self.top - place.y:g}",
            width=_inches(width),
            height=_inches(height),
            **attrs,
        )

    def text(
        self, name: str, place: Point, text: str, size: float, colour: str, face: str = _FACE
    ) -> None:
        words = {"fontsize": f"{size:g}", "fontcolor": colour, "fontname": face}
        self.put(name, place, 10, 10, _label(text), shape="plaintext", style="", **words)

    def curve(self, curve: Curve) -> str:
        points = [f"{p.x:g},{self.top - p.y:g}" for p in curve.points]
        if curve.tip is not None:
            points.insert(0, f"e,{curve.tip.x:g},{self.top - curve.tip.y:g}")
        return " ".join(points)


def _digraph(**attributes: str) -> Digraph:
    from graphviz import Digraph  # noqa: PLC0415 - a picture may never be asked for

    return Digraph(
        "cascade",
        graph_attr=attributes,
        node_attr={"fontname": _FACE, "fontsize": f"{TITLE_SIZE:g}", "margin": "0"},
        edge_attr={"arrowsize": "0.6"},
    )


def _label(text: str) -> str:
    """`text` as a label that means nothing but itself: no escapes of DOT, no HTML."""
    from graphviz import escape, nohtml  # noqa: PLC0415 - as above

    label: str = nohtml(r"\n".join(escape(line) for line in text.split("\n")))
    return label


def _stroke(kind: EdgeType) -> dict[str, Any]:
    return {"style": _STYLES[kind], "arrowhead": _ARROWS[kind]}


def _inches(points: float) -> str:
    return f"{points / 72:.5f}"
