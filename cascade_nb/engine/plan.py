"""What a run would do, said before anything runs."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Mapping

from cascade_nb.control.constraint import Scope
from cascade_nb.control.manager import ConstraintManager
from cascade_nb.control.words import count_text, seconds_text
from cascade_nb.engine.reuse import Reuse
from cascade_nb.graph.graph import Graph, Node, NodeKind

_SHOWN = 40


@dataclasses.dataclass(frozen=True)
class Step:
    """What would become of one node.

    Attributes:
        node: its id.
        action: "run", "reuse", "skip" or "hold".
        reason: why, in words.
        seconds: how long it is expected to take, where earlier runs tell.
    """

    node: str
    action: str
    reason: str
    seconds: float | None = None


@dataclasses.dataclass(frozen=True)
class Plan:
    """What a run would do, node by node, in an order in which it could."""

    title: str
    steps: tuple[Step, ...]

    @property
    def counts(self) -> Counter[str]:
        """How many nodes there are of each action."""
        return Counter(step.action for step in self.steps)

    @property
    def summary(self) -> str:
        """The plan in one line."""
        counts = self.counts
        words = [
            f"{counts[action]:,} to {action}"
            for action in ("run", "reuse", "skip", "hold")
            if counts[action]
        ]
        known = [s.seconds for s in self.steps if s.action == "run" and s.seconds is not None]
        time = f"; about {seconds_text(sum(known))} of work" if known else ""
        return f"{self.title}: " + (", ".join(words) or "nothing to do") + time

    def __str__(self) -> str:
        lines = [self.summary]
        width = max((len(step.node) for step in self.steps[:_SHOWN]), default=0)
        for step in self.steps[:_SHOWN]:
            time = f", about {seconds_text(step.seconds)}" if step.seconds is not None else ""
            lines.append(f"  {step.action:<6} {step.node:<{width}}  {step.reason}{time}")
        if len(self.steps) > _SHOWN:
            lines.append(f"  … and {count_text(len(self.steps) - _SHOWN, 'more node')}")
        return "\n".join(lines)

    __repr__ = __str__


def plan_of(
    graph: Graph, reuse: Reuse, constraints: ConstraintManager, means: Mapping[str, float]
) -> Plan:
    """The plan of a run.

    Args:
        graph: what would run.
        reuse: what is there already.
        constraints: what is not allowed now.
        means: seconds by task name, from earlier runs.
    """
    steps = []
    for node in graph.nodes:
        if node.kind is NodeKind.PARAM:
            continue
        steps.append(_step(node, graph, reuse, constraints, means))
    return Plan(graph.title, tuple(steps))


def _step(
    node: Node,
    graph: Graph,
    reuse: Reuse,
    constraints: ConstraintManager,
    means: Mapping[str, float],
) -> Step:
    if node.index in reuse.found:
        return Step(node.id, "reuse", "its result stands")
    if node.index not in reuse.wanted:
        return Step(node.id, "skip", "nothing that runs needs it")
    if not node.control.wanted:
        return Step(node.id, "skip", "its condition is false")
    seconds = means.get(node.task_name)
    pause = _pause_over(node, constraints)
    if pause is not None:
        return Step(node.id, "hold", f"{pause.words} is paused", seconds)
    if node.index in reuse.keys:
        return Step(node.id, "run", "no result of this code and these inputs is kept", seconds)
    if node.name is None and node.index not in graph.targets:
        return Step(node.id, "run", "results of unnamed nodes are not kept", seconds)
    return Step(node.id, "run", "its result cannot be kept for reuse", seconds)


def _pause_over(node: Node, constraints: ConstraintManager) -> Scope | None:
    for constraint in constraints.constraints():
        scope = constraint.scope
        if constraint.type != "pause":
            continue
        held = (
            scope.kind == "global"
            or (scope.kind == "task" and scope.matches(node.task_name))
            or (scope.kind == "tag" and any(map(scope.matches, node.options.tags)))
            or (scope.kind == "node" and scope.value in (node.name, node.id))
        )
        if held:
            return scope
    return None
