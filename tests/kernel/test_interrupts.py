"""An interrupt of a cell that waits ends it soon, in one line, and nothing goes on behind it."""

from __future__ import annotations

from pathlib import Path

from tests.support.examples import PROFILE
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
cs.defaults.default_engine().bus.subscribe(
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
while cs.defaults.default_engine().runs: await asyncio.sleep(.01)
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


AT_EVERY_LINE = """
%load_ext cascade_nb
import asyncio, signal, sys, time
import cascade_nb as cs
from cascade_nb.engine import engine as engines
from cascade_nb.engine.runs import loop_binding, nested_wait, run as runs
from cascade_nb.notebook.magics import launching, panels
from cascade_nb.defaults import default_engine
from cascade_nb.shortcuts import running

@cs.task
def slow(n):
    for _ in range(n): cs.checkpoint(); time.sleep(.01)

lines = {module.__file__ for module in (
    engines, loop_binding, nested_wait, runs, launching, panels, running)}
#: Where a run begins, and where its wait does, which sees to interrupts.
begins = {launching.present.__code__, nested_wait.run_and_wait.__code__}
waits = {runs.Run._wait.__code__, nested_wait._awaited.__code__}

class Interrupts:
    def __init__(self, at=None):
        self.at, self.seen, self.on = at, [], False
    def __call__(self, frame, event, arg):
        code = frame.f_code
        if event == "call":
            if code in waits and self.on and self.at and self.at not in self.seen:
                raise KeyboardInterrupt  # a line of the first time only
            self.on = (self.on or code in begins) and code not in waits
        elif event == "return" and code is launching.present.__code__:
            self.on = False
        elif event == "line" and self.on and code.co_filename in lines:
            place = (code.co_filename, frame.f_lineno)
            if place not in self.seen:
                self.seen.append(place)
                if place == self.at:
                    sys.settrace(None)
                    signal.raise_signal(signal.SIGINT)
        return self

def tried(ask, at=None):
    tracer = Interrupts(at)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # as in a cell without await
    sys.settrace(tracer)
    try:
        ask()
    except KeyboardInterrupt:
        pass
    finally:
        sys.settrace(None)
        signal.signal(signal.SIGINT, before)
    return tracer.seen

async def ended():
    engine = default_engine()
    until = time.monotonic() + 60
    while engine.runs and time.monotonic() < until: await asyncio.sleep(.002)
    return not engine.runs
"""

ASKS = ("cs.run(slow(n))", "get_ipython().run_line_magic('cascade', 'run named')")


def test_an_interrupt_at_any_line_between_the_start_of_a_run_and_its_wait_ends_the_run() -> None:
    every = 1 if PROFILE == "soak" else 6
    with RealKernel.start(NEWEST) as kernel:
        kernel.check(AT_EVERY_LINE)
        kernel.check("%%cascade --quiet\nnamed = slow(100_000)")
        kernel.check("engine = default_engine()")
        for ask in ASKS:
            kernel.check(f"def ask(): {ask}")
            for _ in "12":  # the first time there are lines that never come again
                kernel.check("n = 1; places = tried(ask)\nfor run in engine.runs: run.cancel()")
                assert int(kernel.check("print(await ended() and len(places))").stdout) > 40
            gone_on = kernel.check(
                f"n, left = 100_000, []\nfor place in places[::{every}]:\n"
                "    if place not in tried(ask, place):\n"
                "        for run in engine.runs: run.cancel()\n"
                "    if not await ended(): left.append(place); break\n"
                "print(left)"
            )
            assert gone_on.stdout == "[]\n", ask
