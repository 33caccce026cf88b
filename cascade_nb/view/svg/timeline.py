"""Draws when the tasks of a run were under way: a lane for each, as one SVG and as lines of text.

It is for files, where nothing can be pointed at, so each lane says in words what it adds up to. As
in a picture of a graph, every name is the text of an element, and there is no script and no link.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Final, NamedTuple
from xml.etree.ElementTree import Element, tostring

from cascade_nb.control.words import count_text, seconds_text
from cascade_nb.view.picture.labels import clean
from cascade_nb.view.picture.states import LOOKS
from cascade_nb.view.svg.elements import add, tenth
from cascade_nb.view.svg.style import FACE, themed

LANES: Final = 24  # that are drawn; of more, those that took longest
SHAPES: Final = 3_000  # about so many bars at most: what lies closer together is drawn as one

_WIDTH: Final = 860.0
_LEFT: Final = 150.0  # for the names of lanes
_RIGHT: Final = 110.0  # for their words
_ROOM: Final = _WIDTH - _LEFT - _RIGHT
_HEAD: Final = 20.0
_ROWS: Final = 6  # of a lane; what more was under way at once lies on others
_ROW: Final = 8.0
_GAP: Final = 7.0
_NAME: Final = 22  # characters
_COLUMNS: Final = 48  # of the lines of text
_STEPS: Final = (1, 2, 5)
_CLOCK: Final = (10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400)
_BADLY: Final = ("done", "cancelled", "failed")  # the worst one last
_FAINT: Final = "#5b6270"
_INK: Final = "#1f2430"
_HELD: Final = LOOKS["held"].ink


class Span(NamedTuple):
    """A time in which something was under way, in seconds from the beginning of the run.

    Attributes:
        state: how it ended: "done", "cancelled" or "failed".
        marked: whether the end of the run waited for it.
    """

    since: float
    until: float
    state: str
    marked: bool = False


class Lane(NamedTuple):
    """A task.

    Attributes:
        name: its name.
        words: what it adds up to.
        seconds: how long it was under way, all of it together.
        spans: its attempts, the first one first.
        held: when it was paused by itself, in seconds from the beginning of the run.
    """

    name: str
    words: str
    seconds: float
    spans: Sequence[Span]
    held: Sequence[tuple[float, float]] = ()


class Times(NamedTuple):
    """A run that is over, to be drawn.

    Attributes:
        title: what ran.
        length: seconds from its beginning to its end.
        lanes: its tasks, the one that began first first.
        held: when all of it was paused, in seconds from its beginning.
    """

    title: str
    length: float
    lanes: Sequence[Lane]
    held: Sequence[tuple[float, float]] = ()

    @property
    def shown(self) -> list[Lane]:
        """Those that are drawn."""
        longest = sorted(self.lanes, key=lambda lane: -lane.seconds)[:LANES]
        return [lane for lane in self.lanes if lane in longest][:LANES]

    @property
    def rest(self) -> str:
        """What is to be said of the others."""
        left = len(self.lanes) - len(self.shown)
        return f"… and {count_text(left, 'task')} that took less" if left else ""


def times_text(times: Times) -> str:
    """The same in lines of text: where something was under way, there is a block."""
    lanes = times.shown
    names = [clean(lane.name, _NAME) for lane in lanes]
    wide = max(map(len, names), default=0)
    lines = [
        f"{name:{wide}}  {_strip(lane, times.length)}  {clean(lane.words, 80)}"
        for name, lane in zip(names, lanes, strict=True)
    ]
    return "\n".join(filter(None, [*lines, times.rest]))


def _strip(lane: Lane, length: float) -> str:
    scale = _COLUMNS / max(length, 1e-9)
    blocks = ["·"] * _COLUMNS
    for span in lane.spans:
        first = min(_COLUMNS - 1, int(span.since * scale))
        last = min(_COLUMNS - 1, max(first, int(span.until * scale)))
        blocks[first : last + 1] = "█" * (last + 1 - first)
    return "".join(blocks)


def draw_times(times: Times) -> str:
    """A run's time as one SVG document, in the colours of a picture of a graph."""
    lanes = times.shown
    rows = [_stacked(lane.spans) for lane in lanes]
    tops, y = [], _HEAD
    for placed in rows:
        tops.append(y)
        y += max(len(placed) * _ROW, 14.0) + _GAP
    notes = [note for note in (_legend(times, lanes), times.rest) if note]
    height = y + 16 * len(notes) + 4
    root = Element("svg", {"xmlns": "http://www.w3.org/2000/svg", "class": "cascade-times"})
    root.set("viewBox", f"0 0 {tenth(_WIDTH)} {tenth(height)}")
    root.set("width", tenth(_WIDTH))
    root.set("height", tenth(height))
    root.set("font-family", FACE)
    root.set("font-size", "11px")
    root.set("role", "img")
    title = clean(f"When {times.title} was under way", 200)
    root.set("aria-label", title)
    add(root, "title", title)
    add(root, "desc", clean(times_text(times), 4000))
    add(root, "style", _SHEET)
    paper = {"width": "100%", "height": "100%", "rx": "6", "fill": "#ffffff"}
    add(root, "rect", **paper, **{"class": "paper"})
    scale = _ROOM / max(times.length, 1e-9)
    _ruler(root, times.length, scale, y - _GAP)
    for lane, top, placed in zip(lanes, tops, rows, strict=True):
        high = max(len(placed) * _ROW, 14.0)
        ground = {"x": tenth(_LEFT), "y": tenth(top - 2), "height": tenth(high + 3)}
        add(root, "rect", **ground, width=tenth(_ROOM), **{"class": "ground"})
        _pauses(root, lane.held, scale, top - 2, high + 3)
        _named(root, lane, top)
    _pauses(root, times.held, scale, _HEAD - 4, y - _GAP - _HEAD + 4)
    _bars(root, zip(tops, rows, strict=True), scale)
    for number, note in enumerate(notes):
        at = {"x": "14", "y": tenth(y + 9 + 16 * number), "fill": _FAINT, "class": "note"}
        add(root, "text", note, **at)
    return tostring(root, encoding="unicode")


