"""Edits made while a run is held: what has not begun takes the new code, what stands stays.

When a pause is lifted and a cell was run meanwhile, the run is held for another moment, and its
graph is built and keyed anew beside the loop. If nothing differs it goes on. Otherwise nothing more
starts, what is under way finishes, and the run goes on with the new graph and with every result
whose fingerprint stands.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from cascade_nb.engine.orders import Given, GivenItems
from cascade_nb.engine.reuse import Sight
from cascade_nb.graph.graph import Graph, Node


class Revision(NamedTuple):
    """What a run goes on with after an edit.

    Attributes:
        graph: as it is now.
        sight: its fingerprints and keys.
        edited: what changed, for people: names of tasks whose code did, and of nodes.
    """

    graph: Graph
    sight: Sight
    edited: tuple[str, ...]


class Carried(NamedTuple):
    """What stands of the part of a run that is done, by index in the new graph.

    Attributes:
        done: everything that came to its result and need not run again.
        values: those results that are still there.
        items: of mapped nodes that were in the middle.
    """

    done: frozenset[int]
    values: Mapping[int, Any]
    items: Mapping[int, GivenItems]


NOTHING_CARRIED: Final = Carried(frozenset(), {}, {})


def edited(before: Sight, graph: Graph, after: Sight) -> tuple[str, ...]:
    """What differs between two looks at a run, for people; empty when nothing does."""
    old, new = before.prints.codes(), after.prints.codes()
    names = [n for n in new if n not in old or old[n].parts != new[n].parts]
    if not names and list(before.prints) != list(after.prints):
        known = set(before.prints)
        changed = {n.index for n in graph.nodes if after.prints[n.index] not in known}
        first = (graph.nodes[i] for i in changed if changed.isdisjoint(graph.nodes[i].sources))
        names = list(dict.fromkeys(node.name or node.label for node in first)) or [graph.title]
    return tuple(names)


def same_graph(one: Graph, other: Graph) -> bool:
    """Whether two graphs of one target are made of the same calls of the same tasks."""
    return len(one.nodes) == len(other.nodes) and all(
        a.lazy is b.lazy
        and a.task is b.task
        and a.name == b.name
        and a.inputs == b.inputs
        and a.control == b.control
        for a, b in zip(one.nodes, other.nodes, strict=True)
    )


def named_anew(before: Graph, graph: Graph) -> tuple[str, ...]:
    """What another graph has that was not there before, for people."""
    fresh = (node for node in graph.nodes if node.lazy not in before.place)
    return tuple(dict.fromkeys(node.name or node.label for node in fresh))


def carried_over(given: Given, revision: Revision) -> Carried:
    """What of an earlier try stands after an edit, whether it was this run's or another's."""
    if given.sight is None or given.graph is None:
        return NOTHING_CARRIED  # nobody knows of what code it was made
    stands = _standing(given.graph, given.sight, revision.graph, revision.sight)
    whole = given.done - given.tainted
    done: set[int] = set()
    values: dict[int, Any] = {}
    items: dict[int, GivenItems] = {}
    for index, old in stands.items():
        if old in whole:
            done.add(index)
            if old in given.values:
                values[index] = given.values[old]
        elif old in given.items:
            items[index] = given.items[old]
    return Carried(frozenset(done), values, items)


def _standing(before: Graph, old: Sight, graph: Graph, new: Sight) -> dict[int, int]:
    """By index in the graph of now, the node of before whose result would stand for its."""
    # Of two with one key either will do.
    by_key = {key: i for i, key in enumerate(old.prints) if key is not None}
    stands: dict[int, int] = {}
    for node in graph.nodes:  # what one reads comes before it
        key = new.prints[node.index]
        if key is not None:
            same = by_key.get(key)
        else:
            same = before.place.get(node.lazy)
            if same is not None and not (
                _same_code(old, same, new, node) and all(i in stands for i in node.sources)
            ):
                same = None
        condition = node.control.condition
        if same is not None and node.control.wanted and (condition is None or condition in stands):
            stands[node.index] = same
    return stands


def _same_code(old: Sight, place: int, new: Sight, node: Node) -> bool:
    """Whether a node without a key is the same call of the same code as one of before."""
    if old.prints[place] is not None:
        return False
    code, now = old.prints.code(place), new.prints.code(node.index)
    if code is None or now is None:
        return code is now
    snapshot = old.code.get(node.task) if node.task is not None else None
    if code.unkeyed and not (snapshot is not None and snapshot.holds()):
        return False  # what stands for "cannot be told" looks the same whatever it is
    return code.parts == now.parts
