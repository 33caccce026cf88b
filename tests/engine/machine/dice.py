"""Where a program's choices come from: Hypothesis, which makes what fails small, or a seed."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Protocol, TypeVar

T = TypeVar("T")


class Dice(Protocol):
    """Makes every choice of a program; 0 is always the simplest."""

    def pick(self, n: int) -> int:
        """A number of 0 to n - 1."""
        ...


class ScriptedDice:
    """Choices that stand in a string of bytes, which Hypothesis draws, shrinks and replays in one;
    the simplest ones when it is read to its end.
    """

    def __init__(self, script: bytes) -> None:
        self._script = iter(script)

    def pick(self, n: int) -> int:
        return next(self._script, 0) % n if n > 1 else 0


class SeededDice:
    """The same choices for the same seed, on every machine."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def pick(self, n: int) -> int:
        return self._random.randrange(n) if n > 1 else 0


def one_of(dice: Dice, options: Sequence[T]) -> T:
    """One of several; repeat what is to come more often."""
    return options[dice.pick(len(options))]


def chance(dice: Dice, percent: int) -> bool:
    """True in so many of a hundred cases, False being the simpler one."""
    return dice.pick(100) >= 100 - percent
