"""What bodies in processes cost: against a bare pipe, other pools and memcpy.

python -m benchmarks.processes            # two minutes
python -m benchmarks.processes --quick    # small, for a test
python -m benchmarks.processes --readme   # and put the table into the page
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import importlib
import multiprocessing
import os
import pathlib
import platform
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing.connection import Connection
from typing import Any, NamedTuple

import dask
import joblib  # type: ignore[import-untyped]
import loky  # type: ignore[import-untyped]
import numpy as np

import cascade_nb as cs
from benchmarks.readme import write
from cascade_nb.engine import Engine
from cascade_nb.errors import RunCancelledError
from cascade_nb.executors import ProcessExecutor

WORKERS = 2
Way = Callable[[Callable[[Any], Any], Sequence[Any]], object]  # maps a body over items


class Row(NamedTuple):
    """One measurement.

    Attributes:
        what: it is.
        figure: in words.
        bound: what it should be, in words; "" for none.
        holds: whether it is.
    """

    what: str
    figure: str
    bound: str = ""
    holds: bool = True


class Sizes(NamedTuple):
    """How much is done."""

    rounds: int
    calls: int
    pieces: int
    piece: float
    array: int
    suspended: int


FULL = Sizes(rounds=7, calls=2_000, pieces=64, piece=0.05, array=100_000_000, suspended=8)
QUICK = Sizes(rounds=1, calls=50, pieces=4, piece=0.01, array=2_000_000, suspended=2)


def noop(n: int) -> int:
    """Nothing."""
    return n


def spin(n: float) -> float:
    """Pure Python for so many seconds of the processor."""
    until = time.process_time() + n
    while time.process_time() < until:
        pass
    return n


def doubled(numbers: Any) -> Any:
    """The same array: it went there, and comes back."""
    return numbers


def wait_long(file: str) -> None:
    """Say that it has begun, and wait."""
    pathlib.Path(file).touch()
    time.sleep(600)


def _serve(pipe: Connection) -> None:
    while (message := pipe.recv()) is not None:
        function, arg = message
        pipe.send(function(arg))


def seconds(work: Callable[[], object]) -> float:
    """How long it takes."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def round_trips(sizes: Sizes) -> list[Row]:
    """One call at a time, that does nothing."""
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=_serve, args=(theirs,))
    process.start()
    pool, standard = (
        ProcessExecutor(1),
        ProcessPoolExecutor(1, multiprocessing.get_context("spawn")),
    )

    def bare() -> None:
        for n in range(sizes.calls):
            ours.send((noop, n))
            ours.recv()

    def cascade() -> None:
        for n in range(sizes.calls):
            pool.call(noop, n)

    def library() -> None:
        for n in range(sizes.calls):
            standard.submit(noop, n).result()

    ways: tuple[Callable[[], None], ...] = (bare, cascade, library)
    for way in ways:
        way()
    taken = [[seconds(way) / sizes.calls * 1e6 for way in ways] for _ in range(sizes.rounds)]
    ours.send(None)
    process.join()
    pool.close()
    standard.shutdown()
    middle = [statistics.median(column) for column in zip(*taken, strict=True)]
    against = [statistics.median(r[1] / r[other] for r in taken) for other in (0, 2)]
    to_bare = f"{middle[1]:.0f} µs, {against[0]:.2f} of the bare pipe"
    to_library = f"{middle[2]:.0f} µs; ours is {against[1]:.2f} of it"
    return [
        Row("no-op there and back, bare pipe", f"{middle[0]:.0f} µs"),
        Row("the same by `ProcessExecutor.call`", to_bare, "≤ 1.3", against[0] <= 1.3),
        Row("the same by `concurrent.futures`", to_library, "< 1", against[1] < 1),
    ]


