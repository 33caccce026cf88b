"""One contender and one workload in a process of its own; what it measured goes out line by line.

    python -m benchmarks.child '{"module": "benchmarks.ours", "contender": "cascade", …}'

Each line is written as soon as its size is done, so that what was measured stands when a later size
fails, takes too long or takes the process with it.
"""

from __future__ import annotations

import gc
import importlib
import json
import resource
import statistics
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from benchmarks.cases import Case, NotForThisError

Figures = dict[str, Any]

WARM_UP: Final = 200
MOST_TIMES: Final = 7


class WrongResultError(Exception):
    """A contender did not arrive at the value of the workload."""


def main() -> None:
    """Read what to do from the command line; print a line of JSON for each size, or for a probe."""
    order = json.loads(sys.argv[1])
    module = importlib.import_module(order["module"])
    if "probe" in order:
        _say(_guarded(lambda: module.PROBES[order["probe"]](**order.get("with", {}))))
        return
    for figures in measured(module, order):
        _say(figures)


def measured(module: Any, order: Figures) -> Iterator[Figures]:
    """Each size in turn, smallest first, until one fails or would take longer than is left."""
    began = time.perf_counter()
    last: tuple[int, float] | None = None
    for size in sorted(order["sizes"]):
        left = order["budget"] - (time.perf_counter() - began)
        if last is not None:
            likely = last[1] * size / last[0]
            if likely > left:
                yield {"size": size, "error": f"over {order['budget']:.0f} s", "likely": likely}
                return
        figures = _guarded(lambda size=size: _one_size(module, order, size))
        yield {"size": size, **figures}
        if "seconds" not in figures:
            return
        last = size, figures["seconds"]


def _one_size(module: Any, order: Figures, size: int) -> Figures:
    def case(nodes: int) -> Case:
        made: Case = module.CONTENDERS[order["contender"]](order["workload"], order["mode"], nodes)
        return made

    if order.get("warm", True):
        _timed(case(min(WARM_UP, size)))
    gc.collect()
    start = resident_memory()
    walls: list[float] = []
    cpus: list[float] = []
    while len(walls) < MOST_TIMES and sum(walls) < order["repeat_for"]:
        wall, cpu = _timed(case(size))
        walls.append(wall)
        cpus.append(cpu)
    return {
        "seconds": statistics.median(walls),
        "cpu": statistics.median(cpus),
        "times": len(walls),
        "start": start,
        "peak": peak_memory(),
    }


def _timed(case: Case) -> tuple[float, float]:
    """Wall and processor seconds of one case.

    Raises:
        WrongResultError: its result is wrong.
    """
    gc.collect()
    cpu, wall = time.process_time(), time.perf_counter()
    try:
        value = case.run()
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    finally:
        case.close()
    if value != case.expected:
        raise WrongResultError(f"{value!r:.60} came out, not {case.expected!r:.60}")
    return wall, cpu


def _guarded(work: Any) -> Figures:
    """What `work` measured, or how it failed, in a few words."""
    try:
        figures: Figures = work()
        return figures
    except NotForThisError as error:
        return {"error": str(error)}
    except (Exception, RecursionError) as error:
        words = str(error).strip().splitlines() or [""]
        return {"error": f"{type(error).__name__}: {words[0][:120]}".rstrip(": ")}


def resident_memory() -> int:
    """Bytes of memory that the process has now."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * resource.getpagesize()


def peak_memory() -> int:
    """The most bytes that it ever had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _say(figures: Figures) -> None:
    print(json.dumps(figures), flush=True)


if __name__ == "__main__":
    main()
