"""Draws pictures as SVG.

The SVG is built here, element by element, from a picture and the numbers of its layout; nothing
that Graphviz writes comes into it, and every name is the text of an element or the value of an
attribute. It has no script, no link and no URL.

What changes while a run goes on changes without a new layout. Each box of the picture is::

    <g class="node" id="node-…" data-state="waiting" data-task="train">
      <title>                                                      its tooltip
      <path class="behind">  <path class="ring">                   of stacks; of targets
      <path class="shape">                                         its front card
      <text class="title">  <text class="caption">
      <text class="progress">  <rect class="track">                of stacks, as is the next
      <rect class="bar" data-full="96">
      <g class="badge"><circle/><path class="icon" d=""/></g>

Each line is a group of class `edge`; its `data-ends` are the places of its two boxes among all of
them. Where it stands for several edges it has a text of class `count`. A
box that stands for several nodes has their number as `data-size`, and one of a group that was
opened has `data-part`.

To show a state, set `data-state` and give the icon the `d` of `states.LOOKS`. To show progress, set
`data-progress`, the text of `.progress`, and the width of `.bar` to its part of `data-full`.
"""

from __future__ import annotations

from typing import Final
from xml.etree.ElementTree import Element, tostring

from cascade_nb.graph.graph import EdgeType
from cascade_nb.view.picture.geometry import Curve, Geometry, Point
from cascade_nb.view.picture.labels import width_of
from cascade_nb.view.picture.marking import marks_on
from cascade_nb.view.picture.outline import summary_of
from cascade_nb.view.picture.picture import CAPTION_SIZE, STEP, TITLE_SIZE, Box, Line, Picture
from cascade_nb.view.picture.states import LOOKS, UNMARKED, Mark, Marks
from cascade_nb.view.svg.elements import add, tenth
from cascade_nb.view.svg.shapes import badge_place, path_of
from cascade_nb.view.svg.style import FACE, SHEET

_MARGIN: Final = 14.0
_NOTE: Final = 16.0  # from one line of notes to the next
_BAR_INSET: Final = 12
_PAGE: Final = 860.0  # pixels that a notebook has for an output, about
_GREY: Final = "#9aa2b0"
_INK: Final = "#1f2430"
_FAINT: Final = "#5b6270"
_DASHES: Final = {EdgeType.ORDER: "5 4", EdgeType.CONDITION: "0.1 4"}
_AT_ITS_START: Final = {"text-anchor": "start"}
_LEGEND: Final = {EdgeType.ORDER: "starts only afterwards", EdgeType.CONDITION: "runs only if"}


def shown_width(width: float) -> float:
    """How wide a picture of `width` points is shown, in pixels.

    One pixel for a point if it fits a page then, else down to three quarters; what is wider still
    has to be scrolled, since its words could not be read.
    """
    return width if width <= _PAGE else max(_PAGE, 0.75 * width)


