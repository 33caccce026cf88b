"""Where the time of a graph goes: what is done once for each node, step by step."""

from __future__ import annotations

import asyncio
import gc
import statistics
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import Any, Final

import cascade_nb as cs
from benchmarks.child import WrongResultError
from benchmarks.ours import Bench, TaskKit
from benchmarks.plan import STEPS
from benchmarks.shapes import SHAPES, AsyncBodies, Bodies, expected
from cascade_nb.engine.core.initial_state import make_initial_state
from cascade_nb.engine.core.priorities import NativeSolver
from cascade_nb.graph.fingerprint.fingerprint import fingerprints

TIMES: Final = 7


def stages(workload: str, mode: str, size: int) -> Mapping[str, float]:
    """Microseconds a node of processor time for each of `STEPS`, and for all of them together.

    The steps before the first task are taken one by one, outside a run. Then the whole is timed,
    with somebody who hears every event and without; "running" is what the second takes beyond those
    steps, "events" what the first takes beyond the second. All take turns, so that what else the
    machine does weighs on all alike.

    Raises:
        WrongResultError: a run came to another value.
    """
    kit, shape = TaskKit(mode, AsyncBodies if mode == "async" else Bodies), SHAPES[workload]
    taken: dict[str, list[float]] = defaultdict(list)
    for _ in range(TIMES):
        _step_by_step(taken, lambda: shape(size, kit))
        for whole, listening in (("silent", False), ("all", True)):
            value = _whole(taken[whole], lambda: shape(size, kit), listening)
            if value != expected(workload, size):
                raise WrongResultError(f"{value!r:.60} came out")
    found = {step: statistics.median(seconds) / size * 1e6 for step, seconds in taken.items()}
    silent = found.pop("silent")
    before = sum(found[step] for step in STEPS[:4])
    return {**found, "running": silent - before, "events": found["all"] - silent}


def _step_by_step(taken: Mapping[str, list[float]], calls: Callable[[], Any]) -> None:
    """What is done before the first task starts."""
    target = _timed(taken["calls"], calls)
    graph = _timed(taken["graph"], lambda: cs.build_graph(target))
    _timed(taken["fingerprints"], lambda: fingerprints(graph))

    async def drawn() -> None:
        await make_initial_state("run", graph, {}, (), NativeSolver(), {}, demand=True)

    _timed(taken["machinery"], lambda: asyncio.run(drawn()))


def _whole(seconds: list[float], calls: Callable[[], Any], listening: bool) -> Any:
    bench = Bench(listening=listening)
    try:
        return _timed(seconds, lambda: bench.run(calls()))
    finally:
        bench.close()


def _timed(seconds: list[float], work: Callable[[], Any]) -> Any:
    gc.collect()
    began = time.process_time()
    result = work()
    seconds.append(time.process_time() - began)
    return result


PROBES: Final = {"stages": stages}
