"""Output of tasks goes to the panel of their run; everybody else's goes where it always went."""

from __future__ import annotations

import gc
import os
import sys
import threading
from collections.abc import Iterator

import pytest

from cascade_nb.notebook.kernel import task_output
from cascade_nb.notebook.kernel.output import route
from cascade_nb.notebook.kernel.task_output import DISPLAYS, KEPT, SHOWN, Chunk, TaskOutput
from tests.support.kernels import LABELS, RealKernel
from tests.support.patience import until


@pytest.fixture(scope="module", params=LABELS)
def kernel(request: pytest.FixtureRequest) -> Iterator[RealKernel]:
    """One kernel of each version for all tests here, since each leaves it as it was."""
    with RealKernel.start(request.param) as running:
        yield running


RUN = """
import asyncio, logging, sys, threading, time
import cascade_nb as cs
from IPython.display import display, clear_output
from cascade_nb.notebook.panel.panel import Panel
logging.basicConfig(format="%(message)s", level="INFO")
go = threading.Event()
"""


def pieces_of(output: TaskOutput, size: int = 1_000_000) -> list[str]:
    """All that was written, as a page is given it."""
    found: list[str] = []
    place: int | None = 0
    while place is not None:
        text, place = output.piece(place, size)
        found.append(text)
    return found


def test_neighbours_of_one_stream_are_told_as_one() -> None:
    output = TaskOutput()
    for text in ("a", "\n", "b"):
        output.write("stdout", text)
    output.write("stderr", "!")
    assert output.take_new() == (False, [Chunk("stdout", "a\nb"), Chunk("stderr", "!")])
    assert output.take_new() == (False, [])


