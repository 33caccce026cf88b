"""Shortens the thread switch interval, so that the kernel's loop gets the interpreter's lock
sooner.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Final

#: Seconds after which a thread that computes lets another on. Python's own 5 ms are too long here:
#: for one message the kernel waits for its turn ten times and more, and a click took 0.2 s to come
#: through while tasks computed. 1 ms costs eight such threads 2 % of processor time at most.
TURN: Final = 0.001


def take_turns_often() -> Callable[[], None]:
    """Shorten the turns of this process's threads, unless they are short. Gives how to undo it."""
    before = sys.getswitchinterval()
    if before <= TURN:
        return lambda: None
    sys.setswitchinterval(TURN)

    def undo() -> None:
        if sys.getswitchinterval() == TURN:  # or somebody else has had a say since
            sys.setswitchinterval(before)

    return undo
