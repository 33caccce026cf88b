"""The benchmarks run, at their smallest, and every contender of ours arrives at the right value."""

from __future__ import annotations

import contextlib
import gc
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import pytest

from benchmarks import bare, hashing, lasting, memory, ours, reused, runner
from benchmarks.bounds import lines
from benchmarks.cached import OUTDATED, TASKS
from benchmarks.caches import side_by_side
from benchmarks.cases import Contender, NotForThisError
from benchmarks.child import WrongResultError, measured
from benchmarks.figures import growth, paired_ratio, percentile
from benchmarks.instructions import CASCADE, run_once
from benchmarks.instructions import LIMIT as LIMIT_LOOP
from benchmarks.instructions import SHAPES as COUNTED_SHAPES
from benchmarks.lasting import Count
from benchmarks.plan import BARE, LASTING, LIMIT, OURS, THEIRS, Trial, plan
from benchmarks.readme import PAGE, with_tables
from benchmarks.report import markdown, plain
from benchmarks.results import Results
from benchmarks.runner import said_by
from benchmarks.shapes import SHAPES, Bodies, expected
from benchmarks.words import Line
from cascade_nb.engine.dispatch import inline
from cascade_nb.protocols.state_backend import StateBackend
from cascade_nb.state.memory import MemoryState
from tools.environments import ROOT
from tools.system import Program

SMALL = 300
MODULES: Mapping[str, Any] = {OURS: ours, BARE: bare, LASTING: lasting}

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


def test_what_a_benchmark_started_ends_with_it_when_its_time_is_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Else its redis-server would stay, and weigh on all that is measured after it.
    note = tmp_path / "pid"
    monkeypatch.setattr(runner, "GRACE", 20.0)
    trial = Trial(
        "tests.project.hanging", "x", "y", "z", budget=0.0, probe="hang", given={"note": str(note)}
    )
    (said,) = said_by(trial, sys.executable)
    assert said["error"] == "over 0 s"
    started = int(note.read_text())
    gone = (psutil.NoSuchProcess, psutil.ZombieProcess)  # nobody may be there to reap it
    with contextlib.suppress(*gone):
        process = psutil.Process(started)
        psutil.wait_procs([process], timeout=60)
        assert not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


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


def test_a_second_run_is_measured_beyond_what_it_needs_anyway() -> None:
    figures = reused.second_run("wide", SMALL)
    assert figures["whole"] > 0
    assert figures["build and hashing"] > 0
    assert reused.figures([5e-3, 9e-3, 4e-3], [3e-3, 6e-3, 1e-3], size=10) == {
        "whole": pytest.approx(500),
        "build and hashing": pytest.approx(300),
        "beyond": pytest.approx(300),
    }


def test_a_second_run_that_computes_again_is_no_figure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reused, "Bench", partial(ours.Bench, fresh=True))
    with pytest.raises(WrongResultError, match=f"{SMALL} tasks ran again"):
        reused.second_run("wide", SMALL)


def test_a_place_that_kept_less_than_it_was_given_is_no_figure(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    @contextmanager
    def forgetful() -> Iterator[tuple[StateBackend, Count]]:
        yield MemoryState(), lambda: SMALL - 1

    monkeypatch.setitem(lasting.PLACES, "in sqlite", forgetful)
    trial = Trial(LASTING, "cascade", "results kept", "in sqlite", (SMALL,))
    (figures,) = measured(lasting, order(trial))
    assert figures["error"] == f"WrongResultError: {SMALL - 1} of {SMALL} results were kept"


def test_without_a_redis_server_the_row_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Program, "find", lambda program: None)
    trial = Trial(LASTING, "cascade", "results kept", "in redis", (SMALL,))
    (figures,) = measured(lasting, order(trial))
    assert figures["error"] == "redis-server is not installed"


def test_hashing_is_held_against_the_hash_function_alone() -> None:
    figures = hashing.array(1)
    assert figures["cascade"] > 0
    assert figures["blake2b"] > 0
    assert figures["ratio"] > 0


def test_a_key_for_which_less_was_read_is_no_figure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hashing, "fingerprints", lambda graph: ["of what comes before the last"])
    with pytest.raises(WrongResultError, match="does not tell arrays apart"):
        hashing.array(1)


def test_a_cache_that_looks_through_helpers_is_right_after_an_edit() -> None:
    figures = side_by_side("cascade")
    assert figures["first run: tasks"] == TASKS == 200
    assert figures["second run: tasks"] == 0
    assert figures["after the edit: tasks"] == OUTDATED
    assert figures["after the edit: result"] == "right"


