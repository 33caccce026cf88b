"""A second run that finds everything, beside what knowing that it may take it takes anyway."""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import cascade_nb as cs
from benchmarks.child import WrongResultError
from benchmarks.ours import Bench, TaskKit
from benchmarks.shapes import SHAPES, expected
from cascade_nb.events import TaskExecutionStarted
from cascade_nb.graph.fingerprint.fingerprint import fingerprints

#: Pairs of both, one after the other, so that what else the machine does weighs on both.
TIMES: Final = 7


def second_run(workload: str, size: int) -> Mapping[str, float]:
    """Microseconds a node of a run that finds its target in the memory of the engine.

    The user's calls are made anew each time, as by a cell that is run again.

    Returns:
        The medians of the whole run, of the calls, `build_graph` and `fingerprints` alone, and of
        what the run takes beyond these.

    Raises:
        WrongResultError: a task ran again, or another value came out.
    """
    bench, kit, shape = Bench(), TaskKit("inline"), SHAPES[workload]

    def keyed() -> None:
        fingerprints(cs.build_graph(shape(size, kit)))

    def run() -> Any:
        return bench.run(shape(size, kit))

    try:
        run()
        bench.drain()
        whole: list[float] = []
        needed: list[float] = []
        for _ in range(TIMES):
            needed.append(_timed(keyed)[0])
            taken, value = _timed(run)
            whole.append(taken)
            _check(bench, value, expected(workload, size))
    finally:
        bench.close()
    return figures(whole, needed, size)


def figures(whole: Sequence[float], needed: Sequence[float], size: int) -> Mapping[str, float]:
    """Medians in microseconds a node, of seconds measured in pairs.

    What is beyond is the median of the differences, not the difference of the medians: the two of
    a pair were measured one after the other, on a machine as busy for both.
    """
    beyond = [all_of_it - key for all_of_it, key in zip(whole, needed, strict=True)]
    return {
        "whole": statistics.median(whole) / size * 1e6,
        "build and hashing": statistics.median(needed) / size * 1e6,
        "beyond": statistics.median(beyond) / size * 1e6,
    }


def _timed(work: Callable[[], Any]) -> tuple[float, Any]:
    """Seconds, with what was made for it let go, and the value."""
    gc.collect()
    began = time.perf_counter()
    value = work()
    return time.perf_counter() - began, value


def _check(bench: Bench, value: object, right: object) -> None:
    started = sum(isinstance(event, TaskExecutionStarted) for event in bench.drain())
    if started:
        raise WrongResultError(f"{started} tasks ran again")
    if value != right:
        raise WrongResultError(f"{value!r:.60} came out, not {right!r:.60}")


PROBES: Final = {"second run": second_run}
