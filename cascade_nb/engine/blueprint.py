"""What of a run's machinery follows from its graph alone, made beside the loop where it is much."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from cascade_nb.engine.aside import in_thread
from cascade_nb.engine.kinds import Kinds
from cascade_nb.engine.ledger import Ledger
from cascade_nb.engine.scheduler import Scheduler
from cascade_nb.engine.unfold import first_needs
from cascade_nb.graph.graph import Graph
from cascade_nb.protocols import Solver

#: Nodes up to which it is made on the loop: about a millisecond, and a thread takes a tenth of one.
FEW: Final = 1_000


@dataclass(frozen=True)
class Blueprint:
    """The rooms of a `Flow` that know of nothing outside.

    Attributes:
        ready: what can start when the targets are asked for; None where they are not yet, because
            some nodes are to be skipped before.
        ranks: by node, the solver's preference.
    """

    scheduler: Scheduler
    ledger: Ledger
    kinds: Kinds
    ranks: list[int]
    ready: list[int] | None


async def draw(
    run_id: str,
    graph: Graph,
    have: Mapping[int, Any],
    solver: Solver,
    means: Mapping[str, float],
    *,
    demand: bool,
) -> Blueprint:
    """Make one.

    Args:
        run_id: the run's identity.
        graph: what runs.
        have: results that are there already, by index.
        solver: whom to ask for the order of preference.
        means: seconds that tasks took before, by name.
        demand: whether the targets are to be asked for.
    """

    def make() -> Blueprint:
        nodes = graph.nodes
        seconds = [means.get(node.task_name) for node in nodes].__getitem__ if means else None
        scheduler = Scheduler([first_needs(node) for node in nodes], have)
        return Blueprint(
            scheduler,
            Ledger(graph, have),
            Kinds(run_id, graph),
            list(solver.ranks([node.sources for node in nodes], seconds)),
            scheduler.demand(graph.targets) if demand else None,
        )

    return make() if len(graph.nodes) <= FEW else await in_thread(make)