def draw(picture: Picture, geometry: Geometry, marks: Marks = UNMARKED) -> str:
    """`picture` as one SVG document, with `marks` painted.

    Colours come from JupyterLab's variables where the SVG is part of such a page, else from the
    reader's preference for light or dark; a viewer that knows neither shows light ones.
    """
    legend = [kind for kind in _LEGEND if any(line.type is kind for line in picture.lines)]
    words = max((width_of(note, CAPTION_SIZE) for note in picture.notes), default=0.0)
    width = max(geometry.width, words, 160.0 * len(legend)) + 2 * _MARGIN
    below = geometry.height + 2 * _MARGIN + 4
    height = below - 4 + _NOTE * (len(picture.notes) + bool(legend))
    root = Element("svg", {"xmlns": "http://www.w3.org/2000/svg", "class": "cascade-graph"})
    root.set("viewBox", f"0 0 {tenth(width)} {tenth(height)}")
    scale = shown_width(width) / width
    root.set("width", tenth(width * scale))
    root.set("height", tenth(height * scale))
    root.set("font-family", FACE)
    root.set("text-anchor", "middle")
    root.set("role", "img")
    root.set("aria-label", f"Workflow {picture.title}")
    add(root, "title", f"Workflow {picture.title}")
    add(root, "desc", summary_of(picture, marks))
    add(root, "style", SHEET)
    add(root, "rect", width="100%", height="100%", rx="6", fill="#ffffff", **{"class": "paper"})
    drawing = add(root, "g", transform=f"translate({tenth(_MARGIN)} {tenth(_MARGIN)})")
    places = {box.id: place for place, box in enumerate(picture.boxes)}
    for line in picture.lines:
        ends = f"{places[line.source]} {places[line.target]}"
        _line(drawing, line, ends, geometry.curves.get(line.id, ()))
    marked = marks_on(picture, marks)
    for box in picture.boxes:
        _box(drawing, box, geometry.centres[box.id], marked[box.id])
    x = _MARGIN
    for kind in legend:
        sample = add(root, "g", **{"class": "edge"})
        _stroke(sample, kind, f"M{tenth(x)} {tenth(below)}h26")
        x += 32
        _text(root, "note", _LEGEND[kind], x, below + 3.5, CAPTION_SIZE, _FAINT, **_AT_ITS_START)
        x += width_of(_LEGEND[kind], CAPTION_SIZE) + 16
    for number, note in enumerate(picture.notes, bool(legend)):
        y = below + 3.5 + number * _NOTE
        _text(root, "note", note, _MARGIN, y, CAPTION_SIZE, _FAINT, **_AT_ITS_START)
    return tostring(root, encoding="unicode")


def _line(parent: Element, line: Line, ends: str, curves: tuple[Curve, ...]) -> None:
    group = add(parent, "g", id=line.id, **{"class": "edge", "data-type": line.type.value})
    group.set("data-ends", ends)
    for curve in curves:
        start, *rest = (f"{tenth(p.x)} {tenth(p.y)}" for p in curve.points)
        pieces = "".join(f"C{' '.join(rest[i : i + 3])}" for i in range(0, len(rest), 3))
        _stroke(group, line.type, f"M{start}{pieces}")
        if curve.tip is not None:
            _head(group, line.type, curve.points[-1], curve.tip)
    if line.count > 1 and curves:
        x, y = curves[0].middle
        _text(group, "count", f"{line.count:,}", x, y + 4, CAPTION_SIZE, _FAINT)


def _stroke(parent: Element, kind: EdgeType, d: str) -> None:
    path = add(parent, "path", d=d, fill="none", stroke=_GREY, **{"stroke-width": "1.3"})
    if kind in _DASHES:
        path.set("stroke-dasharray", _DASHES[kind])
    if kind is EdgeType.CONDITION:
        path.set("stroke-linecap", "round")
        path.set("stroke-width", "2")


def _head(parent: Element, kind: EdgeType, end: Point, tip: Point) -> None:
    """An arrowhead from `end` to `tip`: full where data comes, hollow where a condition does."""
    along = Point(tip.x - end.x, tip.y - end.y)
    across = Point(-along.y * 0.46, along.x * 0.46)
    left = f"{tenth(end.x + across.x)} {tenth(end.y + across.y)}"
    right = f"{tenth(end.x - across.x)} {tenth(end.y - across.y)}"
    point = f"{tenth(tip.x)} {tenth(tip.y)}"
    if kind is EdgeType.ORDER:
        d, look, fill = (
            f"M{left}L{point}L{right}M{tenth(end.x)} {tenth(end.y)}L{point}",
            "vee",
            "none",
        )
    else:
        hollow = kind is EdgeType.CONDITION
        look, fill = ("open", "#ffffff") if hollow else ("head", _GREY)
        d = f"M{left}L{point}L{right}Z"
    joint = {"stroke-linejoin": "round", "stroke-linecap": "round", "stroke-width": "1.2"}
    add(parent, "path", d=d, fill=fill, stroke=_GREY, **joint, **{"class": look})