def test_a_cache_that_looks_at_the_task_alone_is_stale_after_an_edit() -> None:
    # joblib is here because scikit-learn needs it
    figures = side_by_side("joblib.Memory")
    assert figures["second run: tasks"] == figures["after the edit: tasks"] == 0
    assert figures["after the edit: result"] == "stale"


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


def of_lasting_results(**changes: float) -> Results:
    """What holds every bound, but for the changes."""
    taken = {"beyond": 2.0, "sqlite": 50.0, "redis": 110.0, "ratio": 1.1, "tasks": OUTDATED}
    taken |= changes
    made = Results()
    said = {"whole": 10.0, "build and hashing": 8.0}
    for size in ("1,000", "100,000"):
        beyond = taken["beyond"] if size == "100,000" else 1.0
        made.add(("cascade", "second run, wide", size), 0, {**said, "beyond": beyond})
    for place, micros in (("memory", 20.0), ("sqlite", taken["sqlite"]), ("redis", taken["redis"])):
        figures = {"size": 10_000, "seconds": micros / 100, "cpu": 0.1}
        made.add(("cascade", "results kept", f"in {place}"), 0, figures)
    figures = {"cascade": 110.0, "blake2b": 100.0, "ratio": taken["ratio"]}
    made.add(("cascade", "hashing", "100 MB array"), 0, figures)
    for tool, tasks, word in (("cascade", taken["tasks"], "right"), (f"{THEIRS}x", 0, "stale")):
        runs = {"first run": 1.0, "second run": 1.0, "after the edit": 1.0}
        counts = {"first run: tasks": 200, "second run: tasks": 0, "after the edit: tasks": tasks}
        made.add(
            (tool, "caches", "200 tasks"), 0, {**runs, **counts, "after the edit: result": word}
        )
    return made


def test_bounds_of_results_that_last_hold_up_to_the_bound() -> None:
    made = of_lasting_results()
    assert [line.holds for line in lines(made)] == [True] * 5
    assert "| x | 1.0 (200) | 1.0 (0) | 1.0 (0) | stale |" in markdown(made)


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"beyond": 3.1}, "second run of wide, nothing left to do"),
        ({"sqlite": 61.0}, "wide of 10,000, every result kept in sqlite"),
        ({"redis": 121.0}, "wide of 10,000, every result kept in redis"),
        ({"ratio": 1.21}, "hashing a 100 MB array"),
        ({"tasks": 0}, "200 tasks, after an edit of a helper"),
    ],
)
def test_bounds_of_results_that_last_are_lost_beyond_it(
    changes: dict[str, float], what: str
) -> None:
    lost = [line.what for line in lines(of_lasting_results(**changes)) if line.holds is False]
    assert lost == [what]


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


@pytest.mark.parametrize("what", ["tables", "processes", "clusters"])
def test_the_page_keeps_its_words_when_tables_change(what: str) -> None:
    page = PAGE.read_text(encoding="utf-8")
    once = with_tables(page, "| a |", what)
    assert with_tables(once, "| b |", what) == once.replace("| a |", "| b |")
    assert "## How to read the tables" in once
    with pytest.raises(ValueError, match="no <!-- tables -->"):
        with_tables("nothing", "| a |")


@pytest.mark.parametrize(
    ("module", "call", "rows"),
    [("processes", "measured(QUICK)", 8), ("clusters", "measured(*QUICK)", 3)],
)
def test_what_bodies_elsewhere_cost_is_measured(module: str, call: str, rows: int) -> None:
    # In a process of its own: where a test has run IPython, `__main__` is IPython's here, and the
    # standard library's pool cannot start from that.
    both = f"from benchmarks.processes import table\nfrom benchmarks.{module} import *\n"
    asked = f"{both}if __name__ == '__main__': print(table({call}))"
    said = subprocess.run(
        [sys.executable, "-c", asked], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert said.returncode == 0, said.stderr
    assert len(said.stdout.splitlines()) == rows + 2


@pytest.mark.parametrize("contender", [CASCADE, LIMIT_LOOP])
@pytest.mark.parametrize("shape", COUNTED_SHAPES)
def test_what_is_counted_in_instructions_comes_to_the_right_value(
    contender: str, shape: str
) -> None:
    slice_, collects = inline.SLICE, gc.isenabled()
    try:
        run_once(contender, shape, 20)
    finally:
        inline.SLICE = slice_  # type: ignore[misc]
        if collects:
            gc.enable()
