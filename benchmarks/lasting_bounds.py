"""What was promised of results that last, beside what was measured."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from benchmarks.cached import OUTDATED
from benchmarks.cases import MEGABYTES
from benchmarks.plan import PLACES, REUSED
from benchmarks.results import PROBE, Results
from benchmarks.words import Line, at_most, micros

BEYOND: Final = 3.0  # microseconds a node
KEPT: Final = {"in sqlite": 60.0, "in redis": 120.0}  # microseconds a task
HASHING_RATIO: Final = 1.2


def lasting_lines(results: Results) -> Iterator[Line]:
    """Every row that something was tried for."""
    yield from _second_runs(results)
    yield from _kept(results)
    yield from _hashing(results)
    yield from _edited(results)


def _second_runs(results: Results) -> Iterator[Line]:
    """The worst size decides."""
    for shape in REUSED:
        keys = [key for key in results.tried if key[1] == f"second run, {shape}"]
        if not keys:
            continue
        keys.sort(key=lambda key: int(key[2].replace(",", "")))
        beyond = [results.median(key, PROBE, "beyond") for key in keys]
        known = [figure for figure in beyond if figure is not None]
        problems = [results.problem(key) for key in keys]
        what = {
            name: " / ".join(_figure(results.median(key, PROBE, name)) for key in keys)
            for name in ("whole", "build and hashing", "beyond")
        }
        yield Line(
            f"second run of {shape}, nothing left to do",
            f"{what['whole']} µs",
            f"{what['build and hashing']} µs",
            f"{what['beyond']} µs a node beyond build and hashing"
            if known
            else next((problem for problem in problems if problem), "?"),
            f"≤ {BEYOND:.0f} µs a node",
            len(known) == len(keys) and max(known) <= BEYOND if known else None,
        )


def _kept(results: Results) -> Iterator[Line]:
    memory = ("cascade", "results kept", PLACES[0])
    for place, most in KEPT.items():
        key = ("cascade", "results kept", place)
        for size in results.sizes(key):
            taken = results.median(key, size)
            figure = micros(taken, size)
            yield Line(
                f"wide of {size:,}, every result kept {place}",
                f"{figure} µs",
                f"{micros(results.median(memory, size), size)} µs",
                f"{figure} µs a task" if taken is not None else results.problem(key, size) or "?",
                f"≤ {most:.0f} µs a task",
                None if taken is None else taken / size * 1e6 <= most,
            )


def _hashing(results: Results) -> Iterator[Line]:
    key = ("cascade", "hashing", f"{MEGABYTES} MB array")
    if not results.sizes(key):
        return
    ratio = results.median(key, PROBE, "ratio")
    row = at_most(results, key, f"hashing a {key[2]}", ratio, HASHING_RATIO, "times")
    ours, alone = (results.median(key, PROBE, name) for name in ("cascade", "blake2b"))
    yield Line(
        row.what,
        f"{_figure(ours)} ms",
        f"{_figure(alone)} ms",
        row.measured if ratio is None else f"ratio {ratio:.3f}",
        f"ratio ≤ {HASHING_RATIO}",
        row.holds,
    )


def _edited(results: Results) -> Iterator[Line]:
    """What README.md says of edits: only what depends on one runs again, and nothing is stale."""
    key = ("cascade", "caches", "200 tasks")
    if not results.sizes(key):
        return
    name = "after the edit"
    said = [one for one in results.said(key) if f"{name}: tasks" in one]
    seen = sorted({(one[f"{name}: tasks"], one[f"{name}: result"]) for one in said})
    yield Line(
        "200 tasks, after an edit of a helper",
        "",
        "",
        ", ".join(f"{tasks} tasks again, {word}" for tasks, word in seen)
        or results.problem(key)
        or "?",
        f"{OUTDATED} tasks again, right",
        seen == [(OUTDATED, "right")] if seen else None,
    )


def _figure(value: float | None) -> str:
    return "?" if value is None else f"{value:.2f}"
