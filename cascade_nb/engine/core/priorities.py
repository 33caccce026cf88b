"""Ranks nodes: of those that are ready, the one with the longest way to a target starts first."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

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