def test_a_flood_is_told_by_its_end_and_kept_up_to_a_limit() -> None:
    output = TaskOutput()
    line = "x" * 999 + "\n"
    for _ in range(KEPT // 1000 + 10):
        output.write("stdout", line)
    anew, chunks = output.take_new()
    assert anew, "the browser must forget what it had, because something is missing in between"
    assert sum(len(chunk.text) for chunk in chunks) == SHOWN
    assert len(output.text) == KEPT
    assert "".join(pieces_of(output)) == line * (KEPT // 1000 + 10)


def test_of_a_text_longer_than_memory_may_hold_only_the_end_is_there_and_all_of_it_on_disk() -> (
    None
):
    output = TaskOutput()
    output.write("stdout", "é" + "b" * KEPT)
    assert output.text == "b" * KEPT
    assert "".join(pieces_of(output, 7_000_001)) == "é" + "b" * KEPT
    output.clear()
    output.write("stdout", "after")
    assert pieces_of(output) == ["after"]


def test_whoever_takes_the_pieces_of_what_goes_on_being_written_misses_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(task_output, "KEPT", 300)
    monkeypatch.setattr(task_output, "SHOWN", 7)
    output, lines = TaskOutput(), [f"{n} — ü\n" for n in range(3_000)]

    def write() -> None:
        for line in lines:
            output.write("stdout", line)

    writer = threading.Thread(target=write)
    writer.start()
    found, place = "", 0
    while True:
        over = not writer.is_alive()
        text, more = output.piece(place, 61)
        found += text
        place += len(text.encode())
        if more is None and over:
            break
    writer.join()
    assert found == "".join(lines)
    assert output.dropped == 0


def test_nobody_else_can_open_what_is_on_disk_and_it_is_gone_with_the_output() -> None:
    output = TaskOutput()
    output.write("stdout", "x" * (KEPT + SHOWN))
    file = until(lambda: output._spill._file)
    about = os.fstat(file.fileno())
    assert about.st_mode & 0o077 == 0
    assert about.st_nlink == 0, "it has no name"
    until(lambda: not output._spill._at_work)
    output.clear()
    gc.collect()
    assert file.closed


def test_a_full_disk_loses_what_is_not_there_yet_and_says_how_much(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    output = TaskOutput()

    def full(**_more: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("tempfile.TemporaryFile", full)
    output.write("stdout", "x" * (KEPT + 400_000))
    until(lambda: output.dropped == 400_000)
    output.write("stdout", "y" * 400_000)
    assert output.dropped == 800_000
    assert "".join(pieces_of(output)) == output.text


def test_a_late_browser_is_given_the_end() -> None:
    output = TaskOutput()
    output.write("stdout", "0123456789")
    output.write("stderr", "ab")
    assert output.tail(5) == [Chunk("stdout", "789"), Chunk("stderr", "ab")]


def test_after_a_clear_only_what_came_afterwards_is_shown() -> None:
    output = TaskOutput()
    output.write("stdout", "before")
    output.take_new()
    output.clear()
    output.write("stdout", "after")
    assert output.take_new() == (True, [Chunk("stdout", "after")])
    assert output.text == "after"


def test_an_update_replaces_the_display_it_names_and_no_other() -> None:
    output = TaskOutput()
    assert output.display({"n": 1}, "a", update=False)
    assert output.display({"n": 2}, None, update=False)
    assert output.display({"n": 3}, "a", update=True)
    assert not output.display({"n": 4}, "elsewhere", update=True)
    assert output.take_displays() == ({"n": 3}, {"n": 2})
    assert output.take_displays() is None


def test_only_the_latest_displays_are_kept() -> None:
    output = TaskOutput()
    for n in range(DISPLAYS + 5):
        output.display({"n": n}, None, update=False)
    shown = output.take_displays()
    assert shown is not None
    assert [bundle["n"] for bundle in shown] == list(range(5, DISPLAYS + 5))


def test_nothing_is_lost_when_many_threads_write() -> None:
    output = TaskOutput()
    taken: list[Chunk] = []

    def write() -> None:
        for _ in range(500):
            output.write("stdout", "x")

    threads = [threading.Thread(target=write) for _ in range(8)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        taken += output.take_new()[1]
    taken += output.take_new()[1]
    assert sum(len(chunk.text) for chunk in taken) == 4000


def test_a_stream_that_cannot_be_rerouted_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    # In a terminal the streams are C's, whose class nobody can change.
    monkeypatch.setattr(sys, "stdout", sys.__stdout__)
    before = type(sys.stdout)
    undo = route("a run", TaskOutput())
    assert type(sys.stdout) is before
    undo()


def test_output_of_tasks_goes_to_the_panel_and_no_other(kernel: RealKernel) -> None:
    # From a thread, from a coroutine, through a logging handler that was made before the run, and
    # over the end of the cell, where IPython puts back the `write` that it had found.
    kernel.check(RUN)
    tasks = """
@cs.task
def in_a_thread():
    go.wait()
    print("thread speaks")
    print("thread complains", file=sys.stderr)
    logging.info("thread logs")
@cs.task
async def on_the_loop(_):
    print("loop speaks")
run = cs.start(on_the_loop(in_a_thread()))
panel = Panel.open(run)
"""
    launching = kernel.check(tasks)
    other = kernel.check("print('cell speaks'); go.set(); await panel.finished()")
    told = kernel.check("print(panel.output.text, end='')")
    assert sorted(told.stdout.splitlines()) == [
        "loop speaks",
        "thread complains",
        "thread logs",
        "thread speaks",
    ]
    assert other.stdout == "cell speaks\n"
    assert launching.stdout == other.stderr == launching.stderr == ""


def test_two_runs_do_not_mix_their_output(kernel: RealKernel) -> None:
    kernel.check(RUN)
    tasks = """
@cs.task
def speak(word):
    for _ in range(50):
        print(word)
        time.sleep(0.001)
panels = [Panel.open(cs.start(speak(word))) for word in ("one", "two")]
for panel in panels:
    await panel.finished()
print([sorted(set(panel.output.text.split())) for panel in panels])
"""
    assert kernel.check(tasks).stdout == "[['one'], ['two']]\n"


def test_displays_of_tasks_go_to_the_panel_too(kernel: RealKernel) -> None:
    # `clear_output` in a task would clear the whole cell, its panel and its saved picture.
    kernel.check(RUN)
    tasks = """
outside = display({"text/plain": "outside"}, raw=True, display_id=True)
@cs.task
def show():
    display({"text/plain": "gone"}, raw=True)
    clear_output()
    handle = display({"text/plain": "first"}, raw=True, display_id=True)
    handle.update({"text/plain": "second"}, raw=True)
    outside.update({"text/plain": "changed"}, raw=True)
    display({"image/png": b"\\x89PNG"}, raw=True)
panel = Panel.open(cs.start(show()))
await panel.finished()
print([bundle["data"] for bundle in panel.output._bundles.values()])
"""
    cell = kernel.check(tasks)
    assert cell.stdout == "[{'text/plain': 'second'}, {'image/png': 'iVBORw=='}]\n"
    assert cell.displays[0] == {"text/plain": "changed"}
    assert not cell.of_type("clear_output")


def test_afterwards_the_streams_are_as_before(kernel: RealKernel) -> None:
    kernel.check(RUN)
    look = """
def look():
    publisher = get_ipython().display_pub
    return type(sys.stdout), type(sys.stderr), set(vars(publisher)) & {"publish", "clear_output"}
before = look()
@cs.task
def nothing(): pass
panel = Panel.open(cs.start(nothing()))
print(look() == before)
"""
    assert kernel.check(look).stdout == "False\n"
    kernel.check("await panel.finished()")
    # Once more, because IPython may have put back something of ours at the end of a cell.
    assert kernel.check("print(look() == before)").stdout == "True\n"
    assert kernel.check("print('still speaks')").stdout == "still speaks\n"


def test_ipythons_own_write_is_neither_lost_nor_called_twice(kernel: RealKernel) -> None:
    # IPython 9 notes what cells print by putting a `write` on the stream and taking it off again.
    # Ours must not pile up below it, cell by cell.
    kernel.check(RUN)
    kernel.check(
        """
@cs.task
def wait(): go.wait()
panel = Panel.open(cs.start(wait()))
"""
    )
    for i in range(5):
        assert kernel.check(f"print({i})").stdout == f"{i}\n"
    depth = """
depth, write = 0, vars(sys.stdout).get("write")
while hasattr(write, "usual"):
    depth, write = depth + 1, write.usual
print(depth)
"""
    assert kernel.check(depth).stdout == "0\n"
    kernel.check("go.set(); await panel.finished()")


def test_without_a_browser_tasks_print_into_the_cell(kernel: RealKernel) -> None:
    # nbclient keeps what a cell says until it ends, and shows no widget.
    kernel.check(RUN)
    code = """
@cs.task
def in_a_thread():
    print("thread speaks")
    display({"text/plain": "thread shows"}, raw=True)
@cs.task
async def on_the_loop(_):
    print("loop speaks")
run = cs.start(on_the_loop(in_a_thread()))
panel = Panel.open(run)
await run
await panel.finished()
print("the end")
"""
    cell = kernel.execute(code, allow_stdin=False)
    assert cell.error is None
    assert cell.stdout == "thread speaks\nloop speaks\nthe end\n"
    assert {"text/plain": "thread shows"} in cell.displays
    assert not cell.of_type("comm_open")
