"""Decides which kept results a run reads, and what has to run because no result stands for it.

A kept result stands only if a run now would compute it. So one whose node has a condition is
*pending*: the condition is seen first. And one whose node comes after another (`.after`, a
sequence) counts only while that other need not run itself.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from cascade_nb.engine.reuse.expiry import ExpiryBound
from cascade_nb.graph.graph import FREE, Graph


class Frontier(NamedTuple):
    """What a run has, and what it may have to do, by index.

    Attributes:
        found: the results that are read whatever happens.
        pending: the results that are read if the condition of their node turns out true.
        wanted: what has to run, as far as can be told before; a branch that is not taken counts.
        perhaps: those of `wanted` that run only where a pending result does not stand.
    """

    found: set[int]
    pending: set[int]
    wanted: set[int]
    perhaps: set[int]


def frontier_of(graph: Graph, there: set[int], settled: frozenset[int]) -> Frontier:
    """What of a graph has to run.

    Args:
        graph: what will run.
        there: indexes of the results that are kept and of the right age.
        settled: nodes whose values are known without running, parameters for instance.
    """
    seen = Frontier(set(), set(), set(), set())
    rest: list[int] = []
    looked_at = bytearray(len(graph))
    for index in settled:
        looked_at[index] = 1
    _go_on(graph, list(graph.targets), there, looked_at, seen, rest)
    if rest:
        sure = set(seen.wanted)
        _go_on(graph, rest, there, looked_at, seen, rest)
        seen.perhaps.update(seen.wanted - sure)
    return seen


def comes_after(graph: Graph, seen: Frontier) -> dict[int, ExpiryBound]:
    """The results that were to be read and whose nodes come after one that runs in this run: they
    have to run too, and with them what is made of them. By index, why.
    """
    again: dict[int, ExpiryBound] = {}
    found, pending, wanted = seen.found, seen.pending, seen.wanted
    if not wanted or not (found or pending):
        return again
    first = next((n.index for n in graph.nodes if n.control is not FREE and n.control.order), None)
    if first is None:
        return again
    for node in graph.nodes[first:]:
        control, index = node.control, node.index
        for source in control.order:
            # what precedes a pending result in a sequence runs only if that does not stand
            spared = index in pending and source in control.follows and source in seen.perhaps
            if source in again or (source in wanted and not spared):
                said = f"step before it, {graph.nodes[source].id}, runs"
                again[index] = again.get(source, ExpiryBound(math.inf, said, index))
                break
        else:
            above = next((again[source] for source in node.sources if source in again), None)
            if above is not None:
                again[index] = above
    return {index: why for index, why in again.items() if index in found or index in pending}


def _go_on(
    graph: Graph,
    stack: list[int],
    there: set[int],
    looked_at: bytearray,
    seen: Frontier,
    rest: list[int],
) -> None:
    """Go from the nodes on `stack` to what they read; `rest` gets what only refused ones need."""
    found, pending, wanted, _ = seen
    nodes = graph.nodes
    while stack:
        index = stack.pop()
        if looked_at[index]:
            continue
        looked_at[index] = 1
        node = nodes[index]
        control = node.control
        if control is FREE:  # nearly always
            if index in there:
                found.add(index)
            else:
                wanted.add(index)
                stack.extend(node.inputs)
        elif index in there and control.wanted:
            if control.condition is None:
                found.add(index)
            else:
                pending.add(index)
                stack.append(control.condition)
                rest.extend(control.follows + control.otherwise)
        else:
            wanted.add(index)
            # what is skipped reads nothing
            stack.extend(node.sources if control.wanted else control.follows + control.otherwise)
