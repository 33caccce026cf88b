"""Interrupts of an idle kernel, its end, where late output lands, and who sits at it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.kernels import LABELS, PATIENCE, RealKernel

WATCH = """
import asyncio, signal, time
from cascade_nb.notebook.kernel.shims import on_idle_interrupt
if "undo" in globals():
    undo()
heard = []
before = signal.getsignal(signal.SIGINT)
undo = on_idle_interrupt(asyncio.get_running_loop(), lambda: heard.append("interrupted"))
"""

#: Waits until the loop has had its turn without a cell, which is when the watch is in place.
ARMED = """
def in_place():
    from cascade_nb.notebook.kernel.shims import _watch_of
    seen = running_kernel().saved_sigint_handler
    return _watch_of(seen) is not None
from cascade_nb.notebook.kernel.shims import running_kernel
print(in_place())
"""


@pytest.fixture(scope="module", params=LABELS)
def shared(request: pytest.FixtureRequest) -> Iterator[RealKernel]:
    """One kernel of each version for the tests that leave it as it was."""
    with RealKernel.start(request.param) as running:
        yield running


def wait_until_armed(kernel: RealKernel) -> None:
    while kernel.check(ARMED).stdout != "True\n":
        pass


def heard(kernel: RealKernel) -> str:
    return kernel.check("print(heard)").stdout.strip()


def wait_until_heard(kernel: RealKernel, number: int) -> None:
    # The signal and the next cell come on different ways, so the cell may be the faster one.
    kernel.check(
        f"while len(heard) < {number}:\n    await asyncio.sleep(0.01)",
    )


def test_an_interrupt_of_an_idle_kernel_is_heard(shared: RealKernel) -> None:
    shared.check(WATCH)
    wait_until_armed(shared)
    shared.interrupt()
    wait_until_heard(shared, 1)
    # It stays in place, although each cell puts its own handler there for a while.
    shared.check("1 + 1")
    shared.interrupt()
    wait_until_heard(shared, 2)


# Awaiting one long sleep would not do: ipykernel hears the signal then, but its loop sleeps on.
@pytest.mark.parametrize("code", ["time.sleep(60)", "while True: await asyncio.sleep(0.01)"])
def test_an_interrupt_of_a_cell_is_the_cells_alone(shared: RealKernel, code: str) -> None:
    # Pressing stop on a cell must not end the run that goes on behind it.
    shared.check(WATCH)
    wait_until_armed(shared)
    cell = shared.send(f"print('busy', flush=True)\n{code}")
    cell.wait_until(lambda sent: "busy" in sent.stdout)
    shared.interrupt()
    cell.wait()
    assert cell.status == "error"
    shared.check("await asyncio.sleep(0.1)")
    assert heard(shared) == "[]"


def test_afterwards_an_idle_kernel_ignores_interrupts_as_before(shared: RealKernel) -> None:
    shared.check(WATCH)
    wait_until_armed(shared)
    shared.check("undo()")
    # It is gone when the next cell looks, since each puts back what was there before it.
    shared.check("await asyncio.sleep(0)")
    shared.interrupt()
    shared.check("await asyncio.sleep(0.1)")
    assert heard(shared) == "[]"


def test_of_two_watches_each_is_called_until_it_ends(shared: RealKernel) -> None:
    # Two runs at once; the one that began first may end first.
    shared.check(WATCH)
    wait_until_armed(shared)
    shared.check(
        "second = on_idle_interrupt(asyncio.get_running_loop(), lambda: heard.append('second'))"
    )
    while shared.check("print(second.__self__.before is not None)").stdout != "True\n":
        pass
    shared.interrupt()
    wait_until_heard(shared, 2)
    shared.check("undo()")
    shared.interrupt()
    wait_until_heard(shared, 3)
    shared.check("second()")
    assert heard(shared) == "['second', 'interrupted', 'second']"


SHUTDOWN = """
from pathlib import Path
from cascade_nb.notebook.kernel.shims import on_shutdown
told = Path({path!r})
undo = on_shutdown(lambda: told.write_text(told.read_text() + "told\\n"))
"""


@pytest.mark.parametrize("way", ["shut down", "restart", "exit()", "forgotten"])
def test_whoever_asks_is_told_once_that_the_kernel_ends(
    kernel: RealKernel, tmp_path: Path, way: str
) -> None:
    # On shutdown no `finally` of a background task runs: the loop is stopped under it.
    told = tmp_path / "told"
    told.write_text("")
    kernel.check(SHUTDOWN.format(path=str(told)))
    if way == "forgotten":
        kernel.check("undo()")
    if way == "restart":
        kernel.client.shutdown(restart=True)
        deadline = time.monotonic() + PATIENCE
        while kernel.manager.is_alive() and time.monotonic() < deadline:
            time.sleep(0.01)
    elif way == "exit()":
        kernel.send("exit()")
    kernel.shutdown()
    assert told.read_text() == ("" if way == "forgotten" else "told\n")


def test_two_may_ask_and_leave_in_any_order(kernel: RealKernel, tmp_path: Path) -> None:
    told = tmp_path / "told"
    told.write_text("")
    kernel.check(SHUTDOWN.format(path=str(told)) + "first = undo")
    kernel.check(SHUTDOWN.format(path=str(told)) + "first()")
    kernel.shutdown()
    assert told.read_text() == "told\n"


def test_a_cell_without_input_has_nobody_at_it(shared: RealKernel) -> None:
    code = "from cascade_nb.notebook.kernel.shims import is_headless; print(is_headless())"
    assert shared.execute(code, allow_stdin=True).stdout == "False\n"
    assert shared.execute(code, allow_stdin=False).stdout == "True\n"


LATE = """
import asyncio
from IPython.display import display
from cascade_nb.notebook.kernel.shims import LaunchingCell
cell = LaunchingCell()
go = asyncio.Event()
def speak():
    print("late words")
    display({"text/plain": "late display"}, raw=True)
async def later():
    await go.wait()
    cell.call(speak)
task = asyncio.get_running_loop().create_task(later())
"""


def test_late_output_lands_in_the_cell_that_launched_it(shared: RealKernel) -> None:
    # By itself a late display goes to the latest cell on ipykernel 6.
    launching = shared.check(LATE)
    other = shared.check("go.set(); await task; print('other words')")
    launching.wait_until(lambda cell: cell.displays and cell.stdout)
    assert launching.stdout == "late words\n"
    assert launching.displays == [{"text/plain": "late display"}]
    assert other.stdout == "other words\n"
    assert other.displays == []


def test_what_comes_after_late_output_is_not_moved(shared: RealKernel) -> None:
    # On ipykernel 6 the publisher's parent is lent to the late display, and must be given back.
    shared.check(LATE)
    code = "go.set(); await task\ndisplay({'text/plain': 'own display'}, raw=True)"
    assert shared.check(code).displays == [{"text/plain": "own display"}]
