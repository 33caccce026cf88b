"""Edits made while a run is held: what has not begun takes the new code, what stands stays.

When a pause is lifted and a cell was run meanwhile, the run is held for another moment, and its
graph is built and keyed anew beside the loop. If nothing differs it goes on. Otherwise nothing more
starts, what is under way finishes, and the run goes on with the new graph and with every result
whose fingerprint stands.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from cascade_nb.engine.arguments import Expansion
from cascade_nb.engine.orders import GivenItems
from cascade_nb.engine.reuse import Sight
from cascade_nb.engine.scheduler import DONE
from cascade_nb.graph.graph import Graph, Node

if TYPE_CHECKING:
    from cascade_nb.engine.flow import Flow


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


def carry(flow: Flow, before: Sight, graph: Graph, after: Sight) -> Carried:
    """What stands of a flow that has come to rest. Call under its lock."""
    return _Carrying(flow, before, graph, after).carried()


class _Carrying:
    def __init__(self, flow: Flow, before: Sight, graph: Graph, after: Sight) -> None:
        self._flow = flow
        self._before = before
        self._after = after
        self._graph = graph
        self._old_place = flow.graph.place
        self._by_key = {
            key: index for index, key in enumerate(before.prints) if key is not None
        }  # of two with one key either will do
        self._stands: dict[int, int] = {}

    def carried(self) -> Carried:
        """Node after node: what one reads comes before it."""
        flow = self._flow
        state, ledger = flow.scheduler.state, flow.ledger
        values: dict[int, Any] = {}
        done: set[int] = set()
        items: dict[int, GivenItems] = {}
        for node in self._graph.nodes:
            old = self._same_as(node)
            if old is None:
                continue
            self._stands[node.index] = old
            if state[old] == DONE:
                done.add(node.index)
                if ledger.alive(old, flow.scheduler.state):
                    values[node.index] = ledger.values[old]
            elif places := flow.unfold.items(old):
                expansion = ledger.work[places[0]]
                assert isinstance(expansion, Expansion)
                there = {n: ledger.values[i] for n, i in enumerate(places) if state[i] == DONE}
                items[node.index] = GivenItems(expansion, there)
        return Carried(frozenset(done), values, items)

    def _same_as(self, node: Node) -> int | None:
        """The node of before whose result stands for this one's."""
        key = self._after.prints[node.index]
        if key is not None:
            return self._by_key.get(key)
        # Without a key it is the same when it is the same call of the same code, and when all that
        # it reads is the same.
        old = self._old_place.get(node.lazy)
        if old is None or self._before.prints[old] is not None:
            return None
        code, now = self._before.prints.code(old), self._after.prints.code(node.index)
        if (code and code.parts) != (now and now.parts):
            return None
        return old if all(source in self._stands for source in node.inputs) else None
