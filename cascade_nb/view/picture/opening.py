"""Opens groups of nodes that are drawn as one, as a reader of the picture asks for it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final, NamedTuple

from cascade_nb.graph.graph import Graph, Node
from cascade_nb.view.picture.folding import Because, Folded, Group, with_groups

#: Into how many a group is opened at most: a larger one has parts that can be opened in turn.
PARTS: Final = 40


class GroupName(NamedTuple):
    """What tells a group from every other, and from its own parts."""

    first: str  # the id of its first node
    size: int


def name_of(ids: Sequence[str]) -> GroupName:
    """The name of the group of nodes with these ids."""
    return GroupName(ids[0], len(ids))


def open_groups(graph: Graph, folded: Folded, opened: Collection[GroupName]) -> Folded:
    """`folded` with these groups in parts: their nodes one by one where they are at most `PARTS`,
    else groups of those that stand together. What no group is named after is no matter.
    """
    groups: list[Group] = []
    waiting = list(reversed(folded.groups))
    while waiting:
        group = waiting.pop()
        nodes = group.nodes
        if len(nodes) > 1 and GroupName(nodes[0].id, len(nodes)) in opened:
            waiting += reversed(_parts(group))
        else:
            groups.append(group)
    return with_groups(graph, groups)


def _parts(group: Group) -> list[Group]:
    nodes = group.nodes
    if len(nodes) <= PARTS:
        return [Group((node,), Because.ALONE) for node in nodes]
    if group.because is Because.LAYER:
        by_task: dict[str, list[Node]] = {}
        for node in nodes:
            by_task.setdefault(node.task_name, []).append(node)
        if 1 < len(by_task) <= PARTS:
            return [_group(found, Because.KIND) for found in by_task.values()]
    each = -(-len(nodes) // PARTS)
    because = Because.LAYER if group.because is Because.LAYER else Because.PART
    starts = range(0, len(nodes), each)
    return [_group(nodes[start : start + each], because) for start in starts]


def _group(nodes: Sequence[Node], because: Because) -> Group:
    return Group(tuple(nodes), because if len(nodes) > 1 else Because.ALONE)
