"""Holds the results of a run, and frees each after its last reader.

A result lives until its last reader is over, unless it belongs to a target or to a node with a
name. The count
covers every node that might read it, also those that nobody asked for yet: a branch that may still
be chosen keeps its inputs. When the count of an idle node comes to nothing, nobody will ever ask
for it: it is pruned.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from cascade_nb.engine.core.arguments import Expansion, Reader
from cascade_nb.engine.core.scheduler import DONE, IDLE
from cascade_nb.graph.graph import FREE, Graph, Node
from cascade_nb.model.copying.immutable import FROZEN


class ResultTable:
    """The results of a run.

    Args:
        graph: what runs.
        have: results that are there already, by index.
        pending: indexes of nodes whose results are there too, if their conditions turn out true:
            they read no inputs.

    Attributes:
        work: by index, the node, or the expansion that an item belongs to.
        values: by index, the result while somebody may read it.
        kept: indexes whose results stay to the end of the run.
        place: index by identity of a lazy value.
        pruned: indexes of what nobody will ask for, as all that would have read it is there.
        freed: what nobody reads any more. What its end does is code of the user's, too, and comes
            when whoever made the move has given back the lock; see `take_freed`.
    """

    def __init__(
        self, graph: Graph, have: Mapping[int, Any], pending: Collection[int] = ()
    ) -> None:
        nodes = graph.nodes
        self.work: list[Node | Expansion] = list(nodes)
        self.values: list[Any] = [None] * len(nodes)
        self.kept = set(graph.targets)
        self.kept.update([node.index for node in nodes if node.name is not None])
        self.place: dict[object, int] = dict(graph.place)
        self.reader = Reader(self.values, self.place)
        self._own = len(nodes)
        self._spare: list[int] = []
        self._reads: list[tuple[int, ...]] = [()] * len(nodes)
        self._readers = [0] * len(nodes)
        self.pruned: list[int] = []
        self.freed: list[Any] = []
        self._count_readers(nodes, frozenset(graph.targets), have, pending)

    def sources(self, index: int) -> tuple[int, ...]:
        """Every node whose result this one might read or wait for."""
        return self._reads[index]

    def finished(self, index: int, result: Any, state: Sequence[int]) -> Sequence[int]:
        """A node is done with this result and reads nothing more; see `over`."""
        pruned = self.over(index, state) if self._reads[index] else ()
        if self._readers[index] or index in self.kept:
            self.values[index] = result
        else:
            self._free(result)  # nobody is going to read it
            self._let_go(index, state)
        return pruned

    def take_freed(self) -> list[Any]:
        """What nobody reads any more; under the lock, to be let go of without it."""
        freed, self.freed = self.freed, []
        return freed

    def over(self, index: int, state: Sequence[int]) -> list[int]:
        """A node will read nothing more. Gives the idle nodes that nobody will ask for now."""
        pruned: list[int] = []
        readers, kept, values, own = self._readers, self.kept, self.values, self._own
        for source in self._reads[index]:
            left = readers[source] = readers[source] - 1
            if not left:
                if state[source] == IDLE:
                    pruned.append(source)
                elif source not in kept:
                    if source < own and state[source] == DONE:
                        if type(value := values[source]) not in FROZEN:
                            self.freed.append(value)
                        values[source] = None  # nearly always; `_let_go` knows the rest
                    else:
                        self._let_go(source, state)
        return pruned

    def hold(self, index: int) -> None:
        """Keep what a node reads to the end of the run."""
        self.kept.update(self.sources(index))

    def also_reads(self, index: int, source: int) -> None:
        """`index` reads one more result than its node says: what it is continued by."""
        self._reads[index] = (*self._reads[index], source)
        self._readers[source] += 1

    def no_longer_reads(self, index: int, source: int, state: Sequence[int]) -> None:
        """The opposite of `also_reads`."""
        left = list(self._reads[index])
        left.remove(source)
        self._reads[index] = tuple(left)
        self._readers[source] -= 1
        if not self._readers[source]:
            self._let_go(source, state)

    def add_items(self, expansion: Expansion) -> None:
        """Make room for the items of a mapped node; it reads them all."""
        count = expansion.count
        self.work.extend([expansion] * count)
        self.values.extend([None] * count)
        self._reads.extend([()] * count)
        self._readers.extend([1] * count)

    def collect_items(self, expansion: Expansion) -> list[Any]:
        """The results of all items, in order; they are let go where they were."""
        first, end = expansion.first, expansion.first + expansion.count
        results = self.values[first:end]
        self.values[first:end] = [None] * expansion.count
        self.freed.append(expansion.forget())
        return results

    def spare(self) -> int | None:
        """An index that can be used anew."""
        return self._spare.pop() if self._spare else None

    def add_node(self, node: Node, index: int) -> None:
        """Enter a node that was not in the graph from the start, at `index`."""
        if index == len(self.work):
            self.work.append(node)
            self.values.append(None)
            self._reads.append(())
            self._readers.append(0)
        else:
            self.freed.append(self.work[index])  # with all that it was called with
            self.work[index] = node
        self.place[node.lazy.identity] = index
        self._reads[index] = _sources_of(node)
        for source in self._reads[index]:
            self._readers[source] += 1

    def reads_again(self, index: int) -> None:
        """A node whose result is lost reads once more what it read."""
        for source in self._reads[index]:
            self._readers[source] += 1

    def unread(self, index: int) -> bool:
        """Whether nothing reads the result of a node so far."""
        return not self._readers[index]

    def alive(self, index: int, state: Sequence[int]) -> bool:
        """Whether a node's result can still be read or is to come, or never will be there."""
        return state[index] != DONE or index in self.kept or self._readers[index] > 0

    def _count_readers(
        self,
        nodes: Sequence[Node],
        targets: Collection[int],
        have: Mapping[int, Any],
        pending: Collection[int],
    ) -> None:
        """From the last node to the first: when one's turn comes, all its readers had theirs."""
        reads, readers, values = self._reads, self._readers, self.values
        for index in range(len(nodes) - 1, -1, -1):
            read = readers[index]
            if index in have:
                if read or index in self.kept:
                    values[index] = have[index]
            elif read or index in targets:
                sources = nodes[index].deciding if index in pending else _sources_of(nodes[index])
                reads[index] = sources
                for source in sources:
                    readers[source] += 1
            else:
                self.pruned.append(index)
        self.pruned.reverse()

    def _let_go(self, index: int, state: Sequence[int]) -> None:
        if state[index] != DONE:
            return  # that it was skipped stays known: somebody who comes later may ask
        self._free(self.values[index])
        self.values[index] = None
        if index >= self._own:
            self._make_spare(index)

    def _free(self, value: Any) -> None:
        if type(value) not in FROZEN:
            self.freed.append(value)

    def _make_spare(self, index: int) -> None:
        """A node that was not in the graph from the start leaves its place to another."""
        node = self.work[index]
        if isinstance(node, Node):
            self._reads[index] = ()
            self.place.pop(node.lazy.identity, None)
            self._spare.append(index)


def _sources_of(node: Node) -> tuple[int, ...]:
    """What a node reads or waits for, as its graph has it."""
    if node.control is FREE and node.lazy.options.plain:
        return node.inputs
    return tuple(dict.fromkeys(edge.source for edge in node.edges()))
