"""An interrupt of a cell that waits ends it soon, in one line, and nothing goes on behind it."""

from __future__ import annotations

from pathlib import Path

from tests.support.kernels import NEWEST, Execution, RealKernel

SETUP = """
%load_ext cascade_nb
import cascade_nb as cs, asyncio, gc, time
@cs.task
async def slow(n): await asyncio.sleep(n)
@cs.task
async def stubborn():
    waits.touch()
    time.sleep(300)
@cs.task
def thread():
    for _ in range(3000): time.sleep(.1)
@cs.task
async def raises(): raise KeyboardInterrupt
from pathlib import Path
from cascade_nb.events import TaskExecutionStarted
waits, started, loop = Path({waits!r}), asyncio.Event(), asyncio.get_running_loop()
cs.shortcuts.default_engine().bus.subscribe(
    lambda _: loop.call_soon_threadsafe(started.set), TaskExecutionStarted
)
async def write():
    await started.wait()
    waits.touch()
def before():
    started.clear()
    global writing
    writing = loop.create_task(write())
"""

WAITS = {
    "cs.run(slow(300))": "KeyboardInterrupt: run {n} of slow was interrupted",
    "await cs.start(slow(300))": "CancelledError: run {n} of slow was interrupted",
    "cs.run(stubborn())": "KeyboardInterrupt: run {n} of stubborn was interrupted",
    "cs.run(thread())": "KeyboardInterrupt: run {n} of thread was interrupted",
    "await cs.start(thread())": "CancelledError: run {n} of thread was interrupted",
}

QUIET = """
while cs.shortcuts.default_engine().runs: await asyncio.sleep(.01)
gc.collect(); await asyncio.sleep(.3); gc.collect()
"""


def _interrupted(kernel: RealKernel, source: str, waits: Path) -> Execution:
    """Interrupt a cell when it waits: the loop is free then, or in the body of its task."""
    waits.unlink(missing_ok=True)
    kernel.check("before()")
    cell = kernel.send(source)
    cell.wait_until(lambda _: waits.exists())
    kernel.interrupt()
    return cell.wait()


def test_an_interrupt_ends_a_waiting_cell_soon_in_one_line_and_for_good(tmp_path: Path) -> None:
    waits = tmp_path / "waits"
    with RealKernel.start(NEWEST) as kernel:
        kernel.check(SETUP.format(waits=str(waits)))
        for number, (source, line) in enumerate(WAITS.items(), 1):
            cell = _interrupted(kernel, source, waits)  # the tasks go on for longer than it waits
            assert cell.error is not None, source
            assert cell.error.traceback == line.format(n=number), source
            after = kernel.check(QUIET)  # no run goes on
            assert "never retrieved" not in after.stderr + cell.stderr, source
        # What a task raises by itself interrupts nobody.
        own = kernel.execute("cs.run([raises(), slow(0)], on_error='continue')")
        assert own.error is not None
        assert own.error.name == "TaskFailedError"
