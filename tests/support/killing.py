"""Whoever computes is killed at random moments, again and again; the next one goes on, and a ledger
outside of it all tells whether anything that was completed ran again.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Final, Protocol

from tests.support.ledger import Ledger
from tests.support.redis_server import RedisServer

LEASE: Final = 1.0
#: Seconds within which one is killed: a run takes one, and waits as long for another's lease.
WITHIN: Final = 1.6

ITEMS: Final = 30
AT_ONCE: Final = 4

#: How its node of the first map, of the second and the last one are called in the n-th run.
FIRST: Final = "first_{n}[{x}]"
SECOND: Final = "second_{n}[{x}]"
REPORT: Final = "report_{n}"

#: What the n-th run calls: each notes that it has begun.
FUNCTIONS: Final = f"""
def begin_{{n}}(x):
    _note("begin", f"{FIRST}")
    time.sleep(0.02 + x % 5 * 0.02)
    return x

def go_on_{{n}}(x):
    _note("begin", f"{SECOND}")
    time.sleep(0.01 + x % 3 * 0.02)
    return 2 * x

def sum_{{n}}(xs):
    _note("begin", "{REPORT}")
    return sum(xs)
""".replace("{x}", "{{x}}")


class Victim(Protocol):
    """A process that computes the n-th run, or goes on with it."""

    def is_over_within(self, seconds: float) -> bool:
        """Whether it comes to an end within so many seconds."""

    def value(self) -> str | None:
        """What the run came to, once it is over; None where there was none to go on with."""

    def kill(self) -> None:
        """SIGKILL."""


def was_none_left(error: str) -> bool:
    """Whether this is said where no run is there to go on with, or none that was written down."""
    return "nothing to take up" in error or "what was written down of it may not be read" in error


#: Starts one: the number of the run, and whether it is there to go on with.
Start = Callable[[int, bool], AbstractContextManager[Victim]]


@contextmanager
def place(kind: str, folder: Path) -> Iterator[str]:
    """The URL of a state that outlives processes."""
    if kind == "sqlite":
        yield f"sqlite:///{folder / 'results.db'}"
    else:
        with RedisServer.start() as server:
            yield server.url


def kill_again_and_again(start: Start, ledger: Ledger, kills: int, rng: random.Random) -> None:
    """Have runs computed by one process after another; fails where a promise is broken.

    Args:
        start: begins the n-th run in a new process, or goes on with it.
        ledger: what the tasks note.
        kills: how often a process is killed.
        rng: says when.
    """
    killed, runs, left = 0, 1, False
    while killed < kills or left:
        since, in_flight = len(ledger.lines()), ledger.in_flight()
        with start(runs, left) as victim:
            if victim.is_over_within(rng.uniform(0, WITHIN) if killed < kills else 240.0):
                value = victim.value()
                if value is None:
                    # It was killed before it was written down, or after its end.
                    assert left
                    begun = {line.what for line in ledger.lines()}
                    ended = REPORT.format(n=runs) in begun
                    assert ended or FIRST.format(n=runs, x=0) not in begun
                    runs += ended
                else:
                    assert value == str(ITEMS * (ITEMS - 1)), value
                    runs += 1
                left = False
            else:
                victim.kill()
                killed, left = killed + 1, True
        again = ledger.run_again(since)
        assert ledger.broken_promises() == []
        assert set(again) <= in_flight, "more ran again than was in flight"
        assert max(again.values(), default=1) == 1
    assert killed == kills
    begun = {line.what for line in ledger.lines() if line.word == "begin"}
    assert len(begun) == (runs - 1) * (2 * ITEMS + 1)
