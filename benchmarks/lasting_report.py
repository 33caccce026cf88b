"""The tables about results that last."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from benchmarks.plan import THEIRS
from benchmarks.results import PROBE, Key, Results
from benchmarks.words import NOTHING, micros, plain_number, table

_REUSED: Final = ("whole", "build and hashing", "beyond")
_RUNS: Final = ("first run", "second run", "after the edit")


def lasting_tables(results: Results) -> Iterator[str]:
    """One for each of the workloads that was tried."""
    yield from _second_runs(results)
    yield from _kept(results)
    yield from _caches(results)


def _second_runs(results: Results) -> Iterator[str]:
    rows = [
        [
            key[1].removeprefix("second run, "),
            key[2],
            *(_microseconds(results, key, name) for name in _REUSED),
        ]
        for key in results.tried
        if key[1].startswith("second run, ")
    ]
    if rows:
        yield "**a second run, everything found**: µs a node\n\n" + table(
            ("workload", "nodes", *_REUSED), rows
        )


def _microseconds(results: Results, key: Key, name: str) -> str:
    figure = results.median(key, PROBE, name)
    return (results.problem(key) or NOTHING) if figure is None else f"{figure:.2f}"


def _kept(results: Results) -> Iterator[str]:
    rows = [
        [
            key[2],
            f"{size:,}",
            *(_a_task(results, key, size, what) for what in ("seconds", "cpu")),
        ]
        for key in results.tried
        if key[1] == "results kept"
        for size in results.sizes(key)
    ]
    if rows:
        yield "**wide, inline, every result kept**: µs a task, build and run\n\n" + table(
            ("where", "tasks", "time", "processor time"), rows
        )


def _a_task(results: Results, key: Key, size: int, what: str) -> str:
    taken = results.median(key, size, what)
    return (results.problem(key, size) or NOTHING) if taken is None else micros(taken, size)


def _caches(results: Results) -> Iterator[str]:
    """Every tool's three runs; one that failed has words instead of the first figure."""
    rows = []
    for key in (k for k in results.tried if k[1] == "caches"):
        said = [one for one in results.said(key) if "first run" in one]
        cells = [_run(results, key, name) for name in _RUNS]
        words = {str(one["after the edit: result"]) for one in said}
        if not said:
            cells[0] = results.problem(key) or NOTHING
        rows.append([key[0].removeprefix(THEIRS), *cells, ", ".join(sorted(words)) or NOTHING])
    if rows:
        yield "**caches, 200 tasks, a process for each run**: ms (tasks that ran)\n\n" + table(
            ("tool", "first run", "second run", "after an edit of the helper", "then its results"),
            rows,
        )


def _run(results: Results, key: Key, name: str) -> str:
    taken = plain_number(results.median(key, PROBE, name))
    tasks = sorted({one[f"{name}: tasks"] for one in results.said(key) if f"{name}: tasks" in one})
    return f"{taken} ({' or '.join(map(str, tasks))})" if tasks else NOTHING
