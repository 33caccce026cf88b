"""Builds the graph of what will run, gives each node a fingerprint, and writes graphs down."""

from __future__ import annotations

from cascade_nb.graph.build import Bindings, build_graph
from cascade_nb.graph.graph import Control, Edge, EdgeType, Graph, Node, NodeKind
from cascade_nb.graph.serialization.graph_reader import from_json
from cascade_nb.graph.serialization.graph_writer import to_json

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