def _box(parent: Element, box: Box, centre: Point, mark: Mark) -> None:
    look = LOOKS[mark.state]
    room_width, room_height = box.room
    x = centre.x - room_width / 2 + box.inset
    y = centre.y - room_height / 2 + box.inset
    group = add(parent, "g", id=box.id, **{"class": "node", "data-state": mark.state})
    group.set("data-task", box.task)
    if box.size > 1:
        group.set("data-size", str(box.size))
    if box.part:
        group.set("data-part", "")
    told = mark.progress_text or (look.word if mark.state != "waiting" else "")
    add(group, "title", f"{box.tooltip}: {told}" if told else box.tooltip)
    paint = {"stroke": look.ink, "stroke-width": "1.2", "stroke-linejoin": "round"}
    if box.stacked:
        for back in (box.inset + 2 * STEP, box.inset + STEP):
            behind = path_of(box, x + back, y + back)
            add(group, "path", d=behind, fill=look.wash, **paint, **{"class": "behind"})
    if box.target:
        ring = path_of(box, x, y, wider=box.inset)
        add(group, "path", d=ring, fill="#ffffff", **paint, **{"class": "ring"})
    add(group, "path", d=path_of(box, x, y), fill=look.wash, **paint, **{"class": "shape"})
    _words(group, box, x + box.width / 2, y + box.height / 2, mark)
    if box.stacked:
        _progress(group, box, x, y, mark)
    place = f"translate({tenth(x + badge_place(box))} {tenth(y + 1)})"
    badge = add(group, "g", transform=place, **{"class": "badge"})
    add(badge, "circle", r="7", fill=look.ink, stroke="#ffffff", **{"stroke-width": "1.4"})
    pen = {"stroke-width": "1.6", "stroke-linecap": "round", "stroke-linejoin": "round"}
    add(badge, "path", d=look.icon, fill="none", stroke="#ffffff", **pen, **{"class": "icon"})


def _words(group: Element, box: Box, x: float, y: float, mark: Mark) -> None:
    """Title, and below it either a caption or the progress; the style sheet shows one of the
    two.
    """
    two = box.stacked or bool(box.caption)
    weight = {"font-weight": "600"} if box.target else {}
    _text(group, "title", box.title, x, y - 3 if two else y + 4.2, TITLE_SIZE, _INK, **weight)
    if two:
        _text(group, "caption", box.caption, x, y + 10.5, CAPTION_SIZE, _FAINT)
    if box.stacked:
        _text(group, "progress", mark.progress_text, x, y + 10.5, CAPTION_SIZE, _FAINT)


def _progress(group: Element, box: Box, x: float, y: float, mark: Mark) -> None:
    full = box.width - 2 * _BAR_INSET
    at = {
        "x": tenth(x + _BAR_INSET),
        "y": tenth(y + box.height - 5.5),
        "height": "2.4",
        "rx": "1.2",
    }
    part = 0.0
    if mark.progress is not None:
        group.set("data-progress", mark.progress_text)
        done, total = mark.progress
        part = min(1.0, done / total) if total else 1.0
    add(group, "rect", width=tenth(full), fill="#d5dae2", **at, **{"class": "track"})
    bar = add(group, "rect", width=tenth(full * part), fill=LOOKS[mark.state].ink, **at)
    bar.set("class", "bar")
    bar.set("data-full", tenth(full))


def _text(
    parent: Element,
    kind: str,
    text: str,
    x: float,
    y: float,
    size: float,
    colour: str,
    **attributes: str,
) -> None:
    place = {"class": kind, "x": tenth(x), "y": tenth(y), "fill": colour}
    add(parent, "text", text, **place, **attributes, **{"font-size": f"{size:g}px"})
