"""Says where a run would have its tasks run, what would travel, and what could not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection
from typing import Any, Final

from cascade_nb.control.words import some_of
from cascade_nb.engine.core.task_groups import NO_WORKERS, THREADS, Place, TaskGroups
from cascade_nb.engine.dispatch.dispatched_run import RunsInProcesses
from cascade_nb.engine.processes.executors import Executors, is_cluster
from cascade_nb.engine.processes.process_check import obstacle_of
from cascade_nb.errors import UsageError
from cascade_nb.graph.graph import Graph

_ON_LOOP: Final = "on the loop"
_IN_THREADS: Final = "in threads"


def whereabouts(
    graph: Graph, going: Collection[str], on: Place | None, executors: Executors
) -> tuple[str, ...]:
    """Sentences of it; none where all runs in threads or on the loop of this process. Nothing is
    started, and no cluster is asked. It may take a while: not for the loop.

    Args:
        graph: what would run.
        going: ids of the nodes that would, now or later.
        on: where sync tasks run that do not say it; None for where the engine has them.
        executors: of the engine.
    """
    default = executors.default if on is None else on
    tasks = {node.task for node in graph.nodes if node.task is not None}
    if default == THREADS and not any(task.says_where for task in tasks):
        return ()
    try:
        groups = TaskGroups("", graph, None, default, executors.place_of)
    except UsageError as error:  # the run would be refused with it
        return (str(error),)
    return tuple(_Whereabouts(graph, going, groups, executors.runner).sentences())


class _Whereabouts:
    def __init__(
        self,
        graph: Graph,
        going: Collection[str],
        groups: TaskGroups,
        runner_of: Callable[[str], RunsInProcesses],
    ) -> None:
        self._graph = graph
        self._groups = groups.of
        self._runner_of = runner_of
        self._going = [
            node
            for node in graph.nodes
            if node.id in going and groups.of[node.index].queue is not None
        ]

    def sentences(self) -> list[str]:
        runs = self._runs()
        if not runs.keys() - {_ON_LOOP, _IN_THREADS}:
            return []
        return [f"It runs {'; '.join(runs.values())}.", *self._travels(), *self._obstacles()]

    def _runs(self) -> dict[str, str]:
        by_place: dict[str, Counter[str]] = {}
        for node in self._going:
            tasks = by_place.setdefault(self._place(node.index), Counter())
            tasks[self._groups[node.index].name] += 1
        return {
            place: some_of([f"{name} \u00d7{n:,}" if n > 1 else name for name, n in tasks.items()])
            + f" {place}"
            for place, tasks in by_place.items()
        }

    def _travels(self) -> list[str]:
        """What goes from one place to another; what is kept comes from here."""
        there = {node.index for node in self._going}
        crossing: dict[tuple[str, str], dict[str, None]] = {}

        def goes(source: int, left: str, into: str) -> None:
            if left != into:
                crossing.setdefault((left, into), {})[self._graph.nodes[source].id] = None

        for node in self._going:
            for source in node.inputs:
                left = self._away(source) if source in there else ""
                goes(source, left, self._away(node.index))
        for index in there.intersection(self._graph.targets):
            goes(index, self._away(index), "")
        told = [f"{some_of(list(names))} {_way(*ways)}" for ways, names in crossing.items()]
        return [f"What travels: {'; '.join(told)}."] if told else []

    def _obstacles(self) -> list[str]:
        seen: dict[str, str | None] = {}
        for node in self._going:
            group = self._groups[node.index]
            if group.remote and group.name not in seen and node.task is not None and group.queue:
                runner = self._runner_of(group.queue)
                seen[group.name] = obstacle_of(node.task, group.name, runner)
        return [f"{words}." for words in seen.values() if words is not None]

    def _away(self, index: int) -> str:
        """The place of a node where values have to travel to; "" in this process."""
        group = self._groups[index]
        return self._place(index).partition(" ")[2] if group.remote else ""

    def _place(self, index: int) -> str:
        """Where a node runs, in words."""
        queue = self._groups[index].queue
        if queue == THREADS.key:
            return _IN_THREADS
        if queue is None or queue in NO_WORKERS:
            return _ON_LOOP
        runner: Any = self._runner_of(queue)
        if is_cluster(runner):
            return f"on the Dask cluster {_whose(queue)}"
        if getattr(runner, "place", None) == "processes":
            return "in processes"
        return f"in a {getattr(runner, 'name', None) or type(runner).__name__}"


def _whose(queue: str) -> str:
    if "://" in queue:
        return f"at {queue}"
    return "of this machine" if queue == "dask" else "that was given"


def _way(source: str, target: str) -> str:
    """From where to where; "" is here."""
    if not target:
        return f"back from {source}"
    return f"from {source} to {target}" if source else f"to {target}"
