"""Cells and magics in real kernels, as a frontend with a person at it sends them."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from tests.engine.tools import until_blocking
from tests.support.kernels import LABELS, Execution, RealKernel

pytestmark = pytest.mark.may_block("a kernel is waited for")

TASKS = """%%cascade
import threading, time

gates = {}

def _gate(name):
    return gates.setdefault(name, threading.Event())

def load(n):
    return list(range(n))

def wait_for(name, x):
    _gate(name).wait(60)
    return x

raw = load(5)
"""


@pytest.fixture(scope="module", params=LABELS)
def shared(request: pytest.FixtureRequest) -> Iterator[RealKernel]:
    """One kernel of each version, with the extension and a few tasks."""
    with RealKernel.start(request.param) as running:
        running.check("%load_ext cascade_nb")
        ok(running.execute(TASKS, cellId="tasks"))
        yield running


def ok(cell: Execution) -> Execution:
    assert cell.error is None, cell.error
    return cell


def words(cell: Execution) -> str:
    """Everything that the cell shows now, as text."""
    return "\n".join([cell.stdout, *(str(b.get("text/plain", "")) for b in cell.displays)])


def plain(text: str) -> str:
    """Without colours."""
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


def test_the_graph_comes_as_words_and_then_as_a_picture_that_is_saved(shared: RealKernel) -> None:
    cell = ok(shared.execute("%%cascade\nbig = load(3)", cellId="graph"))
    cell.wait_until(lambda cell: any("image/svg+xml" in b for b in cell.displays))
    pictures = [b for b in cell.displays if "image/svg+xml" in b]
    assert len(pictures) == 1
    assert "big" in pictures[0]["text/plain"]
    assert {"image/png", "text/plain"} <= set(pictures[0])
    ok(shared.execute("%cascade drop big"))


def test_a_cell_run_again_is_known_by_its_identity(shared: RealKernel) -> None:
    ok(shared.execute("%%cascade --quiet\nx = load(2)", cellId="again"))
    ok(
        shared.execute(
            "%%cascade --quiet\ny = wait_for('open', x)\n_gate('open').set()", cellId="y"
        )
    )
    ok(shared.execute("%%cascade --quiet\nx = load(3)", cellId="again"))
    ok(shared.execute("run = %cascade run y"))
    assert ok(shared.execute("print(await run)")).stdout == "[0, 1, 2]\n"
    ok(shared.execute("%%cascade --quiet\nz = load(1)", cellId="again"))
    gone = shared.execute("%cascade run y")
    assert gone.error is not None
    assert "`y` reads `x`, which cell In[" in gone.error.value


def test_run_comes_back_at_once_and_the_notebook_stays_free(shared: RealKernel) -> None:
    ok(shared.execute("%%cascade --quiet\nslow = wait_for('slow', raw)", cellId="slow"))
    cell = ok(shared.execute("run = %cascade run slow"))
    assert ok(shared.execute("print(run.done(), 6 * 7)")).stdout == "False 42\n"
    ok(shared.execute("%cascade pause"))
    assert "Paused" in ok(shared.execute("print(run.status.headline)")).stdout.replace(
        "Pausing", "Paused"
    )
    ok(shared.execute("%cascade resume\n_gate('slow').set()"))
    cell.wait_until(lambda cell: "Done in" in words(cell))
    assert ok(shared.execute("print(run.result())")).stdout == "[0, 1, 2, 3, 4]\n"


def test_a_run_that_is_a_cells_value_is_shown_once_by_its_panel(shared: RealKernel) -> None:
    cell = ok(shared.execute("%cascade run raw"))
    cell.wait_until(lambda cell: "Done in" in words(cell))
    assert words(cell).count("(panel)") == 1
    assert "(panel)" in words(ok(shared.execute("_")))


def test_what_is_stale_after_an_edit_is_marked_on_the_picture(shared: RealKernel) -> None:
    ok(shared.execute("%%cascade --quiet\ndef size(xs): return len(xs)\ns = size(raw)", cellId="s"))
    ok(shared.execute("%cascade run s --wait"))
    cell = ok(
        shared.execute("%%cascade\ndef size(xs): return 1 + len(xs)\ns = size(raw)", cellId="s")
    )
    cell.wait_until(lambda cell: "s ↻" in words(cell))
    assert "raw ✓" in words(cell)


def test_wait_holds_the_cell_until_the_run_is_over(shared: RealKernel) -> None:
    ok(shared.execute("%%cascade --quiet\nheld = wait_for('held', raw)", cellId="held"))
    cell = ok(
        shared.execute(
            "import asyncio\n"
            "asyncio.get_running_loop().call_later(0.3, _gate('held').set)\n"
            "run = %cascade run held --wait\n"
            "print(run.done())"
        )
    )
    assert "True" in cell.stdout
    assert "Done in" in words(cell)


def test_wait_works_in_a_plain_function_too(shared: RealKernel) -> None:
    cell = ok(
        shared.execute(
            "def go():\n    run = %cascade run raw --wait\n    return run.done()\nprint(go())"
        )
    )
    assert "True" in cell.stdout


def test_an_interrupt_of_a_waiting_cell_cancels_the_run(shared: RealKernel) -> None:
    ok(
        shared.execute(
            "%%cascade --quiet\n"
            "import asyncio\n"
            "started = asyncio.Event()\n"
            "async def endless():\n"
            "    started.set()\n"
            "    await asyncio.sleep(600)\n"
            "async def _watch():\n"
            "    await started.wait()\n"
            "    print('under way')\n"
            "never = endless()",
            cellId="endless",
        )
    )
    cell = shared.send("watch = asyncio.create_task(_watch())\nrun = %cascade run never --wait")
    cell.wait_until(lambda cell: "under way" in cell.stdout)
    shared.interrupt()
    cell.wait()
    assert cell.error is not None
    assert cell.error.name in {"KeyboardInterrupt", "CancelledError"}
    until_blocking(lambda: "Cancelled after" in words(ok(shared.execute("%cascade status"))))


def test_a_failing_line_is_shown_with_cell_and_line_and_without_our_frames(
    shared: RealKernel,
) -> None:
    cell = shared.execute("%%cascade\nfine = 1\n\nbad = 1 / 0\n", cellId="bad")
    assert cell.error is not None
    text = plain(cell.error.traceback)
    assert cell.error.name == "ZeroDivisionError"
    assert re.search(r"Cell In\[\d+\], line 4", text)
    assert "----> 4 bad = 1 / 0" in text
    assert "cascade_nb" not in text
    assert "run_cell_magic" not in text


def test_a_failing_task_is_shown_with_cell_and_line(shared: RealKernel) -> None:
    ok(
        shared.execute(
            "%%cascade --quiet\n\ndef broken(x):\n    return 1 / x\nb = broken(0)", cellId="broken"
        )
    )
    cell = shared.execute("%cascade run b --wait")
    assert cell.error is not None
    text = plain(cell.error.traceback)
    assert cell.error.name == "TaskFailedError"
    assert "----> 4     return 1 / x" in text
    number = re.search(r"Cell In\[(\d+)\], line 4, in broken", text)
    assert number is not None
    assert f"b failed: ZeroDivisionError: division by zero, at cell [{number[1]}], line 4" in text
    assert "cascade_nb" not in text


def test_a_syntax_error_is_shown_at_its_line_in_the_whole_cell(shared: RealKernel) -> None:
    cell = shared.execute("%%cascade\nran = 1\n\ndef bad(:\n")
    assert cell.error is not None
    assert cell.error.name == "SyntaxError"
    assert re.search(r"Cell In\[\d+\], line 4", plain(cell.error.traceback))
    assert "NameError" in str(shared.execute("ran").error)


def test_top_level_await_and_background_tasks_of_the_user_work(shared: RealKernel) -> None:
    cell = ok(
        shared.execute(
            "%%cascade --quiet\n"
            "import asyncio\n"
            "loop_runs = []\n"
            "ticker = asyncio.get_running_loop().call_soon(loop_runs.append, 1)\n"
            "await asyncio.sleep(0.01)\n"
            "print(loop_runs)"
        )
    )
    assert cell.stdout == "[1]\n"


def test_what_a_magic_refuses_fails_the_cell_in_one_sentence(shared: RealKernel) -> None:
    cell = shared.execute("%cascade rnu raw")
    assert cell.status == "error"
    assert cell.error is not None
    assert cell.error.traceback.startswith("UnknownNameError: there is no %cascade command")
    assert "\n" not in cell.error.traceback


def test_the_tab_key_works_over_the_wire(shared: RealKernel) -> None:
    code = "%cascade pause task:lo"
    shared.client.complete(code, len(code))
    reply = shared.client.get_shell_msg(timeout=60)
    while reply["msg_type"] != "complete_reply":
        reply = shared.client.get_shell_msg(timeout=60)
    assert "task:load" in reply["content"]["matches"]
    start = reply["content"]["cursor_start"]
    assert code[:start] == "%cascade pause "


def test_help_of_a_task_shows_its_signature(shared: RealKernel) -> None:
    cell = ok(shared.execute("load?"))
    assert cell.reply is not None
    page = plain(cell.reply["content"]["payload"][0]["data"]["text/plain"])
    assert "load(n)" in page


def test_what_a_cell_does_to_names_is_told_below_it(shared: RealKernel) -> None:
    made = ok(
        shared.execute(
            "# build\n%%cascade --quiet\ndef half(x): return x / 2\n"
            "def show(x): print('shown', x)\nhalves = half(4)\nquarter = half(halves)\nshow(1)"
        )
    )
    assert "shown 1\n" in made.stdout
    assert "`show`: it returns nothing" in made.stdout
    text = ok(shared.execute("halves = 3")).stdout
    assert "`halves` was bound outside of %%cascade: `quarter` still reads" in text
    failed = shared.execute("%%cascade --quiet\nnew = half(6)\n1 / 0\nnever = 1")
    assert failed.error is not None
    assert failed.error.name == "ZeroDivisionError"
    assert (
        ok(shared.execute("run = %cascade run new --wait\nprint(run.result())")).stdout == "3.0\n"
    )


def test_an_error_of_a_blocking_run_shows_the_users_lines_only(shared: RealKernel) -> None:
    cell = shared.execute(
        "import cascade_nb as cs\n@cs.task\nasync def bad(): return {}['k']\ncs.run(bad())"
    )
    assert cell.error is not None
    text = plain(cell.error.traceback)
    assert "return {}['k']" in text
    assert not [w for w in ("cascade_nb/", "asyncio/", "nest_asyncio2", "IPython/") if w in text]
