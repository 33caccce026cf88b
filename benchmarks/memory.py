"""What a node takes, and whether a thousand runs leave anything behind."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Mapping
from typing import Final

from benchmarks.child import peak_memory, resident_memory
from benchmarks.ours import Bench, TaskKit
from benchmarks.shapes import SHAPES

#: How often a listener takes what it heard, as a panel does.
EVERY: Final = 0.1

SETTLED: Final = 200


def a_node(workload: str, size: int, listening: bool) -> Mapping[str, float]:
    """Bytes that the process grew by, at most, while it built and ran a graph, by its nodes.

    Everything counts: the user's lazy values, the graph, the run, the results, and with a listener
    the events that it has not taken yet.
    """
    bench, kit, shape = Bench(listening=listening), TaskKit("inline"), SHAPES[workload]
    bench.run(shape(1000, kit))
    gc.collect()
    before = max(resident_memory(), peak_memory())
    bench.loop.run_until_complete(_run_and_drain(bench, shape(size, kit)))
    peak = peak_memory()
    bench.close()
    return {"bytes a node": (peak - before) / size}


async def _run_and_drain(bench: Bench, target: object) -> None:
    run = bench.engine.start(target, fresh=True)
    while not run.done():
        await asyncio.sleep(EVERY)
        bench.drain()
    await run


def flatness(runs: int) -> Mapping[str, float]:
    """What the runs of one engine leave behind, after the first two hundred."""
    bench, kit = Bench(listening=True, fresh=True), TaskKit("threads")

    def once() -> None:
        mapped = kit.total(kit.step.map(before=kit.items(10)))
        bench.run(kit.add(mapped, SHAPES["chain"](10, kit)))
        bench.drain()

    for _ in range(SETTLED):
        once()
    gc.collect()
    objects, memory = len(gc.get_objects()), resident_memory()
    for _ in range(runs - SETTLED):
        once()
    gc.collect()
    left = len(gc.get_objects()) - objects, resident_memory() - memory
    bench.close()
    return {
        "objects left by a run": left[0] / (runs - SETTLED),
        "bytes left by a run": left[1] / (runs - SETTLED),
    }


PROBES: Final = {"a node": a_node, "flatness": flatness}
