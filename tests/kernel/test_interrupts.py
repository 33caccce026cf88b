"""An interrupt of a cell that waits ends it soon, in one line, and nothing goes on behind it."""

from __future__ import annotations

import time

from tests.support.kernels import NEWEST, Execution, RealKernel

SETUP = """
%load_ext cascade_nb
import cascade_nb as cs, asyncio, gc, time
@cs.task
async def slow(n): await asyncio.sleep(n)
@cs.task
async def stubborn():
    time.sleep(30)
@cs.task
def thread():
    for _ in range(300): time.sleep(.1)
@cs.task
async def raises(): raise KeyboardInterrupt
"""

WAITS = {
    "cs.run(slow(20))": "KeyboardInterrupt: run {n} of slow was interrupted",
    "await cs.start(slow(20))": "CancelledError: run {n} of slow was interrupted",
    "cs.run(stubborn())": "KeyboardInterrupt: run {n} of stubborn was interrupted",
    "cs.run(thread())": "KeyboardInterrupt: run {n} of thread was interrupted",
    "await cs.start(thread())": "CancelledError: run {n} of thread was interrupted",
}

QUIET = """
gc.collect(); await asyncio.sleep(.3); gc.collect()
print(len(cs.shortcuts.default_engine().runs))
"""


def _interrupted(kernel: RealKernel, source: str) -> tuple[Execution, float]:
    cell = kernel.send(source)
    time.sleep(1.0)
    began = time.monotonic()
    kernel.interrupt()
    cell.wait()
    return cell, time.monotonic() - began


def test_an_interrupt_ends_a_waiting_cell_soon_in_one_line_and_for_good() -> None:
    with RealKernel.start(NEWEST) as kernel:
        kernel.execute(SETUP)
        for number, (source, line) in enumerate(WAITS.items(), 1):
            cell, took = _interrupted(kernel, source)
            assert cell.error is not None, source
            assert cell.error.traceback == line.format(n=number), source
            assert took < 10, (source, took)  # a second, on a machine that is busy
            after = kernel.execute(QUIET)
            assert after.stdout == "0\n", source
            assert "never retrieved" not in after.stderr + cell.stderr, source
        # What a task raises by itself interrupts nobody.
        own = kernel.execute("cs.run([raises(), slow(0)], on_error='continue')")
        assert own.error is not None
        assert own.error.name == "TaskFailedError"
