"""Tells which results are read in this process, so that they cannot stay on a cluster."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from cascade_nb.engine.core.task_groups import TaskGroup
from cascade_nb.graph.graph import FREE, Graph, Node
from cascade_nb.model.arguments.inputs import scan
from cascade_nb.model.lazy.calls import LazyResult, MappedLazyResult


def read_here(
    graph: Graph, kinds: Sequence[TaskGroup], is_cluster: Callable[[str], bool]
) -> set[int]:
    """The indexes of what is read by something that does not run on a cluster, and by the machinery
    itself: the collections of a map, conditions, routes, amounts of resources.

    Args:
        graph: what runs.
        kinds: by index.
        is_cluster: whether a queue is one.
    """
    found: set[int] = set()
    for node in graph.nodes:
        kind = kinds[node.index]
        there = kind.remote and kind.queue is not None and is_cluster(kind.queue)
        found.update(_read_here(node, there, graph))
    return found


def _read_here(node: Node, there: bool, graph: Graph) -> Sequence[int]:
    plain = node.control is FREE and node.lazy.options.plain
    if not there or not plain:
        return node.inputs if plain else tuple(edge.source for edge in node.edges())
    if node.lazy.__class__ is LazyResult:
        return ()
    assert isinstance(node.lazy, MappedLazyResult)
    lazies = scan(tuple(node.lazy.collections.values()))[0]
    return [graph.place[lazy.identity] for lazy in lazies]
