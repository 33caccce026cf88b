"""Tells when the attempts of a run were under way, what paused it, and what it waited for longest.

It is copied under the engine's lock, some hundred attempts at a time.
"""

from __future__ import annotations

from itertools import islice
from typing import Final, NamedTuple

from cascade_nb.control.explanations import whose_words
from cascade_nb.engine.core.arguments import Expansion
from cascade_nb.engine.observing.run_view import RunView
from cascade_nb.engine.timing.attempt_times import AttemptTime, Paused
from cascade_nb.engine.timing.critical_path import longest_wait

AT_ONCE: Final = 500  # attempts that are told at once
GOING: Final = 200  # of those under way
Spans = tuple[tuple[float, float | None], ...]

_MODES: Final = {"inline": "loop", "async": "loop"}


class Bar(NamedTuple):
    """An attempt, in seconds from the beginning of the run.

    Attributes:
        node: index in the graph of what it was at; -1 for what an edit has taken out.
        item: number of the item of a map; -1 for none.
        name: of the node or the item.
        kind, place: of which task, and where it ran: "thread", "process", "loop" or another.
        ended: None while it is under way.
        outcome: "done", "failed", "cancelled", "lost" or "running".
        rests: when it stood still, the latest of it; None for an end that has not come.
    """

    node: int
    item: int
    name: str
    kind: str
    place: str
    number: int
    started: float
    ended: float | None
    outcome: str
    rests: Spans


class Pause(NamedTuple):
    """A pause, in seconds from the beginning of the run; `until` is None while it is in force.

    Attributes:
        kind: the task that is paused; "" where it is all of the run, None for another part of it.
        words: what is paused, by whom and why.
    """

    since: float
    until: float | None
    kind: str | None
    words: str


class Timeline(NamedTuple):
    """A run so far.

    Attributes:
        now: seconds from its beginning, to its end where it is over.
        first, last: numbers of the first attempt that is remembered one by one, and after the last
            of those told here.
        ended: how many attempts have ended in all.
        bars: some that are over, from the one asked for on.
        going: those under way.
        slices: when tiny tasks ran on the loop, and about how many.
        pauses: of the run and of its tasks.
        folded: attempts before `first`: for each kind by number of a stretch of `width` seconds how
            many ended, seconds under way, and how many not well.
        path: node and item of what the end waited for, the last one first; nothing before the end.
    """

    now: float
    first: int
    last: int
    ended: int
    bars: tuple[Bar, ...]
    going: tuple[Bar, ...]
    slices: tuple[tuple[float, float, int], ...]
    pauses: tuple[Pause, ...]
    width: float
    folded: dict[str, dict[int, list[float]]]
    path: tuple[tuple[int, int], ...]


def timeline_of(
    view: RunView, since: int, folded: bool, ended_at: float | None, most: int = AT_ONCE
) -> Timeline:
    """What of a run is there from the attempt of number `since` on; under the engine's lock.

    Args:
        view: the run.
        since: how many attempts are known already.
        folded: whether to tell of those before what is remembered one by one.
        ended_at: when it ended, on the engine's clock; None while it goes on.
        most: attempts to tell of.
    """
    times, now = view.times, view.services.clock.now() if ended_at is None else ended_at
    first = times.ended - len(times.each)
    start = max(first, since)
    some = list(islice(times.each, start - first, start - first + most))
    rests = _rests(view)
    bars = tuple(_bar(view, time, rests) for time in some)
    going = () if ended_at is not None else _going(view, rests)
    slices = tuple((s.started - view.began, s.ended - view.began, s.times) for s in times.slices)
    done = ended_at is not None and start + len(some) == times.ended
    return Timeline(
        now - view.began,
        first,
        start + len(some),
        times.ended,
        bars,
        going,
        slices,
        tuple(_pause(view, paused) for paused in times.pauses),
        times.folded.width,
        times.folded.copied() if folded else {},
        _path(view) if done else (),
    )


def _rests(view: RunView) -> dict[tuple[int, int], Spans]:
    """By index and number of the attempt, when it stood still."""
    found: dict[tuple[int, int], Spans] = {}
    for rest in view.times.rests:
        span = rest.since - view.began, rest.until - view.began
        found[rest.node, rest.number] = (*found.get((rest.node, rest.number), ()), span)
    return found


def _bar(view: RunView, time: AttemptTime, rests: dict[tuple[int, int], Spans]) -> Bar:
    started, ended = time.started - view.began, time.ended - view.began
    known = rests.get((time.node, time.number), ())
    return _named(view, time.node, time.number, started, ended, time.outcome, known)


def _going(view: RunView, rests: dict[tuple[int, int], Spans]) -> tuple[Bar, ...]:
    bars = []
    for attempt in islice(view.in_flight.values(), GOING):
        if attempt.started is None or attempt.abandoned:
            continue
        known = rests.get((attempt.index, attempt.number), ())
        if attempt.rests_since is not None:
            known = (*known, (attempt.rests_since - view.began, None))
        started = attempt.started - view.began
        bars.append(_named(view, attempt.index, attempt.number, started, None, "running", known))
    return tuple(bars)


def _named(
    view: RunView,
    index: int,
    number: int,
    started: float,
    ended: float | None,
    outcome: str,
    rests: Spans,
) -> Bar:
    core = view.core
    at = view.times.at(index, core.shown_id)
    place = _MODES.get(at.place, at.place)
    node, item = (-1, -1) if index < 0 else _place(view, index)
    return Bar(node, item, at.name, at.kind, place, number, started, ended, outcome, rests)


def _place(view: RunView, index: int) -> tuple[int, int]:
    """Node of the graph and item; what a node continued itself with is that node."""
    core = view.core
    work = core.results.work[index]
    if isinstance(work, Expansion) and work.node.index < core.own:
        return work.node.index, index - work.first
    return core.root_of(index), -1


def _pause(view: RunView, paused: Paused) -> Pause:
    one = paused.constraint
    kind: str | None = None
    if one.scope.kind in ("global", "run"):
        kind = ""
    elif one.scope.kind == "task":
        kind = one.scope.value
    words = f"{one.scope} paused{whose_words([one])}"
    since = max(0.0, paused.since - view.began)
    until = None if paused.until is None else paused.until - view.began
    return Pause(since, until, kind, words)


def _path(view: RunView) -> tuple[tuple[int, int], ...]:
    """What the end of the run waited for."""
    spans: dict[int, tuple[float, float, int]] = {}  # by node: when it ended, and its last part
    for index, time in view.times.of.items():
        node, _ = _place(view, index)
        known = spans.get(node)
        if known is None or time.ended > known[1]:
            spans[node] = time.started, time.ended, index
    nodes = view.core.graph.nodes
    ends = {node: ended for node, (_, ended, _) in spans.items()}
    way = longest_wait(ends, lambda node: nodes[node].sources)
    return tuple(_place(view, spans[node][2]) for node in way)
