"""Decides which nodes of a graph are drawn as one."""

from __future__ import annotations

import enum
import math
from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from cascade_nb.graph.graph import FREE, EdgeType, Graph, Node, NodeKind

SIBLINGS: Final = 12
LEGIBLE: Final = 100
MOST_BOXES: Final = 400
MOST_LINES: Final = 2000
MOST_LENGTH: Final = 6000


class Because(enum.Enum):
    """Why the nodes of a group are drawn as one."""

    ALONE = "alone"  # there is only one
    ALIKE = "alike"  # more than `SIBLINGS` nodes of one task with the same place in the graph
    CROWDED = "crowded"  # there are many nodes: all of one task with the same place
    KIND = "kind"  # there are too many nodes: all of one task
    LAYER = "layer"  # there are too many tasks: all of about one depth, but for the commonest
    PART = "part"  # a reader opened a larger group, which has too many nodes to draw one by one


@dataclass(frozen=True)
class Group:
    """Nodes that are drawn as one."""

    nodes: tuple[Node, ...]
    because: Because


@dataclass(frozen=True)
class Folded:
    """A graph as it is drawn: groups of its nodes, and what connects them.

    Attributes:
        groups: in the order of their first nodes.
        links: by index of group; each once, none from a group to itself.
        counts: for each of these, how many edges between nodes of the two groups it stands for.
        ranks: by index of group, how many others are on the longest way to it.
    """

    groups: tuple[Group, ...]
    links: tuple[tuple[int, int, EdgeType], ...]
    counts: tuple[int, ...]
    ranks: tuple[int, ...]

    @property
    def length(self) -> int:
        """How many ranks all links together go over, which is what a layout takes its time for."""
        ranks = self.ranks
        return sum(max(1, abs(ranks[target] - ranks[source])) for source, target, _ in self.links)


_TYPES: Final = tuple(EdgeType)
_Parents = list[tuple[int, int]]


class _Kind(NamedTuple):
    kind: NodeKind
    task: str
    target: bool


def fold(
    graph: Graph,
    most_boxes: int = MOST_BOXES,
    most_lines: int = MOST_LINES,
    most_length: int = MOST_LENGTH,
) -> Folded:
    """`graph` with what repeats itself folded together.

    Two nodes are *siblings* when they are of the same task and have the same place in the graph:
    their parents are of the same kinds of node with, again, the same kinds of parents, up to the
    roots, and their children likewise down to the targets. How many parents or children of a kind
    there are does not count. So the twenty `train` between one `split` and one `choose` are
    siblings, and so are the twenty `clean` and the twenty `score` of twenty chains side by side;
    the links of one chain are not, because each has one more above it than the last. Nothing comes
    after its own sibling, so that folding them makes no cycle. More than `SIBLINGS` of them are
    folded, or any two where otherwise more than `LEGIBLE` boxes would be drawn.

    A graph that would have too many boxes or lines is folded by task instead, and if there are too
    many tasks, or too much between them, by depth: what comes after equally many others is one
    layer, and several layers are one where there are many. Tasks of more than `SIBLINGS` nodes, and
    what was asked for, stay apart from their layers as long as there is room.
    """
    parents = [_parents(node) for node in graph.nodes]
    roles = _roles(graph, parents)
    folded = _grouped(graph, parents, roles, Because.ALIKE, SIBLINGS)
    if len(folded.groups) > LEGIBLE:
        folded = _grouped(graph, parents, roles, Because.CROWDED, 1)
    kinds: list[_Kind] = []
    depths = _depths(parents)
    while (
        len(folded.groups) > most_boxes
        or len(folded.links) > most_lines
        or folded.length > most_length
    ):
        if kinds:  # too many tasks, or too much between them
            most_boxes = min(most_boxes, len(folded.groups)) * 2 // 3
        kinds = kinds or _kinds(graph)
        folded = _grouped(graph, parents, _in_layers(kinds, depths, most_boxes), Because.KIND, 1)
    return folded


def with_groups(graph: Graph, groups: Iterable[Group]) -> Folded:
    """`graph` with these groups, which have each of its nodes once."""
    return _connected(list(groups), [_parents(node) for node in graph.nodes])


def _parents(node: Node) -> _Parents:
    """Where the edges of `node` come from, and of which type each is, as its place in `_TYPES`."""
    if node.control is FREE:  # nearly all nodes of a large graph, and three times as fast
        return [(source, 0) for source in node.inputs]
    return [(edge.source, _TYPES.index(edge.type)) for edge in node.edges()]


