"""Puts together when the tasks of a run were under way, for the picture that stays in the file."""

from __future__ import annotations

from collections import defaultdict
from typing import Final

from cascade_nb.control.words import seconds_text
from cascade_nb.engine.inspection.timeline import Bar, Pause, Timeline, timeline_of
from cascade_nb.engine.runs.run import Run
from cascade_nb.engine.timing.attempt_times import EACH
from cascade_nb.view.svg.timeline import Lane, Span, Times

#: Attempts of which there are fewer say no more than the line that tells how the run ended.
FEWEST: Final = 2
_TINY: Final = "tiny tasks"


def times_of(run: Run) -> Times | None:
    """When the tasks of a run that is over were under way; None where that says nothing.

    It takes a while for a run of many attempts: not for the loop.
    """
    ended = run.ended_at
    known = run.look(lambda view, _: timeline_of(view, 0, True, ended, EACH))
    if known is None or known.ended + len(known.slices) < FEWEST:
        return None
    whole = [(p.since, _until(p, known)) for p in known.pauses if p.kind == ""]
    return Times(run.graph.title, known.now, _lanes(known), whole)


def _lanes(known: Timeline) -> list[Lane]:
    spans: dict[str, list[Span]] = defaultdict(list)
    count: dict[str, int] = defaultdict(int)
    took: dict[str, float] = defaultdict(float)
    path = set(known.path)
    for kind, cells in known.folded.items():
        for number, (ended, seconds, badly) in cells.items():
            since = number * known.width
            state = "failed" if badly else "done"
            spans[kind].append(Span(since, min(since + known.width, known.now), state))
            count[kind] += int(ended)
            took[kind] += seconds
    for bar in known.bars:
        spans[bar.kind].append(_span(bar, known.now, (bar.node, bar.item) in path))
        count[bar.kind] += 1
        took[bar.kind] += spans[bar.kind][-1].until - bar.started
    for since, until, times in known.slices:
        spans[_TINY].append(Span(since, until, "done"))
        count[_TINY] += times
        took[_TINY] += until - since
    held: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for pause in known.pauses:
        if pause.kind:
            held[pause.kind].append((pause.since, _until(pause, known)))
    return [
        Lane(
            kind,
            f"{count[kind]:,} · {seconds_text(took[kind])}",
            took[kind],
            sorted(some),
            held.get(kind, ()),
        )
        for kind, some in sorted(spans.items(), key=lambda lane: min(lane[1]).since)
    ]


def _span(bar: Bar, now: float, marked: bool) -> Span:
    until = now if bar.ended is None else bar.ended
    state = bar.outcome if bar.outcome in ("done", "failed") else "cancelled"
    return Span(bar.started, until, state, marked)


def _until(pause: Pause, known: Timeline) -> float:
    return known.now if pause.until is None else pause.until
