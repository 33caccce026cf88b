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
    initial: InitialState, graph: Graph, runner_of: Callable[[str], RunsInProcesses]
) -> None:
    """Look at each task of which something is to run in a process.

    Args:
        initial: where that is.
        graph: what runs.
        runner_of: gives what runs bodies there, by key of place.

    Raises:
        UsageError: its function cannot go there; the message says what in it.
    """
    kinds, state = initial.kinds.of, initial.scheduler.state
    going = {
        kind.name: (node.task, kind.queue)
        for kind, node in zip(kinds, graph.nodes, strict=True)
        if kind.remote and state[node.index] < DONE
    }
    if not going:
        return

    def check() -> None:
        for name, (task, queue) in going.items():
            assert task is not None
            assert queue is not None
            obstacle = runner_of(queue).obstacle(task.fn, name)
            if obstacle is not None:
                raise UsageError(
                    f"{name} cannot run in a process: {obstacle}; make that inside of the task, "
                    "or let the task run in threads: executor='thread'"
                )

    await run_in_thread(check)
