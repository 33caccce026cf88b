"""What will run: the graph of a target, built, keyed and written down."""

from __future__ import annotations

from cascade_nb.graph.build import Bindings, build_graph
from cascade_nb.graph.graph import Control, Edge, EdgeType, Graph, Node, NodeKind
from cascade_nb.graph.serialization.graph_writer import from_json, to_json

__all__ = [
    "Bindings",
    "Control",
    "Edge",
    "EdgeType",
    "Graph",
    "Node",
    "NodeKind",
    "build_graph",
    "from_json",
    "to_json",
]
