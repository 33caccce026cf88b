"""Says why nodes have to run, by what changed since their results were made."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Sequence
from typing import Final, NamedTuple

from cascade_nb.engine.reporting.history import LastSeen
from cascade_nb.engine.reuse.lookup import Reuse
from cascade_nb.graph.fingerprint.provenance import Change, Provenance, changes, code_changes
from cascade_nb.graph.fingerprint.text_diff import OTHER_CONTENT
from cascade_nb.graph.graph import Graph, Node, NodeKind

_NOT_HERE: Final = "its result is not in this kernel's memory"


class Reason(NamedTuple):
    """Why a node runs.

    Attributes:
        words: after "because": "its helper _trim changed", "it depends on clean, whose helper
            _trim changed".
        lines: the difference, where it takes more than words.
        cause: what the node has in common with others that run for the same: "`clean` changed,
            line 3".
        own: what is left to say of this node alone: "reads clean".
    """

    words: str
    lines: tuple[str, ...] = ()
    cause: str = ""
    own: str = ""


class _Cause(NamedTuple):
    """What makes a node's result another one, and with it all that is made of it.

    Attributes:
        where: index of the node where it begins.
        words: after "its" or "whose".
        line: of the function that changed, if only one did; else 0.
        of_code: whether it is of the task and not of this node alone.
    """

    where: int
    words: str
    lines: tuple[str, ...] = ()
    line: int = 0
    of_code: bool = False


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
            words = f"{story}, so no earlier result can stand for it"
            return Reason(words, cause="no earlier result can stand", own=story)
        cause, seen = self._first_cause(index), self._last_seen(node)
        ended = None if seen is None else seen.no_result
        if cause is not None:
            told = self._told(node, cause)
            if ended is None:
                return told
            more = "; ".join(filter(None, [told.own, ended]))
            return told._replace(words=f"{told.words}; it {ended}", own=more)
        if ended is not None:
            common, _, own = ended.partition(": ")
            return Reason(f"it {ended}", cause=common, own=own)
        if node.id in reuse.grounds.now and node.id not in reuse.grounds.before:
            if not reuse.lasting:  # it may have run in a kernel that is gone
                return Reason(_NOT_HERE, cause="never ran here")
            words = "it never ran before, or not with this code and these inputs"
            return Reason(words, cause="never ran")
        if index not in reuse.keys:
            return self._not_kept(node)
        if seen is not None and seen.unkept:
            common = "last result could not be kept"
            return Reason(f"its {common}: {seen.unkept}", cause=common, own=seen.unkept)
        common = "last result is no longer kept"
        return Reason(f"its {common}", cause=common)

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
        if own and all(change.words.endswith(OTHER_CONTENT) for change in own):
            # A list of results, for instance: what made one of them another says more.
            inner = (self._causes.get(source) for source in node.inputs)
            above = next((one for one in inner if one is not None), None)
            if above is not None:
                return above
        if own:
            line = own[0].line if len(own) == 1 else 0
            words, of_code = _list([one.words for one in own]), all(one.of_code for one in own)
            return _Cause(node.index, words, _lines(own), line, of_code)
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
        source = self._graph.nodes[cause.where]
        common, told = common_cause(
            source.id,
            source.task_name,
            cause.words,
            line=cause.line,
            of_code=cause.of_code,
            is_param=source.kind is NodeKind.PARAM,
            named=source.name is not None,
        )
        if cause.where == node.index:
            return Reason(f"its {cause.words}", cause.lines, common, told)
        verb = "reads" if cause.where in node.inputs else "depends on"
        what = f"the parameter {source.id}" if source.kind is NodeKind.PARAM else source.id
        words = f"it {verb} {what}, whose {cause.words}"
        return Reason(words, cause.lines, common, f"{verb} {source.id}")

    def _not_kept(self, node: Node) -> Reason:
        """Why a node whose code and inputs are the same runs nevertheless."""
        reader = self._reader.get(node.index)
        needs = "" if reader is None else f"{self._graph.nodes[reader].id} needs it"
        kind = "router" if node.kind is NodeKind.ROUTER else "node without a name"
        cause = f"the result of a {kind} is not kept"
        return Reason(", and ".join(filter(None, [cause, needs])), cause=cause, own=needs)


def common_cause(
    node: str, task: str, words: str, *, line: int, of_code: bool, is_param: bool, named: bool
) -> tuple[str, str]:
    """A change as the heading of all nodes that it concerns, and what that leaves out of it.

    Args:
        node: the id of the node that changed.
        task: the name of its task.
        words: what changed, after "its".
        line, of_code: as a `Change` has them.
        is_param: whether it is a parameter.
        named: whether it has a name of its own.
    """
    at = f", line {line}" if line else ""
    if is_param:
        return f"parameter `{node}` {words.removeprefix('value ')}", ""
    if words == "code changed":
        return f"`{task}` changed{at}", ""
    if of_code:
        return f"`{task}`: its {words}{at}", ""
    if not named:  # there may be a thousand of them, each with an argument of its own
        head, _, values = words.partition(": ")
        return f"`{task}`: its {head}", values
    return f"`{node}`: its {words}", ""


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
