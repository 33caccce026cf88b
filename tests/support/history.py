"""Judges any run by what was told of it, and by nothing else.

The events of a bus in their order, and the graphs that were run, say whether the engine kept its
promises: order, one start for each permitted attempt, pauses, limits, rates, resources, and a last
event that is the last.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Collection, Iterable, Mapping

from cascade_nb.events.events import (
    Event,
    ResourceAcquired,
    ResourceReleased,
    RunFinished,
    RunStarted,
    TaskBlocked,
    TaskEvent,
    TaskExecutionFinished,
    TaskExecutionStarted,
    TaskProgress,
    TaskRetrying,
    TaskSkipped,
)
from cascade_nb.events.outside_events import ConstraintApplied, ConstraintLifted
from cascade_nb.graph.graph import EdgeType, Graph, Node, NodeKind
from tests.support.oracle import ControlOracle, Facts, covers


def check_history(
    events: Iterable[Event],
    graphs: Mapping[str, Graph],
    *,
    totals: Mapping[str, float] | None = None,
    stopping: Collection[str] = (),
    continued: Collection[str] = (),
    lag: float = 0.0,
) -> None:
    """Fail when the events tell of a promise that was broken.

    Args:
        events: everything a bus told since before the first run.
        graphs: by run, what was run.
        totals: the engine's resources.
        stopping: the runs that start nothing new after a failure.
        continued: ids of nodes that may return lazy values. When their bodies ended is not told, so
            they are not counted against limits.
        lag: seconds that may pass between an admission and its start, by which rates look uneven.
    """
    history = History(graphs, totals or {}, stopping, continued, lag)
    for number, event in enumerate(events):
        problem = history.hear(event)
        assert problem is None, f"event {number}, {event}: {problem}"
    left = history.unfinished()
    assert not left, f"these runs never ended: {left}"


@dataclasses.dataclass
class _Record:
    """What was told of a node: `state` is "", running, waiting (for its next attempt) or an end."""

    state: str = ""
    attempt: int = 0


class _Story:
    """One run as it was told."""

    def __init__(self, run_id: str, graph: Graph) -> None:
        self.run_id = run_id
        self.graph = graph
        self.nodes = {node.id: node for node in graph.nodes}
        self.records: dict[str, _Record] = {}
        self.state = ""
        self.failed = False
        self.read_maps: set[str] = set()
        self.open_resources: Counter[tuple[str, str]] = Counter()
        self._above: list[frozenset[str]] = []
        for node in graph.nodes:
            own = {node.id, *([node.name] if node.name else [])}
            self._above.append(
                frozenset(own).union(*(self._above[edge.source] for edge in node.edges()))
            )

    def node(self, task_id: str) -> Node | None:
        """The node of an id, the mapped one for an item; None for one that was added meanwhile."""
        return self.nodes.get(task_id) or self.nodes.get(task_id.partition("[")[0])

    def facts(self, event: TaskEvent) -> Facts:
        """What scopes ask of it."""
        node = self.node(event.task_id)
        if node is None:
            return Facts(self.run_id, event.task_name)
        needs = {n: a for n, a in node.options.needs.items() if isinstance(a, (int, float))}
        return Facts(
            run=self.run_id,
            task=event.task_name,
            tags=node.options.tags,
            names=frozenset({node.id, node.name or node.id}),
            downstream_of=self._above[node.index],
            needs=needs,
        )

    def record(self, task_id: str) -> _Record:
        return self.records.setdefault(task_id, _Record())

    def items(self, node: Node) -> dict[str, _Record]:
        """What was told of the items of a mapped node."""
        start = f"{node.id}["
        return {key: record for key, record in self.records.items() if key.startswith(start)}

    def end_of(self, node: Node) -> str | None:
        """How a node ended, as far as that was told or follows; None when it goes on."""
        state = self.record(node.id).state
        if state not in ("", "running", "waiting"):
            return state
        if node.kind is NodeKind.PARAM:
            return "completed"
        if node.kind is NodeKind.TASK:
            return None
        sources = [self.end_of(self.graph.nodes[i]) for i in node.inputs]
        if None in sources:
            return None
        if node.kind is NodeKind.MAP:
            states = {record.state for record in self.items(node).values()}
            return None if {"running", "waiting"} & states else "completed"
        routes = node.control.routes
        ends = ["completed" if r is None else self.end_of(self.graph.nodes[r]) for r in routes]
        return "completed" if any(ends) else None


class History:
    """Hears events one after the other and says what is wrong with the first that is."""

    def __init__(
        self,
        graphs: Mapping[str, Graph],
        totals: Mapping[str, float],
        stopping: Collection[str],
        continued: Collection[str],
        lag: float,
    ) -> None:
        self._stories = {run_id: _Story(run_id, graph) for run_id, graph in graphs.items()}
        self._control = ControlOracle(totals)
        self._stopping = stopping
        self._continued = continued
        self._lag = lag

    def unfinished(self) -> list[str]:
        """The runs whose end was not told."""
        return [s.run_id for s in self._stories.values() if s.state == "started"]

    def hear(self, event: Event) -> str | None:
        """What is wrong with `event` after all those before it."""
        if isinstance(event, ConstraintApplied):
            self._control.apply(
                event.scope, event.type, event.timestamp, event.params, None, event.holder
            )
            return None
        if isinstance(event, ConstraintLifted):
            gone = self._control.lift(event.scope, event.type, event.holder, alone=True)
            return None if gone else "it was not in force"
        story = self._stories.get(event.run_id)
        if story is None:
            return None  # it concerns the engine, or a run that nobody asked about
        return self._of_run(story, event)

    def _of_run(self, story: _Story, event: Event) -> str | None:
        if story.state == "finished":
            return "its run was over"
        if isinstance(event, RunStarted):
            story.state, before = "started", story.state
            return "its run had begun" if before else None
        if isinstance(event, RunFinished):
            story.state, before = "finished", story.state
            return self._run_finished(story, event, before)
        if story.state != "started":
            return "its run had not begun"
        if isinstance(event, (ResourceAcquired, ResourceReleased)):
            gone = isinstance(event, ResourceReleased)
            story.open_resources[event.resource, event.scope] += -1 if gone else 1
            return "closed more often than opened" if -story.open_resources else None
        assert isinstance(event, TaskEvent), event
        record = story.record(event.task_id)
        if isinstance(event, TaskExecutionStarted):
            return self._started(story, event, record)
        if isinstance(event, TaskRetrying):
            return self._retrying(story, event, record)
        if isinstance(event, TaskExecutionFinished):
            return self._finished(story, event, record)
        if isinstance(event, TaskSkipped):
            return self._skipped(story, event, record)
        if isinstance(event, TaskBlocked):
            return f"it is {record.state}" if record.state not in ("", "waiting") else None
        assert isinstance(event, TaskProgress), event
        return None if record.state == "running" else "it does not run"

    def _started(self, story: _Story, event: TaskExecutionStarted, record: _Record) -> str | None:
        if record.state not in ("", "waiting"):
            return f"it is {record.state} already"
        if event.attempt != record.attempt + 1:
            return f"attempt {event.attempt} after attempt {record.attempt}"
        if story.failed and story.run_id in self._stopping:
            return "something had failed, and nothing new was to start"
        record.state, record.attempt = "running", event.attempt
        node = story.node(event.task_id)
        late = self._too_early(story, node) if node is not None else None
        if late is not None:
            return late
        return self._forbidden(story, event, node)

    def _too_early(self, story: _Story, node: Node) -> str | None:
        """What it should have waited for."""
        if node.id in story.read_maps:
            return "the result of its map was used already"
        for edge in node.edges():
            source = story.graph.nodes[edge.source]
            end = story.end_of(source)
            if end is None:
                return f"{source.id} is not over"
            if end in ("failed", "cancelled", "UpstreamFailed"):
                return f"{source.id} ended as {end}"
            if source.kind is NodeKind.MAP and edge.type is not EdgeType.ORDER:
                story.read_maps.add(source.id)
        return None

    def _forbidden(
        self, story: _Story, event: TaskExecutionStarted, node: Node | None
    ) -> str | None:
        """Which constraint should have held it."""
        facts = story.facts(event)
        now = event.timestamp
        slack = 1e-6
        for rule in self._control.rules.values():
            if rule.type == "rate_limit" and covers(rule.scope, facts):
                slack = max(slack, float(rule.rate) * self._lag)
        why = self._control.against(facts, now, tolerance=slack)
        key = (story.run_id, event.task_id)
        self._control.enter(key, facts, now)
        if node is None or event.task_id.partition("[")[0] in self._continued:
            self._control.leave(key)
        return "; ".join(why) or None

    def _retrying(self, story: _Story, event: TaskRetrying, record: _Record) -> str | None:
        if record.state != "running":
            return f"it is {record.state or 'not begun'}"
        self._leave(story, event)
        record.state = "waiting"
        if event.attempt != record.attempt + 1:
            return f"attempt {event.attempt} after attempt {record.attempt}"
        node = story.node(event.task_id)
        if node is None:
            return None
        retry = node.options.retry
        most = 1 if retry is None else retry.max_attempts
        return None if event.attempt <= most else f"there are only {most} attempts"

    def _finished(self, story: _Story, event: TaskExecutionFinished, record: _Record) -> str | None:
        story.failed |= event.status == "failed"
        if record.state == "" and event.status == "failed":
            record.state = event.status  # it failed before its body could begin
            return None
        if record.state != "running":
            return f"it is {record.state or 'not begun'}"
        self._leave(story, event)
        record.state = event.status
        if event.attempt != record.attempt:
            return f"that is the end of attempt {record.attempt}"
        return None

    def _skipped(self, story: _Story, event: TaskSkipped, record: _Record) -> str | None:
        before, record.state = record.state, event.reason
        if before == "running":
            known = story.node(event.task_id) is not None
            if known and event.task_id.partition("[")[0] not in self._continued:
                return "it runs"
            return None
        return f"it is {before}" if before else None

    def _run_finished(self, story: _Story, event: RunFinished, before: str) -> str | None:
        if before != "started" and event.status == "succeeded":
            return "it had not begun"
        running = [key for key, record in story.records.items() if record.state == "running"]
        if len(running) > len(event.still_running):
            return f"{running} have no end, and {event.still_running} are said to run still"
        left_behind = running or event.still_running  # also one whose end was told already
        left = [key for key in +story.open_resources if key[1] == "run" or not left_behind]
        if left:  # a task that runs still may have its own
            return f"{left} were not closed"
        for key in running:
            self._leave(story, TaskEvent(task_id=key))
        if event.status != "succeeded":
            return None
        if story.failed:
            return "something had failed"
        ends = {
            story.graph.nodes[i].id: story.end_of(story.graph.nodes[i]) for i in story.graph.targets
        }
        bad = {key: end for key, end in ends.items() if end not in ("completed", "Reused")}
        return f"its targets ended as {bad}" if bad else None

    def _leave(self, story: _Story, event: TaskEvent) -> None:
        key = (story.run_id, event.task_id)
        if key in self._control.inside:
            self._control.leave(key)
