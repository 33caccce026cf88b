"""Displays a graph, and makes the static picture that stays in a saved notebook."""

from __future__ import annotations

import base64
import struct
import threading
from collections.abc import Container
from functools import partial
from pathlib import Path
from typing import Any, Final

from cascade_nb.errors import UsageError
from cascade_nb.graph.graph import Graph
from cascade_nb.view.graphviz.dot import dot_of
from cascade_nb.view.graphviz.layout import SHARPNESS, Rendered, aside, lay_out, lay_out_now
from cascade_nb.view.picture.outline import outline_of
from cascade_nb.view.picture.picture import Bounds, Picture, picture_of
from cascade_nb.view.picture.states import UNMARKED, Marks
from cascade_nb.view.svg.markup import shown_width

#: Seconds that a display may hold up a notebook's loop when nobody laid its picture out before.
PATIENCE: Final = 4.0
#: Characters of pictures that one output puts into a notebook's file, SVG and PNG together.
SAVED: Final = 250_000
#: How much is drawn in a file where all that can be drawn is too large for it, and if that is, too.
TIGHTER: Final = (Bounds(100, 220, 1000), Bounds(40, 90, 400), Bounds(12, 30, 120))


def static_bundle(rendered: Rendered, summary: str = "") -> dict[str, Any]:
    """What a display shows of `rendered` by MIME type, also in a saved notebook that has no kernel.

    All of it stays in the notebook's file, so there is no PNG where it would make that large, and
    only words where the SVG alone would; see `lay_out_for_file`.

    Args:
        summary: lines that stand above the picture in words, such as how a run ended.
    """
    svg, png = _saved(rendered)
    large = ""
    if rendered.svg is not None and svg is None:
        large = (
            f"No picture here: its {len(rendered.svg.encode()) // 1000} kB are too many for a "
            'notebook\'s file. `cs.visualize(…).save("graph.svg")` writes it to a file of its own.'
        )
    lines = [summary, rendered.text, rendered.problem, large]
    bundle: dict[str, Any] = {"text/plain": "\n".join(filter(None, lines))}
    if svg is not None:
        bundle["image/svg+xml"] = svg
    if png is not None:
        bundle["image/png"] = base64.b64encode(png).decode("ascii")
    return bundle


def fits_a_file(rendered: Rendered) -> bool:
    """Whether all of its picture can be kept in a notebook's file."""
    return rendered.svg is None or len(rendered.svg.encode()) <= SAVED


async def lay_out_for_file(graph: Graph, rendered: Rendered, marks: Marks = UNMARKED) -> Rendered:
    """`rendered`, the picture of `graph`, or one in which more is drawn as one, so that it fits."""
    for most in TIGHTER:
        if fits_a_file(rendered):
            break
        picture = await aside(partial(picture_of, graph, most))
        rendered = await lay_out(picture, marks=marks)
    return rendered


def _saved(rendered: Rendered) -> tuple[str | None, bytes | None]:
    """The SVG and the PNG, as far as there is room for them in a notebook's file."""
    svg, png, room = rendered.svg, rendered.png, SAVED
    if svg is not None:
        room -= len(svg.encode())
        if room < 0:  # and a PNG of it is larger still
            return None, None
    if png is not None and len(png) * 4 / 3 > room:
        png = None
    return svg, png


def static_metadata(rendered: Rendered) -> dict[str, Any]:
    """What belongs to `static_bundle`: how large the PNG is to be shown, which has two pixels
    for a point.
    """
    _, png = _saved(rendered)
    if png is None:
        return {}
    # Where every PNG has its size: https://www.w3.org/TR/png-3/#11IHDR
    width, height = struct.unpack(">II", png[16:24])
    shown = shown_width(width / SHARPNESS)
    return {"image/png": {"width": round(shown), "height": round(height * shown / width)}}


