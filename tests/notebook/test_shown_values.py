"""A node's name as the last line of a cell shows its value as Jupyter would, or why it has none."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from cascade_nb.errors import LazyValueError
from tests.notebook.conftest import Notebook
from tests.support.kernels import OWN, Execution, RealKernel

CELL = """%%cascade --quiet
def _h(x): return x
def load(n): return list(range(_h(n)))
def pick(x):
    if x == 2: raise KeyError("no such column")
    return x
xs = load(3)
picked = pick.map(x=xs)
last = load(pick(x=1))
skipped = load(7).run_if(False)
"""


def test_after_a_run_a_name_shows_its_value_and_its_age(notebook: Notebook) -> None:
    notebook.ok(CELL, "A")
    notebook.ok("%cascade run xs --wait")
    text = notebook.ok("xs").text
    assert "xs = load · made just now in " in text
    assert text.endswith("\n[0, 1, 2]\n")
    assert notebook.ok("xs.value").result == [0, 1, 2]
    notebook.ok(CELL.replace("return x\n", "return x + 1\n", 1), "A")
    text = notebook.ok("xs").text
    assert "No value stands: its helper _h changed. `%cascade run xs` computes it." in text
    assert "[0, 1, 2]" not in text


def test_a_value_of_chance_says_so_where_it_is_shown(notebook: Notebook) -> None:
    notebook.ok("%%cascade --quiet\nimport random\ndef lot(): return random.random()\nx = lot()")
    notebook.ok("%cascade run x --wait")
    assert "x = lot · draws random numbers · made just now in " in notebook.ok("x").text


@pytest.mark.may_block("IPython reads sources for a traceback")
def test_what_failed_or_was_skipped_says_so(notebook: Notebook) -> None:
    notebook.ok(CELL, "A")
    assert notebook.run("%cascade run picked --wait").error is not None
    text = notebook.ok("picked").text
    assert "No value stands: it failed at [2] in run " in text
    assert "KeyError: 'no such column'. `%cascade run picked` computes it." in text
    assert "it is skipped: its condition is false" in notebook.ok("skipped").text
    error = notebook.run("picked.value").error
    assert "`%cascade run picked` computes it" in str(error)


@pytest.mark.may_block("IPython reads sources for a traceback")
@pytest.mark.parametrize(("line", "now"), [("limit pick 0", "queued"), ("pause pick", "held")])
def test_what_failed_says_so_also_while_something_keeps_it_from_another_start(
    notebook: Notebook, line: str, now: str
) -> None:
    notebook.ok(CELL, "A")
    assert notebook.run("%cascade run picked --wait").error is not None
    notebook.ok(f"%cascade {line}")
    text = notebook.ok("picked").text
    assert "No value stands: it failed at [2] in run " in text
    assert f"KeyError: 'no such column'; now it is {now}: " in text
    # Of what never ran there is nothing else to say.
    assert f"No value stands: it is {now}: " in notebook.ok("last").text


def test_what_no_key_can_tell_says_how_to_get_its_value_all_the_same(notebook: Notebook) -> None:
    notebook.ok("import sqlite3\nbase = sqlite3.connect(':memory:', check_same_thread=False)")
    notebook.ok("%%cascade --quiet\ndef ask(base):\n    return 7\nanswer = ask(base)")
    way = "`run = %cascade run answer --wait`, then `run.result()`, gives it"
    text = notebook.ok("answer").text
    assert "its argument base (a Connection) cannot be keyed" in text
    assert f"{way}." in text
    error = notebook.run("answer.value").error
    assert isinstance(error, LazyValueError)
    assert str(error).endswith(f"; {way}")
    notebook.ok("run = %cascade run answer --wait")
    assert notebook.ok("run.result()").result == 7
    # And then it is there, until something of what it was made of changes.
    assert notebook.ok("answer.value").result == 7
    text = notebook.ok("answer").text
    assert "run 1 made it, and each run does so anew: its argument base (a Connection)" in text
    notebook.ok("%%cascade --quiet\ndef ask(base):\n    return 8\nanswer = ask(base)")
    assert "run 1 made it" not in notebook.ok("answer").text
    assert isinstance(notebook.run("answer.value").error, LazyValueError)


def test_what_goes_on_says_what_it_waits_for(notebook: Notebook) -> None:
    notebook.ok(CELL, "A")
    notebook.ok("import cascade_nb as cs\n%cascade pause load\nrun = cs.start(xs)")
    notebook.ok("import time\nwhile not run.status.held: time.sleep(0.01)")
    text = notebook.ok("xs").text
    assert "goes on: xs is held: load tasks paused" in text
    assert text.rstrip().endswith(f". It is there when run {notebook.names['run'].number} is done.")
    assert "`%cascade resume load` frees it" in text
    notebook.ok("%cascade resume\nrun.result()")


@pytest.fixture(scope="module")
def kernel() -> Iterator[RealKernel]:
    with RealKernel.start(OWN) as running:
        running.check("%load_ext cascade_nb\nimport pandas as pd, ipywidgets")
        yield running


def displayed(cell: Execution, kind: str) -> str:
    return "".join(str(shown.get(kind, "")) for shown in cell.displays)


@pytest.mark.may_block("a kernel is waited for")
def test_values_show_themselves_as_they_would_alone(kernel: RealKernel) -> None:
    kernel.check(
        """%%cascade --quiet
class Odd:
    def _repr_mimebundle_(self, include=None, exclude=None):
        return {"text/plain": "odd " + chr(0xd83d), "text/markdown": "**odd**"}
def frame(): return pd.DataFrame({"rows": [12345]})
def odd(): return Odd()
def box(): return ipywidgets.IntSlider(description="slides")
def nothing(): return None
df, o, w, n = frame(), odd(), box(), nothing()
"""
    )
    kernel.check("%cascade run df o w n --wait")
    frame = kernel.check("df")
    assert "<table" in displayed(frame, "text/html")
    assert "12345" in displayed(frame, "text/plain")
    odd = kernel.check("o")
    assert displayed(odd, "text/markdown") == "**odd**"
    assert "odd \ufffd" in displayed(odd, "text/plain"), "a lone surrogate stops no message"
    widget = kernel.check("display(w)")
    assert "model_id" in displayed(widget, "application/vnd.jupyter.widget-view+json")
    assert displayed(kernel.check("n"), "text/plain").endswith("None")


@pytest.mark.may_block("a kernel is waited for")
def test_the_result_of_a_run_is_waited_for_in_the_cell_after_it(kernel: RealKernel) -> None:
    kernel.check(
        """%%cascade --quiet
import pathlib, time
def slow(n):
    while not pathlib.Path("go").exists(): time.sleep(0.01)
    return n
async def slow_too(n): return n + 1
s = slow_too(slow(5))
"""
    )
    kernel.check("run = %cascade run s")
    late = kernel.execute("run.result(timeout=0.01)")
    assert late.error is not None
    assert late.error.name == "WaitTimeoutError"
    kernel.check("pathlib.Path('go').touch()")
    assert kernel.check("print(run.result(), run.result(1))").stdout == "6 6\n"
    number = kernel.check("print(run.number, s.value)").stdout.split()
    failed = kernel.execute("run = %cascade run nowhere --wait")
    assert failed.error is not None
    assert kernel.check("print(run.number, s.value)").stdout.split() == number
