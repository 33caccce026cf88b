"""Processes that run a workflow, or wait to take it up, made quickly by forking this one.

It reads a line for each process to make, `begin 3` or `attach`, and answers with its number. It has
loaded all that they need and has no thread yet, so that a fork of it is as good as a new process.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from typing import Final

import cascade_nb as cs
from cascade_nb.engine import Engine, Run
from cascade_nb.errors import LeaseHeldError, LeaseLostError, RunCancelledError, UsageError
from cascade_nb.events import RunStarted, TaskExecutionFinished

ITEMS: Final = 24
LEASE: Final = 1.0
#: Where they write what they do.
LEDGER: Final = os.environ.get("CASCADE_TEST_LEDGER", "")


def note(word: str, what: object) -> None:
    """Write a line that outlives this process."""
    file = os.open(LEDGER, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(file, f"{word} {what}\n".encode())
    finally:
        os.close(file)


@cs.task
def first(run: int, x: int) -> int:
    """A short piece of work."""
    note("begin", f"first_{run}[{x}]")
    time.sleep(0.01 + x % 5 * 0.01)
    return x


@cs.task
def second(run: int, x: int) -> int:
    """Another, that needs the first."""
    note("begin", f"second_{run}[{x}]")
    time.sleep(0.01 + x % 3 * 0.01)
    return 2 * x


@cs.task
def total(run: int, xs: list[int]) -> int:
    """All of them together."""
    note("begin", f"report_{run}")
    return sum(xs)


def _engine() -> Engine:
    engine = Engine(state_backend=sys.argv[1], lease=LEASE)
    engine.limit("global", 3)

    def told(event: TaskExecutionFinished) -> None:
        if event.status == "completed":
            note("finished", event.task_id)

    engine.bus.subscribe(told, TaskExecutionFinished)
    engine.bus.subscribe(lambda _: note("owner", os.getpid()), RunStarted)
    return engine


async def begin(number: int) -> None:
    """Run the workflow of this number."""
    ones = first.partial(run=number).map(x=range(ITEMS)).named(f"first_{number}")
    twos = second.partial(run=number).map(x=ones).named(f"second_{number}")
    if not await carry_on(_engine().start(total(number, twos).named(f"report_{number}"))):
        await attach()


async def carry_on(run: Run) -> bool:
    """Bring a run to its end, or say that another has taken it: whoever a busy machine gives no
    turn for a lease's time looks dead.
    """
    try:
        note("value", f"{run.graph.title} {await run}")
    except (LeaseLostError, RunCancelledError):
        note("robbed", run.graph.title)
        return False
    return True


async def attach() -> None:
    """Go on with what its owner left, as soon as it is left."""
    engine = _engine()
    while True:
        try:
            await carry_on(await engine.attach())
        except (LeaseHeldError, LeaseLostError):  # another goes on with it
            await asyncio.sleep(0.02)
        except UsageError as error:
            if "nothing to take up" not in str(error):
                raise
            await asyncio.sleep(0.05)


def main() -> None:
    """Make processes until nobody asks for more."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    for line in sys.stdin:
        word, *number = line.split()
        child = os.fork()
        if child == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            try:
                asyncio.run(begin(int(number[0])) if word == "begin" else attach())
            except BaseException as error:
                note("broken", repr(error))
            os._exit(0)
        sys.stdout.write(f"{child}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
