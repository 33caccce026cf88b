"""Lists the nodes that a box or a row of the panel stands for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from cascade_nb.engine.observing.run_view import RunView
from cascade_nb.engine.observing.state_counts import MOST_URGENT_FIRST
from cascade_nb.engine.observing.status import NodeState
from cascade_nb.engine.planning.call_text import call_text
from cascade_nb.engine.runs.run import Run
from cascade_nb.graph.graph import Graph
from cascade_nb.notebook.drawer.head import hold_of, limit_of
from cascade_nb.notebook.drawer.references import References
from cascade_nb.notebook.drawer.texts import Json, line

_LISTED: Final = 500


def group_of(run: Run, references: References, indexes: Sequence[int]) -> Json:
    """The nodes at these indexes, those that failed first, and how many there are of each state."""
    graph = run.graph

    def read(_: RunView, state_of: Callable[[int], NodeState]) -> list[NodeState]:
        return [state_of(index) for index in indexes]

    states = run.look(read) or [NodeState.WAITING] * len(indexes)
    rank = {state: number for number, state in enumerate(MOST_URGENT_FIRST)}
    ordered = sorted(zip(indexes, states, strict=True), key=lambda one: (rank[one[1]], one[0]))
    names = {graph.nodes[index].task_name for index in indexes}
    counts = Counter(states)
    task = names.pop() if len(names) == 1 else None
    return {
        "name": f"{len(names)} tasks" if task is None else line(task),
        "limit": None if task is None else limit_of(run, task),
        "hold": None if task is None else hold_of(run, task),
        "total": len(indexes),
        "counts": [[state.value, counts[state]] for state in MOST_URGENT_FIRST if counts[state]],
        "nodes": [
            [references.of(index), line(call_text(graph, graph.nodes[index])), state.value]
            for index, state in ordered[:_LISTED]
        ],
    }


def matching(query: str, graph: Graph, members: Mapping[str, Sequence[int]]) -> dict[str, int]:
    """How many nodes match a query, in each box of several in which there are any.

    Args:
        query: words, each of which a match has in its name or its task, in whatever case.
        graph: whose nodes.
        members: by the id of a box, the nodes in it.
    """
    words = query.lower().split()
    found: dict[str, int] = {}
    for box, indexes in members.items():
        if len(indexes) > 1 and words:
            nodes = (graph.nodes[index] for index in indexes)
            texts = (f"{line(node.id)} {line(node.task_name)}".lower() for node in nodes)
            if count := sum(all(word in text for word in words) for text in texts):
                found[box] = count
    return found
