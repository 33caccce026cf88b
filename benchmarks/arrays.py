"""Bodies that hand a large array down a chain: the same one, or a new one each time."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.cases import MEGABYTES
from benchmarks.shapes import Bodies

_SIZE = MEGABYTES * 1_000_000 // 8


class HandedOn(Bodies):
    """Every task gives back what it was given."""

    @staticmethod
    def leaf(number: int) -> Any:
        """A hundred megabytes, each of them really there."""
        return np.full(_SIZE, float(number))

    @staticmethod
    def step(before: Any) -> Any:
        """The very same."""
        return before


class MadeAnew(HandedOn):
    """Every task makes another one of the same size."""

    @staticmethod
    def step(before: Any) -> Any:
        """Another, each number the next."""
        return before + 1.0


BODIES = {"handed on": HandedOn, "made anew": MadeAnew}


def last_number(array: Any) -> int:
    """What tells whether the right one came out."""
    return int(array[-1])
