"""Draws graphs: the only place that makes DOT, SVG or text pictures of them."""

from __future__ import annotations

from cascade_nb.view.graphviz.dot import dot_of
from cascade_nb.view.graphviz.layout import Rendered, aside, lay_out, lay_out_now
from cascade_nb.view.picture.marking import marks_on
from cascade_nb.view.picture.outline import outline
from cascade_nb.view.picture.picture import Box, Line, Picture, Shape, picture_of
from cascade_nb.view.picture.states import LOOKS, Look, Mark, Marks, together
from cascade_nb.view.svg.markup import draw
from cascade_nb.view.visual import Visual, static_bundle, static_metadata

__all__ = [
    "LOOKS",
    "Box",
    "Line",
    "Look",
    "Mark",
    "Marks",
    "Picture",
    "Rendered",
    "Shape",
    "Visual",
    "aside",
    "dot_of",
    "draw",
    "lay_out",
    "lay_out_now",
    "marks_on",
    "outline",
    "picture_of",
    "static_bundle",
    "static_metadata",
    "together",
]
