"""Who still reads which result, and when a result is let go.

A result lives until its last reader is over, unless it belongs to a target or to a node with a
name. The count
covers every node that might read it, also those that nobody asked for yet: a branch that may still
be chosen keeps its inputs. When the count of an idle node comes to nothing, nobody will ever ask
for it: it is pruned.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from cascade_nb.engine.arguments import Expansion, Reader
from cascade_nb.engine.scheduler import DONE, IDLE, Scheduler
from cascade_nb.graph.graph import Graph, Node
from cascade_nb.model.lazy import Lazy


class Ledger:
    """The results of a run.

    Args:
        graph: what runs.
        have: results that are there already, by index.

    Attributes:
        work: by index, the node, or the expansion that an item belongs to.
        values: by index, the result while somebody may read it.
        kept: indexes whose results stay to the end of the run.
        place: index by lazy value.
    """

    def __init__(self, graph: Graph, have: Mapping[int, Any]) -> None:
        self.work: list[Node | Expansion] = list(graph.nodes)
        self.values: list[Any] = [None] * len(graph.nodes)
        for index, value in have.items():
            self.values[index] = value
        self.kept = set(graph.targets)
        self.kept.update(node.index for node in graph.nodes if node.name is not None)
        self.place: dict[Lazy, int] = dict(graph.place)
        self.reader = Reader(self.values, self.place)
        self._own = len(graph.nodes)
        self._sources: dict[int, tuple[int, ...]] = {}
        self._spare: list[int] = []
        self._readers = [0] * len(graph.nodes)
        for node in graph.nodes:
            self._count(node)

    def sources(self, index: int) -> tuple[int, ...]:
        """Every node whose result this one might read or wait for."""
        special = self._sources.get(index)
        if special is not None:
            return special
        node = self.work[index]
        return node.inputs if node.__class__ is Node else ()

    def over(self, index: int, scheduler: Scheduler) -> list[int]:
        """A node will read nothing more. Gives the idle nodes that nobody will ask for now."""
        pruned = []
        readers = self._readers
        for source in self.sources(index):
            readers[source] -= 1
            if not readers[source]:
                if scheduler.state[source] == IDLE:
                    pruned.append(source)
                elif source not in self.kept:
                    self._let_go(source, scheduler)
        return pruned

    def hold(self, index: int) -> None:
        """Keep what a node reads to the end of the run."""
        self.kept.update(self.sources(index))

    def no_reader(self, index: int, scheduler: Scheduler) -> None:
        """Let go of a fresh result that nobody is going to read."""
        if not self._readers[index] and index not in self.kept:
            self._let_go(index, scheduler)

    def also_reads(self, index: int, source: int) -> None:
        """`index` reads one more result than its node says: what it is continued by."""
        self._sources[index] = (*self.sources(index), source)
        self._readers[source] += 1

    def no_longer_reads(self, index: int, source: int, scheduler: Scheduler) -> None:
        """The opposite of `also_reads`."""
        left = list(self._sources[index])
        left.remove(source)
        self._sources[index] = tuple(left)
        self._readers[source] -= 1
        if not self._readers[source]:
            self._let_go(source, scheduler)

    def add_items(self, expansion: Expansion) -> None:
        """Make room for the items of a mapped node; it reads them all."""
        count = expansion.count
        self.work.extend([expansion] * count)
        self.values.extend([None] * count)
        self._readers.extend([1] * count)

    def collect_items(self, expansion: Expansion) -> list[Any]:
        """The results of all items, in order; they are let go where they were."""
        first, end = expansion.first, expansion.first + expansion.count
        results = self.values[first:end]
        self.values[first:end] = [None] * expansion.count
        expansion.forget()
        return results

    def spare(self) -> int | None:
        """An index that can be used anew."""
        return self._spare.pop() if self._spare else None

    def add_node(self, node: Node, index: int) -> None:
        """Enter a node that was not in the graph from the start, at `index`."""
        if index == len(self.work):
            self.work.append(node)
            self.values.append(None)
            self._readers.append(0)
        else:
            self.work[index] = node
        self.place[node.lazy] = index
        self._count(node, index)

    def unread(self, index: int) -> bool:
        """Whether nothing reads the result of a node so far."""
        return not self._readers[index]

    def alive(self, index: int, scheduler: Scheduler) -> bool:
        """Whether a node's result can still be read or is to come, or never will be there."""
        return scheduler.state[index] != DONE or index in self.kept or self._readers[index] > 0

    def _count(self, node: Node, index: int | None = None) -> None:
        where = node.index if index is None else index
        if node.options.plain and not node.control.routes:
            sources: Iterable[int] = node.inputs
        else:
            sources = tuple(dict.fromkeys(edge.source for edge in node.edges()))
            self._sources[where] = sources
        readers = self._readers
        for source in sources:
            readers[source] += 1

    def _let_go(self, index: int, scheduler: Scheduler) -> None:
        if scheduler.state[index] != DONE:
            return  # that it was skipped stays known: somebody who comes later may ask
        self.values[index] = None
        node = self.work[index]
        if index >= self._own and isinstance(node, Node):
            self._sources.pop(index, None)
            self.place.pop(node.lazy, None)
            self._spare.append(index)
