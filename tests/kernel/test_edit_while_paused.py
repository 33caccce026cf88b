"""Pause, redefine in a cell, resume: in real kernels, as a user does it."""

from __future__ import annotations

from tests.support.kernels import RealKernel
from tests.support.panel_client import PanelClient

WORKFLOW = """%%cascade --quiet
def load(n):
    print("load")
    return list(range(n))

def _trim(x):
    return x + 1

def clean(rows):
    print("clean")
    return [_trim(row) for row in rows]

rows = load(3)
cleaned = clean(rows)
"""


def held(kernel: RealKernel) -> None:
    """A run whose first node is done and whose second is held."""
    kernel.check("%load_ext cascade_nb")
    kernel.check(WORKFLOW)
    kernel.check("%cascade pause clean")
    kernel.check("run = %cascade run cleaned")
    kernel.check("import asyncio\nwhile not run.status.held: await asyncio.sleep(0.01)")


def told(kernel: RealKernel, code: str) -> str:
    """What a cell shows."""
    return "".join(str(one["text/plain"]) for one in kernel.check(code).displays)


def result(kernel: RealKernel) -> str:
    return kernel.check("print(await run, run.edits)").stdout.strip()


def test_a_task_that_is_defined_anew_while_its_run_is_held_runs_as_it_is_now(
    kernel: RealKernel,
) -> None:
    held(kernel)
    kernel.check("%%cascade --quiet\ndef clean(rows):\n    return [row * 100 for row in rows]")
    kernel.check("%cascade resume clean")
    assert result(kernel) == "[0, 100, 200] ('clean',)"
    assert kernel.check("print(run.status.done, run.status.total)").stdout == "2 2\n"


def test_a_helper_that_is_defined_anew_counts_too_and_what_stands_stays(
    kernel: RealKernel,
) -> None:
    held(kernel)
    kernel.check("def _trim(x):\n    return x + 1000")
    kernel.check("loads = run.states()['rows']")
    kernel.check("%cascade resume clean")
    assert result(kernel) == "[1000, 1001, 1002] ('clean',)"


def test_a_cell_that_changes_nothing_leaves_the_run_as_it_is(kernel: RealKernel) -> None:
    held(kernel)
    kernel.check("unrelated = 5")
    kernel.check("%cascade resume clean")
    assert result(kernel) == "[1, 2, 3] ()"


def test_an_input_that_is_bound_anew_is_computed_and_read(kernel: RealKernel) -> None:
    held(kernel)
    kernel.check("%%cascade --quiet\nrows = load(2)")
    kernel.check("%cascade resume clean")
    assert result(kernel) == "[1, 2] ('rows',)"


def test_at_a_breakpoint_one_sees_the_inputs_edits_and_goes_on_with_the_new_code(
    kernel: RealKernel,
) -> None:
    kernel.check("%load_ext cascade_nb\nimport asyncio")
    kernel.check(WORKFLOW + "sums = clean.map(rows=[[1], [2]])\n")
    said = told(kernel, "%cascade pause --before clean --for 1h")
    assert "A breakpoint before clean tasks for 1 h" in said
    kernel.check("run = %cascade run cleaned sums")
    kernel.check("while run.status.held < 3: await asyncio.sleep(0.01)")
    assert kernel.check("print(run.inputs('cleaned'))").stdout == "{'rows': [0, 1, 2]}\n"
    why = told(kernel, "%cascade why cleaned")
    assert "run.inputs('cleaned') gives them; `%cascade resume cleaned` lets it start" in why
    assert "task:clean: held before it starts" in told(kernel, "%cascade status")
    assert "`%cascade resume sums[0]` lets it start" in told(kernel, "%cascade why sums")
    assert "Resumed: sums[1]" in told(kernel, "%cascade resume sums[1]")
    kernel.check("while run.status.held > 2 or run.status.running: await asyncio.sleep(0.01)")
    kernel.check("%%cascade --quiet\ndef clean(rows):\n    return [row * 100 for row in rows]")
    kernel.check("%cascade resume cleaned")
    kernel.check("while run.states()['cleaned'].value != 'done': await asyncio.sleep(0.01)")
    kernel.check("while run.status.held < 2: await asyncio.sleep(0.01)")  # the new code is new work
    assert "was not paused" in told(kernel, "%cascade resume cleaned")
    assert "No breakpoint any more" in told(kernel, "%cascade resume --before")
    assert "There was no breakpoint" in told(kernel, "%cascade resume --before clean")
    assert result(kernel) == "[[0, 100, 200], [[100], [200]]] ('clean',)"


def test_an_edit_that_does_not_fit_holds_the_run_and_says_what_to_do(kernel: RealKernel) -> None:
    held(kernel)
    kernel.check("%cascade drop rows")
    kernel.check("%cascade resume clean")
    kernel.check("while run.status.phase.value != 'paused': await asyncio.sleep(0.01)")
    headline = kernel.check("print(run.status.headline)").stdout
    assert "cannot be taken up: `cleaned` reads `rows`, which was dropped" in headline
    kernel.check("%%cascade --quiet\nrows = load(1)\ncleaned = clean(rows)")
    kernel.check("run.resume()")
    assert result(kernel) == "[1] ('rows',)"


def test_the_panel_draws_the_graph_as_it_is_after_an_edit(kernel: RealKernel) -> None:
    kernel.check("%load_ext cascade_nb")
    kernel.check(WORKFLOW)
    kernel.check("%cascade pause clean")
    opened = kernel.check("run = %cascade run cleaned")
    panel = PanelClient(kernel, opened)
    panel.hello()
    panel.wait_until(lambda: panel.state.get("svg") and panel.shown["counts"]["held"] == 1)
    before = panel.state["svg"]
    kernel.check(
        "%%cascade --quiet\ndef count(rows):\n    return len(rows)\n"
        "def clean(rows, n):\n    return [_trim(row) * n for row in rows]\n"
        "counted = count(rows)\ncleaned = clean(rows, counted)"
    )
    kernel.check("%cascade resume clean")
    panel.wait_until(lambda: panel.state["svg"] != before and panel.shown["counts"]["done"] == 3)
    assert "counted" in panel.state["svg"]
    boxes = {"node-rows", "node-counted", "node-cleaned"}
    panel.wait_until(lambda: set(panel.shown["boxes"]) >= boxes)
    assert result(kernel).startswith("[3, 6, 9]")
    panel.wait_until(lambda: "with your edits of" in "".join(panel.shown["headline"]))
