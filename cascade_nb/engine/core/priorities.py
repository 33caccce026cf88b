"""Ranks nodes: of those that are ready, the one of the highest priority starts first, and among
equals the one with the longest way to a target.

A rank is one number, of which the lower starts first: the priority is above `SHIFT`, the solver's
own preference below it. Where nobody has said a priority, ranks are what the solver gave.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Final

SHIFT: Final = 40  # the bits of a rank below its level: 34 years of the ticks of a solver
_RUN: Final = 4096  # how much one step of a run's priority is, above all those of its nodes
_BELOW: Final = 32 + SHIFT  # the bits of a number in a heap, of rank and index, below its level
_TICK: Final = 1e-3  # seconds; finer differences of measured times do not order anything


class NativeSolver:
    """Longest remaining path first.

    A node's remaining path is what still comes after it on the longest way to a target, itself
    included, in seconds where earlier runs measured them and as one step of their mean elsewhere.
    Starting the longest first is the critical-path rule of list scheduling (R. L. Graham, "Bounds
    on multiprocessing timing anomalies", SIAM J. Appl. Math. 17(2), 1969).
    """

    def ranks(
        self, inputs: Sequence[Sequence[int]], seconds: Callable[[int], float | None] | None = None
    ) -> list[int]:
        """A rank of at least 0 for each node; the lower starts first, equal ones in order of
        index.
        """
        steps = self._steps(len(inputs), seconds)
        longest = [0] * len(inputs)
        for node in range(len(inputs) - 1, -1, -1):
            longest[node] += 1 if steps is None else steps[node]
            reach = longest[node]
            for source in inputs[node]:
                if longest[source] < reach:  # noqa: PLR1730 - `max` takes twice as long
                    longest[source] = reach
        most = max(longest, default=0)
        return [most - length for length in longest]

    def _steps(self, count: int, seconds: Callable[[int], float | None] | None) -> list[int] | None:
        if seconds is None:
            return None
        measured = [seconds(node) for node in range(count)]
        known = [s for s in measured if s is not None]
        if not known:
            return None
        mean = sum(known) / len(known)
        step = {s: max(1, round((mean if s is None else s) / _TICK)) for s in set(measured)}
        return [step[s] for s in measured]


def run_level(priority: int) -> int:
    """The level of the nodes of a run with this priority, where nothing is said of them."""
    return priority * _RUN


def node_level(priority: int, within: int) -> int:
    """The level of a node with this priority in a run whose others have the level `within`."""
    return (within + _RUN // 2) // _RUN * _RUN + priority


def level_of(rank: int) -> int:
    """The level of a node of this rank; the higher starts first."""
    return -(rank >> SHIFT)


def at_level(rank: int, level: int) -> int:
    """The rank of what has another level."""
    return (rank & ((1 << SHIFT) - 1)) - (level << SHIFT)


def with_levels(
    ranks: list[int],
    inputs: Sequence[Sequence[int]],
    said: Sequence[int | None],
    within: int,
) -> list[int]:
    """`ranks` with what was said of priorities.

    A node of which nothing is said has the highest priority of what needs it: what is wanted first
    would otherwise wait for inputs that nobody hurries.

    Args:
        ranks: as a solver gave them.
        inputs: of each node, the indexes of what it needs; all of them lower than its own.
        said: of each node, its own priority.
        within: the level where nothing is said.
    """
    if not within and not any(said):
        return ranks
    levels = [None if p is None else node_level(p, within) for p in said]
    highest: list[int | None] = [None] * len(ranks)  # of what needs it
    for node in range(len(ranks) - 1, -1, -1):
        level = levels[node]
        if level is None:
            above = highest[node]
            level = levels[node] = within if above is None else above
        for source in inputs[node]:
            known = highest[source]
            if known is None or known < level:
                highest[source] = level
    most = (1 << SHIFT) - 1
    both = zip(ranks, levels, strict=True)
    return [at_level(min(rank, most), level or 0) for rank, level in both]


def most_urgent(heads: Sequence[Sequence[int]]) -> tuple[int, int]:
    """Which of several heaps of ready nodes comes first, and up to which number it does.

    Args:
        heads: the first number of each heap, of rank and index; nothing where it is empty.

    Returns:
        Its place, the first among equals; and the number behind which others come before it, 0
        where none do.
    """
    levels = [head[0] >> _BELOW if head else math.inf for head in heads]
    best = min(levels)
    place = levels.index(best)
    behind = min((level for i, level in enumerate(levels) if i != place), default=math.inf)
    return place, 0 if behind == math.inf else (int(behind) + 1) << _BELOW


def goes_first(heaps: dict[int, list[int]], heap: list[int]) -> bool:
    """Whether none of the heaps of several runs has something of a higher level than this one.

    Args:
        heaps: those that were asked about, by identity; this one is among them from now on, and
            what is empty is no longer.
        heap: with something in it.
    """
    heaps[id(heap)] = heap
    if len(heaps) == 1:
        return True
    for other in [key for key, value in heaps.items() if not value]:
        del heaps[other]
    return most_urgent([heap[:1], *(other[:1] for other in heaps.values())])[0] == 0