class Visual:
    """A picture of a graph that displays itself in a notebook, and as text elsewhere.

    The layout is made in a child process when it is first needed; `prepared` makes it without
    holding up a loop. It never raises because of Graphviz: `problem` says what is missing and why,
    and the picture in words is always there.

    Args:
        marks: states to paint.
    """

    def __init__(self, graph: Graph, marks: Marks = UNMARKED) -> None:
        self.graph = graph
        self.marks = marks
        self._lock = threading.Lock()
        self._picture: Picture | None = None
        self._rendered: Rendered | None = None
        self._filed: Rendered | None = None

    @classmethod
    async def prepared(cls, graph: Graph, marks: Marks = UNMARKED) -> Visual:
        """One whose picture is laid out already; the loop is free meanwhile."""
        visual = cls(graph, marks)
        visual._picture = await aside(lambda: picture_of(graph))
        visual._rendered = await lay_out(visual._picture, marks=marks)
        visual._filed = await lay_out_for_file(graph, visual._rendered, marks)
        return visual

    @property
    def picture(self) -> Picture:
        """What is drawn."""
        if self._picture is None:
            self._picture = picture_of(self.graph)
        return self._picture

    @property
    def rendered(self) -> Rendered:
        """The picture in place; it may block for up to four seconds the first time."""
        with self._lock:
            if self._rendered is None:
                self._rendered = lay_out_now(self.picture, marks=self.marks, limit=PATIENCE)
            return self._rendered

    def _for_file(self) -> Rendered:
        """As `lay_out_for_file`, for who may block."""
        filed = self._filed or self.rendered
        for most in TIGHTER:
            if fits_a_file(filed):
                break
            picture = picture_of(self.graph, most)
            filed = lay_out_now(picture, marks=self.marks, limit=PATIENCE)
        self._filed = filed
        return filed

    @property
    def svg(self) -> str:
        """The picture as SVG."""
        rendered = self.rendered
        return rendered.svg or rendered.painted(self.marks)

    @property
    def png(self) -> bytes | None:
        """The picture as PNG, or None; then `problem` says why."""
        return self.rendered.png

    @property
    def problem(self) -> str:
        """Why a part of it is missing; empty when nothing is."""
        return self.rendered.problem

    @property
    def dot(self) -> str:
        """The picture in the language of Graphviz, for other tools."""
        return dot_of(self.picture)

    @property
    def text(self) -> str:
        """The picture in words; this never waits for a layout."""
        return outline_of(self.picture, self.marks)

    def save(self, path: str | Path) -> Path:
        """Write it to a file, as what its suffix says: .svg, .png, .dot, .gv or .txt.

        Raises:
            UsageError: another suffix, or there is no such picture; the message says why.
            OSError: the file cannot be written.
        """
        file = Path(path)
        suffix = file.suffix.lower()
        if suffix == ".png":
            file.write_bytes(self._image())
        elif suffix == ".svg":
            file.write_text(self.svg, encoding="utf-8")
        elif suffix in {".dot", ".gv"}:
            file.write_text(self.dot, encoding="utf-8")
        elif suffix == ".txt":
            file.write_text(self.text + "\n", encoding="utf-8")
        else:
            given = f"not as {suffix!r}" if suffix else f"and {file.name!r} says none of them"
            raise UsageError(f"a picture is saved as .svg, .png, .dot, .gv or .txt, {given}")
        return file

    def _image(self) -> bytes:
        if self.png is None:
            raise UsageError(f"{self.problem} Save it as .svg, .txt or .dot instead.")
        return self.png

    def _repr_mimebundle_(
        self, include: Container[str] | None = None, exclude: Container[str] | None = None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """What IPython asks an object for that is displayed."""
        bundle = {
            kind: data
            for kind, data in static_bundle(self._for_file()).items()
            if (not include or kind in include) and (not exclude or kind not in exclude)
        }
        return bundle, static_metadata(self._for_file())

    def __repr__(self) -> str:
        return self.text
