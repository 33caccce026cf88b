"""Writes pictures in words: for a terminal, for a notebook without images, for a screen reader."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from cascade_nb.graph.graph import EdgeType, Graph
from cascade_nb.view.picture.labels import clean
from cascade_nb.view.picture.marking import marks_on
from cascade_nb.view.picture.picture import Box, Line, Picture, picture_of
from cascade_nb.view.picture.states import LOOKS, UNMARKED, Mark, Marks

_FIRST_LINES: Final = 28
_LAST_LINES: Final = 12
_LONGEST: Final = 110
_BEFORE: Final = {EdgeType.DATA: "", EdgeType.ORDER: "after ", EdgeType.CONDITION: "if "}


def outline(graph: Graph) -> str:
    """`graph` in words, at most some forty lines of at most 110 characters; see `outline_of`."""
    return outline_of(picture_of(graph))


def outline_of(picture: Picture, marks: Marks = UNMARKED) -> str:
    """`picture` in words.

    Each line is a chain, from a beginning, or from all that its first box comes after, as far as
    one box follows another and nothing else. Signs are those of `states.LOOKS`; `◎` is what was
    asked for::

        report: 16 nodes
        load → clean → split
        split, models → train ×12 → choose → report ◎
    """  # noqa: RUF002 - the sign of multiplication is meant
    marked = marks_on(picture, marks)
    names = {box.id: _name(box, marked[box.id]) for box in picture.boxes}
    titles = {box.id: box.title for box in picture.boxes}
    into: dict[str, list[Line]] = {box.id: [] for box in picture.boxes}
    out: dict[str, list[Line]] = {box.id: [] for box in picture.boxes}
    for line in picture.lines:
        into[line.target].append(line)
        out[line.source].append(line)
    follows = {box.id: _follows(box.id, into, out) for box in picture.boxes}
    lines: list[str] = []
    told: set[str] = set()
    # Beginnings of chains first; what is left then goes round in a ring, as tasks drawn as one may.
    for box in sorted(picture.boxes, key=lambda box: follows[box.id] is not None):
        here = box.id
        if here in told:
            continue
        steps = [f"{_BEFORE[line.type]}{titles[line.source]}" for line in into[here]]
        steps = _few(steps)
        while True:
            told.add(here)
            steps.append(names[here])
            after = out[here][0].target if len(out[here]) == 1 else here
            if after in told or follows[after] != here:
                break
            here = after
        lines += _wrapped(steps)
    left_out = len(lines) - _FIRST_LINES - _LAST_LINES
    if left_out > 1:
        # The end stays, because what was asked for stands there.
        lines[_FIRST_LINES:-_LAST_LINES] = [f"… {left_out:,} lines more …"]
    head = f"{picture.title}: {picture.size:,} node{'s' if picture.size != 1 else ''}"
    return "\n".join([head, *lines, *picture.notes])


def summary_of(picture: Picture, marks: Marks = UNMARKED) -> str:
    """One sentence for those who cannot see the picture."""
    asked = [box.title for box in picture.boxes if box.target]
    drawn = len(picture.boxes)
    words = f"{picture.size:,} nodes in {drawn} boxes, for {', '.join(asked[:3])}"
    counts: dict[str, int] = {}
    for state in marks.states.values():
        counts[state] = counts.get(state, 0) + 1
    told = [f"{count:,} {LOOKS[state].word}" for state, count in counts.items() if state in LOOKS]
    return clean(f"{words}{'; ' + ', '.join(told) if told else ''}.", 300)


def _name(box: Box, mark: Mark) -> str:
    parts = [box.title, mark.progress_text, LOOKS[mark.state].sign, "◎" if box.target else ""]
    return " ".join(filter(None, parts))


def _follows(box: str, into: Mapping[str, list[Line]], out: Mapping[str, list[Line]]) -> str | None:
    """What `box` simply follows: it needs the result of that and of nothing else, and nothing
    else does.
    """
    lines = into[box]
    if len(lines) != 1 or lines[0].type is not EdgeType.DATA:
        return None
    source = lines[0].source
    return source if len(out[source]) == 1 else None


def _few(before: list[str]) -> list[str]:
    """What comes before a chain, as its first step; the first four by name."""
    if not before:
        return []
    more = f" and {len(before) - 4:,} more" if len(before) > 4 else ""
    return [", ".join(before[:4]) + more]


def _wrapped(steps: list[str]) -> list[str]:
    """`steps` in a row, in as many lines as they need; what goes on stands further right."""
    lines = [clean(steps[0], _LONGEST)]
    for step in steps[1:]:
        if len(lines[-1]) + len(step) + 3 > _LONGEST:
            lines.append("    → " + step)
        else:
            lines[-1] += " → " + step
    return lines
