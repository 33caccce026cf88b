"""Looks before a run begins whether what is to run in processes can go there."""

from __future__ import annotations

from collections.abc import Callable

from cascade_nb.concurrency.threads import run_in_thread
from cascade_nb.engine.core.initial_state import InitialState
from cascade_nb.engine.core.scheduler import DONE
from cascade_nb.engine.dispatch.dispatched_run import RunsInProcesses
from cascade_nb.errors import UsageError
from cascade_nb.graph.graph import Graph


async def check_processes(
    initial: InitialState, graph: Graph, processes: Callable[[], RunsInProcesses]
) -> None:
    """Look at each task of which something is to run in a process.

    Raises:
        UsageError: its function cannot go there; the message says what in it.
    """
    kinds, state = initial.kinds.of, initial.scheduler.state
    going = {
        kind.name: node.task
        for kind, node in zip(kinds, graph.nodes, strict=True)
        if kind.queue == "processes" and state[node.index] < DONE
    }
    if not going:
        return

    def check() -> None:
        runner = processes()
        for name, task in going.items():
            assert task is not None
            obstacle = runner.obstacle(task.fn, name)
            if obstacle is not None:
                raise UsageError(
                    f"{name} cannot run in a process: {obstacle}; make that inside of the task, "
                    "or let the task run in threads: executor='thread'"
                )

    await run_in_thread(check)
