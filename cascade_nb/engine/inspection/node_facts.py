"""Tells what is known of one node of a run, or of an item of a map, at one moment."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, Final

from cascade_nb.control.constraint import Scope
from cascade_nb.control.gate_kinds.breakpoints import BreakpointGate
from cascade_nb.engine.core.arguments import Expansion
from cascade_nb.engine.dispatch.failures import Failure
from cascade_nb.engine.inspection.node_inputs import NodeInput, inputs_of, is_there
from cascade_nb.engine.observing.readings import Readings
from cascade_nb.engine.observing.run_view import RunView
from cascade_nb.engine.observing.state_counts import state_of_place
from cascade_nb.engine.observing.status import NodeState
from cascade_nb.errors import UnknownNameError
from cascade_nb.file_stamps import paths_in
from cascade_nb.graph.graph import Graph, Node

_FILES: Final = 50
_FAILURES: Final = 5
_PLACES: Final = {
    "thread": "a thread",
    "processes": "a process",
    "async": "the kernel's loop",
    "inline": "the kernel's loop",
}


_OVER: Final = frozenset(
    {NodeState.DONE, NodeState.REUSED, NodeState.FAILED, NodeState.SKIPPED, NodeState.CANCELLED}
)


@dataclasses.dataclass(frozen=True)
class NodeFacts:
    """A node, or an item, at one moment.

    Attributes:
        id, label, task: as the graph has them.
        kind: "task", "map", "item", "param" or "router".
        attempt, most: the number of the attempt that is or was, and how many there are at most.
        waited: seconds from when it could have begun to when it began; None where nobody knows.
        started: seconds since its last attempt began; None where it has not, or nobody knows.
        took: seconds of its last attempt that is over.
        place: where its body runs; empty for what has none.
        items: of a map that has grown, how many are done and how many there are.
        goes_on: whether it is not over, or items of it are not, one of which may have failed.
        held: whether a pause of exactly this node is in force, or it is held at a breakpoint.
        breaks: whether a breakpoint of exactly this node stands.
        inputs: what it is given.
        files: that it met while it ran, those of everything before it among them.
        failures: the first few, of a map those of its items.
        there: whether its result is in the run's memory.
        value: that result.
        key: under which its result is kept; None where it is not.
    """

    id: str
    label: str
    task: str
    kind: str
    state: NodeState
    attempt: int
    most: int
    waited: float | None
    started: float | None
    took: float | None
    place: str
    items: tuple[int, int] | None
    goes_on: bool
    held: bool
    breaks: bool
    inputs: tuple[NodeInput, ...]
    files: tuple[str, ...]
    failures: tuple[Failure, ...]
    there: bool
    value: Any
    key: str | None


def node_facts(run: Readings, graph: Graph, node: Node, item: int | None) -> NodeFacts | None:
    """What is known of a node or an item just now; None before the run has begun.

    Args:
        run: the run.
        graph: its graph.
        node: one of it.
        item: the number of an item of it; None for the node itself.

    Raises:
        UnknownNameError: there is no such item.
    """

    def read(view: RunView, state_of: Callable[[int], NodeState]) -> NodeFacts | None:
        if view.core.graph is not graph:  # it was edited in this moment
            return None
        index = place_of(view, node, item)
        state = state_of(index) if item is None else state_of_place(view, index)
        return _facts(view, node, index, state)

    return run.look(read)


def place_of(view: RunView, node: Node, item: int | None) -> int:
    """The index of a node, or of an item of it. Under the view's lock.

    Raises:
        UnknownNameError: there is no such item.
    """
    if item is None:
        return node.index
    places = view.core.items(node.index)
    if item >= len(places):
        count = f"has {len(places)}, from 0" if places else "has none yet"
        raise UnknownNameError("item", f"{node.id}[{item}]", (), f"; {node.id} {count}")
    return places[item]


def _facts(view: RunView, node: Node, index: int, state: NodeState) -> NodeFacts:
    core = view.core
    is_item = isinstance(core.results.work[index], Expansion)
    number, began, waited, took = _times(view, node, index)
    retry = core.options_of(index).retry
    there = is_there(view, index)
    own = core.id_of(index)
    failures = [f for f in view.failures if f.task_id == own or f.task_id.startswith(f"{own}[")]
    items, goes_on = None, state not in _OVER
    if not is_item and core.is_expanded(index):
        states = [state_of_place(view, place) for place in core.items(index)]
        goes_on = goes_on or any(one not in _OVER for one in states)
        items = sum(one in (NodeState.DONE, NodeState.REUSED) for one in states), len(states)
    now = view.services.clock.now()
    return NodeFacts(
        id=own,
        label=core.label(index),
        task=node.task_name,
        kind="item" if is_item else node.kind.value,
        state=state,
        attempt=number,
        most=retry.max_attempts if retry is not None else 1,
        waited=waited,
        started=None if began is None else max(0.0, now - began),
        took=took,
        place=_place(view, index) if node.task is not None else "",
        items=items,
        goes_on=goes_on,
        held=_is_held(view, node, None if not is_item else index),
        breaks=view.services.manager.find(Scope("node", node.id), "breakpoint") is not None,
        inputs=tuple(inputs_of(view, index)),
        files=_files(view, index),
        failures=tuple(failures[:_FAILURES]),
        there=there,
        value=core.results.values[index] if there else None,
        key=view.keys.of.get(index),
    )


def at_breakpoints(view: RunView) -> list[int]:
    """What is held at breakpoints, items one by one. Under the view's lock."""
    parked = view.core.parked.items()
    return [index for index, ticket in parked if isinstance(ticket.parked, BreakpointGate)]


def _is_held(view: RunView, node: Node, item: int | None) -> bool:
    if view.services.manager.find(Scope("node", node.id)) is not None:
        return True
    held = at_breakpoints(view)
    return any(view.core.root_of(i) == node.index for i in held) if item is None else item in held


def _times(
    view: RunView, node: Node, index: int
) -> tuple[int, float | None, float | None, float | None]:
    """The number of the attempt; when it began; how long it had waited before; how long it took."""
    core = view.core
    known = view.times.of.get(index)
    going = next((a for a in view.in_flight.values() if a.index == index), None)
    if going is not None and going.started is not None:
        waited = _waited(view, node, going.started) if going.number == 1 else None
        return going.number, going.started, waited, None
    if known is None or index in core.retry_at:
        return core.tries.get(index, 1), None, None, None if known is None else known.took
    waited = _waited(view, node, known.started) if known.number == 1 else None
    return known.number, known.started, waited, known.took


def _waited(view: RunView, node: Node, began: float) -> float | None:
    """Seconds since the last of what it reads was there, or since the run began."""
    times = view.times.of
    ends = [view.began]
    for source in node.sources:
        time = times.get(source)
        if time is not None:
            ends.append(time.started + time.took)
        elif source not in view.core.reused and view.core.graph.nodes[source].task is not None:
            return None  # it left no time behind
    return max(0.0, began - max(ends))


def _place(view: RunView, index: int) -> str:
    queue = view.core.kinds.of[index].queue
    return _PLACES.get(queue or "", "")


def _files(view: RunView, index: int) -> tuple[str, ...]:
    return tuple(sorted(paths_in(view.files.of.get(index, ()))))[:_FILES]
