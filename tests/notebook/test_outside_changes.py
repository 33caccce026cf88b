"""What plain cells do to the workspace's names is told at once, and once."""

from __future__ import annotations

import time

import pytest

from cascade_nb.notebook.workspace.outside_changes import OutsideChanges
from tests.notebook.conftest import Notebook
from tests.notebook.sheet import Sheet

pytestmark = pytest.mark.may_block("IPython reads files on the loop to show where an error was")

MADE = """%%cascade --quiet
def load(n): return list(range(n))
def total(xs): return sum(xs)
xs = load(2)
many = [load(1), load(2)]
t = total(xs)
u = total(many)
lonely = load(9)
"""


@pytest.fixture
def made(notebook: Notebook) -> Notebook:
    notebook.ok(MADE, "A")
    return notebook


def test_a_plain_cell_that_binds_a_nodes_name_is_told_who_reads_the_old_one(
    made: Notebook,
) -> None:
    text = made.ok("xs = [10, 20]").text
    assert text.strip() == (
        "`xs` was bound outside of %%cascade: `t` still reads what cell In[2] made of it; do so "
        "in a %%cascade cell to change that."
    )
    assert "xs" not in made.ok("n = 1").text  # once
    assert made.ok("%cascade run t --wait").result.result() == 1
    assert "xs" not in made.ok("%%cascade --quiet\nxs = [10, 20]").text
    assert made.ok("%cascade run t --wait").result.result() == 30


def test_what_nobody_reads_is_not_told(made: Notebook) -> None:
    assert not made.ok("lonely = 3").text
    assert not made.ok("t = 3\nnew = 4").text
    assert not made.ok("def fresh(): return 1").text


def test_a_deletion_in_a_plain_cell_is_told(made: Notebook) -> None:
    text = made.ok("del xs").text
    assert "`xs` was deleted outside of %%cascade: `t` still reads" in text
    assert "`%cascade drop xs` takes it out" in text
    assert not made.ok("%cascade drop many\nn = 1").text.replace("Dropped: many.", "").strip()


def test_a_plain_def_of_a_tasks_name_is_told_who_calls_the_task(made: Notebook) -> None:
    text = made.ok("def load(n): return 7").text
    assert "`load` was defined outside of %%cascade: `xs`, `lonely` still call" in text
    assert not made.ok("def _helper(): return 7").text


@pytest.mark.parametrize("cell", ["{}", "%%cascade --quiet\n{}"])
@pytest.mark.parametrize("change", ["many[0] = load(5)", "many.append(load(5))", "many.pop()"])
def test_other_items_in_a_container_are_told_wherever_they_were_put(
    made: Notebook, cell: str, change: str
) -> None:
    text = made.ok(cell.format(change), "B").text
    assert "`many` has other items than cell In[2] gave it: `u` still reads the old ones" in text
    assert "many" not in made.ok("n = 1").text
    made.ok("%%cascade --quiet\nu = total([sum for sum in many])", "C")


def test_containers_that_are_changed_by_their_own_cell_are_not_told(made: Notebook) -> None:
    text = made.ok("%%cascade --quiet\nrows = []\nrows.append(load(1))\nv = total(rows)", "B").text
    assert not text
    assert not made.ok("rows.append(3)").text  # no node


def test_what_a_captured_cell_did_is_told_below_it(made: Notebook) -> None:
    assert "`xs` was bound outside of %%cascade" in made.ok("%%capture\nxs = 3").text


def test_looking_costs_nothing_that_is_felt() -> None:
    sheet = Sheet()
    sheet.cell("A", "\n".join(f"x{i} = f({i})" for i in range(2_000)))
    sheet.cell("B", "ys = [f(i) for i in range(1_000)]")
    changes = OutsideChanges(sheet.workspace)
    changes.look("")
    began = time.thread_time()
    for _ in range(10):
        assert changes.look("n = 1") == []
    assert (time.thread_time() - began) / 10 < 0.05


# Calls in plain cells.


def test_a_tasks_call_that_a_plain_cell_does_not_keep_is_told(made: Notebook) -> None:
    text = made.ok("load(1)\nfor i in range(2):\n    load(i)\nx = 1").text
    assert "Nothing keeps the value of `load` (line 1, 3), so it does not run" in text
    assert "`load.fn(…)`" in text
    assert made.ok("load.fn(2)").result == [0, 1]
    assert "Nothing keeps" not in made.ok("y = load(1)\nload(2)").text
    assert "Nothing keeps" in made.ok("load(2);").text


@pytest.mark.parametrize(
    "cell", ["%time load(3)", "%timeit -n1 -r1 load(3)", "%time x = load(3)", "%%time\nload(3)"]
)
def test_timing_a_tasks_call_says_above_the_number_what_is_timed(made: Notebook, cell: str) -> None:
    text = made.ok(cell).text
    number = text.index("per loop" if "timeit" in cell else "Wall time")
    assert text.index("times the making") < number
    assert "times the making of a call of `load`, which runs later" in text
    assert "cs.run(load(…))` times the work" in text


@pytest.mark.parametrize("cell", ["%time cs.run(load(3))", "%time sum([1])", "%%time\nn = 1"])
def test_timing_of_work_is_just_that(made: Notebook, cell: str) -> None:
    made.ok("import cascade_nb as cs")
    assert "times the making" not in made.ok(cell).text


def test_a_name_that_its_cell_no_longer_defines_is_said_to_be_gone(notebook: Notebook) -> None:
    """In Python the old one would be there; who renames something meets this in the next cell."""
    cell = "%%cascade --quiet\ndef {task}(x): return x\n{node} = {task}(1)"
    notebook.ok(cell.format(task="f", node="x"), "A")
    notebook.ok(cell.format(task="g", node="z"), "A")
    for name, use in (("x", "y = g(x)"), ("f", "y = f(1)")):
        said = f"`{name}` is not there any more: it is a name which cell In["
        for text in (f"%%cascade --quiet\n{use}", use, f"def _use(): {use}\n_use()"):
            done = notebook.run(text, "B")
            assert isinstance(done.error, NameError)
            assert done.text.count(said) == 1, done.text
            assert "no longer defines." in done.text
    assert "any more" not in notebook.run("nobody_knows").text
    notebook.ok("%cascade drop z")
    assert "it is a name which was dropped." in notebook.run("z").text
    notebook.ok("z = 3\nz")
