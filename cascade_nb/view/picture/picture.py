"""A picture of a graph before it is drawn: boxes with words in them, lines, notes below."""

from __future__ import annotations

import enum
import math
from collections.abc import Collection, Container, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from cascade_nb.graph.graph import EdgeType, Graph
from cascade_nb.view.picture.captions import Words, words_of
from cascade_nb.view.picture.folding import (
    MOST_BOXES,
    MOST_LENGTH,
    MOST_LINES,
    Because,
    Folded,
    Group,
    fold,
)
from cascade_nb.view.picture.labels import clean, digest, dom_id, width_of
from cascade_nb.view.picture.opening import GroupName, open_groups

TITLE_SIZE: Final = 12.0
CAPTION_SIZE: Final = 11.0
STEP: Final = 4  # from one card of a stack to the next
RING: Final = 3  # from the card of a target to the ring around it
_PADDING: Final = 14
_ONE_LINE: Final = 30
_TWO_LINES: Final = 42
_LEAST_WIDTH: Final = 58
_BETWEEN: Final = 40  # about, from one box to the next
_PAGE: Final = 1300


class Bounds(NamedTuple):
    """How many boxes and lines are drawn at most, and how many ranks all lines go over together."""

    boxes: int = MOST_BOXES
    lines: int = MOST_LINES
    length: int = MOST_LENGTH


USUAL: Final = Bounds()


class Shape(enum.Enum):
    """What the outline of a box says about what it stands for."""

    TASK = "task"  # rounded
    PARAM = "param"  # leaning
    ROUTER = "router"  # a signpost
    CONDITION = "condition"  # pointed on both sides


@dataclass(frozen=True)
class Box:
    """What is drawn for one node, or for several as one.

    Attributes:
        id: in the DOM and in DOT; made of the `Node.id` of its first node, so that it is the same
            whenever the same graph is drawn.
        title, caption: its first and second line; the caption may be empty.
        tooltip: what it is, in words.
        task: the kind of work, as in `task:` scopes.
        stacked: whether it is drawn as a stack, because it stands for several pieces of work.
        target: whether it is what was asked for.
        width, height: of its front card, in points.
        size: for how many nodes it stands.
        part: whether it is of a group that was opened.
    """

    id: str
    shape: Shape
    title: str
    caption: str
    tooltip: str
    task: str
    stacked: bool
    target: bool
    width: int
    height: int
    size: int = 1
    part: bool = False

    @property
    def inset(self) -> int:
        """From the left and the upper end of the room it takes to its front card, in points."""
        return RING if self.target else 0

    @property
    def room(self) -> tuple[int, int]:
        """Width and height with the ring around it and the cards behind it, in points."""
        beyond = self.inset + (2 * STEP if self.stacked else 0)
        return self.width + self.inset + beyond, self.height + self.inset + beyond


@dataclass(frozen=True)
class Line:
    """What is drawn for the edges of one type between two boxes.

    Attributes:
        count: how many edges it stands for.
    """

    id: str
    source: str
    target: str
    type: EdgeType
    count: int = 1


@dataclass(frozen=True)
class Picture:
    """What is drawn of a graph, before anything has a place.

    Attributes:
        title: what a person calls the whole.
        members: by id of box, the ids of the nodes that it stands for.
        homes: by index of node, the place of its box in `boxes`.
        size: how many nodes the graph has.
        notes: sentences that stand below it, on what was drawn as one and why.
        upright: whether it grows downwards rather than to the right.
        breadth: how many boxes stand side by side, about, where most do.
        length: how many ranks all lines together go over.
    """

    title: str
    boxes: tuple[Box, ...]
    lines: tuple[Line, ...]
    members: Mapping[str, tuple[str, ...]]
    homes: tuple[int, ...]
    size: int
    notes: tuple[str, ...]
    upright: bool
    breadth: int
    length: int


