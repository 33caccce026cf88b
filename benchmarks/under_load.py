"""What runs inside the kernel while `kernel` measures it from outside."""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import Any, Final

from comm import create_comm

import cascade_nb as cs
from benchmarks.ours import TaskKit
from benchmarks.shapes import SHAPES, AsyncBodies, Bodies
from cascade_nb.control.constraint import Scope
from cascade_nb.errors import RunCancelledError
from cascade_nb.events import ConstraintApplied, ConstraintLifted, TaskExecutionStarted
from cascade_nb.notebook.panel.panel import Panel

BEAT: Final = 0.002


class Load:
    """A run with its panel, a comm that answers at once, and a measure of the loop's lag.

    Args:
        workload: a shape or "map".
        mode: where its nodes run.
        size: how many there are.

    Attributes:
        panel: what the browser would know of the panel: the id of its comm.
        echo: the id of the comm that answers at once.
    """

    def __init__(self, workload: str, mode: str, size: int) -> None:
        self._engine = cs.Engine()
        self._ears = self._engine.bus.subscribe(
            None, TaskExecutionStarted, ConstraintApplied, ConstraintLifted
        )
        self._lags: list[float] = []
        kit = TaskKit(mode, AsyncBodies if mode == "async" else Bodies)
        if workload == "map":
            target = kit.total(kit.step.map(before=kit.items(size)))
        else:
            target = SHAPES[workload](size, kit)
        self._graph = cs.build_graph(target)
        comm = create_comm(target_name="benchmark-echo")
        comm.on_msg(
            lambda message: comm.send({**message["content"]["data"], "over": self.is_over()})
        )
        self.echo = comm.comm_id
        self.panel = ""

    def start(self) -> None:
        """Start the run and open its panel; call it in a cell."""
        self._run = self._engine.start(self._graph, fresh=True)
        panel = Panel.open(self._run)
        assert panel.widget is not None, "a kernel with a frontend has a panel"
        self.panel = panel.widget.comm.comm_id
        self._beat = asyncio.get_running_loop().create_task(self._measure())

    def is_over(self) -> bool:
        """Whether the run has ended."""
        return self._run.done()

    async def finish(self) -> dict[str, Any]:
        """End it, and say what was seen from in here."""
        finished = self._run.status.done
        self._run.cancel("it has been measured")
        with contextlib.suppress(RunCancelledError):
            await self._run
        await self._beat
        late, pauses = self._starts_in_pauses()
        return {"lags": self._lags, "done": finished, "late": late, "pauses": pauses}

    async def _measure(self) -> None:
        """How much later than asked a sleep ends, while the run runs and is not held."""
        scope = Scope("run", self._run.id)
        while not self._run.done():
            asked = time.perf_counter() + BEAT
            await asyncio.sleep(BEAT)
            lag = time.perf_counter() - asked
            if self._engine.constraints.find(scope) is None:
                self._lags.append(lag)

    def _starts_in_pauses(self) -> tuple[int, int]:
        """How many tasks started between a pause and its end, and how many pauses there were.

        Events are told in the order of what happened, so that this misses nothing.
        """
        late = pauses = 0
        paused = False
        for event in self._ears.drain():
            if isinstance(event, ConstraintApplied):
                paused, pauses = True, pauses + 1
            elif isinstance(event, ConstraintLifted):
                paused = False
            else:
                late += paused
        return late, pauses
