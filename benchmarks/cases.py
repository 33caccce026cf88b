"""One thing to be timed, as every contender hands it in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Protocol

#: 1,000 sleeps of 10 ms, 100 at a time; 200 sleeps of 20 ms in 16 threads.
NAP: Final = {"async": 0.010, "threads": 0.020}
NAPS_AT_ONCE: Final = {"async": 100, "threads": 16}

MEGABYTES: Final = 100
ARRAY_TASKS: Final = 20


class NotForThisError(Exception):
    """A contender has no way to do a workload."""


def nothing() -> None:
    """What is to be closed where there is nothing."""


@dataclass(frozen=True)
class Case:
    """Everything is ready but the work itself.

    Attributes:
        run: the work, building of the graph included; this is what is timed.
        expected: what it must give.
        close: lets go of what was made for it.
    """

    run: Callable[[], Any]
    expected: Any
    close: Callable[[], None] = nothing


class Contender(Protocol):
    """Makes a fresh case; what a user would have before the first call is made here, untimed."""

    def __call__(self, workload: str, mode: str, size: int, /) -> Case:
        """A case of so many nodes.

        Args:
            workload: a shape, "map", "naps", or "handed on" and "made anew" for arrays.
            mode: "inline", "threads" or "async".
            size: nodes.

        Raises:
            NotForThisError: it cannot do that.
        """
