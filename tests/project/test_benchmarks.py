"""The benchmarks run, at their smallest, and every contender of ours arrives at the right value."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

import pytest

from benchmarks import bare, memory, ours
from benchmarks.bounds import Line, lines
from benchmarks.cases import Contender, NotForThisError
from benchmarks.child import WrongResultError, measured
from benchmarks.figures import growth, paired_ratio, percentile
from benchmarks.plan import BARE, LIMIT, OURS, Trial, plan
from benchmarks.readme import PAGE, with_tables
from benchmarks.report import markdown, plain
from benchmarks.results import Results
from benchmarks.runner import said_by
from benchmarks.shapes import SHAPES, Bodies, expected

SMALL = 300
MODULES: Mapping[str, Any] = {OURS: ours, BARE: bare}

# The contenders make and close loops and engines themselves, as their processes do.
pytestmark = pytest.mark.may_block("a benchmark's case runs a loop of its own to its end")

SMALL_TRIALS = {
    " ".join(trial.key): trial
    for trial in plan(quick=False)
    if trial.module in MODULES and trial.probe is None
}


def order(trial: Trial, **changes: Any) -> dict[str, Any]:
    small = [min(size, SMALL) for size in trial.sizes[:1]]
    return {**trial.order(), "sizes": small, "repeat_for": 0.0001, "warm": False, **changes}


@pytest.mark.parametrize("name", SMALL_TRIALS)
def test_every_workload_of_ours_runs_and_its_result_is_right(name: str) -> None:
    trial = SMALL_TRIALS[name]
    (figures,) = measured(MODULES[trial.module], order(trial))
    assert "error" not in figures, figures["error"]
    assert figures["seconds"] > 0


def test_a_wrong_result_is_no_figure(monkeypatch: pytest.MonkeyPatch) -> None:
    # A contender that is fast because it does not do the work must not end up in the table.
    monkeypatch.setattr(Bodies, "step", staticmethod(lambda before: before))
    trial = Trial(BARE, "limit loop", "map", "inline", (SMALL,))
    (figures,) = measured(bare, order(trial))
    assert figures["error"].startswith(WrongResultError.__name__)
    assert "seconds" not in figures


def test_each_size_is_tried_until_one_would_take_too_long() -> None:
    trial = Trial(BARE, "limit loop", "naps", "inline", (10,))
    (figures,) = measured(bare, order(trial))
    assert figures["error"] == "it runs one after the other"
    trial = Trial(BARE, "limit loop", "chain", "inline", (10, 10**12))
    first, second = measured(bare, {**order(trial), "sizes": trial.sizes, "budget": 5.0})
    assert "seconds" in first
    assert second["error"] == "over 5 s"


def test_memory_and_flatness_are_measured() -> None:
    taken = memory.a_node("wide", 2_000, listening=True)
    assert taken["bytes a node"] >= 0
    assert set(memory.flatness(memory.SETTLED + 1)) == {
        "objects left by a run",
        "bytes left by a run",
    }


def test_a_trial_is_a_process_of_its_own() -> None:
    trial = Trial(BARE, LIMIT["inline"], "tree", "inline", (100, SMALL), repeat_for=0.0001)
    said = list(said_by(trial, sys.executable))
    assert [figures["size"] for figures in said] == [100, SMALL]
    assert all(figures["seconds"] > 0 for figures in said)


def test_a_process_that_fails_is_a_row_that_says_so() -> None:
    trial = Trial("benchmarks.nowhere", "nobody", "tree", "inline", (100,))
    (figures,) = said_by(trial, sys.executable)
    assert figures["size"] == 100
    assert "ModuleNotFoundError" in figures["error"]


def test_contenders_refuse_what_they_cannot_do() -> None:
    refusing: dict[str, tuple[Contender, str, str]] = {
        "pool": (bare.CONTENDERS["bare thread pool"], "wide", "inline"),
        "asyncio": (bare.CONTENDERS["bare asyncio"], "wide", "threads"),
        "build": (ours.CONTENDERS["cascade, build only"], "map", "inline"),
    }
    for contender, workload, mode in refusing.values():
        with pytest.raises(NotForThisError):
            contender(workload, mode, 10)


@pytest.mark.parametrize("workload", SHAPES)
def test_a_shape_has_as_many_nodes_as_it_was_asked_for(workload: str) -> None:
    # Microseconds a node are only that when the nodes are counted right.
    case = ours.CONTENDERS["cascade, build only"](workload, "inline", 1_000)
    assert case.expected == pytest.approx(1_000, abs=1)
    assert expected(workload, 1_000) > 0


def results(ours_took: float, limit_took: float) -> Results:
    made = Results()
    for number in range(3):
        for size in (1_000, 10_000):
            key = ("cascade", "wide", "inline")
            made.add(key, number, {"size": size, "seconds": ours_took * size, "cpu": 0.1})
            key = (LIMIT["inline"], "wide", "inline")
            made.add(key, number, {"size": size, "seconds": limit_took * size, "cpu": 0.1})
    made.add(("pipefunc", "wide", "inline"), 0, {"size": 1_000, "error": "over 5 s"})
    return made


def ratio_line(of: Results) -> Line:
    return next(line for line in lines(of) if line.what == "wide, inline")


def test_a_row_that_loses_is_printed_as_lost() -> None:
    lost, held = results(3.1e-6, 1e-6), results(2.9e-6, 1e-6)
    assert ratio_line(lost).holds is False
    assert ratio_line(held).holds is True
    assert "**lost**" in markdown(lost)
    assert "over 5 s" in markdown(lost)
    assert any(row["holds"] is False for row in plain(lost)["bounds"])


def test_the_worst_size_decides() -> None:
    made = results(2e-6, 1e-6)
    for number in range(3):
        made.add(
            ("cascade", "wide", "inline"),
            number,
            {"size": 10_000, "seconds": 10_000 * 4e-6, "cpu": 0.1},
        )
    assert ratio_line(made).holds is False


def test_a_size_that_was_not_measured_does_not_hold() -> None:
    made = results(2e-6, 1e-6)
    made.add(("cascade", "wide", "inline"), 0, {"size": 100_000, "error": "over 90 s"})
    assert ratio_line(made).holds is False


def test_growth_is_the_exponent() -> None:
    assert growth({10: 3.0, 100: 300.0, 1_000: 30_000.0}) == pytest.approx(2.0)
    assert growth({10: 3.0}) is None


def test_ratios_are_taken_within_a_round() -> None:
    # A busy second round weighs on both, and must not look like a slow contender.
    assert paired_ratio({0: 2.0, 1: 20.0, 2: 2.0}, {0: 1.0, 1: 10.0}) == pytest.approx(2.0)
    assert paired_ratio({0: 2.0}, {1: 1.0}) is None


def test_percentiles_are_values_that_occurred() -> None:
    values = [float(number) for number in range(1, 101)]
    assert percentile(values, 95) == 95.0
    assert percentile(values, 99) == 99.0
    assert percentile([7.0], 95) == 7.0
    with pytest.raises(ValueError, match="nothing"):
        percentile([], 50)


def test_the_page_keeps_its_words_when_tables_change() -> None:
    page = PAGE.read_text(encoding="utf-8")
    once = with_tables(page, "| a |")
    assert with_tables(once, "| b |") == once.replace("| a |", "| b |")
    assert "## How to read the tables" in once
    with pytest.raises(ValueError, match="no <!-- tables -->"):
        with_tables("nothing", "| a |")
