"""Builds what of a run's state follows from its graph and from the results that are there."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cascade_nb.concurrency.threads import beside
from cascade_nb.control.gates import Subject
from cascade_nb.engine.core.priorities import with_levels
from cascade_nb.engine.core.results import ResultTable
from cascade_nb.engine.core.scheduler import Scheduler
from cascade_nb.engine.core.task_groups import THREADS, Place, TaskGroups, place_by_name
from cascade_nb.graph.graph import FREE, Graph, Node
from cascade_nb.model.lazy.any_task import AnyTask
from cascade_nb.protocols.execution import Solver


@dataclass(frozen=True)
class InitialState:
    """The parts of a run's state that know of nothing outside.

    Attributes:
        ranks: by node, the solver's preference.
        ready: what can start when the targets are asked for; None where they are not yet, because
            some nodes are to be skipped before.
    """

    scheduler: Scheduler
    results: ResultTable
    kinds: TaskGroups
    ranks: list[int]
    ready: list[int] | None


async def make_initial_state(
    run_id: str,
    graph: Graph,
    have: Mapping[int, Any],
    pending: Collection[int],
    solver: Solver | None,
    means: Mapping[str, float],
    *,
    demand: bool,
    above: Subject | None = None,
    on: Place = THREADS,
    place_of: Callable[[AnyTask], Place] = place_by_name,
    level: int = 0,
) -> InitialState:
    """Make one.

    Args:
        run_id: the run's identity.
        graph: what runs.
        have: results that are there already, by index: what has one neither runs nor reads.
        pending: indexes of nodes whose results are there if their conditions turn out true.
        solver: whom to ask for the order of preference; None where nothing has to run.
        means: seconds that tasks took before, by name.
        demand: whether the targets are to be asked for.
        above: what scopes ask of the task that started the run, if one did.
        on: where sync tasks run that do not say it.
        place_of: gives where a task runs that does.
        level: of nodes of which no priority is said.
    """

    def make() -> InitialState:
        nodes = graph.nodes
        results = ResultTable(graph, have, pending)
        reads, idle = results.sources, results.pruned
        needs = [first_needs(node) if reads(i) else () for i, node in enumerate(nodes)]
        for index in pending:  # what precedes it runs only if its own result does not stand
            needs[index] = nodes[index].deciding[:1]
        scheduler = Scheduler(needs, have, idle)
        return InitialState(
            scheduler,
            results,
            TaskGroups(run_id, graph, above, on, place_of),
            [0] * len(nodes) if solver is None else _ranks(solver, nodes, means, level),
            scheduler.demand(graph.targets) if demand else None,
        )

    return await beside(len(graph.nodes), make)


def _ranks(
    solver: Solver, nodes: Sequence[Node], means: Mapping[str, float], level: int
) -> list[int]:
    seconds = [means.get(node.task_name) for node in nodes].__getitem__ if means else None
    sources = [node.sources for node in nodes]
    ranks = list(solver.ranks(sources, seconds))
    return with_levels(ranks, sources, [node.lazy.options.priority for node in nodes], level)


def first_needs(node: Node) -> tuple[int, ...]:
    """What a node needs before anything else.

    Its condition where it has one, for nothing else is to run for a node that will be skipped; but
    what precedes it in a sequence runs in any case.
    """
    control = node.control
    if control is FREE:
        return node.inputs
    if control.condition is not None:
        return (control.condition, *control.follows)
    return inputs_and_order(node) if control.wanted else control.follows


def inputs_and_order(node: Node) -> tuple[int, ...]:
    """What a node needs when it is known that it is to run."""
    return tuple(dict.fromkeys((*node.inputs, *node.control.order)))