def picture_of(graph: Graph, most: Bounds = USUAL, opened: Collection[GroupName] = ()) -> Picture:
    """What is drawn of `graph`: at most 400 boxes, whatever its size, and the parts of those that
    were `opened`; see `fold` for what becomes one.
    """
    folded = fold(graph, *most)
    whole = {(group.nodes[0].index, len(group.nodes)) for group in folded.groups}
    if opened:
        folded = open_groups(graph, folded, opened)
    deciding = {node.control.condition for node in graph.nodes}
    targets = frozenset(graph.targets)
    boxes: list[Box] = []
    members: dict[str, tuple[str, ...]] = {}
    homes = [0] * len(graph)
    for place, group in enumerate(folded.groups):
        part = (group.nodes[0].index, len(group.nodes)) not in whole
        box = _box(group, deciding, targets, part)
        boxes.append(box)
        for node in group.nodes:
            homes[node.index] = place
        members[box.id] = tuple(node.id for node in group.nodes)
    lines = tuple(
        _line(boxes[a], boxes[b], kind, count)
        for (a, b, kind), count in zip(folded.links, folded.counts, strict=True)
    )
    ranks = _ranks(folded, boxes)
    return Picture(
        title=clean(graph.title, 80),
        boxes=tuple(boxes),
        lines=lines,
        members=members,
        homes=tuple(homes),
        size=len(graph),
        notes=_notes(graph, folded),
        upright=_upright(ranks),
        breadth=max(map(len, ranks)),
        length=folded.length,
    )


def _box(group: Group, deciding: Container[int | None], targets: Container[int], part: bool) -> Box:
    first = group.nodes[0]
    decides = any(node.index in deciding for node in group.nodes)
    target = any(node.index in targets for node in group.nodes)
    words = words_of(group, decides=decides, target=target)
    return Box(
        id=dom_id("node", first.id),
        shape=Shape.CONDITION if decides else _SHAPES.get(first.kind.value, Shape.TASK),
        title=words.title,
        caption=words.caption,
        tooltip=words.tooltip,
        task=clean(first.task_name, 120),
        stacked=words.stacked,
        target=target,
        width=_width(words),
        height=_TWO_LINES if words.caption or words.stacked else _ONE_LINE,
        size=len(group.nodes),
        part=part,
    )


_SHAPES: Final = {"param": Shape.PARAM, "router": Shape.ROUTER}


def _width(words: Words) -> int:
    # Half a title's size more for a title in bold, as that of a target is.
    text = max(width_of(words.title, TITLE_SIZE) * 1.04, width_of(words.caption, CAPTION_SIZE))
    even = 2 * math.ceil(text / 2)  # its middle is then a whole point, which Graphviz keeps exactly
    return max(_LEAST_WIDTH, even + 2 * _PADDING)


def _line(source: Box, target: Box, kind: EdgeType, count: int) -> Line:
    name = digest(f"{source.id} {target.id} {kind.value}")
    return Line(f"edge-{name}", source.id, target.id, kind, count)


def _notes(graph: Graph, folded: Folded) -> tuple[str, ...]:
    notes = []
    reasons = {group.because for group in folded.groups}
    many = f"{len(graph):,} nodes are too many to draw one by one"
    if Because.CROWDED in reasons:
        notes.append(f"{many}: those of one task with the same place are one box.")
    if Because.KIND in reasons:
        notes.append(f"{many}: each box stands for all nodes of one task.")
    if Because.LAYER in reasons:
        notes.append(f"{many}: those that come about equally late are one box.")
    return tuple(notes)


def _ranks(folded: Folded, boxes: Sequence[Box]) -> list[list[int]]:
    """The widths of the boxes of each rank."""
    ranks: dict[int, list[int]] = {}
    for rank, box in zip(folded.ranks, boxes, strict=True):
        ranks.setdefault(rank, []).append(box.width)
    return list(ranks.values())


def _upright(ranks: Sequence[Sequence[int]]) -> bool:
    """Whether it is better read downwards: it would not fit a page's width, and so it is much
    narrower.
    """
    lying = sum(max(rank) + _BETWEEN for rank in ranks)
    standing = max(sum(rank) + _BETWEEN * len(rank) for rank in ranks)
    return lying > _PAGE and standing < 0.75 * lying