def _stacked(spans: Sequence[Span]) -> list[list[Span]]:
    """Each in the first row that is free when it begins; several where all are taken."""
    rows: list[list[Span]] = []
    ends: list[float] = []
    for span in sorted(spans):
        free = next((i for i, end in enumerate(ends) if end <= span.since + 1e-3), None)
        if free is None and len(rows) < _ROWS:
            rows.append([])
            ends.append(0.0)
            free = len(rows) - 1
        place = ends.index(min(ends)) if free is None else free
        rows[place].append(span)
        ends[place] = max(ends[place], span.until)
    return rows


def _bars(root: Element, lanes: Iterator[tuple[float, list[list[Span]]]], scale: float) -> None:
    """One path for all bars of a state, since a thousand elements would be ten times as long."""
    drawn = [(top + _ROW * i, row) for top, placed in lanes for i, row in enumerate(placed)]
    gap = 0.3
    while True:
        merged = [(y, bar) for y, row in drawn for bar in _merged(row, scale, gap)]
        if len(merged) <= SHAPES:
            break
        gap *= 2
    for (state, marked), some in groupby(sorted(merged, key=_look), key=_look):
        # What failed is higher than its row and what was cancelled is hollow, for those who cannot
        # tell the colours.
        more = 1.0 if state == "failed" else 0.0
        high = tenth(_ROW - 2 + 2 * more)
        pieces = "".join(
            f"M{tenth(x)} {tenth(y - more)}h{tenth(wide)}v{high}h-{tenth(wide)}z"
            for y, (x, wide, _, _) in some
        )
        ink = LOOKS[state].ink
        fill, stroke = ("#ffffff", ink) if state == "cancelled" else (ink, "none")
        look = {"d": pieces, "fill": fill, "stroke": stroke, "class": "bar", "data-state": state}
        path = add(root, "path", **look)
        if marked:
            path.set("stroke", _INK)
            path.set("stroke-width", "1.4")
            path.set("data-marked", "")


def _look(one: tuple[float, tuple[float, float, str, bool]]) -> tuple[str, bool]:
    return one[1][2], one[1][3]


