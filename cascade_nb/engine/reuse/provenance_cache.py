"""Remembers what results were made of the last time, as long as the session lasts."""

from __future__ import annotations

import threading
from collections import OrderedDict, deque
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Final, NamedTuple, TypeVar

from cascade_nb.engine.core.scheduler import DONE
from cascade_nb.graph.code.code_key import CodeKey
from cascade_nb.graph.fingerprint.fingerprint import Fingerprints
from cascade_nb.graph.fingerprint.identity import call_identity, places_of
from cascade_nb.graph.fingerprint.provenance import Provenance, provenance_of
from cascade_nb.graph.graph import Graph
from cascade_nb.model.options.checks import NOTHING

T = TypeVar("T")
ROOM: Final = 20_000  # nodes, and so many tasks at most
WHOLE: Final = 500  # nodes of a graph that is remembered whole
MOST: Final = 2_000  # nodes that are remembered of a larger one: those that have a name


class ProvenanceComparison(NamedTuple):
    """What the nodes of one graph are made of, and what they were made of before.

    Attributes:
        now: by id of node; in a large graph only of those with a name whose results are kept.
        before: the same of the last time that a node of this id came to its result.
        code: by name of task, as it is.
        code_before: as it was when the task last came to a result.
        place: index by id of what is in `now`.
        identity: by id of node, by what it is known from one graph to the next.
        spots: by id of nodes without a name, the places that they have alone.
    """

    now: Mapping[str, Provenance] = NOTHING
    before: Mapping[str, Provenance] = NOTHING
    code: Mapping[str, CodeKey] = NOTHING
    code_before: Mapping[str, CodeKey] = NOTHING
    place: Mapping[str, int] = NOTHING
    identity: Mapping[str, str] = NOTHING
    spots: Mapping[str, str] = NOTHING


NO_GROUNDS: Final = ProvenanceComparison()


class ProvenanceCache:
    """Remembers what the last result of each node was made of, by what the node is known by.

    It does nothing while nodes run. What it remembers of them is worked out when their fingerprints
    are, in the same thread, and not even there where the fingerprint is the one of before. It keeps
    texts of bounded length, never a value or a graph. Safe from any thread.

    Args:
        room: how many nodes are remembered; those that came to a result longest ago go first.
    """

    def __init__(self, room: int = ROOM) -> None:
        self._room = room
        self._made: OrderedDict[str, Provenance] = OrderedDict()
        self._known_as: OrderedDict[str, str] = OrderedDict()  # by fingerprint, without a name
        self._code: OrderedDict[str, CodeKey] = OrderedDict()
        # Filled by the loop, which must not wait for a thread that is looking.
        self._ended: deque[tuple[dict[str, Provenance], dict[str, CodeKey]]] = deque()
        self._looking = threading.RLock()

    def look(
        self, graph: Graph, prints: Fingerprints, kept: Collection[int]
    ) -> ProvenanceComparison:
        """Compare `graph` with what was. It may read files: not for the loop.

        Args:
            kept: indexes of the nodes whose results are worth keeping.
        """
        now: dict[str, Provenance] = {}
        before: dict[str, Provenance] = {}
        place: dict[str, int] = {}
        identity: dict[str, str] = {}
        spots: dict[str, str] = {}
        with self._looking:
            self._take_in()
            alone = places_of(graph) if len(graph.nodes) <= WHOLE else {}
            for index in self._chosen(graph, kept):
                node = graph.nodes[index]
                name, key = node.id, prints[index]
                known = name if node.name is not None else self._known_as.get(key or "")
                was = None if known is None else self._made.get(known)
                same = was is not None and was.key is not None and was.key == key
                made = was if same else provenance_of(graph, prints, index)
                assert made is not None
                if known is None:
                    known = call_identity(node, made, identity)
                    was = self._made.get(known)
                    if key is not None:
                        _put(self._known_as, {key: known}, self._room)
                if index in alone:
                    spots[name] = alone[index]
                    was = was or self._made.get(alone[index])
                place[name], now[name], identity[name] = index, made, known
                if was is not None:
                    before[name] = was
            code = prints.codes()
            code_before = {name: self._code[name] for name in code if name in self._code}
        return ProvenanceComparison(now, before, code, code_before, place, identity, spots)

    def enter(
        self, grounds: ProvenanceComparison, states: Sequence[int], tasks: Iterable[str]
    ) -> None:
        """A run is over.

        Args:
            grounds: what `look` found for it.
            states: of its nodes in the end, by index.
            tasks: the names of those that came to a result in it.
        """
        place = grounds.place
        done = {name: made for name, made in grounds.now.items() if states[place[name]] == DONE}
        code = {name: grounds.code[name] for name in tasks if name in grounds.code}
        self._enter(grounds, done, code)

    def stands(self, graph: Graph, grounds: ProvenanceComparison, indexes: Collection[int]) -> None:
        """Results of nodes are kept, by whatever kernel, that are made of what these are made of
        now.

        Args:
            grounds: what `look` found for `graph`.
            indexes: of the nodes.
        """
        place = grounds.place
        made = {name: made for name, made in grounds.now.items() if place[name] in indexes}
        code: dict[str, CodeKey] = {}
        for index in indexes:
            if len(code) == len(grounds.code):
                break  # large graphs have few tasks
            name = graph.nodes[index].task_name
            if name in grounds.code:
                code[name] = grounds.code[name]
        self._enter(grounds, made, code)

    def _enter(
        self, grounds: ProvenanceComparison, made: dict[str, Provenance], code: dict[str, CodeKey]
    ) -> None:
        if not made and not code:
            return
        known = {grounds.identity[name]: one for name, one in made.items()}
        known.update((spot, made[name]) for name, spot in grounds.spots.items() if name in made)
        self._ended.append((known, code))

    def _take_in(self) -> None:
        """Enter what ended since the last look."""
        while self._ended:
            made, code = self._ended.popleft()
            _put(self._made, made, self._room)
            _put(self._code, code, self._room)

    def _chosen(self, graph: Graph, kept: Collection[int]) -> Iterable[int]:
        """What to remember of a graph."""
        if len(graph.nodes) <= WHOLE:
            return range(len(graph.nodes))
        params = [node.index for node in graph.nodes if node.task is None]
        named = (index for index in kept if graph.nodes[index].name is not None)
        return dict.fromkeys([*params, *graph.targets, *named][:MOST])


def _put(into: OrderedDict[str, T], what: Mapping[str, T], room: int) -> None:
    for name, value in what.items():
        into[name] = value
        into.move_to_end(name)
    while len(into) > room:
        into.popitem(last=False)
