"""What a person asks and is told: limits, rates, runs, times, and what is run again."""

from __future__ import annotations

import pytest

import cascade_nb as cs
from cascade_nb.errors import ConstraintError, RunError
from tests.notebook.conftest import Notebook

CELL = """%%cascade --quiet
def _broken(): return BROKEN
def fetch(n):
    if _broken(): raise KeyError("no such column")
    return list(range(n))
def clean(xs, k=0): return [x + k for x in xs]
raw = fetch(3)
rows = clean(raw)
mapped = clean.map(k=[1, 2], xs=[[1], [2]])
"""


@pytest.fixture
def built(notebook: Notebook) -> Notebook:
    notebook.ok("import cascade_nb as cs\nBROKEN = False")
    notebook.ok(CELL, "A")
    return notebook


def test_a_rate_and_a_limit_are_set_listed_and_lifted(built: Notebook) -> None:
    assert "There is none; `%cascade limit train 4` sets one." in built.ok("%cascade limit").text
    assert "There is none; `%cascade rate fetch 10/m`" in built.ok("%cascade rate").text
    assert "At most 2 at once: fetch tasks." in built.ok("%cascade limit fetch 2").text
    assert "At most 30/m starts: fetch tasks." in built.ok("%cascade rate fetch 30/m").text
    assert "task:fetch: at most 2 at once, since" in built.ok("%cascade limit").text
    listed = built.ok("%cascade rate").text
    assert "task:fetch: at most 30 starts a minute, since" in listed
    assert "at most 2" not in listed
    assert isinstance(built.run("%cascade rate fetch often").error, ConstraintError)
    built.ok("%cascade rate fetch off\n%cascade limit fetch off")
    assert "There is none" in built.ok("%cascade rate").text


def test_a_breaker_is_set_listed_tripped_and_lifted(built: Notebook) -> None:
    assert (
        "There is none; `%cascade breaker fetch 3/1m` sets one" in built.ok("%cascade breaker").text
    )
    said = built.ok("%cascade breaker fetch 2/1m --probe 5m").text
    told = "2 failures within 1 min hold it, with a probe after 5 min"
    assert f"{told}: fetch tasks." in said
    assert f"task:fetch: {told}, since" in built.ok("%cascade breaker").text
    assert f"task:fetch: {told}" in built.ok("%cascade status").text
    for wrong in ("fetch often", "fetch 0/m", "fecth 3/1m", "fetch 3/1m --probe -1"):
        assert built.run(f"%cascade breaker {wrong}").error is not None
    assert f"task:fetch: {told}" in built.ok("%cascade breaker").text
    assert "No breaker any more: fetch tasks." in built.ok("%cascade breaker fetch off").text
    assert "There was no breaker of fetch tasks" in built.ok("%cascade breaker fetch off").text
    assert cs.status().constraints == ()


def test_bare_names_mean_the_same_in_calls_and_magics(built: Notebook) -> None:
    built.ok("cs.pause('raw')\ncs.limit('fetch', 2)\ncs.rate('fetch', '5/s')")
    said = built.ok("print(cs.status())").text
    assert "node:raw: paused" in said
    assert "task:fetch: at most 2 at once" in said
    assert "task:fetch: at most 300 starts a minute" in said
    wrong = built.run("cs.limit('fecth', 2)").error
    assert isinstance(wrong, ConstraintError)
    assert "did you mean 'fetch'" in str(wrong)
    built.ok("%%cascade --quiet\nclean = clean(raw)", "B")
    both = built.run("cs.limit('clean', 2)").error
    assert "say task:clean or node:clean" in str(both)
    assert "Resumed: raw." in built.ok("%cascade resume raw").text
    built.ok("cs.limit('fetch', None)\ncs.rate('fetch', None)")
    assert cs.status().constraints == ()


def test_runs_and_times_are_told_from_memory(built: Notebook) -> None:
    number = built.ok("run = %cascade run rows mapped --wait\nrun.number").result
    text = built.ok("%cascade runs").text
    assert f"  {number}  " in text
    assert "`%cascade state sqlite:///results.db` keeps results and runs." in text
    times = built.ok(f"%cascade times {number}").text
    rows = [line.split() for line in times.splitlines()]
    assert ["task", "attempts", "total", "longest"] in rows
    counts = {row[0]: row[1] for row in rows if len(row) > 2}
    assert (counts["clean"], counts["fetch"]) == ("3", "1")
    assert built.ok("%cascade times").text == times
    kinds = {kind.name: kind for kind in built.names["run"].status.kinds}
    assert kinds["clean"].attempts == 3
    assert 0 <= kinds["clean"].longest <= kinds["clean"].seconds
    assert "did you mean" in str(built.run("%cascade tims").error)


@pytest.mark.may_block("IPython reads sources for a traceback")
def test_after_a_failure_the_name_is_that_run_and_a_bare_run_is_its_target(
    built: Notebook,
) -> None:
    first = built.ok("run = %cascade run mapped --wait\nrun").result
    built.ok("BROKEN = True")
    assert isinstance(built.run("run = %cascade run rows --wait").error, RunError)
    failed = built.names["run"]
    assert failed is not first
    assert failed.outcome.value == "failed"
    with pytest.raises(RunError):
        failed.result()
    plan = built.ok("%cascade plan rows").text
    assert "was not started in run" in plan
    assert "fetch failed and the run stops at the first failure" in plan or "raw failed" in plan
    built.ok("BROKEN = False")
    built.ok(CELL, "A")
    text = built.ok("run = %cascade run --wait").text
    assert "this runs `rows`" in text
    assert built.names["run"].result() == [0, 1, 2]


def test_an_item_is_accepted_where_a_node_is(built: Notebook) -> None:
    built.ok("run = %cascade run mapped --wait")
    for name in ("mapped[1]", "map(clean)[1]"):
        text = built.ok(f"%cascade why {name}").text
        assert f"{name} is done" in text
        assert "its input: xs=[2], k=2" in text or "its input: k=2, xs=[2]" in text
    assert "to run" in built.ok("%cascade plan mapped[1]").text
    built.ok("run = %cascade run mapped[1] --wait")
    assert built.names["run"].result() == [4]


def test_why_of_a_task_points_to_its_nodes(built: Notebook) -> None:
    built.ok("%cascade run rows mapped --wait")
    text = built.ok("%cascade why clean").text
    assert "clean is a task; its nodes are rows, mapped: `%cascade why rows` asks about one" in text


def test_the_status_knows_what_code_ran_as_well_as_what_a_magic_did(built: Notebook) -> None:
    built.ok("cs.run(rows)")
    assert "rows · run 1" in built.ok("%cascade status").text
    built.ok("%cascade run raw --wait")
    assert "raw · run 2" in built.ok("%cascade status").text
    built.ok("BROKEN = True")
    assert built.run("cs.run(raw, fresh=True)").error is not None
    text = built.ok("%cascade status").text
    assert "raw · run 3" in text
    assert "no such column" in text