def _merged(row: Sequence[Span], scale: float, gap: float) -> list[tuple[float, float, str, bool]]:
    """Bars of a row: left end and width in points, state, marked.

    Those of one look that are nearer than `gap` are one, and so are others that have no more room
    than that together: they look as the worst of them.
    """
    bars: list[tuple[float, float, str, bool]] = []
    for span in row:
        x = _LEFT + span.since * scale
        wide = max((span.until - span.since) * scale, 1.0)
        if bars:
            left, before, state, marked = bars[-1]
            both = max(before, x + wide - left)
            same = (state, marked) == (span.state, span.marked)
            if (same and x - left - before < gap) or both < gap:
                worst = max(state, span.state, key=_BADLY.index)
                bars[-1] = (left, both, worst, marked or span.marked)
                continue
        bars.append((x, wide, span.state, span.marked))
    return bars


def _ruler(root: Element, length: float, scale: float, bottom: float) -> None:
    step = _step(length, 8)
    count = int(length / step + 1e-9)
    for number in range(count + 1):
        x = _LEFT + number * step * scale
        line = {"d": f"M{tenth(x)} 4V{tenth(bottom)}", "stroke": "#9aa2b0", "stroke-width": "0.5"}
        add(root, "path", **line, **{"class": "rule"})
        if x < _LEFT + _ROOM - 40:
            words = seconds_text(number * step) if number else "0"
            note = {"x": tenth(x + 4), "y": "12", "fill": _FAINT, "class": "note"}
            add(root, "text", words, **note)


def _step(length: float, most: int) -> float:
    """A round length of time of which at most so many are in `length`."""
    least = max(length, 1e-6) / most
    if least > _STEPS[-1]:
        return float(next((step for step in _CLOCK if step >= least), least))
    size = 1e-6
    while True:
        for one in _STEPS:
            if one * size >= least:
                return one * size
        size *= 10


def _pauses(
    root: Element, held: Sequence[tuple[float, float]], scale: float, top: float, high: float
) -> None:
    for since, until in held:
        at = {"x": tenth(_LEFT + since * scale), "width": tenth(max(1.0, (until - since) * scale))}
        size = {"y": tenth(top), "height": tenth(high), "fill": _HELD, "fill-opacity": "0.18"}
        add(root, "rect", **at, **size, **{"class": "pause"})


def _named(root: Element, lane: Lane, top: float) -> None:
    name = {"x": tenth(_LEFT - 10), "y": tenth(top + 10), "text-anchor": "end", "class": "name"}
    text = add(root, "text", clean(lane.name, _NAME), **name, fill=_INK)
    add(text, "title", clean(lane.name, 200))
    words = {"x": tenth(_LEFT + _ROOM + 8), "y": tenth(top + 10), "fill": _FAINT, "class": "note"}
    add(root, "text", clean(lane.words, _NAME), **words)


def _legend(times: Times, lanes: Sequence[Lane]) -> str:
    """What is to be known of the colours, in the words of those that are there."""
    spans = [span for lane in lanes for span in lane.spans]
    words = []
    if any(span.marked for span in spans):
        words.append("outlined: what the end waited for")
    for state, word in (("failed", "red and higher: failed"), ("cancelled", "hollow: cancelled")):
        if any(span.state == state for span in spans):
            words.append(word)
    if times.held or any(lane.held for lane in lanes):
        words.append("shaded: paused")
    return " · ".join(words)


_SHEET: Final = "\n".join(
    [
        *themed(".cascade-times"),
        ".cascade-times .paper { fill: var(--cs-paper) }",
        ".cascade-times .name { fill: var(--cs-ink) }",
        ".cascade-times .note { fill: var(--cs-faint) }",
        ".cascade-times .rule { stroke: color-mix(in srgb, var(--cs-faint) 30%, var(--cs-paper)) }",
        ".cascade-times .ground { fill: color-mix(in srgb, var(--cs-faint) 7%, var(--cs-paper)) }",
        ".cascade-times .pause { fill: var(--cs-held) }",
        ".cascade-times .bar { fill: var(--cs-paper); stroke: var(--cs-faint) }",
        *(
            f".cascade-times .bar[data-state={state}] {{ fill: var(--cs-{state}); stroke: none }}"
            for state in ("done", "failed", "running")
        ),
        ".cascade-times .bar[data-state][data-marked] { stroke: var(--cs-ink) }",
    ]
)
