"""The tables, in Markdown, and the same as plain values."""

from __future__ import annotations

import os
import platform
import sysconfig
from collections.abc import Iterator, Sequence
from typing import Any, Final

from benchmarks.bounds import lines
from benchmarks.environment import pinned
from benchmarks.lasting_report import lasting_tables
from benchmarks.plan import ARRAYS, MODES, PEERS, SHAPES, STEPS
from benchmarks.results import PROBE, Key, Results
from benchmarks.words import NOTHING, Line, micros, plain_number, table


def machine() -> dict[str, Any]:
    """What the figures were measured on and with."""
    return {
        "python": platform.python_version(),
        "build": _build(),
        "system": platform.system(),
        "processors": os.cpu_count(),
        "peers": pinned(),
    }


def _build() -> str:
    """How the interpreter was built, which decides much of its speed."""
    asked = str(sysconfig.get_config_var("CONFIG_ARGS") or "")
    said = [
        f"{'with' if option in asked else 'without'} {name}"
        for option, name in (
            ("--enable-optimizations", "profile-guided optimization"),
            ("--with-lto", "link-time optimization"),
        )
    ]
    said += ["as a shared library"] if "--enable-shared" in asked else []
    said += ["free-threaded"] if sysconfig.get_config_var("Py_GIL_DISABLED") else []
    return ", ".join(said)


def markdown(results: Results) -> str:
    """All tables."""
    made = lines(results)
    parts = [
        "### What was promised",
        table(
            ("workload", "cascade", "limit", "measured", "bound", ""),
            ((x.what, x.ours, x.other, x.measured, x.bound, x.verdict) for x in made),
        ),
        _score(made),
        "### Everything that was measured",
        *_figures(results),
        *_stages(results),
        *_memory(results),
        *_imports(results),
        *_kernels(results),
        *lasting_tables(results),
    ]
    return "\n\n".join(parts) + "\n"


def plain(results: Results) -> dict[str, Any]:
    """Everything as plain values."""
    rows = [
        {
            "what": line.what,
            "cascade": line.ours,
            "limit": line.other,
            "measured": line.measured,
            "bound": line.bound,
            "holds": line.holds,
        }
        for line in lines(results)
    ]
    return {"machine": machine(), "bounds": rows, "figures": results.plain()}


def _score(made: Sequence[Line]) -> str:
    judged = [line for line in made if line.bound]
    held = sum(line.holds is True for line in judged)
    lost = sum(line.holds is False for line in judged)
    rest = len(judged) - held - lost
    return f"{held} of {len(judged)} bounds hold, {lost} are lost, {rest} were not measured."


def _figures(results: Results) -> Iterator[str]:
    """A table for each workload: everyone who did it, at every size."""
    for workload in (*SHAPES, "map"):
        for mode in MODES:
            keys = [k for k in results.tried if k[1:] == (workload, mode)]
            sizes = sorted({size for key in keys for size in results.sizes(key)} - {PROBE})
            if not keys or not sizes:
                continue
            header = ["contender", *(f"{size:,}" for size in sizes), "growth", "by cascade's"]
            ours = ("cascade", workload, mode)
            rows = [
                [
                    key[0],
                    *(_cell(results, key, size) for size in sizes),
                    _growth(results, key),
                    _against(results, key, ours),
                ]
                for key in keys
            ]
            title = f"**{workload}, {mode}**: µs a node, build and run (processor time)"
            yield f"{title}\n\n{table(header, rows)}"


def _cell(results: Results, key: Key, size: int) -> str:
    taken, cpu = results.median(key, size), results.median(key, size, "cpu")
    if taken is None:
        return results.problem(key, size) or NOTHING
    return f"{micros(taken, size)} ({micros(cpu, size)})"


def _growth(results: Results, key: Key) -> str:
    exponent = results.growth(key)
    return NOTHING if exponent is None else f"{exponent:.2f}"


def _against(results: Results, key: Key, ours: Key) -> str:
    """Its time by ours at the largest size that both did; a peer that is faster is marked."""
    if key == ours:
        return "1"
    for size in reversed(results.sizes(key)):
        ratio = results.ratio(key, ours, size)
        if ratio is not None:
            faster = " (ahead of us)" if ratio < 1 and key[0] in PEERS else ""
            return f"{ratio:,.2f}{faster}"
    return NOTHING


def _stages(results: Results) -> Iterator[str]:
    keys = [key for key in results.tried if key[1].startswith("stages, ")]
    rows = [
        [
            f"{key[1].removeprefix('stages, ')}, {key[2]}",
            *(_step(results, key, step) for step in (*STEPS, "all")),
        ]
        for key in keys
    ]
    if rows:
        title = "**where the time goes, 10,000 nodes**: µs a node of processor time"
        yield f"{title}\n\n{table(('workload', *STEPS, 'all'), rows)}"


def _step(results: Results, key: Key, step: str) -> str:
    figure = results.median(key, PROBE, step)
    return (results.problem(key) or NOTHING) if figure is None else f"{figure:.2f}"


def _memory(results: Results) -> Iterator[str]:
    rows = [
        [workload, contender, *(_bytes(results, (contender, workload, mode), w) for w in _PEAKS)]
        for contender, workload, mode in results.tried
        if workload in ARRAYS
    ]
    if rows:
        yield "**100 MB through 20 tasks**: MB\n\n" + table(
            ("workload", "contender", "at the start", "peak"), rows
        )


_PEAKS: Final = ("start", "peak")


def _bytes(results: Results, key: Key, what: str) -> str:
    for size in results.sizes(key):
        amount = results.median(key, size, what)
        return (results.problem(key, size) or NOTHING) if amount is None else f"{amount / 1e6:.0f}"
    return NOTHING


def _imports(results: Results) -> Iterator[str]:
    rows = [
        [mode, plain_number(results.median((contender, workload, mode), PROBE, "milliseconds"))]
        for contender, workload, mode in results.tried
        if workload == "import"
    ]
    if rows:
        yield "**import**: ms\n\n" + table(("module", "ms"), rows)


def _kernels(results: Results) -> Iterator[str]:
    keys = [key for key in results.tried if key[1].startswith("kernel, ")]
    names = sorted(
        {name for key in keys for said in results.said(key) for name in said if name != "error"}
    )
    rows = [
        [f"{key[1]} {key[2]}", *(plain_number(results.median(key, PROBE, name)) for name in names)]
        for key in keys
    ]
    if rows and names:
        yield "**a real kernel under load, panel open**: ms\n\n" + table(["load", *names], rows)
