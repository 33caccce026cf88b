"""Says why a node of a run, or an item of one, stands as it does."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Final

from cascade_nb.advice import advised_answer
from cascade_nb.control.explanations import explain, stopper
from cascade_nb.control.gate_kinds.breakpoints import BreakpointGate
from cascade_nb.control.gates import Gate
from cascade_nb.control.words import count_text, seconds_text
from cascade_nb.engine.asking.question_status import question_of
from cascade_nb.engine.core.arguments import Expansion
from cascade_nb.engine.core.scheduler import CANCELLED, DONE, FAILED, READY, RUNNING, State
from cascade_nb.engine.observing.kind_status import suspended_of
from cascade_nb.engine.observing.line_pauses import pause_in_line, stopper_of, waits_for_a_worker
from cascade_nb.engine.observing.retries import nested_in, retries_of, retry_of
from cascade_nb.engine.observing.run_view import RunView
from cascade_nb.engine.observing.status import SHOWN, NodeState
from cascade_nb.errors import UnknownNameError
from cascade_nb.graph.graph import Graph, Node, NodeKind
from cascade_nb.graph.values.short_repr import short_repr
from cascade_nb.model.lazy.calls import MappedLazyResult
from cascade_nb.model.lazy.lazy import Lazy

#: What is said of coroutines that could begin, but for the loop that they need.
HELD_UP: Final = "waits for the kernel's loop: a cell is running"
_SHOWN: Final = 5  # at most so many of a node's items are spoken of one by one
_INPUT: Final = 80  # characters of an argument of an item
_ITEM: Final = re.compile(r"([^\[\]]+)\[(\d+(?:, ?\d+)*|\w+(?:=|\[\d+\]).*)\]")


def item_of(graph: Graph, name: str) -> tuple[Node, str] | None:
    """The mapped node and the place of the item that ``t[17]`` or ``map(train)[17]`` names, of a
    product also ``t[1, 2]`` or ``t[a=0.1, b='x']``; None where `name` names no item.

    Raises:
        UnknownNameError: the graph has no such node.
    """
    found = _ITEM.fullmatch(name) if isinstance(name, str) else None
    return None if found is None else (node_named(graph, found[1]), found[2])


def node_named(graph: Graph, name: str) -> Node:
    """The node of this name or id, of an item's node, or the only node of this task.

    Raises:
        UnknownNameError: there is none, or the task of this name has several.
    """
    try:
        return graph.node(name)
    except UnknownNameError:
        nodes = [node for node in graph.nodes if name in (node.task_name, node.called)]
        if len(nodes) == 1:
            return nodes[0]
        if not nodes:
            raise
    names = ", ".join(node.id for node in nodes[:_SHOWN]) + (" …" if len(nodes) > _SHOWN else "")
    raise UnknownNameError("node", name, (), f"; it is a task's, whose nodes are {names}")


def why_of(view: RunView, name: str, state_of: Callable[[int], NodeState]) -> list[str]:
    """The reasons, one a line. Call under the view's lock.

    Args:
        name: of a node or an item.
        state_of: how a node of the graph is counted.

    Raises:
        UnknownNameError: there is no such node or item.
    """
    item = item_of(view.core.graph, name)
    if item is not None and item[0].kind is NodeKind.MAP:
        node, place = item
        if name == f"{node.called}[{place}]":
            name = f"{node.label}[{place}]"  # as everything else calls it
        return _why_item(view, name, node, place)
    node = node_named(view.core.graph, name) if item is None else item[0]
    index = node.index
    end = end_of(view, index)
    if end is not None:
        return [f"{node.id} {line}" for line in end]
    asking = [i for i in view.core.questions if view.core.root_of(i) == index]
    if asking:
        return [_asks(view, i) for i in asking[:_SHOWN]]
    given = view.questions.given.get(index)
    if given is not None:
        return [f"{node.id} {given.told(view.services.clock.wall())}"]
    retrying = [i for i in view.core.retry_at if view.core.root_of(i) == index]
    if retrying:
        soonest = sorted(retrying, key=view.core.retry_at.__getitem__)[:_SHOWN]
        return [f"{view.core.id_of(i)} waits: {retry_of(view, i).words}" for i in soonest]
    stopped = _stopped(view, index)
    if stopped:
        return [f"{node.id} {text}" for text in stopped]
    suspended, seconds = suspended_of(view, index)
    if suspended and seconds is not None:
        items = f"{count_text(suspended, 'item')} suspended" if suspended > 1 else "suspended"
        return [f"{node.id} is running, {items} by a pause for {seconds_text(seconds)}"]
    nested = [(task, run) for one, task, run in nested_in(view) if one is node]
    if nested:
        mapped = node.kind is NodeKind.MAP
        some = [
            f"{task if mapped else node.id} is running; {run.in_words}"
            for task, run in nested[:_SHOWN]
        ]
        more = len(nested) - _SHOWN
        return [*some, *([f"and {count_text(more, 'more run')} inside"] if more > 0 else [])]
    elsewhere = _computed_elsewhere(view, index)
    if elsewhere:
        return elsewhere
    again = [retry for retry in retries_of(view) if retry.node == node.id]
    if again:
        return [f"{retry.task} is running: {retry.words}" for retry in again]
    return [_waits(view, index, node.id, state_of(index))]


def _asks(view: RunView, index: int) -> str:
    """What a node or an item asks, since when, and how to answer."""
    asked = question_of(view.core, index, view.services.clock.now())
    assert asked is not None
    how = "" if asked.topic else f"; {advised_answer(asked.name)} answers it"
    return f"{asked.words}, {asked.time_words}{how}"


def _computed_elsewhere(view: RunView, index: int) -> list[str]:
    """What of a node other kernels compute, for this one too."""
    waiting = dict(view.sharing.waiting) if view.sharing is not None else {}
    of_node = [(i, who) for i, who in waiting.items() if view.core.root_of(i) == index]
    return [
        f"{view.core.id_of(i)} waits for {who}, which computes the same just now"
        for i, who in of_node[:_SHOWN]
    ]


def end_of(view: RunView, index: int) -> list[str] | None:
    """What a node that is over without a result has come to, each line after its name: "failed:
    KeyError: 'x'"; None where it has a result or goes on. Call under the view's lock.
    """
    state = view.core.scheduler.state[index]
    if index in view.core.skipped and state != DONE:
        reason, detail = view.core.skipped[index]
        if reason == "UpstreamFailed":
            return [f"was not started: {detail}"]
        return [f"was skipped ({reason}): {detail}"]
    own = [f for f in view.failures if f.task_id.split("[")[0] == view.core.id_of(index)]
    if state == FAILED or (own and state == CANCELLED):  # a map whose other items did not start
        lines = [_failed(f.task, f.task_id, f.attempt, f.text) for f in own[:_SHOWN]]
        more = [f"and {len(own) - _SHOWN} more of its items"] if len(own) > _SHOWN else []
        return [*lines, *more] or ["failed"]
    if state == CANCELLED and view.core.stopping == "failed" and view.failures:
        first = view.failures[0].task
        return [f"was not started: {first} failed and the run stops at the first failure"]
    if state == CANCELLED:
        return ["did not finish: the run was cancelled"]
    return None


def _failed(task: str, task_id: str, attempt: int, text: str) -> str:
    item = f" at {task[task.index('[') :]}" if "[" in task_id else ""
    return f"failed{item}{_attempts(attempt)}: {text}"


def _attempts(number: int) -> str:
    return f" in attempt {number}" if number > 1 else ""


def _why_item(view: RunView, name: str, node: Node, place: str) -> list[str]:
    core = view.core
    places = core.items(node.index)
    if not places:
        over = end_of(view, node.index)
        told = over[0] if over else "has no items yet"
        return [f"{name}: {node.id} {told}"]
    expansion = core.results.work[places[0]]
    assert isinstance(expansion, Expansion)
    number = expansion.number_at(place)
    if number is None or number >= len(places):
        raise UnknownNameError("item", name, (), f"; {node.id} has {len(places)}, from 0")
    index = places[number]
    state = core.scheduler.state[index]
    failures = [f for f in view.failures if f.task_id == core.id_of(index)]
    if failures:
        told = f"failed{_attempts(failures[0].attempt)}: {failures[0].text}"
    elif index in core.skipped:
        told = f"was skipped: {core.skipped[index][1]}"
    elif index in core.questions:
        return [_asks(view, index)]
    elif (given := view.questions.given.get(index)) is not None:
        told = given.told(view.services.clock.wall())
    elif index in core.retry_at:
        told = f"waits: {retry_of(view, index).words}"
    elif (gate := stopper_of(view, index)) is not None:
        ticket = core.parked.get(index)
        told = f"is {gate.word}: {explain(gate, view.services.clock.now(), ticket)}"
    elif state == CANCELLED:
        told = (end_of(view, index) or ["was cancelled"])[0]
    elif waits_for_a_worker(view, index):
        told = _full(view, index)
    else:
        word = SHOWN[State(state)] if state != READY else NodeState.WAITING
        told = f"is {word.value}{_attempts(core.tries.get(index, 1))}"
        if state == RUNNING and index in core.last_errors:
            told = f"is running: {retry_of(view, index).words}"
        inside = [run for run, a in view.nested.items() if a.index == index]
        told += "".join(f"; {run.in_words}" for run in inside[:_SHOWN])
    inputs = failures[0].inputs if failures else _inputs(view, expansion, number)
    return [f"{name} {told}", *([f"its input: {', '.join(inputs)}"] if inputs else [])]


def _inputs(view: RunView, expansion: Expansion, number: int) -> list[str]:
    """A short picture of each argument of an item that is still there: a map that is over keeps
    none of its own.
    """
    lazy = expansion.node.lazy
    assert isinstance(lazy, MappedLazyResult)
    told = []
    for name, value in {**lazy.collections, **lazy.fixed}.items():
        known = value
        if isinstance(value, Lazy):
            index = view.core.results.place.get(value.identity, -1)
            state = view.core.scheduler.state
            if index < 0 or state[index] != DONE or not view.core.results.alive(index, state):
                continue
            known = view.core.results.values[index]
        if name in lazy.collections and lazy.how == "product":
            continue  # the name of the item says it
        if name in lazy.collections:
            known = known[number] if isinstance(known, Sequence) else list(known)[number]
        told.append(f"{name}={short_repr(known, _INPUT)}")
    return told


def _stopped(view: RunView, index: int) -> list[str]:
    """What holds a node, its items or what continues it, or lets them queue, each once; of what is
    held at a breakpoint one is spoken of, and the others are counted. What waits in line is spoken
    of where nothing else is.
    """
    texts: dict[str, None] = {}
    at: dict[Gate, str] = {}
    more: Counter[str] = Counter()
    now = view.services.clock.now()
    for item, ticket in view.core.parked.items():
        if view.core.root_of(item) != index:
            continue
        gate = stopper(view.services.manager, ticket)
        if gate is None:
            continue
        if gate in at:
            more[at[gate]] += 1
            continue
        text = f"is {gate.word}: {explain(gate, now, ticket)}"
        texts[text] = None
        if isinstance(gate, BreakpointGate):
            at[gate] = text
    if not texts and (paused := pause_in_line(view, index)) is not None:
        return [f"is {paused.word}: {explain(paused, now)}"]
    rest = {text: f"; so are {more[text]:,} more of its items" for text in more}
    return [text + rest.get(text, "") for text in texts]


def idle_for(view: RunView) -> str | None:
    """What keeps nodes from starting that no constraint stops: no loop for them, or no worker."""
    if view.queues.loop_is_held_up:
        return HELD_UP
    for places, heap in view.queues.elsewhere.items():
        lacks: str | None = getattr(places.executor, "lacks", None)
        if lacks is None:
            continue
        handed = (one for one in view.in_flight.values() if one.workers is places)
        if heap or any(one.started is None for one in handed):
            return lacks
    return None


def dashboards_of(view: RunView | None) -> tuple[str, ...]:
    """Where the clusters that a run uses show what they do."""
    places = () if view is None else tuple(view.queues.elsewhere)
    links = (getattr(one.executor, "dashboard", None) for one in places)
    return tuple(dict.fromkeys(filter(None, links)))


def _full(view: RunView, index: int) -> str:
    """What to say of a node that nothing keeps but that no worker is free."""
    queue = view.core.kinds.of[index].queue
    assert queue is not None
    workers = view.queues.workers_for(queue)
    there, lost = workers.executor.capacity, workers.lost
    if not there:
        lacks = getattr(workers.executor, "lacks", None)
        return f"is queued: {lacks or 'no worker of its cluster is there'}"
    noun = getattr(workers.executor, "noun", "thread")
    busy = f"the only {noun} is busy" if there == 1 else f"all {count_text(there, noun)} are busy"
    more = f"; {lost} more are left with tasks that cannot be stopped" if lost else ""
    return f"is queued: {busy}{more}"


def _waits(view: RunView, index: int, name: str, state: NodeState) -> str:
    waiting = Counter(view.core.label(i) for i in view.core.scheduler.waiting_for(index))
    if state is NodeState.WAITING and waiting:
        told = [f"{n} of {label}" if n > 1 else label for label, n in waiting.items()]
        rest = [f"{len(told) - _SHOWN} others"] if len(told) > _SHOWN else []
        return f"{name} waits for {', '.join([*told[:_SHOWN], *rest])}"
    if state is NodeState.QUEUED:  # by no limit of anybody's, which was said before
        return f"{name} {_full(view, index)}"
    if state is NodeState.WAITING and view.core.scheduler.state[index] == READY:
        is_late = view.core.kinds.of[index].queue == "async" and view.queues.loop_is_held_up
        return f"{name} {HELD_UP if is_late else 'is ready and about to start'}"
    return f"{name} is {state.value}{_attempts(view.core.tries.get(index, 1))}"
