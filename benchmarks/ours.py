"""The project's own side: engines as they come, and what is switched on or off said by name.

"cascade" is a default `Engine` with a subscriber that hears every event, started as `cs.run` starts
runs. "fresh" is the same with `fresh=True`, so that no earlier result is looked up and nothing is
fingerprinted for it. "silent" is the default engine with nobody listening.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final

import cascade_nb as cs
from benchmarks.bare import bodies_of
from benchmarks.cases import NAP, NAPS_AT_ONCE, Case, Contender, NotForThisError
from benchmarks.shapes import SHAPES, AsyncBodies, Bodies, expected, nodes_of
from cascade_nb.events import Event
from cascade_nb.executors import LocalExecutor
from cascade_nb.protocols.state_backend import StateBackend

EXECUTOR: Final = {"inline": "inline", "threads": "thread", "async": "async"}


class TaskKit:
    """The bodies of the shapes as tasks.

    Args:
        mode: where they run.
        bodies: what they call.
    """

    def __init__(self, mode: str, bodies: Any = Bodies) -> None:
        def as_task(fn: Callable[..., Any]) -> Any:
            return cs.task(executor=EXECUTOR[mode])(fn)

        self.leaf = as_task(bodies.leaf)
        self.step = as_task(bodies.step)
        self.add = as_task(bodies.add)
        self.join = as_task(bodies.join)
        self.total = as_task(bodies.total)
        self.items = as_task(bodies.items)


class Bench:
    """An engine on a loop of its own, as a kernel has it.

    Args:
        listening: whether somebody hears every event, which is when events are made.
        fresh: whether earlier results are not to be used.
        threads: workers, where that is not left to the engine.
        state: where results are kept, where that is not left to the engine.
    """

    def __init__(
        self,
        *,
        listening: bool = True,
        fresh: bool = False,
        threads: int | None = None,
        state: StateBackend | None = None,
    ) -> None:
        self.loop = asyncio.new_event_loop()
        executor = None if threads is None else LocalExecutor(threads)
        self.engine = cs.Engine(executor=executor, state_backend=state)
        self._fresh = fresh
        self._ears = self.engine.bus.subscribe() if listening else None

    def run(self, target: Any) -> Any:
        """Run a target; its value."""
        return self.loop.run_until_complete(self.engine.run(target, fresh=self._fresh))

    def drain(self) -> list[Event]:
        """Take what was heard so far."""
        return [] if self._ears is None else self._ears.drain()

    def close(self) -> None:
        """Let go of everything."""
        self.loop.run_until_complete(self.engine.aclose())
        self.loop.close()


def _cascade(workload: str, mode: str, size: int, *, listening: bool, fresh: bool) -> Case:
    if workload == "naps":
        return _naps(mode, size)
    bench = Bench(listening=listening, fresh=fresh)
    bodies, look = bodies_of(workload)
    kit = TaskKit(mode, AsyncBodies if mode == "async" else bodies)
    shape = SHAPES.get(workload, SHAPES["chain"])

    def work() -> Any:
        if workload == "map":
            return bench.run(kit.total(kit.step.map(before=kit.items(size))))
        return look(bench.run(shape(size, kit)))

    return Case(work, expected(workload, size), bench.close)


def _naps(mode: str, size: int) -> Case:
    seconds, at_once = NAP[mode], NAPS_AT_ONCE[mode]
    bench = Bench(threads=at_once if mode == "threads" else None)
    nap: Any
    if mode == "async":
        bench.engine.limit("task:nap", at_once)

        @cs.task
        async def nap(_: int) -> int:
            await asyncio.sleep(seconds)
            return 1
    else:

        @cs.task
        def nap(_: int) -> int:
            time.sleep(seconds)
            return 1

    total = cs.task(executor="inline")(Bodies.total)
    return Case(
        lambda: bench.run(total([nap(number) for number in range(size)])), size, bench.close
    )


def build_only(workload: str, mode: str, size: int) -> Case:
    """The calls and the graph, not run."""
    if workload not in SHAPES:
        raise NotForThisError("it is about graphs that are there before anything runs")
    kit, shape = TaskKit(mode), SHAPES[workload]
    return Case(lambda: len(cs.build_graph(shape(size, kit))), nodes_of(workload, size))


CONTENDERS: Final[Mapping[str, Contender]] = {
    "cascade": partial(_cascade, listening=True, fresh=False),
    "cascade, fresh": partial(_cascade, listening=True, fresh=True),
    "cascade, silent": partial(_cascade, listening=False, fresh=True),
    "cascade, build only": build_only,
}
