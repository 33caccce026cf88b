"""Recognises a node from one graph to the next.

A name says it. Without one a node is the same where it is the same call: of the same task with the
same arguments, wherever it stands. So an item of a list is compared with its own earlier self and
never with another item, and what a sentence says of it is what happened to it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from cascade_nb.graph.fingerprint.provenance import Provenance
from cascade_nb.graph.graph import Graph, Node
from cascade_nb.graph.values.atoms import digest, text


def call_identity(node: Node, made: Provenance, known: Mapping[str, str]) -> str:
    """By what a node without a name is known: its task, and what it is given, whatever the code.

    Args:
        node: it.
        made: what it is made of.
        known: by id, by what those are known that come before it.
    """
    parts = [text(node.task_name)]
    for given in made.given:
        if given.source is None:
            said = given.digest or given.shown
        else:
            said = known.get(given.source, given.source)
        parts += [text(given.name), text(said)]
    return f"\0call {digest(b''.join(parts)).hex()}"


def places_of(graph: Graph) -> dict[int, str]:
    """By index of nodes without a name, the place that each has alone: it is the only one of its
    task that the named node which reads it, through others or not, has without a name.
    """
    owner: dict[int, str] = {}
    for node in reversed(graph.nodes):  # whoever reads a node comes before it here
        mine = owner.get(node.index) if node.name is None else node.id
        if mine is not None:
            for source in node.sources:
                owner.setdefault(source, mine)
    spots = {
        node.index: f"\0in {owner[node.index]}\0{node.task_name}"
        for node in graph.nodes
        if node.name is None and node.index in owner
    }
    count = Counter(spots.values())
    return {index: spot for index, spot in spots.items() if count[spot] == 1}
