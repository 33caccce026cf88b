"""Finds places for what a picture shows, in a child process as long as there is a Graphviz.

A layout takes from 20 milliseconds to many seconds, and `pygraphviz` would hold the interpreter all
the while. So a thread waits for a child, with a limit of time; nobody's loop waits for either. When
time is up, a coarser layout is tried, and when that comes to nothing either, or there is no
Graphviz, a plain one of our own. What was laid out once is kept by its DOT.
"""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Callable, Generator, Hashable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeVar

from cascade_nb.errors import UsageError
from cascade_nb.view.graphviz.child import Child, GraphvizError, TimeUpError, commands, has_fonts
from cascade_nb.view.graphviz.dot import dot_of, painting_of
from cascade_nb.view.graphviz.layout_cache import LayoutCache
from cascade_nb.view.layered import plain_layout
from cascade_nb.view.picture.geometry import Geometry, read_geometry
from cascade_nb.view.picture.marking import marks_on
from cascade_nb.view.picture.outline import outline_of
from cascade_nb.view.picture.picture import Picture
from cascade_nb.view.picture.states import UNMARKED, Marks
from cascade_nb.view.svg.easing import eased
from cascade_nb.view.svg.markup import draw

T = TypeVar("T")

LIMIT: Final = 10.0
FORMATS: Final = ("svg", "png")
_PNG: Final = b"\x89PNG\r\n\x1a\n"
_NOTHING: Final = "there is neither a `dot` on the PATH nor a Python to run `pygraphviz` in"
_FINE: Final = 0.6  # of the limit, for the fine layout; the rest is for the coarse one
_FINE_LENGTH: Final = 1500  # of a picture; beyond it a fine layout may take minutes
SHARPNESS: Final = 2.0  # pixels for one point of a PNG
_MOST_PIXELS: Final = 4e6  # in one; a notebook keeps each


@dataclass(frozen=True)
class Rendered:
    """A picture in place.

    Attributes:
        geometry: where everything is.
        svg, png: the picture, or None where it was not asked for or could not be made.
        text: the picture in words, always.
        problem: why something is missing, as a sentence; empty if nothing is.
        seconds: how long the layout took; 0 if it was at hand.
    """

    picture: Picture
    geometry: Geometry
    svg: str | None
    png: bytes | None
    text: str
    problem: str = ""
    seconds: float = 0.0

    def painted(self, marks: Marks) -> str:
        """The SVG with these states instead, such as those at the end of a run."""
        return draw(self.picture, self.geometry, marks)


class _Placed(NamedTuple):
    """A layout, and whether it is Graphviz's; ours is made anew when it is asked for again."""

    geometry: Geometry
    fine: bool


class _Painted(NamedTuple):
    """An image, or why there is none."""

    image: bytes | None = None
    problem: str = ""


# What is made, where, under which key, and how: who has the answer may wait for it in his own way.
_Step = tuple[LayoutCache[Any], Hashable, Callable[[Child], Any]]

_LAYOUTS: Final[LayoutCache[_Placed]] = LayoutCache(room=64, keeps=lambda made: made.fine)
_IMAGES: Final[LayoutCache[_Painted]] = LayoutCache(room=64, keeps=lambda made: not made.problem)
_ASIDE: Final[LayoutCache[Any]] = LayoutCache(room=0, keeps=lambda _: False)


async def aside(make: Callable[[], T]) -> T:
    """What `make` gives, made in a thread of its own, so that the loop stays free."""
    made: T = await _ASIDE.ask(object(), lambda _: make())
    return made


async def lay_out(
    picture: Picture,
    formats: Iterable[str] = FORMATS,
    *,
    marks: Marks = UNMARKED,
    limit: float = LIMIT,
) -> Rendered:
    """`picture` in place. The loop is free meanwhile; cancelling it leaves no process behind.

    Whatever goes wrong with Graphviz, there is an answer: `Rendered.problem` says what is missing
    and why.

    Args:
        formats: "svg", "png" or both.
        marks: states to paint.
        limit: seconds, for everything together.

    Raises:
        UsageError: there is no such format.
    """
    steps = _steps(picture, tuple(formats), marks, limit)
    try:
        step = next(steps)
        while True:
            cache, key, make = step
            step = steps.send(await cache.ask(key, make))
    except StopIteration as end:
        rendered: Rendered = end.value
        return rendered


