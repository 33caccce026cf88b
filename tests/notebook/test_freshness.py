"""What was shown below earlier cells stays true while cells are changed and runs end."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from cascade_nb.errors import CascadeError
from cascade_nb.notebook.freshness import Freshness
from tests.engine.tools import until_blocking
from tests.support.kernels import LABELS, Execution, RealKernel

DEFINE = """%%cascade
def load(n): return list(range(n))
def clean(rows): return rows[1:]
rows = load(5)
tidy = clean(rows)
more = [clean(load(6))]"""
RUN = "run = %cascade run tidy more --wait"
CHANGED = "%%cascade --quiet\ndef clean(rows): return rows[2:]\ntidy = clean(rows)"
READS_A_NAME = CHANGED.replace("[2:]", "[START:]")


def ok(cell: Execution) -> Execution:
    assert cell.error is None, cell.error
    return cell


@pytest.fixture(scope="module")
def kernel() -> Iterator[RealKernel]:
    with RealKernel.start(LABELS[0]) as running:
        running.check("%load_ext cascade_nb\nimport asyncio\nimport cascade_nb as cs")
        yield running


def states(cell: Execution) -> dict[str, str]:
    """By node, what the picture below a cell shows now."""
    svg = next((b["image/svg+xml"] for b in cell.displays if "image/svg+xml" in b), "")
    return dict(re.findall(r'id="node-(\w+)" class="node" data-state="(\w+)"', svg))


def named(cell: Execution) -> dict[str, str]:
    return {node: state for node, state in states(cell).items() if node in ("rows", "tidy")}


def test_a_graph_below_a_cell_and_a_panel_that_is_over_follow_what_happens(
    kernel: RealKernel,
) -> None:
    graph = ok(kernel.execute(DEFINE, cellId="graph"))
    graph.wait_until(states)
    assert set(states(graph).values()) == {"waiting"}
    kernel.check(RUN)
    graph.wait_until(lambda cell: set(states(cell).values()) == {"done"})
    assert (
        len(states(graph)) == 4
    )  # two of them have no name, and of one not even its result is kept
    since = "print(repr(session.panels[run.id].since))"
    kernel.check(
        "from cascade_nb.notebook.extension import session_of\nsession = session_of(get_ipython())"
    )
    assert kernel.check(since).stdout == "''\n"
    ok(kernel.execute(CHANGED, cellId="changed"))
    graph.wait_until(lambda cell: named(cell) == {"rows": "done", "tidy": "stale"})
    assert "stale" not in {s for node, s in states(graph).items() if node != "tidy"}
    stale = "'Changed since: tidy is stale now.'\n"
    until_blocking(lambda: kernel.check(since).stdout == stale)
    # What a plain cell changes counts too, and a run mends it.
    ok(kernel.execute(READS_A_NAME, cellId="changed"))
    kernel.check("START = 2")
    kernel.check(RUN)
    graph.wait_until(lambda cell: named(cell) == {"rows": "done", "tidy": "done"})
    kernel.check("START = 3")
    graph.wait_until(lambda cell: named(cell) == {"rows": "done", "tidy": "stale"})
    kernel.check("START = 2")
    graph.wait_until(lambda cell: named(cell) == {"rows": "done", "tidy": "done"})


def test_a_panel_that_is_over_says_of_each_cell_how_its_nodes_stand(kernel: RealKernel) -> None:
    """What failed has failed until its cell says something else; what has no name counts where it
    is used.
    """
    good = "%%cascade --quiet\ndef make(n): return list(range(n))\nmade = make(5)"
    bad = "%%cascade --quiet\ndef cut(made): return made[9]\npart = [cut(make(2))]"
    ok(kernel.execute(good, cellId="good"))
    below = ok(kernel.execute(bad.replace(" --quiet", ""), cellId="bad"))
    kernel.execute("run = %cascade run made part --wait --on-error continue", cellId="run")
    kernel.check(
        "from cascade_nb.notebook.extension import session_of\n"
        "told = session_of(get_ipython()).panels[run.id]"
    )

    def stand() -> str:
        return kernel.check("print(*(told.cells.get(c) for c in ('good', 'bad')))").stdout.strip()

    until_blocking(lambda: stand() == "['done', 1, 1] ['failed', 0, 1]")
    below.wait_until(lambda cell: "failed" in states(cell).values())
    ok(kernel.execute(good.replace("(5)", "(6)"), cellId="good"))
    until_blocking(lambda: stand() == "['stale', 0, 1] ['failed', 0, 1]")
    ok(kernel.execute(bad.replace("[9]", "[1]"), cellId="bad"))
    until_blocking(lambda: stand() == "['stale', 0, 1] None")
    kernel.check("%cascade run made part --wait")
    until_blocking(lambda: stand() == "['done', 1, 1] ['done', 2, 2]")


def test_of_a_graph_too_large_to_be_built_anew_the_named_nodes_are_told(kernel: RealKernel) -> None:
    many = (
        "%%cascade --quiet\ndef one(i): return i\ndef add(xs): return sum(xs)\n"
        "parts = [one(i) for i in range(1500)]\nwhole = add(parts)"
    )
    ok(kernel.execute(many, cellId="many"))
    kernel.check("run = %cascade run whole --wait")
    session = "__import__('cascade_nb.notebook.extension').notebook.extension.session_of"
    told = f"print({session}(get_ipython()).panels[run.id].cells.get('many'))"
    until_blocking(lambda: kernel.check(told).stdout == "['done', 1, 1]\n")
    kernel.check("%cascade drop whole parts")


def test_a_run_that_ends_when_no_cell_runs_is_followed_too(kernel: RealKernel) -> None:
    kernel.check("import time")
    code = "%%cascade\ndef slow(n): time.sleep(1); return n\nrows = slow(9)\ntidy = slow(rows)"
    graph = ok(kernel.execute(code, cellId="later"))
    graph.wait_until(states)
    kernel.check("run = %cascade run tidy")
    graph.wait_until(lambda cell: named(cell) == {"rows": "done", "tidy": "done"})


def test_many_cells_in_a_row_are_looked_at_together_and_a_cycle_changes_nothing(
    kernel: RealKernel,
) -> None:
    kernel.check(
        "from cascade_nb.notebook import freshness\nlooks = 0\nreal = freshness.Freshness._look"
    )
    kernel.check(
        "async def counted(self):\n    global looks\n    looks += 1\n    await real(self)\n"
        "freshness.Freshness._look = counted"
    )
    kernel.check("; ".join(f"get_ipython().run_cell('x{i} = {i}')" for i in range(40)))
    kernel.check("while not looks: await asyncio.sleep(0.01)\nawait asyncio.sleep(1)")
    assert int(kernel.check("print(looks)").stdout) <= 4
    kernel.check("freshness.Freshness._look = real")
    kernel.execute("%%cascade --quiet\nrows = clean(tidy)", cellId="cycle")
    cell = kernel.check("await asyncio.sleep(1)")
    assert not [m for m in cell.messages if m["msg_type"] == "stream"]


async def test_what_happens_during_a_look_that_fails_is_looked_at_too() -> None:
    session: Any = SimpleNamespace(done=True)
    fresh, looks, both = Freshness(session), [0], asyncio.Event()

    async def look() -> None:
        looks[0] += 1
        if looks[0] == 2:
            both.set()
            return
        fresh.look_again()  # a cell was executed meanwhile
        raise CascadeError("a cycle")

    fresh._look = look  # type: ignore[method-assign]
    fresh.look_again()
    await asyncio.wait_for(both.wait(), 30)
