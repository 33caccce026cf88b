"""Names the nodes and items of a run in messages to the page: short, whatever they are called.

A reference says which graph of the run it means, since an edit gives the run another: the node of
that place may be another one then.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from cascade_nb.errors import UsageError
from cascade_nb.graph.graph import Graph, Node

_REFERENCE: Final = re.compile(r"(\d{1,9}):(\d{1,9})(?::(\d{1,9}))?")


class Named(NamedTuple):
    """What a reference means: a node, or an item of it."""

    node: Node
    item: int | None

    @property
    def name(self) -> str:
        """As a run is asked about it."""
        return self.node.id if self.item is None else f"{self.node.id}[{self.item}]"


class References:
    """The references of one run's nodes.

    Attributes:
        graph: what they mean; another one makes those before it mean nothing.
    """

    def __init__(self, graph: Graph) -> None:
        self._serial = 0
        self.graph = graph

    def take(self, graph: Graph) -> None:
        """The run goes on with this graph."""
        if graph is not self.graph:
            self._serial += 1
            self.graph = graph

    @property
    def serial(self) -> int:
        """The number of the graph that they mean, which each of them begins with."""
        return self._serial

    def of(self, index: int, item: int | None = None) -> str:
        """The reference of a node, or of an item of it."""
        return f"{self._serial}:{index}" + ("" if item is None else f":{item}")

    def read(self, reference: str) -> Named:
        """What a reference means.

        Raises:
            UsageError: it means nothing, or did so before an edit.
        """
        found = _REFERENCE.fullmatch(reference)
        if found is None or int(found[1]) > self._serial or int(found[2]) >= len(self.graph):
            raise UsageError("there is no such node")
        if int(found[1]) != self._serial:
            raise UsageError("the run goes on with your edits since; click the node once more")
        return Named(self.graph.nodes[int(found[2])], None if found[3] is None else int(found[3]))

    def of_id(self, name: str) -> Named:
        """What the id of a node, or of an item of one, means: ``t``, ``t[17]``.

        Raises:
            UsageError: it is of none that was there from the start.
        """
        node = next((one for one in self.graph.nodes if one.id == name), None)
        if node is not None:
            return Named(node, None)
        whole, bracket, place = name.removesuffix("]").rpartition("[")
        mapped = next((one for one in self.graph.nodes if one.id == whole), None)
        if not bracket or mapped is None or not place.isdecimal():
            raise UsageError("it is part of what a task went on with, and is no node of this graph")
        return Named(mapped, int(place))
