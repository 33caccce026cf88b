"""Looks before a run begins whether what is to run in other processes can go there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cascade_nb.concurrency.threads import run_in_thread
from cascade_nb.control.words import some_of
from cascade_nb.engine.core.initial_state import InitialState
from cascade_nb.engine.core.scheduler import DONE
from cascade_nb.engine.dispatch.dispatched_run import RunsInProcesses
from cascade_nb.engine.processes.cluster_reads import read_here
from cascade_nb.engine.processes.executors import is_cluster
from cascade_nb.errors import UsageError
from cascade_nb.graph.code.snapshot import CodeSnapshot
from cascade_nb.graph.graph import Graph
from cascade_nb.model.copying.elsewhere import Elsewhere
from cascade_nb.model.lazy.any_task import AnyTask


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
        ClusterError: a cluster does not answer, or does not fit.
    """
    kinds, state = initial.kinds.of, initial.scheduler.state
    await _bring_here(initial, graph, runner_of)
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
            obstacle = obstacle_of(task, name, runner_of(queue))
            if obstacle is not None:
                raise UsageError(obstacle)
        for queue in {queue for _, queue in going.values() if queue is not None}:
            runner: Any = runner_of(queue)
            if is_cluster(runner):
                runner.connect()

    await run_in_thread(check)


def obstacle_of(task: AnyTask, name: str, runner: RunsInProcesses) -> str | None:
    """Why a task cannot run elsewhere, in a sentence with what to do; None where it can.

    Args:
        task: which.
        name: how it is called.
        runner: what would run it there.
    """
    found = runner.obstacle(task.fn, name)
    if found is not None:
        return (
            f"{name} cannot run {_where(runner)}: {found}; make that inside of the task, or let "
            "the task run in threads: executor='thread'"
        )
    changed = CodeSnapshot(task).set_since()
    if not changed:
        return None
    module = changed[0].rpartition(".")[0]
    return (
        f"{name} cannot run {_where(runner)}: somebody has set {some_of(changed)} here, and "
        f"{module} is read anew from its file there; hand the value on as an argument, set it in "
        "the file, or let the task run in threads: executor='thread'"
    )


async def _bring_here(
    initial: InitialState, graph: Graph, runner_of: Callable[[str], object]
) -> None:
    """Of what an earlier run left on a cluster, what is read here."""
    values = initial.results.values
    kinds = tuple(kind for kind in set(map(type, values)) if issubclass(kind, Elsewhere))
    if not kinds:
        return
    there = [index for index, value in enumerate(values) if type(value) in kinds]
    here = read_here(graph, initial.kinds.of, lambda queue: is_cluster(runner_of(queue)))
    for index in (here | set(graph.targets)).intersection(there):
        values[index] = await run_in_thread(values[index].fetch)


def _where(runner: object) -> str:
    return "on a cluster" if is_cluster(runner) else "in a process"
