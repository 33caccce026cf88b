"""Says for each cell how the nodes stand that it defines."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Final

from cascade_nb.engine.observing.status import NodeState
from cascade_nb.graph.graph import Graph
from cascade_nb.notebook.workspace.workspace import Workspace
from cascade_nb.view.picture.states import together

#: Of a cell: the state of its nodes together, how many of them are done, and how many there are.
Told = list[str | int]

NO_CELL: Final = ""
_DONE: Final = ("done", "reused", "skipped")


def cells_of(bindings: object, graph: Graph) -> list[str]:
    """By index of a node, what the frontend calls the cell that bound its name; of what has none,
    the cell of what reads it.

    `NO_CELL` where the frontend gives its cells no identity, or no cell has anything to do with it.
    """
    cells = [NO_CELL] * len(graph)
    if not isinstance(bindings, Workspace):
        return cells
    for node, layer in bindings.layers_in(graph):
        if isinstance(layer.cell.key, str):
            cells[node.index] = layer.cell.key
    for node in reversed(graph.nodes):  # each stands behind what it reads
        if cell := cells[node.index]:
            for source in node.sources:
                cells[source] = cells[source] or cell
    return cells


class CellStates:
    """The states of nodes, counted by cell.

    Args:
        cells: by index of a node, its cell.
        states: by index of a node, its state.
    """

    def __init__(self, cells: Sequence[str], states: Sequence[NodeState]) -> None:
        self._cells = cells
        self._counts: dict[str, Counter[NodeState]] = {}
        for (cell, state), count in Counter(zip(cells, states, strict=True)).items():
            if cell:
                self._counts.setdefault(cell, Counter())[state] = count
        self._told: dict[str, Told] = {}

    def move(self, index: int, before: NodeState, state: NodeState) -> None:
        """A node is in another state now."""
        if (counts := self._counts.get(self._cells[index])) is not None:
            counts[before] -= 1
            counts[state] += 1

    def everything(self) -> dict[str, Told]:
        """By cell, how its nodes stand. What changed before this moment is no news any more."""
        counts = self._counts.items()
        self._told = {cell: _told({s.value: n for s, n in of.items()}) for cell, of in counts}
        return self._told

    def news(self) -> dict[str, Told]:
        """The same, of the cells that stand otherwise than was told."""
        before = self._told
        return {cell: told for cell, told in self.everything().items() if before.get(cell) != told}


def states_by_cell(cells: Sequence[str], states: Sequence[str]) -> dict[str, Told]:
    """By cell, how its nodes stand that are in these states, by their index."""
    counts: dict[str, dict[str, int]] = {}
    for cell, state in zip(cells, states, strict=True):
        if cell:
            of = counts.setdefault(cell, {})
            of[state] = of.get(state, 0) + 1
    return {cell: _told(of) for cell, of in counts.items()}


def _told(counts: dict[str, int]) -> Told:
    present = [state for state, count in counts.items() if count > 0]
    done = sum(counts.get(state, 0) for state in _DONE)
    return [together(present), done, sum(counts.values())]
