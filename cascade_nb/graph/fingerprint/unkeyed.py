"""Says why a node has no key, from where the reason begins."""

from __future__ import annotations

from typing import Final, NamedTuple

from cascade_nb.graph.graph import Graph
from cascade_nb.graph.values.atoms import CannotKeyError

_WAY_SHOWN: Final = 6


class UpstreamError(CannotKeyError):
    """A lazy value stands for a node that gives nothing to build a key on."""

    def __init__(self, source: int, verb: str = "reads") -> None:
        super().__init__("a result", "what it reads has no key")
        self.source = source
        self.verb = verb


class Gap(NamedTuple):
    """Why a node has no key.

    Attributes:
        words: "argument model (a socket) cannot be keyed: …", to be said of its owner.
        source: index of the node that it reads and whose gap it really is.
        verb: what it does with that: "reads", "comes after".
    """

    words: str
    source: int | None = None
    verb: str = "reads"


NEW_EACH_TIME: Final = Gap("results are new each time (reuse=False)")


class UnkeyedNodes:
    """The nodes of a graph without a key.

    Attributes:
        own: by index, why a node has none.
        read: by index, why what reads a node has none, where that is not because of its own.
    """

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self.own: dict[int, Gap] = {}
        self.read: dict[int, Gap] = {}

    def why_not(self, index: int) -> str | None:
        """Why node `index` has no key, as a part of a sentence; None if it has one.

        It leads to the cause: "it reads train, and train's argument model (a socket) cannot be
        keyed: cannot pickle 'socket' object".
        """
        gap = self.own.get(index)
        return None if gap is None else self.story(gap)

    def story(self, gap: Gap) -> str:
        """The way from a node to the cause, in words."""
        subject, whose, way = "it", "its", []
        while gap.source is not None:
            label = self._graph.nodes[gap.source].label
            way.append(f"{subject} {gap.verb} {label}")
            subject, whose = label, f"{label}'s"
            gap = self.read.get(gap.source) or self.own[gap.source]
        if len(way) > _WAY_SHOWN:
            way[_WAY_SHOWN // 2 : -_WAY_SHOWN // 2] = ["…"]
        cause = f"{whose} {gap.words}"
        return f"{', '.join(way)}, and {cause}" if way else cause