def graphs(sizes: Sizes) -> list[Row]:
    """A map of no-ops, and one of pieces of pure Python, on two processes."""
    standard = ProcessPoolExecutor(WORKERS, multiprocessing.get_context("spawn"))
    other = loky.ProcessPoolExecutor(WORKERS)
    engine = Engine(executor=ProcessExecutor(WORKERS), reuse=False)
    ways: dict[str, Way] = {
        "cascade": lambda body, items: engine.start(cs.task(body).map(n=items)).result(),
        "`concurrent.futures`": lambda body, items: list(standard.map(body, items)),
        "loky": lambda body, items: list(other.map(body, items)),
    }

    def by_dask(body: Callable[[Any], Any], items: Sequence[Any]) -> object:
        calls = [dask.delayed(body, pure=False)(one) for one in items]
        return dask.compute(*calls, scheduler="processes", pool=standard)

    ways["dask.delayed on the same"] = by_dask
    with joblib.Parallel(n_jobs=WORKERS, backend="loky") as parallel:
        ways["joblib"] = lambda body, items: parallel(joblib.delayed(body)(one) for one in items)
        items = list(range(sizes.calls))
        pieces = [sizes.piece] * sizes.pieces
        for way in ways.values():
            way(noop, items)
        many = _in_turn(ways, noop, items, sizes.rounds)
        worked = _in_turn(ways, spin, pieces, max(1, sizes.rounds // 3))
    engine.close()
    other.shutdown()
    standard.shutdown()
    ideal = sizes.pieces * sizes.piece / WORKERS
    each = _beside(many, lambda took: f"{took / sizes.calls * 1e6:.0f} µs")
    shares = _beside(worked, lambda took: f"{took / ideal:.2f}")
    pieces_of = f"{sizes.pieces} x {sizes.piece * 1e3:.0f} ms of pure Python on them, of the ideal"
    return [
        Row(f"map of {sizes.calls:,} no-ops on {WORKERS} processes, a task", each),
        Row(pieces_of, shares, "≤ 1.15", worked["cascade"] / ideal <= 1.15),
    ]


def _in_turn(
    ways: Mapping[str, Way], body: Callable[[Any], Any], items: Sequence[Any], rounds: int
) -> dict[str, float]:
    """The median seconds of each way to map `body` over `items`, one after another in a round."""
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            taken[name].append(seconds(partial(way, body, items)))
    return {name: statistics.median(took) for name, took in taken.items()}


def _beside(taken: Mapping[str, float], words: Callable[[float], str]) -> str:
    """Our figure, and behind it those of the others."""
    first, *others = (f"{words(took)} {name}" for name, took in taken.items())
    return f"{first.removesuffix(' cascade')}; {', '.join(others)}"


def arrays(sizes: Sizes) -> list[Row]:
    """A large array there and back."""
    numbers = np.ones(sizes.array // 8)
    executor = ProcessExecutor(1)
    executor.call(doubled, numbers)
    copied, there = [], []
    for _ in range(sizes.rounds):
        copied.append(seconds(numbers.copy))
        there.append(seconds(lambda: executor.call(doubled, numbers)))
    executor.close()
    twice, took = 2 * statistics.median(copied), statistics.median(there)
    figure = f"{took * 1e3:.0f} ms; to copy it twice here {twice * 1e3:.0f} ms"
    what = f"an array of {sizes.array / 1e6:.0f} MB there and back"
    return [Row(what, figure, "≥ half of the rate", twice / took >= 0.5)]


def pauses(sizes: Sizes) -> list[Row]:
    """A pause that suspends, and a resume, while a loop goes on."""
    engine = Engine(executor=ProcessExecutor(sizes.suspended))
    waiting = cs.task(wait_long)
    lags: list[float] = []

    async def run() -> tuple[float, float]:
        with tempfile.TemporaryDirectory() as folder:
            files = [pathlib.Path(folder) / str(n) for n in range(sizes.suspended)]
            run = engine.start([waiting(str(file)) for file in files])
            while not all(file.exists() for file in files):
                began = time.perf_counter()
                await asyncio.sleep(0.002)
                lags.append(time.perf_counter() - began - 0.002)
            paused = seconds(run.pause)
            await asyncio.sleep(0.1)
            resumed = seconds(run.resume)
            run.cancel()
            with contextlib.suppress(RunCancelledError):
                await run
        await engine.aclose()
        return paused, resumed

    paused, resumed = asyncio.run(run())
    lag = sorted(lags)[int(len(lags) * 0.99)] if lags else 0.0
    acknowledged = f"{paused * 1e3:.1f} ms, {resumed * 1e3:.1f} ms"
    what = f"{sizes.suspended} running processes suspended, and resumed"
    return [
        Row(what, acknowledged, "≤ 50 ms", max(paused, resumed) <= 0.05),
        Row("the loop's lag while they start, p99", f"{lag * 1e3:.0f} ms", "≤ 50 ms", lag <= 0.05),
    ]


def measured(sizes: Sizes) -> list[Row]:
    """Everything."""
    return [*round_trips(sizes), *graphs(sizes), *arrays(sizes), *pauses(sizes)]


def table(rows: Sequence[Row]) -> str:
    """As Markdown."""
    lines = ["| what | measured | bound |", "| --- | --- | --- |"]
    for row in rows:
        lost = "" if row.holds else " **lost**"
        lines.append(f"| {row.what} | {row.figure} | {row.bound}{lost} |")
    return "\n".join(lines)


def print_table(
    description: str | None, what: str, measure: Callable[[bool], Sequence[Row]]
) -> None:
    """Measure as the command line asks for, and print the table.

    Args:
        description: of the command.
        what: the word of the marks in the page.
        measure: does so, quickly or in full.
    """
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--quick", action="store_true", help="small sizes")
    parser.add_argument("--readme", action="store_true", help="put the table into the page")
    given = parser.parse_args()
    made = table(measure(given.quick))
    print(made)
    if given.readme:
        write(f"{measured_in_words()}\n\n{made}", what)


def measured_in_words() -> str:
    """When, and on what."""
    python, processors = platform.python_version(), len(os.sched_getaffinity(0))
    day = time.strftime("%Y-%m-%d")
    return f"Measured on {day}, Python {python}, {platform.machine()}, {processors} processors."


def main() -> None:
    """Measure, and print the table."""
    print_table(__doc__, "processes", lambda quick: measured(QUICK if quick else FULL))


if __name__ == "__main__":
    # Of the module, whose functions are found by their names elsewhere, and not of the script.
    importlib.import_module("benchmarks.processes").main()
