"""`%cascade params`: what is chosen holds for all runs after that; what they cost is said."""

from __future__ import annotations

import asyncio
from typing import Any

import comm
import pytest

from cascade_nb import errors
from cascade_nb.notebook.extension import session_of
from cascade_nb.notebook.parameters.form import ParamsForm
from cascade_nb.notebook.parameters.values import graph_here
from tests.notebook.conftest import Notebook

pytestmark = pytest.mark.may_block("IPython reads files on the loop to show where an error was")

CELL = """%%cascade --quiet
import cascade_nb as cs
size = cs.Param("size", default=3, type=range(1, 100), description="rows that are read")
label = cs.Param("label", default="x", type=str)
free = cs.Param("free", default=None)
def load(n): return list(range(n))
def report(rows, label, free): return f"{label}{len(rows)}{free}"
rows = load(size)
text = report(rows, label, free)
"""


@pytest.fixture
def built(notebook: Notebook) -> Notebook:
    notebook.ok(CELL, "A")
    return notebook


def test_a_table_says_what_there_is_and_what_a_run_would_cost(built: Notebook) -> None:
    told = built.ok("%cascade params").text
    assert "size   3     int from 1 to 99; rows that are read" in told
    assert "A run of everything computes 2 of 2 nodes" in told
    built.ok("%cascade run text")
    assert "All results stand: a run would compute nothing." in built.ok("%cascade params").text


def test_what_is_chosen_holds_for_runs_plans_and_marks_until_it_is_its_default_again(
    built: Notebook,
) -> None:
    built.ok("%cascade run text")
    told = built.ok("%cascade params size=10 label=07").text
    assert "size   10    int from 1 to 99; default 3; rows that are read" in told
    assert "Stale with these values: rows, text. A run of everything computes 2 of 2" in told
    assert "parameter `size` changed: 3 → 10" in built.ok("%cascade plan text").text
    assert "size → rows ↻" in built.ok("%cascade graph").text
    assert built.ok("%cascade run text").result.result() == "0710None"
    assert "All results stand" in built.ok("%cascade params").text
    assert built.ok("%cascade run text -p size=5").result.result() == "075None"
    assert built.ok("%cascade run rows").result.result() == list(range(10))
    assert "size   3 " in built.ok("%cascade params size=").text
    assert built.ok("%cascade run text").result.result() == "073None"
    built.ok("%cascade params free=[1,2] size=4")
    assert built.ok("%cascade run text").result.result() == "074[1, 2]"
    told = built.ok("%cascade plan text -p label=2024 -p free=2024").text
    assert "parameter `label` changed" in told
    run = built.ok("%cascade run text -p label=2024 -p free=2024").result
    assert run.result() == "202442024"
    built.ok("%cascade params --reset")
    assert built.ok("%cascade run text").result.result() == "x3None"


def test_what_no_task_of_a_run_reads_is_not_given_to_it(built: Notebook) -> None:
    built.ok("%%cascade --quiet\nother = load(2)", "B")
    built.ok("%cascade params size=7")
    assert built.ok("%cascade run other").result.request.params == {}


@pytest.mark.parametrize(
    ("line", "kind", "words"),
    [
        ("size=8 label=y size=0", errors.ParamError, "takes int from 1 to 99, and '0'"),
        ("size=0", errors.ParamError, "takes int from 1 to 99, and '0'"),
        ("sise=4", errors.UnknownNameError, "did you mean 'size'?"),
        ("size", errors.UsageError, "a parameter is given as name=value, not 'size'"),
        ("size=4 --reset", errors.UsageError, "either values are chosen"),
    ],
)
def test_what_cannot_be_chosen_is_refused_and_changes_nothing(
    built: Notebook, line: str, kind: type[Exception], words: str
) -> None:
    built.ok("%cascade params size=9")
    failed = built.run(f"%cascade params {line}")
    assert isinstance(failed.error, kind)
    assert words in str(failed.error)
    assert built.ok("%cascade run rows").result.result() == list(range(9))


@pytest.mark.parametrize(
    ("words", "refusal"),
    [
        ("-p size=many", "takes int from 1 to 99"),
        ("-p siez=3", "nothing here reads a parameter 'siez'"),
        ("-p size=3 -p size=4", "parameter 'size' is given twice"),
    ],
)
def test_what_a_run_cannot_be_given_is_refused(built: Notebook, words: str, refusal: str) -> None:
    for command in ("run", "plan"):
        assert refusal in str(built.run(f"%cascade {command} text {words}").error)


def test_a_parameter_that_needs_a_value_is_named(built: Notebook) -> None:
    built.ok("%%cascade --quiet\nneeded = cs.Param('needed', type=int)\nmore = load(needed)", "B")
    told = built.ok("%cascade params").text
    assert "needed  needs a value  int" in told
    assert "needed needs a value before what reads it can run." in told
    assert "needed needs a value" not in built.ok("%cascade params needed=2").text


def test_without_parameters_it_is_said_how_to_make_one(notebook: Notebook) -> None:
    assert "No task reads a parameter yet; cs.Param(" in notebook.ok("%cascade params").text


def test_the_tab_key_knows_their_names(built: Notebook) -> None:
    assert built.complete("%cascade params si") == ["%cascade params size="]


def test_a_page_that_opens_the_form_has_all_of_it_without_asking(
    built: Notebook, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What it asks then may be left unread, and a form without rows would stay so.
    opened: list[dict[str, Any]] = []

    def create(data: dict[str, Any], **how: Any) -> comm.DummyComm:
        opened.append(data["state"])
        return comm.DummyComm(data=data, **how)

    monkeypatch.setattr(comm, "create_comm", create)
    session = session_of(built.shell)

    async def show() -> None:
        await ParamsForm(session).show(graph_here(session))

    asyncio.run(show())
    [snapshot] = [state["snapshot"] for state in opened if "snapshot" in state]
    assert [field["name"] for field in snapshot["fields"]] == ["size", "label", "free"]
    assert snapshot["cost"] == "A run of everything computes 2 of 2 nodes."
