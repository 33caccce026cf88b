"""Says why nodes have to run, by what changed since their results were made."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Sequence
from typing import Final, NamedTuple

from cascade_nb.engine.observing.history import LastSeen
from cascade_nb.engine.reuse.lookup import Reuse
from cascade_nb.graph.fingerprint.provenance import Change, Provenance, changes, code_changes
from cascade_nb.graph.graph import Graph, Node, NodeKind

_NOT_HERE: Final = "its result is not in this kernel's memory"


class Reason(NamedTuple):
    """Why a node runs.

    Attributes:
        words: after "because": "its helper _trim changed", "it depends on clean, whose helper
            _trim changed".
        lines: the difference, where it takes more than words.
    """

    words: str
    lines: tuple[str, ...] = ()


class _Cause(NamedTuple):
    """What makes a node's result another one, and with it all that is made of it.

    Attributes:
        where: index of the node where it begins.
        words: after "its" or "whose".
    """

    where: int
    words: str
    lines: tuple[str, ...] = ()


class Reasons:
    """The reasons of the nodes of a graph that have to run.

    Each is looked for when it is asked for, as far up as it may begin.

    Args:
        graph: what runs.
        reuse: what was found of it.
        last_seen: what became of a node in the last run that had it.
    """

    def __init__(
        self,
        graph: Graph,
        reuse: Reuse,
        last_seen: Callable[[Node], LastSeen | None] = lambda _: None,
    ) -> None:
        self._graph = graph
        self._reuse = reuse
        self._last_seen = last_seen
        self._by_task: dict[str, list[Change]] = {}
        self._causes: dict[int, _Cause | None] = {}

    def of(self, index: int) -> Reason:
        """Why node `index` runs."""
        node, reuse = self._graph.nodes[index], self._reuse
        if reuse.fresh:
            return Reason("earlier results are not to be used")
        story = None if reuse.gaps is None else reuse.gaps.why_not(index)
        if story is not None:
            return Reason(f"{story}, so no earlier result can stand for it")
        cause, seen = self._first_cause(index), self._last_seen(node)
        ended = None if seen is None else seen.no_result
        if cause is not None:
            told = self._told(node, cause)
            return told if ended is None else Reason(f"{told.words}; it {ended}", told.lines)
        if ended is not None:
            return Reason(f"it {ended}")
        if node.id in reuse.grounds.now and node.id not in reuse.grounds.before:
            if not reuse.lasting:  # it may have run in a kernel that is gone
                return Reason(_NOT_HERE)
            return Reason("it never ran before, or not with this code and these inputs")
        if index not in reuse.keys:
            return Reason(self._not_kept(node))
        if seen is not None and seen.unkept:
            return Reason(f"its last result could not be kept: {seen.unkept}")
        return Reason("its last result is no longer kept")

    def again(self, index: int) -> list[str]:
        """Why node `index` runs again, in a line and those of the difference; nothing for what
        never ran before.
        """
        node, grounds = self._graph.nodes[index], self._reuse.grounds
        if node.id not in grounds.before and node.task_name not in grounds.code_before:
            return []
        reason = self.of(index)
        if reason.words == _NOT_HERE:
            return []
        return [f"no earlier result stands for it: {reason.words}", *indented(reason.lines)]

    def _first_cause(self, index: int) -> _Cause | None:
        """The cause of node `index`, looked for from the top down."""
        above: list[int] = []
        stack = [index]
        while stack:
            one = stack.pop()
            if one not in self._causes and one not in self._reuse.found:
                self._causes[one] = None
                above.append(one)
                stack.extend(self._graph.nodes[one].sources)
        for one in sorted(above):  # what a node reads has a lower index
            self._causes[one] = self._cause(self._graph.nodes[one])
        return self._causes.get(index)

    @functools.cached_property
    def _reader(self) -> dict[int, int]:
        """By index, the first node that has to run and reads it."""
        found: dict[int, int] = {}
        for index in sorted(self._reuse.wanted):
            for source in self._graph.nodes[index].sources:
                found.setdefault(source, index)
        return found

    def _cause(self, node: Node) -> _Cause | None:
        floor = self._reuse.floors.get(node.index)
        if floor is not None and node.index in self._reuse.too_old:
            return _Cause(floor.source, floor.words)
        outdated = self._reuse.outdated.get(node.index)
        if outdated is not None:
            causes = (self._causes.get(source) for source in node.sources)
            same = (one for one in causes if one is not None and one.words == outdated)
            return next(same, _Cause(node.index, outdated))
        found = self._changes(node)
        own = [change for change in found if change.source is None]
        if own:
            return _Cause(node.index, _list([one.words for one in own]), _lines(own))
        for change in found:
            source = None if change.source is None else self._graph.node(change.source)
            above = None if source is None else self._causes.get(source.index)
            return above or _Cause(node.index, change.words)
        if not node.options.reuse:
            return _Cause(node.index, "results are new each time (reuse=False)")
        # A large graph's nodes are not all remembered: what changed is asked of what they read.
        sources = node.inputs if node.id not in self._reuse.grounds.now else ()
        return next((cause for i in sources if (cause := self._causes.get(i))), None)

    def _changes(self, node: Node) -> list[Change]:
        grounds = self._reuse.grounds
        now = grounds.now.get(node.id)
        if now is not None:
            # Whoever mended what had failed asks what is other than when it failed.
            seen = self._last_seen(node)
            tried = None if seen is None or seen.no_result is None else seen.tried
            return _since(tried, now) or _since(grounds.before.get(node.id), now)
        name = node.task_name
        if name not in grounds.code_before:
            return []
        if name not in self._by_task:
            self._by_task[name] = code_changes(grounds.code_before[name], grounds.code[name])
        return self._by_task[name]

    def _told(self, node: Node, cause: _Cause) -> Reason:
        if cause.where == node.index:
            return Reason(f"its {cause.words}", cause.lines)
        source = self._graph.nodes[cause.where]
        verb = "reads" if cause.where in node.inputs else "depends on"
        if source.kind is NodeKind.PARAM:
            return Reason(f"it {verb} the parameter {source.id}, whose {cause.words}", cause.lines)
        return Reason(f"it {verb} {source.id}, whose {cause.words}", cause.lines)

    def _not_kept(self, node: Node) -> str:
        """Why a node whose code and inputs are the same runs nevertheless."""
        reader = self._reader.get(node.index)
        needs = "" if reader is None else f", and {self._graph.nodes[reader].id} needs it"
        kind = "router" if node.kind is NodeKind.ROUTER else "node without a name"
        return f"the result of a {kind} is not kept{needs}"


def _since(before: Provenance | None, now: Provenance) -> list[Change]:
    """What differs between the making that was and the one of now, if there was any."""
    if before is None or (now.key is not None and now.key == before.key):
        return []
    return changes(before, now)


def indented(lines: Iterable[str]) -> list[str]:
    """Lines of a difference below the sentence that they belong to."""
    return [f"    {line}" for line in lines]


def _list(words: Sequence[str]) -> str:
    more = f" and {len(words) - 2} more" if len(words) > 2 else ""
    return (", " if more else " and ").join(words[:2]) + more


def _lines(found: Sequence[Change]) -> tuple[str, ...]:
    return tuple(line for change in found[:2] for line in change.lines)