def _kinds(graph: Graph) -> list[_Kind]:
    targets = frozenset(graph.targets)
    return [_Kind(node.kind, node.task_name, node.index in targets) for node in graph.nodes]


def _in_layers(kinds: Sequence[_Kind], depths: Sequence[int], most: int) -> Sequence[_Kind | int]:
    """`kinds`, or, where there are more than `most`, at most so many of those and of numbers of
    layers.
    """
    counts = Counter(kinds)
    if len(counts) <= most:
        return kinds
    apart = [kind for kind, count in counts.items() if kind.target or count > SIBLINGS]
    apart.sort(key=lambda kind: (not kind.target, -counts[kind]))
    kept = set(apart[: most // 2])
    places = sorted({d for kind, d in zip(kinds, depths, strict=True) if kind not in kept})
    each = math.ceil(len(places) / (most - len(kept)))
    layers = {depth: place // each for place, depth in enumerate(places)}
    return [kind if kind in kept else layers[d] for kind, d in zip(kinds, depths, strict=True)]


def _depths(parents: Sequence[_Parents]) -> list[int]:
    """How many nodes are on the longest way to each."""
    depths: list[int] = []
    for edges in parents:
        depths.append(max((depths[source] + 1 for source, _ in edges), default=0))
    return depths


def _roles(graph: Graph, parents: Sequence[_Parents]) -> Sequence[Hashable]:
    """For each node, what its siblings share with it and nobody else does."""
    targets = frozenset(graph.targets)
    numbered: dict[Hashable, int] = {}

    def number(key: Hashable) -> int:
        return numbered.setdefault(key, len(numbered))

    kinds = [number((node.kind.value, node.task_name)) for node in graph.nodes]
    # A place above is numbered by the places above that it builds on, so equal numbers mean equal
    # places to any depth, and a node never has the number of one above it.
    above: list[int] = []
    for kind, edges in zip(kinds, parents, strict=True):
        above.append(number((kind, frozenset([(above[source], why) for source, why in edges]))))
    below = [0] * len(kinds)
    children: list[set[tuple[int, int]]] = [set() for _ in kinds]
    for i in range(len(kinds) - 1, -1, -1):
        below[i] = number((kinds[i], frozenset(children[i]), i in targets))
        for source, why in parents[i]:
            children[source].add((below[i], why))
    return list(zip(above, below, strict=True))


def _grouped(
    graph: Graph,
    parents: Sequence[_Parents],
    keys: Iterable[Hashable],
    because: Because,
    at_most: int,
) -> Folded:
    """Groups of nodes with equal keys, if they are more than `at_most`; a number is a layer's."""
    gathered: dict[Hashable, list[Node]] = {}
    for node, key in zip(graph.nodes, keys, strict=True):
        gathered.setdefault(key, []).append(node)
    groups: list[Group] = []
    for key, nodes in gathered.items():
        if len(nodes) > at_most:
            is_layer = isinstance(key, int)
            groups.append(Group(tuple(nodes), Because.LAYER if is_layer else because))
        else:
            groups += [Group((node,), Because.ALONE) for node in nodes]
    return _connected(groups, parents)


def _connected(groups: list[Group], parents: Sequence[_Parents]) -> Folded:
    """These groups, which have each node once, in their order and with what connects them."""
    groups.sort(key=lambda group: group.nodes[0].index)
    home = [0] * len(parents)
    for place, group in enumerate(groups):
        for node in group.nodes:
            home[node.index] = place
    links = Counter(
        (home[source], home[i], why)
        for i, edges in enumerate(parents)
        for source, why in edges
        if home[source] != home[i]
    )
    return Folded(
        groups=tuple(groups),
        links=tuple((a, b, _TYPES[why]) for a, b, why in links),
        counts=tuple(links.values()),
        ranks=_ranks(len(groups), links),
    )


def _ranks(count: int, links: Iterable[tuple[int, int, int]]) -> tuple[int, ...]:
    """How many groups are on the longest way to each."""
    ranks = [0] * count
    for source, target, _ in sorted(links, key=lambda link: link[1]):
        if source < target:  # nearly all; the others go round where tasks are drawn as one
            ranks[target] = max(ranks[target], ranks[source] + 1)
    return tuple(ranks)
