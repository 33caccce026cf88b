"""`%cascade plan` and `%cascade why`: the table, the marks, and what changed down to the line."""

from __future__ import annotations

import pytest

from cascade_nb import errors
from tests.notebook.conftest import Notebook

pytestmark = pytest.mark.may_block("IPython reads files on the loop to show where an error was")

TASKS = """%%cascade --quiet
def _trim(xs):
    return xs[:3]
def load(n):
    return list(range(n))
def total(xs, scale=1):
    return scale * sum(_trim(xs))
raw = load(5)
report = total(raw)
"""


@pytest.fixture
def built(notebook: Notebook) -> Notebook:
    notebook.ok(TASKS, "A")
    return notebook


def why(notebook: Notebook, name: str) -> str:
    return notebook.ok(f"%cascade why {name}").text


def test_a_plan_is_marked_on_the_graph(built: Notebook) -> None:
    assert "raw ▷ → report ▷ ◎" in built.ok("%cascade plan report").text
    built.ok("%cascade run raw")
    assert "raw = → report ▷ ◎" in built.ok("%cascade plan report").text
    built.ok("%cascade pause total")
    assert "raw = → report ‖ ◎" in built.ok("%cascade plan report").text


def test_a_plan_says_what_an_edit_means(built: Notebook) -> None:
    built.ok("%cascade run report")
    built.ok(TASKS.replace("xs[:3]", "xs[:4]"), "A")
    text = built.ok("%cascade plan report").text
    assert "report: 1 to run, 1 to reuse" in text
    assert "its helper _trim changed" in text


def test_why_shows_the_line_that_changed(built: Notebook) -> None:
    built.ok("%cascade run report")
    built.ok(TASKS.replace("xs[:3]", "xs[:4]"), "A")
    text = built.ok("%cascade why report").text
    assert "report is done" in text
    assert "In a run of now it would run: its helper _trim changed" in text
    assert "    -    return xs[:3]" in text
    assert "    +    return xs[:4]" in text
    built.ok("%cascade run report")
    text = built.ok("%cascade why report").text
    assert "no earlier result stands for it: its helper _trim changed" in text
    assert "In a run of now its result would be reused" in text


def test_what_was_mended_since_it_failed_shows_the_line(notebook: Notebook) -> None:
    broken = """%%cascade --quiet
def pick(row):
    return row["price"]
def double(x):
    return 2 * x
picked = pick({"cost": 3})
doubled = double(picked)
"""
    notebook.ok(broken, "A")
    notebook.run("%cascade run doubled")
    assert "it would run: it failed in run 1: KeyError: 'price'" in why(notebook, "picked")
    notebook.ok(broken.replace("price", "cost", 1), "A")
    line = ['    -    return row["price"]', '    +    return row["cost"]']
    told = why(notebook, "picked")
    assert "it would run: its code changed; it failed in run 1: KeyError: 'price'" in told
    assert all(one in told for one in line)
    told = why(notebook, "doubled")
    assert "it would run: it reads picked, whose code changed; it was not started in run 1" in told
    assert all(one in told for one in line)
    notebook.ok(broken, "A")
    assert "it would run: it failed in run 1" in why(notebook, "picked")


def test_why_of_a_run_that_goes_on_is_about_that_run(built: Notebook) -> None:
    built.ok("import cascade_nb as cs\n%cascade pause total\nrun = cs.start(report)")
    text = built.ok("%cascade why report").text
    assert "report" in text
    assert "In a run of now" not in text
    built.ok("%cascade resume\nrun.result()")


def test_why_of_what_waits_is_followed_to_what_holds_it(built: Notebook) -> None:
    built.ok("%%cascade --quiet\ndef last(x): return x\nend = last(report)")
    built.ok("import time, cascade_nb as cs\n%cascade pause load --reason lunch")
    built.ok("run = cs.start(end)\nwhile not run.status.held: time.sleep(0.01)")
    first, cause = why(built, "end").splitlines()
    assert first == "run 1: end waits for report"
    assert cause.startswith("run 1: raw is held: load tasks paused")
    assert "lunch" in cause
    assert len(why(built, "raw").splitlines()) == 1
    built.ok("%cascade resume load\nrun.result()")


def test_why_of_what_never_ran_says_what_would_be(built: Notebook) -> None:
    text = built.ok("%cascade why report").text
    assert "report is part of no run; `%cascade run report` starts one." in text
    assert "In a run of now it would run: its result is not in this kernel's memory" in text


def test_why_works_where_nothing_can_be_awaited(built: Notebook) -> None:
    text = built.ok("def ask():\n    %cascade why report\nask()").text
    assert "it would run" in text


def test_why_says_what_is_in_the_way_of_a_run(built: Notebook) -> None:
    built.ok("%cascade drop raw")
    assert "It could not be run now: `report` reads `raw`" in built.ok("%cascade why report").text


def test_why_of_what_is_nowhere_names_the_nearest(built: Notebook) -> None:
    done = built.run("%cascade why reprot")
    assert isinstance(done.error, errors.UnknownNameError)
    assert "report" in str(done.error)
