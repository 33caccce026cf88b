"""Follows why a node does not run to the node, the pause or the limit that it comes down to."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

from cascade_nb.control.explanations import stopper
from cascade_nb.control.gate_kinds.breakpoints import BreakpointGate
from cascade_nb.engine.core.scheduler import DONE
from cascade_nb.engine.observing.answers import why_of
from cascade_nb.engine.observing.line_pauses import pause_in_line
from cascade_nb.engine.observing.readings import Readings
from cascade_nb.engine.observing.run_view import RunView
from cascade_nb.engine.observing.status import NodeState
from cascade_nb.graph.graph import Graph

_MOST: Final = 12  # steps that are told

_STANDS: Final = (NodeState.WAITING, NodeState.SKIPPED, NodeState.CANCELLED)


class Cause(NamedTuple):
    """One step on the way from a node to what holds it.

    Attributes:
        node: its id.
        lines: why it stands as it does.
        pause: the scope with which it goes on: of the pause that holds it, or its own where it is
            held at a breakpoint; empty where neither holds it.
    """

    node: str
    lines: tuple[str, ...]
    pause: str


def causes_of(run: Readings, graph: Graph, index: int) -> list[Cause]:
    """What a node waits for, what that waits for, and so on, the node itself left out.

    Args:
        run: the run.
        graph: its graph.
        index: of the node.
    """

    def read(view: RunView, state_of: Callable[[int], NodeState]) -> list[Cause]:
        found: list[Cause] = []
        seen = {index}
        at: int | None = _before(view, index, state_of)
        while at is not None and at not in seen and len(found) < _MOST:
            seen.add(at)
            node = graph.nodes[at]
            found.append(Cause(node.id, tuple(why_of(view, node.id, state_of)), pause_of(view, at)))
            at = _before(view, at, state_of)
        return found

    return run.look(lambda view, of: read(view, of) if view.core.graph is graph else []) or []


def pause_of(view: RunView, index: int) -> str:
    """With which scope a node, or one of its items, goes on. Under the view's lock."""
    for item, ticket in view.core.parked.items():
        if view.core.root_of(item) == index:
            gate = stopper(view.services.manager, ticket)
            if isinstance(gate, BreakpointGate):
                return f"node:{view.core.graph.nodes[index].id}"
            constraint = None if gate is None else gate.constraint
            if constraint is not None and constraint.type == "pause":
                return str(constraint.scope)
    paused = pause_in_line(view, index)
    constraint = None if paused is None else paused.constraint
    return str(constraint.scope) if constraint is not None and constraint.type == "pause" else ""


def _before(view: RunView, index: int, state_of: Callable[[int], NodeState]) -> int | None:
    """Of what a node comes after, that which keeps it: what failed, else what goes on longest."""
    if state_of(index) not in _STANDS:
        return None
    nodes = view.core.graph.nodes
    sources = [s for s in nodes[index].sources if s < len(nodes)]
    failed = [s for s in sources if state_of(s) is NodeState.FAILED]
    left = [s for s in sources if state_of(s) in (NodeState.SKIPPED, NodeState.CANCELLED)]
    open_ = [s for s in sources if view.core.scheduler.state[s] < DONE]
    if state_of(index) is NodeState.WAITING:
        return next(iter(open_), None)
    return next(iter([*failed, *left]), None)
