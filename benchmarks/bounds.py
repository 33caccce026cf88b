"""What was promised, beside what was measured."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping
from typing import Final

from benchmarks.lasting_bounds import lasting_lines
from benchmarks.plan import ARRAYS, LIMIT, MODES, SHAPES, UNWANTED
from benchmarks.results import PROBE, Key, Results
from benchmarks.words import Line, at_most, micros, millis

INLINE_RATIO: Final = 3.0
GROWTH: Final = 1.05
THREADS_RATIO: Final = {"wide": 1.3, "chain": 0.5}
ASYNC_RATIO: Final = 1.5
NAPS_RATIO: Final = 1.05
BUILD: Final = 5.0  # microseconds a node
ARRAY_SLACK: Final = 1.05  # times what the limit loop takes beyond its start
NODE_BYTES: Final = 1_000
LEFT_BYTES: Final = 1_000  # by one run of the thousand
LEFT_OBJECTS: Final = 1.0
KERNEL: Final = 50.0  # milliseconds
IMPORT: Final = 150.0
LOAD_EXT: Final = 300.0


def lines(results: Results) -> list[Line]:
    """Every row that something was tried for."""
    made: list[Line] = []
    for rows in (_graphs, _maps, _naps, _builds, _arrays, _memory, _kernels, _imports):
        made += rows(results)
    return [*made, *lasting_lines(results)]


def _graphs(results: Results) -> Iterator[Line]:
    for mode in MODES:
        for shape in SHAPES:
            ratio = {
                "inline": INLINE_RATIO,
                "threads": THREADS_RATIO.get(shape),
                "async": ASYNC_RATIO,
            }[mode]
            yield from _ratio_lines(results, shape, mode, ratio, grows=mode == "inline")


def _maps(results: Results) -> Iterator[Line]:
    for mode in MODES:
        yield from _ratio_lines(results, "map", mode, INLINE_RATIO if mode == "inline" else None)
    ours = ("cascade", "map", "inline")
    for peer in ("pipefunc", "dask"):
        theirs = (peer, "map", "inline")
        if not results.sizes(theirs):
            continue
        size = max((s for s in results.sizes(theirs) if results.median(theirs, s)), default=None)
        ratio = None if size is None else results.ratio(ours, theirs, size)
        if size is None or ratio is None:
            why = results.problem(theirs, results.sizes(theirs)[0]) or "?"
            yield Line(f"map, ahead of {peer}", "", "", why, "ratio below 1", None)
            continue
        yield Line(
            f"map of {size:,}, ahead of {peer}",
            f"{micros(results.median(ours, size), size)} µs",
            f"{micros(results.median(theirs, size), size)} µs",
            f"ratio {ratio:.2f}",
            "ratio below 1",
            ratio < 1,
        )


def _ratio_lines(
    results: Results, workload: str, mode: str, bound: float | None, *, grows: bool = False
) -> Iterator[Line]:
    """Ours beside its limit at every size; the worst size decides."""
    ours, limit = ("cascade", workload, mode), (LIMIT[mode], workload, mode)
    sizes = results.sizes(ours)
    if not sizes:
        return
    ratios = {size: results.ratio(ours, limit, size) for size in sizes}
    cpus = {size: results.ratio(ours, limit, size, "cpu") for size in sizes}
    known = [ratio for ratio in ratios.values() if ratio is not None]
    complete = len(known) == len(sizes)
    yield Line(
        f"{workload}, {mode}",
        " / ".join(micros(results.median(ours, size), size) for size in sizes) + " µs",
        " / ".join(micros(results.median(limit, size), size) for size in sizes) + " µs",
        f"ratio {_ratios(ratios)} (processor time {_ratios(cpus)})",
        "" if bound is None else f"ratio ≤ {bound}",
        None if bound is None or not known else complete and max(known) <= bound,
    )
    if grows:
        exponent, theirs = results.growth(ours), results.growth(limit)
        yield Line(
            f"{workload}, {mode}: growth",
            _number(exponent),
            _number(theirs),
            _number(exponent),
            f"exponent ≤ {GROWTH}",
            None if exponent is None else exponent <= GROWTH,
        )


def _ratios(ratios: Mapping[int, float | None]) -> str:
    return " / ".join("?" if ratio is None else f"{ratio:.2f}" for ratio in ratios.values())


def _naps(results: Results) -> Iterator[Line]:
    for mode, words in (
        ("async", "1,000 sleeps of 10 ms on the loop, 100 at a time"),
        ("threads", "200 sleeps of 20 ms in 16 threads"),
    ):
        ours, limit = ("cascade", "naps", mode), (LIMIT[mode], "naps", mode)
        for size in results.sizes(ours):
            ratio = results.ratio(ours, limit, size)
            yield Line(
                words,
                millis(results.median(ours, size)),
                millis(results.median(limit, size)),
                "?" if ratio is None else f"ratio {ratio:.3f}",
                f"ratio ≤ {NAPS_RATIO}",
                None if ratio is None else ratio <= NAPS_RATIO,
            )


def _builds(results: Results) -> Iterator[Line]:
    for shape in SHAPES:
        key = ("cascade, build only", shape, "inline")
        for size in results.sizes(key)[-1:]:
            taken = results.median(key, size)
            yield Line(
                f"build only, {shape} of {size:,}",
                f"{micros(taken, size)} µs",
                "",
                f"{micros(taken, size)} µs a node",
                f"≤ {BUILD:.0f} µs a node",
                None if taken is None else taken / size * 1e6 <= BUILD,
            )


def _arrays(results: Results) -> Iterator[Line]:
    for workload in ARRAYS:
        ours, limit = ("cascade", workload, "threads"), ("limit loop", workload, "inline")
        for size in results.sizes(ours):
            mine, theirs = _grown(results, ours, size), _grown(results, limit, size)
            both = mine is not None and theirs is not None
            yield Line(
                f"100 MB through {size} tasks, {workload}",
                _megabytes(results.median(ours, size, "peak")),
                _megabytes(results.median(limit, size, "peak")),
                f"{_megabytes(mine)} beyond the start, limit {_megabytes(theirs)}",
                f"beyond the start, ratio ≤ {ARRAY_SLACK}",
                mine <= ARRAY_SLACK * theirs if both else None,  # type: ignore[operator]
            )


def _grown(results: Results, key: Key, size: int) -> float | None:
    peak, start = results.median(key, size, "peak"), results.median(key, size, "start")
    return None if peak is None or start is None else peak - start


def _memory(results: Results) -> Iterator[Line]:
    for shape in ("wide", "chain"):
        for heard in ("heard", "silent"):
            key = ("cascade", f"memory, {shape}", heard)
            if results.sizes(key):
                grown = results.median(key, PROBE, "bytes a node")
                words = "listener drained ten times a second" if heard == "heard" else "no listener"
                yield at_most(
                    results,
                    key,
                    f"memory, {shape} of 100,000, {words}",
                    grown,
                    NODE_BYTES,
                    "B a node",
                )
    key = ("cascade", "flatness", "threads")
    if results.sizes(key):
        for what, most, unit in (
            ("bytes left by a run", LEFT_BYTES, "B a run"),
            ("objects left by a run", LEFT_OBJECTS, "objects a run"),
        ):
            left = results.median(key, PROBE, what)
            yield at_most(results, key, f"flat over 1,000 runs: {what}", left, most, unit)


def _kernels(results: Results) -> Iterator[Line]:
    for _, workload, mode in [k for k in results.tried if k[1].startswith("kernel, ")]:
        key = ("cascade", workload, mode)
        for what in ("round trip p95", "lag p99", "pause worst"):
            figure = results.median(key, PROBE, what)
            words = f"{workload} {mode}: {what}"
            yield at_most(results, key, words, figure, KERNEL, "ms")
        late = [said["started while held"] for said in results.said(key) if "nodes done" in said]
        pauses = sum(said["pauses"] for said in results.said(key) if "nodes done" in said)
        yield Line(
            f"{workload} {mode}: starts while held",
            "",
            "",
            f"{sum(late):.0f} in {pauses:.0f} pauses" if late else results.problem(key) or "?",
            "none",
            sum(late) == 0 if late else None,
        )


def _imports(results: Results) -> Iterator[Line]:
    key = ("cascade", "import", "cascade_nb")
    if results.sizes(key):
        taken = results.median(key, PROBE, "milliseconds")
        yield at_most(results, key, "import cascade_nb", taken, IMPORT, "ms")
        came = {word for said in results.said(key) for word in said.get("came with it", [])}
        yield Line(
            "import cascade_nb: comes with",
            "",
            "",
            ", ".join(sorted(came)) or "none of them",
            "no " + ", ".join(UNWANTED),
            None if taken is None else not came,
        )
    loads = [
        said["load_ext"]
        for k in results.tried
        if k[1].startswith("kernel, ")
        for said in results.said(k)
        if "load_ext" in said
    ]
    if loads:
        figure = statistics.median(loads)
        yield Line(
            "%load_ext cascade_nb, after the import",
            "",
            "",
            f"{figure:.0f} ms",
            f"≤ {LOAD_EXT:.0f} ms",
            figure <= LOAD_EXT,
        )


def _number(value: float | None) -> str:
    return "?" if value is None else f"{value:.3f}"


def _megabytes(amount: float | None) -> str:
    return "?" if amount is None else f"{amount / 1e6:.0f} MB"
