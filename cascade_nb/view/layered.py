"""Finds places for a picture where there is no Graphviz: boxes in ranks, in an order with few
crossings.

The method is that of Sugiyama, Tagawa and Toda (1981), in its simplest form. Ranks by the longest
way from what needs nothing; a line over several ranks has a place in each between; the order within
a rank by the middle of the neighbours, swept to and fro; places by least squares within that order.
It takes milliseconds for a hundred boxes and holds the interpreter meanwhile: not for the loop.
"""

from __future__ import annotations

import itertools
from bisect import bisect_right, insort
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from cascade_nb.view.picture.geometry import Curve, Geometry, Point
from cascade_nb.view.picture.picture import Picture

_APART: Final = 16.0  # points between two neighbours of a rank
_RANK: Final = 34.0  # points between two ranks, and more where many lines fan out
_MARGIN: Final = 4.0
_HEAD: Final = 7.0  # points that an arrowhead takes
_SWEEPS: Final = 8
_MOST: Final = 6_000  # places of long lines up to which they go around boxes


class _Spot(NamedTuple):
    """What has a place in a rank: a box, or a line on its way."""

    rank: int
    size: float


class _Layers:
    """Boxes and long lines in ranks, as in a picture that grows to the right."""

    def __init__(self, sizes: Sequence[float], edges: Sequence[tuple[int, int]]) -> None:
        ranks = _ranks(len(sizes), edges)
        self.spots = [_Spot(rank, size) for rank, size in zip(ranks, sizes, strict=True)]
        self.ways: list[list[int]] = []
        self.before: dict[int, list[int]] = defaultdict(list)
        self.after: dict[int, list[int]] = defaultdict(list)
        around = sum(max(0, ranks[b] - ranks[a] - 1) for a, b in edges) <= _MOST
        for a, b in edges:
            way = [a]
            for rank in range(ranks[a] + 1, ranks[b] if around else 0):
                way.append(len(self.spots))
                self.spots.append(_Spot(rank, 0.0))
            way.append(b)
            self.ways.append(way)
            for one, other in itertools.pairwise(way):
                self.after[one].append(other)
                self.before[other].append(one)
        self.rows: list[list[int]] = [[] for _ in range(max(ranks, default=0) + 1)]
        for number, spot in enumerate(self.spots):
            self.rows[spot.rank].append(number)

    def put_in_order(self) -> None:
        """Sweep over the ranks, and keep the order with the fewest crossings."""
        best, least = [list(row) for row in self.rows], self._crossings()
        for sweep in range(_SWEEPS):
            if least == 0:
                break
            beside = self.before if sweep % 2 == 0 else self.after
            rows = self.rows if sweep % 2 == 0 else self.rows[::-1]
            place = self._places()
            for row in rows:
                row.sort(key=lambda spot: _middle(place, beside[spot], place[spot]))
                place.update({spot: n for n, spot in enumerate(row)})
            now = self._crossings()
            if now < least:
                best, least = [list(row) for row in self.rows], now
        self.rows = best

    def centres(self) -> list[float]:
        """Where each spot is within its rank: near its neighbours, and clear of those beside it."""
        centres = [0.0] * len(self.spots)
        for row in self.rows:
            self._settle(row, centres, lambda spot: 0.0)
        for sweep in range(_SWEEPS):
            for row in self.rows if sweep % 2 == 0 else self.rows[::-1]:
                beside = self.before if sweep % 2 == 0 else self.after
                self._settle(
                    row,
                    centres,
                    lambda spot, beside=beside: _mean(centres, beside[spot], centres[spot]),  # type: ignore[misc]
                )
        return centres

    def _settle(
        self, row: Sequence[int], centres: list[float], wish: Callable[[int], float]
    ) -> None:
        """The places nearest to those wished for, in this order and without overlaps: least squares
        by pooling adjacent violators (Ayer et al., 1955).
        """
        wishes = [wish(spot) for spot in row]
        offset, offsets = 0.0, []
        for number, spot in enumerate(row):
            if number:
                half = (self.spots[row[number - 1]].size + self.spots[spot].size) / 2
                offset += half + _APART
            offsets.append(offset)
        pools: list[tuple[float, int]] = []
        for wished, shift in zip(wishes, offsets, strict=True):
            mean, count = wished - shift, 1
            while pools and pools[-1][0] >= mean:
                other, many = pools.pop()
                mean = (mean * count + other * many) / (count + many)
                count += many
            pools.append((mean, count))
        settled = [mean for mean, count in pools for _ in range(count)]
        for spot, start, shift in zip(row, settled, offsets, strict=True):
            centres[spot] = start + shift

    def _places(self) -> dict[int, int]:
        return {spot: n for row in self.rows for n, spot in enumerate(row)}

    def _crossings(self) -> int:
        place = self._places()
        count = 0
        for row in self.rows:
            seen: list[int] = []
            for spot in row:
                ends = sorted(place[other] for other in self.after[spot])
                count += sum(len(seen) - bisect_right(seen, end) for end in ends)
                for end in ends:
                    insort(seen, end)
        return count


