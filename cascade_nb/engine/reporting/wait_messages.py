"""Says on the standard error stream what a run waits for, to whoever waits for the run.

In a notebook that is the cell's output, in a script the terminal or the log.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Final, Protocol

from cascade_nb.control.words import seconds_text
from cascade_nb.engine.observing.status import RunStatus
from cascade_nb.errors import LeaseHeldError
from cascade_nb.graph.graph import Graph
from cascade_nb.text import readable


class Awaited(Protocol):
    """A run that somebody waits for.

    Attributes:
        is_shown: whether a panel shows how it goes.
    """

    is_shown: bool

    @property
    def number(self) -> int:
        """It is the n-th of its engine."""

    @property
    def graph(self) -> Graph:
        """What runs."""

    @property
    def status(self) -> RunStatus:
        """What it is doing now."""


_QUESTIONS: Final = 5  # at most so many are told of
AGAIN: Final = 60.0  # seconds after which the same is said once more


class WaitMessages:
    """What is said while somebody waits for one run.

    Args:
        run: that is waited for. One that is shown is not spoken of.
        blocked_by: gives what keeps it from going on.
    """

    def __init__(self, run: Awaited, blocked_by: Callable[[], str | None]) -> None:
        self._run, self._blocked_by = run, blocked_by
        self._said: str | None = None
        self._again = 0.0

    def look(self) -> None:
        """Say what holds the run, if something does and it was not said within the last minute."""
        run = self._run
        if run.is_shown:
            return
        what = self._blocked_by()
        now = time.monotonic()
        if what is None:
            self._said = None
        elif what != self._said or now >= self._again:
            self._said, self._again = what, now + AGAIN
            status = run.status
            _say(f"{run.graph.title} (run {run.number}): {status.headline}")
            for one in status.questions[:_QUESTIONS]:
                other = "a message on that topic or " if one.topic else ""
                _say(f"  {one.words}; {other}`{one.command}` answers it")


def tell_of_lease(held: LeaseHeldError) -> None:
    """Say that a run which is to be taken up may have an owner still, whose time has to run out."""
    _say(
        f"this run was last in the hands of {held.owner}; if that is gone, its claim ends in "
        f"{seconds_text(max(1.0, held.left))}, and it goes on here"
    )


def _say(line: str) -> None:
    stream = sys.stderr
    if stream is not None:  # as under pythonw
        stream.write(f"{readable(line)}\n")
        stream.flush()
