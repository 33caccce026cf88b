"""Few numbers out of many: medians, percentiles, ratios, growth."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence


def percentile(values: Sequence[float], percent: float) -> float:
    """The smallest value that so many percent of `values` do not exceed (nearest rank).

    Raises:
        ValueError: there are no values.
    """
    if not values:
        raise ValueError("a percentile of nothing")
    rank = math.ceil(percent / 100 * len(values))
    return sorted(values)[max(0, rank - 1)]


def paired_ratio(ours: Mapping[int, float], theirs: Mapping[int, float]) -> float | None:
    """The median over rounds of ours by theirs in the same round; None where they share none.

    The two were measured one after the other in every round, so that what else the machine did
    then weighs on both.
    """
    ratios = [ours[number] / theirs[number] for number in ours if number in theirs]
    return statistics.median(ratios) if ratios else None


def growth(seconds: Mapping[int, float]) -> float | None:
    """The exponent b of ``seconds = a * size ** b``, by least squares on logarithms.

    1 means that twice as much takes twice as long; None for fewer than two sizes.
    """
    if len(seconds) < 2:
        return None
    sizes = [math.log(size) for size in seconds]
    times = [math.log(taken) for taken in seconds.values()]
    return statistics.linear_regression(sizes, times).slope