def lay_out_now(
    picture: Picture,
    formats: Iterable[str] = FORMATS,
    *,
    marks: Marks = UNMARKED,
    limit: float = LIMIT,
) -> Rendered:
    """`lay_out` for those who may block up to `limit` seconds, such as scripts."""
    steps = _steps(picture, tuple(formats), marks, limit)
    try:
        step = next(steps)
        while True:
            cache, key, make = step
            step = steps.send(cache.ask_now(key, make))
    except StopIteration as end:
        rendered: Rendered = end.value
        return rendered


def _steps(
    picture: Picture, formats: tuple[str, ...], marks: Marks, limit: float
) -> Generator[_Step, Any, Rendered]:
    """What must be made, one after the other; whoever drives it decides how to wait."""
    for form in formats:
        if form not in FORMATS:
            raise UsageError(f"there is no format {form!r} for a picture; there is svg and png")
    began = time.monotonic()
    fine = yield _ASIDE, object(), lambda _: dot_of(picture)
    made = yield _LAYOUTS, _key("json0", fine), partial(_place, picture, fine, limit)
    seconds = time.monotonic() - began
    geometry = made.geometry
    drawn = yield _ASIDE, object(), lambda _: _drawn(picture, formats, marks, geometry)
    if not drawn.painting:
        return Rendered(picture, geometry, drawn.svg, None, drawn.text, "", seconds)
    left = max(limit / 5, began + limit - time.monotonic())
    key = _key("png", drawn.painting)
    image = yield _IMAGES, key, partial(_paint, drawn.painting, left)
    return Rendered(picture, geometry, drawn.svg, image.image, drawn.text, image.problem, seconds)


class _Drawn(NamedTuple):
    svg: str | None
    text: str
    painting: str


def _drawn(picture: Picture, formats: tuple[str, ...], marks: Marks, geometry: Geometry) -> _Drawn:
    text = outline_of(picture, marks)
    svg = draw(picture, geometry, marks) if "svg" in formats else None
    if "png" not in formats:
        return _Drawn(svg, text, "")
    area = max(geometry.width * geometry.height, 1.0)
    size = min(SHARPNESS, math.sqrt(_MOST_PIXELS / area))
    return _Drawn(svg, text, painting_of(picture, geometry, marks_on(picture, marks), size))


def _key(form: str, dot: str) -> Hashable:
    return form, hashlib.sha256(dot.encode()).digest()


def _place(picture: Picture, fine: str, limit: float, child: Child) -> _Placed:
    """The layout of `picture`: the fine one, the coarse one, or our own."""
    began = time.monotonic()
    tries = [(1.0, dot_of(picture, cheap=True))]
    if picture.length <= _FINE_LENGTH:
        tries.insert(0, (_FINE, fine))
    for share, dot in tries:
        for command in commands("dot", "json0"):
            left = began + share * limit - time.monotonic()
            try:
                geometry = read_geometry(child.run(command, dot.encode(), left))
                return _Placed(eased(picture, geometry), fine=True)
            except TimeUpError:
                break  # another program would take as long
            except (GraphvizError, ValueError):
                continue
        else:
            break  # nothing works here, and a coarser layout needs the same
    return _Placed(plain_layout(picture), fine=False)


def _paint(painting: str, limit: float, child: Child) -> _Painted:
    """The image that `painting` describes, or why there is none."""
    if not has_fonts():
        return _Painted(problem="No PNG: this machine has no fonts to write the words with.")
    problem = _NOTHING
    for command in commands("nop2", "png"):
        try:
            image = child.run(command, painting.encode(), limit)
            if image.startswith(_PNG):
                return _Painted(image=image)
            problem = f"{Path(command[0]).name} wrote something else"
        except TimeUpError:
            problem = f"painting it took longer than {limit:.1f} s"
            break
        except GraphvizError as error:
            problem = str(error)
    return _Painted(problem=f"No PNG: {problem}.")
