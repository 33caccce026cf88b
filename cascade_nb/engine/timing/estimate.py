"""Estimates how long the rest of a run takes, by what its pieces take and what may run at once."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple


class Lane(NamedTuple):
    """What pieces of work share.

    Attributes:
        places: how many of them may be under way at once.
        gap: seconds between the starts of two of them, for a limit of their rate.
    """

    places: float = math.inf
    gap: float = 0.0


class Work(NamedTuple):
    """A node that is not over.

    Attributes:
        sources: the places of what it waits for, in the sequence that it is in; all before its own.
        seconds: what one piece of it is expected to take, of what runs already the rest.
        pieces: how many there are, more than one for a map.
        lanes: what they share with others, by its place among the lanes.
        group: those of one number are alike, and may lie side by side.
    """

    sources: tuple[int, ...] = ()
    seconds: float = 1.0
    pieces: int = 1
    lanes: tuple[int, ...] = ()
    group: int = 0


def time_left(works: Sequence[Work], lanes: Sequence[Lane]) -> float:
    """Seconds that all of it takes at least, however it is ordered.

    The longest of: the longest chain, a map in it as long as its pieces take in their places; for
    each lane, what it has to do before what comes after it at least (E. B. Fernandez, B. Bussell,
    "Bounds on the number of processors and time for multiprocessor optimal schedules", IEEE Trans.
    Comput. C-22(8), 1973); the same for nodes that are alike, after what comes before them at
    least. For chains, fans and layers that is what the run takes where it is ordered well.

    Args:
        works: what is left, in an order in which sources come first.
        lanes: what they share.

    Example:
        >>> fan = [Work(seconds=2.0, pieces=5, lanes=(0,)), Work((0,), 3.0, lanes=(0,))]
        >>> time_left(fan, [Lane(2)])
        9.0
    """
    spans = [_alone(work, lanes) for work in works]
    before = [0.0] * len(works)
    for i, work in enumerate(works):
        before[i] = max((before[s] + spans[s] for s in work.sources), default=0.0)
    after = [0.0] * len(works)
    for i in range(len(works) - 1, -1, -1):
        reach = after[i] + spans[i]
        for source in works[i].sources:
            after[source] = max(after[source], reach)
    longest = max((b + s + a for b, s, a in zip(before, spans, after, strict=True)), default=0.0)
    members: dict[int, list[int]] = {}
    alike: dict[tuple[int, int], list[int]] = {}
    for i, work in enumerate(works):
        for lane in work.lanes:
            members.setdefault(lane, []).append(i)
            alike.setdefault((lane, work.group), []).append(i)
    for (lane, _), those in alike.items():
        together = _together((works[i] for i in those), lanes[lane])
        first, last = min(before[i] for i in those), min(after[i] for i in those)
        longest = max(longest, first + together + last)
    for lane, those in members.items():
        those.sort(key=after.__getitem__, reverse=True)
        longest = max(longest, _in_turn([works[i] for i in those], after, those, lanes[lane]))
    return longest


def _alone(work: Work, lanes: Sequence[Lane]) -> float:
    """What the pieces of one node take, where nothing else has its places."""
    return max(
        [work.seconds] + [_together((work,), lanes[lane]) for lane in work.lanes if work.pieces > 1]
    )


def _together(works: Iterable[Work], lane: Lane) -> float:
    """What all of this takes in one lane at least."""
    pieces, seconds, least = 0, 0.0, math.inf
    for work in works:
        pieces += work.pieces
        seconds += work.pieces * work.seconds
        least = min(least, work.seconds)
    return _bound(pieces, seconds, least, lane)


def _in_turn(works: Sequence[Work], after: Sequence[float], those: list[int], lane: Lane) -> float:
    """The longest that some of this takes, and what comes after it at least."""
    longest, pieces, seconds, least = 0.0, 0, 0.0, math.inf
    for work, place in zip(works, those, strict=True):
        pieces += work.pieces
        seconds += work.pieces * work.seconds
        least = min(least, work.seconds)
        longest = max(longest, after[place] + _bound(pieces, seconds, least, lane))
    return longest


def _bound(pieces: int, seconds: float, least: float, lane: Lane) -> float:
    """Some place has to do its share of the seconds, and its share of whole pieces."""
    if not pieces:
        return 0.0
    in_places = 0.0
    if lane.places < math.inf:
        in_places = max(seconds / lane.places, math.ceil(pieces / lane.places) * least)
    return max(in_places, (pieces - 1) * lane.gap + least)