def plain_layout(picture: Picture) -> Geometry:
    """Places for `picture`, as Graphviz would give them, only plainer."""
    number = {box.id: n for n, box in enumerate(picture.boxes)}
    across = [box.room[0 if picture.upright else 1] for box in picture.boxes]
    along = [box.room[1 if picture.upright else 0] for box in picture.boxes]
    layers = _Layers(across, [(number[one.source], number[one.target]) for one in picture.lines])
    layers.put_in_order()
    centres = layers.centres()
    low = min((c - layers.spots[n].size / 2 for n, c in enumerate(centres)), default=0.0)
    centres = [centre - low + _MARGIN for centre in centres]
    widths = [max((along[n] for n in row if n < len(along)), default=0) for row in layers.rows]
    gap = _RANK + 2 * min(picture.breadth, 20)
    lefts, left = [], _MARGIN
    for width in widths:
        lefts.append(left)
        left += width + gap
    middles = [start + width / 2 for start, width in zip(lefts, widths, strict=True)]
    turn = picture.upright
    places = {
        box.id: _turned(Point(middles[layers.spots[n].rank], centres[n]), turn)
        for n, box in enumerate(picture.boxes)
    }
    curves = {}
    for one, way in zip(picture.lines, layers.ways, strict=True):
        a, b = way[0], way[-1]
        start = Point(middles[layers.spots[a].rank] + along[a] / 2, centres[a])
        tip = Point(middles[layers.spots[b].rank] - along[b] / 2, centres[b])
        stations = [start]
        for spot in way:  # level beside its neighbours, which may be wider, and bent between ranks
            rank = layers.spots[spot].rank
            sides = (lefts[rank] - _HEAD * (spot == b), lefts[rank] + widths[rank])
            taken = sides[spot == a : 2 - (spot == b)]
            stations += [Point(side, centres[spot]) for side in taken]
        points = _through([*stations, Point(tip.x - _HEAD, tip.y)])
        curves[one.id] = (Curve(tuple(_turned(p, turn) for p in points), _turned(tip, turn)),)
    height = max((c + layers.spots[n].size / 2 for n, c in enumerate(centres)), default=0.0)
    far = _turned(Point(left - gap + _MARGIN, height + _MARGIN), turn)
    return Geometry(far.x, far.y, places, curves)


def _ranks(count: int, edges: Sequence[tuple[int, int]]) -> list[int]:
    """By box, how long the longest way to it is; what needs nothing stands beside its reader."""
    after: dict[int, list[int]] = defaultdict(list)
    missing = [0] * count
    for a, b in edges:
        after[a].append(b)
        missing[b] += 1
    sources = [n for n in range(count) if not missing[n]]
    ranks, todo = [0] * count, list(sources)
    while todo:
        one = todo.pop()
        for other in after[one]:
            ranks[other] = max(ranks[other], ranks[one] + 1)
            missing[other] -= 1
            if not missing[other]:
                todo.append(other)
    for one in sources:
        if after[one]:
            ranks[one] = min(ranks[other] for other in after[one]) - 1
    return ranks


def _through(points: Sequence[Point]) -> list[Point]:
    """A smooth curve through points, level at each of them."""
    found = [points[0]]
    for start, end in itertools.pairwise(points):
        middle = (start.x + end.x) / 2
        found += [Point(middle, start.y), Point(middle, end.y), end]
    return found


def _middle(place: dict[int, int], beside: Sequence[int], otherwise: float) -> float:
    """The median of the places of neighbours."""
    if not beside:
        return otherwise
    found = sorted(place[spot] for spot in beside)
    half = len(found) // 2
    return found[half] if len(found) % 2 else (found[half - 1] + found[half]) / 2


def _mean(centres: Sequence[float], beside: Sequence[int], otherwise: float) -> float:
    return sum(centres[spot] for spot in beside) / len(beside) if beside else otherwise


def _turned(point: Point, turn: bool) -> Point:
    """`point` with its axes exchanged, for a picture that grows downwards."""
    return Point(point.y, point.x) if turn else point
