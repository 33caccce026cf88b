"""Works out what a run would do with each node: run, reuse, skip or hold it, or let it queue."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Mapping
from typing import Any, Final, NamedTuple

from cascade_nb.control.constraint import Constraint
from cascade_nb.control.explanations import held_if, stops_in_words
from cascade_nb.engine.core.results import ResultTable
from cascade_nb.engine.core.run_state import UNREAD
from cascade_nb.engine.core.skips import has_default
from cascade_nb.engine.planning.doubts import Doubts
from cascade_nb.engine.planning.plan import Plan, Step
from cascade_nb.engine.planning.rerun_reasons import Reasons
from cascade_nb.engine.reporting.history import LastSeen
from cascade_nb.engine.reuse.lookup import Reuse
from cascade_nb.engine.scopes import nodes_under
from cascade_nb.graph.graph import EdgeType, Graph, Node, NodeKind
from cascade_nb.graph.values.short_repr import short_repr
from cascade_nb.model.lazy.calls import MappedLazyResult, length_of
from cascade_nb.model.options.no_else import NO_ELSE

_STOPPED: Final = {"hold": "held", "queue": "queued"}


@dataclasses.dataclass(frozen=True)
class Outlook:
    """What is known before anything runs.

    Attributes:
        reuse: what earlier runs left.
        conditions: by index, results of nodes that decide about others, where they are there.
        constraints: what is not allowed now.
        means: seconds of an attempt, by task name.
        seconds: what earlier runs of a node took, by index.
        now: seconds since the epoch.
        last_seen: what became of a node in the last run that had it.
        files: paths that earlier runs of a node have read, by index.
        params: values of parameters, by index, where they have one.
    """

    reuse: Reuse
    conditions: Mapping[int, Any]
    constraints: tuple[Constraint, ...]
    means: Mapping[str, float]
    seconds: Mapping[int, float]
    now: float
    last_seen: Callable[[Node], LastSeen | None] = lambda _: None
    files: Mapping[int, Collection[str]] = dataclasses.field(default_factory=dict)
    params: Mapping[int, Any] = dataclasses.field(default_factory=dict)


def plan_of(graph: Graph, outlook: Outlook) -> Plan:
    """The plan of a run of `graph`. It may take a while: not for the loop."""
    return _PlanMaker(graph, outlook).plan()


class _Why(NamedTuple):
    """Why a node does not run: in words, what it has in common with others, and what is its own."""

    words: str
    cause: str
    own: str = ""


_BREAKS: Final = "a breakpoint before it by the workflow"
_AT_A_BREAKPOINT: Final = _Why(_BREAKS, _BREAKS)


class _PlanMaker:
    def __init__(self, graph: Graph, outlook: Outlook) -> None:
        self._graph = graph
        self._outlook = outlook
        self._found = outlook.reuse.found
        self._pending = outlook.reuse.pending
        self._skipped: dict[int, _Why] = {}
        for node in graph.nodes:
            reason = None if node.index in self._found else self._skip(node)
            if reason is not None:
                self._skipped[node.index] = reason
        self._asked = self._demand()
        # As a run has it: what it need not even ask about counts as reused there, too.
        have = dict.fromkeys(self._found | graph.param_indexes)
        self._unread = frozenset(ResultTable(graph, have, self._pending).pruned)
        self._doubts = self._find_doubts()
        self._stopped: dict[int, tuple[str, _Why]] = {}  # "hold" or "queue", and why
        self._may_stop: dict[int, str] = {}
        for constraint in sorted(outlook.constraints, key=lambda one: one.type != "pause"):
            self._stop(constraint)
        for node in graph.nodes:
            if node.index in self._asked and node.options.pause_before:
                if node.options.pause_if is None:
                    self._stopped.setdefault(node.index, ("hold", _AT_A_BREAKPOINT))
                else:
                    self._may_stop[node.index] = held_if(node.options.pause_if)
        for node in graph.nodes:
            if node.index in self._asked and node.index not in self._stopped:
                stopped = (i for i in node.sources if i in self._stopped and i in self._asked)
                first = next(stopped, None)
                if first is not None:
                    action, why = self._stopped[first]
                    own = f"waits for {graph.nodes[first].id}"
                    words = f"it {own}, which is {_STOPPED[action]}"
                    self._stopped[node.index] = action, _Why(words, why.cause, own)
        self._reasons = Reasons(graph, outlook.reuse, outlook.last_seen)
        self._beside = Doubts(graph, outlook.reuse.made, outlook.now, outlook.reuse.answers)

    def plan(self) -> Plan:
        nodes = [node for node in self._graph.nodes if node.kind is not NodeKind.PARAM]
        path, seconds = self._longest_path()
        steps = [dataclasses.replace(self._step(node), seen=self._seen(node)) for node in nodes]
        reads, files, params = self._reads()
        return Plan(self._graph, tuple(steps), path, seconds, reads, files, params)

    def _reads(self) -> tuple[tuple[str, ...], tuple[str, ...], dict[str, str]]:
        """What a run of now will read: kept results, files, parameters."""
        nodes, works = self._graph.nodes, [i for i in sorted(self._asked) if self._works(i)]
        asked = {source for index in works for source in nodes[index].sources}
        asked.update(self._graph.targets)
        files = {path for index in works for path in self._outlook.files.get(index, ())}
        params = {nodes[i].id: v for i, v in sorted(self._outlook.params.items()) if i in asked}
        return (
            tuple(nodes[i].id for i in sorted(asked & (self._found | self._pending))),
            tuple(sorted(files)),
            {name: short_repr(value) for name, value in params.items()},
        )

    def _works(self, index: int) -> bool:
        """Whether a body may run for a node that is asked for."""
        return index not in self._skipped and index not in self._pending

    def _seen(self, node: Node) -> str:
        """What became of a node in the last run that had it."""
        seen = self._outlook.last_seen(node)
        return "" if seen is None else f"run {seen.number}: {node.id} {seen.words}"

    def _step(self, node: Node) -> Step:
        index = node.index
        same = "its code and inputs are the same"
        if index in self._found or (index in self._pending and not self._refused(node)):
            own = _with("", self._condition(node), self._beside.of_result(index))
            return Step(node.id, node.task_name, "reuse", _with(same, own), own=own)
        if index in self._unread:
            return Step(node.id, node.task_name, "reuse", UNREAD[1])
        if index in self._skipped and index in self._asked:
            return self._stays(node, "skip", self._skipped[index])
        if index not in self._asked:
            return self._stays(node, "skip", _Why(UNREAD[1], "not needed by what runs"))
        if self._refused(node):
            cause = "the condition is false, and a value stands for the result"
            words = "its condition is false, and a value stands for its result"
            return self._stays(node, "skip", _Why(words, cause))
        if index in self._stopped:
            return self._stays(node, *self._stopped[index], self._seconds(node))
        reason = self._reasons.of(index)
        doubt = self._condition(node) or self._doubts.get(index)
        more = _with("", doubt, self._may_stop.get(index), self._beside.of_run(index))
        return Step(
            node.id,
            node.task_name,
            "run",
            _with(reason.words, more),
            self._seconds(node),
            reason.lines,
            cause=reason.cause or reason.words,
            own=_with(reason.own, more),
        )

    def _stays(self, node: Node, action: str, why: _Why, seconds: float | None = None) -> Step:
        words, cause, own = why
        return Step(node.id, node.task_name, action, words, seconds, cause=cause, own=own)

    def _skip(self, node: Node) -> _Why | None:
        """Why a node will be skipped, as far as that is known now."""
        condition, nodes = node.control.condition, self._graph.nodes
        if condition is not None and condition in self._skipped:
            return self._as(condition, "its condition {} is skipped")
        for source in node.control.follows:
            if source in self._skipped:
                return self._as(source, "it follows {}, which is skipped")
        if self._refused(node):
            if node.options.otherwise is not NO_ELSE:
                return None
            if condition is None:
                return _Why("its condition is false", "the condition is false")
            which = nodes[condition].id
            return _Why(f"its condition {which} is false", f"the condition `{which}` is false")
        instead = node.options.otherwise is not NO_ELSE and self._condition(node)
        if node.index in self._pending or instead:
            return None
        place = self._graph.place
        for source in node.inputs:
            if source in self._skipped and not has_default(node, source, place):
                return self._as(source, "it needs {}, which is skipped")
        return None

    def _as(self, source: int, words: str) -> _Why:
        """Why a node is skipped as another is."""
        told = words.format(self._graph.nodes[source].id)
        own = told.removeprefix("it ").partition(",")[0]
        return _Why(told, self._skipped[source].cause, own)

    def _demand(self) -> set[int]:
        """The nodes that somebody will ask for and whose results are not there."""
        asked: set[int] = set()
        stack = list(self._graph.targets)
        while stack:
            index = stack.pop()
            if index in asked or index in self._found:
                continue
            asked.add(index)
            node = self._graph.nodes[index]
            # what is skipped for one of its inputs has asked for the others by then
            stack.extend(self._asks_for(node))
        return asked

    def _asks_for(self, node: Node) -> tuple[int, ...]:
        """What a node may need, as far as it is known whether it is to run."""
        control = node.control
        if self._refused(node) or (node.index in self._pending and self._condition(node)):
            return node.deciding
        if node.index in self._pending:
            return node.deciding[:1]
        if control.otherwise and not self._condition(node):
            routes = [route for route in control.routes if route is not None]
            return (*node.inputs, *routes, *control.order, *node.deciding[:1])
        return node.sources

    def _refused(self, node: Node) -> bool:
        """Whether its condition is known not to be true."""
        condition = node.control.condition
        if condition is None:
            return not node.control.wanted
        known = self._outlook.conditions
        return condition in self._skipped or (condition in known and not known[condition])

    def _find_doubts(self) -> dict[int, str]:
        """What a run may find out that it does not need, and why, by index."""
        sure = set(self._graph.targets)
        doubts: dict[int, str] = {}
        for node in reversed(self._graph.nodes):  # whoever reads a node comes before it here
            if node.index not in self._asked:
                continue
            own = None if node.index in sure else doubts.get(node.index)
            asked = self._asks_for(node)
            for edge in node.edges():
                if edge.source not in asked:
                    continue
                doubt = own
                if edge.type is not EdgeType.CONDITION:
                    doubt = self._condition(node) or own
                if edge.source in node.control.routes:
                    doubt = f"only if {node.id} takes it"
                elif self._only_instead(node, edge.source):
                    doubt = f"only if {node.id} is not to run"
                elif edge.source in node.control.follows and node.index not in self._pending:
                    doubt = own
                if doubt is None:
                    sure.add(edge.source)
                else:
                    doubts.setdefault(edge.source, doubt)
        return {index: doubt for index, doubt in doubts.items() if index not in sure}

    def _only_instead(self, node: Node, source: int) -> bool:
        """Whether a node reads a source only if it is not to run, which is not known yet."""
        if self._refused(node) or source not in node.control.otherwise:
            return False
        return node.index in self._pending or source not in node.inputs

    def _condition(self, node: Node) -> str | None:
        """On what it depends whether a node runs, where that is not known yet."""
        condition = node.control.condition
        if condition is None or condition in self._outlook.conditions:
            return None
        return f"only if {self._graph.nodes[condition].id} is true"

    def _stop(self, constraint: Constraint) -> None:
        """Hold what a pause is about, and let queue what a limit of nothing at once is about."""
        words, condition = stops_in_words(constraint), constraint.pause_if
        if words is None and condition is None:
            return
        action = "queue" if constraint.type == "concurrency" else "hold"
        nodes = self._graph.nodes
        for index in nodes_under(constraint.scope, self._graph):
            if index not in self._asked or nodes[index].task is None:
                continue
            if words is None:
                self._may_stop[index] = held_if(condition)
            else:
                self._stopped.setdefault(index, (action, _Why(words, words)))

    def _seconds(self, node: Node) -> float | None:
        """How long a node is expected to work, all its items together."""
        each = self._each(node)
        if each is None or not isinstance(node.lazy, MappedLazyResult):
            return each
        count = length_of(node.lazy)
        return None if count is None else each * count

    def _each(self, node: Node) -> float | None:
        if node.task is None:
            return None
        mean = self._outlook.means.get(node.task_name)
        return self._outlook.seconds.get(node.index, mean) if node.kind is NodeKind.TASK else mean

    def _longest_path(self) -> tuple[tuple[str, ...], float]:
        """The chain of nodes to run that takes longest; the items of a map run side by side."""
        until: dict[int, float] = {}
        before: dict[int, int] = {}
        for node in self._graph.nodes:
            index = node.index
            if index not in self._asked or index in self._skipped or index in self._pending:
                continue
            sources = [source for source in node.sources if source in until]
            last = max(sources, key=lambda one: (until[one], one), default=None)
            if last is not None:
                before[index] = last
            until[index] = (until[last] if last is not None else 0.0) + (self._each(node) or 0.0)
        end = max(until, key=lambda one: (until[one], one), default=None)
        if end is None or not until[end]:
            return (), 0.0
        path = [end]
        while path[-1] in before:
            path.append(before[path[-1]])
        return tuple(self._graph.nodes[i].id for i in reversed(path)), until[end]


def _with(words: str, *more: str | None) -> str:
    """A reason, and what else is to be said."""
    return "; ".join(filter(None, [words, *more]))
