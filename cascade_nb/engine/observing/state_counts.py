"""Counts how the nodes of a run stand, by what changed since the last time.

A run of 100,000 small nodes changes tens of thousands of times between two looks of a panel, and
each look holds up the kernel's loop. So nothing is looked at twice, and inside states are numbers.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Final

from cascade_nb.control.gates import Gate
from cascade_nb.engine.core.arguments import Expansion
from cascade_nb.engine.core.scheduler import CANCELLED, DONE, READY, RUNNING, State
from cascade_nb.engine.core.task_groups import TaskGroup
from cascade_nb.engine.observing.line_pauses import LinePauses, waits_for_a_worker
from cascade_nb.engine.observing.run_view import RunView
from cascade_nb.engine.observing.status import SHOWN, NodeState

_STATES: Final = tuple(NodeState)
_NUMBER: Final = {state: number for number, state in enumerate(_STATES)}
_WAITING: Final = _NUMBER[NodeState.WAITING]
_STOPPED: Final = {"held": _NUMBER[NodeState.HELD], "queued": _NUMBER[NodeState.QUEUED]}
_ASKING: Final = _NUMBER[NodeState.ASKING]
_QUEUED: Final = _NUMBER[NodeState.QUEUED]
_RUNNING: Final = _NUMBER[NodeState.RUNNING]
_FAILED: Final = _NUMBER[NodeState.FAILED]
_DONE: Final = _NUMBER[NodeState.DONE]
_REUSED: Final = _NUMBER[NodeState.REUSED]
_SHOWN: Final = [_NUMBER[SHOWN[state]] for state in State]  # by the scheduler's number
_PLAIN: Final = [
    n if state >= RUNNING else _WAITING for state, n in zip(State, _SHOWN, strict=True)
]

#: All states, what people look for first. A mapped node whose items are not over is in the first
#: of these that one of them is in.
MOST_URGENT_FIRST: Final = (
    NodeState.FAILED,
    NodeState.ASKING,
    NodeState.RUNNING,
    NodeState.HELD,
    NodeState.QUEUED,
    NodeState.CANCELLED,
    NodeState.WAITING,
    NodeState.SKIPPED,
    NodeState.DONE,
    NodeState.REUSED,
)


class StateCounts:
    """How many nodes of one view stand how. Everything is called under the engine's lock."""

    def __init__(self, view: RunView) -> None:
        self._view = view
        self._own = len(view.core.graph.nodes)
        self._counting = False
        self._read = 0  # so much of the log is counted
        self._seen: list[int] = []  # by index, as what a node or an item is counted
        self._counts: dict[TaskGroup, list[int]] = {}
        self._items: dict[int, list[int]] = {}  # by mapped node

    def catch_up(self) -> None:
        """Count what changed since the last time; not where a finalizer asks in the middle of that,
        or of a node's growing.
        """
        core = self._view.core
        if self._counting or len(core.kinds.of) != len(core.scheduler.state):
            return
        self._counting = True
        try:
            self._count()
        finally:
            self._counting = False

    def _count(self) -> None:
        view, log = self._view, self._view.core.state_changes
        if not self._counts and self._count_plain():
            self._read = len(log)
            return
        changed = set(log[self._read :])
        if not self._counts:
            self._enter_all()
            # No change in the log says it of these.
            changed.update(view.core.reused, view.core.carried, view.core.graph.param_indexes)
        self._read = len(log)
        for index, expansion in view.core.grown.items():
            if index < self._own and index not in self._items:
                self._expanded(index, expansion)
        of, state, seen, own = view.core.kinds.of, view.core.scheduler.state, self._seen, self._own
        reused, carried, parked = view.core.reused, view.core.carried, view.core.parked
        seen.extend([_WAITING] * (len(state) - len(seen)))
        for index in changed:
            now = state[index]
            if now >= DONE and index not in reused and index not in carried:
                new = _SHOWN[now]
            elif now == READY and index in parked and (gate := parked[index].parked) is not None:
                new = _STOPPED[gate.word]
            else:
                new = _number(self._view, index)
            old = seen[index]
            if old == new:
                continue
            if index >= own:
                work = view.core.results.work[index]
                if not isinstance(work, Expansion) or work.node.index >= own:
                    continue  # it continues another, which counts
                items = self._items[work.node.index]
                items[old] -= 1
                items[new] += 1
            elif index in self._items:
                continue
            seen[index] = new
            if of[index].queue is not None:
                counts = self._counts[of[index]]
                counts[old] -= 1
                counts[new] += 1

    def kinds(self) -> dict[str, Counter[NodeState]]:
        """By task name. What is in line below a pause is held."""
        found: dict[str, Counter[NodeState]] = {}
        pauses = LinePauses(self._view)
        held: Counter[TaskGroup] = Counter()
        for index in pauses.on_nodes:
            if queued := self._queued(index):
                held[self._kind_at(index)] += queued
        for kind, counts in self._counts.items():
            of_task = found.setdefault(kind.name, Counter())
            of_task.update(_named(counts))
            queued = counts[_QUEUED] if pauses.on_kind(kind) else held[kind]
            of_task[NodeState.QUEUED] -= queued
            of_task[NodeState.HELD] += queued
        return found

    def items(self, index: int) -> Counter[NodeState] | None:
        """Of the items of a mapped node, once it has grown them."""
        return self._items_of(index, LinePauses(self._view)) if index in self._items else None

    def states(self, indexes: Iterable[int]) -> dict[int, NodeState]:
        """How these nodes of the graph stand."""
        self.catch_up()
        seen, items, pauses = self._seen, self._items, LinePauses(self._view)
        found: dict[int, NodeState] = {}
        for index in indexes:
            if index in items:
                found[index] = self._state(index, pauses)
            elif seen[index] == _QUEUED and pauses.over(index):
                found[index] = NodeState.HELD
            else:
                found[index] = _STATES[seen[index]]
        return found

    def state(self, index: int) -> NodeState:
        """How one node stands."""
        return self._state(index, LinePauses(self._view))

    def holding(self) -> Gate | None:
        """A pause below which something is in line."""
        pauses = LinePauses(self._view)
        queued = (kind for kind, counts in self._counts.items() if counts[_QUEUED])
        over = (gate for kind in queued if (gate := pauses.on_kind(kind)) is not None)
        named = (gate for index, gate in pauses.on_nodes.items() if self._queued(index))
        return next(over, None) or next(named, None)

    def _state(self, index: int, pauses: LinePauses) -> NodeState:
        now = self._view.core.scheduler.state[index]
        if index in self._items and now < DONE:
            items = self._items_of(index, pauses)
            return next(state for state in MOST_URGENT_FIRST if items[state])
        if index in self._items and now == CANCELLED and self._items[index][_FAILED]:
            # Where a run stops at the failure of an item, its mapped node is cancelled with the
            # rest; yet it is what people look for.
            return NodeState.FAILED
        number = _number(self._view, index)
        return NodeState.HELD if number == _QUEUED and pauses.over(index) else _STATES[number]

    def _items_of(self, index: int, pauses: LinePauses) -> Counter[NodeState]:
        items = Counter(_named(self._items[index]))
        # All of them are in line, or at the same limit: one tells of all.
        if items[NodeState.QUEUED] and pauses.over(self._view.core.grown[index].first):
            items[NodeState.HELD] += items.pop(NodeState.QUEUED)
        return items

    def _kind_at(self, index: int) -> TaskGroup:
        """As what a node is counted: as its items, where it has grown them."""
        of = self._view.core.kinds.of
        return of[self._view.core.grown[index].first if index in self._items else index]

    def _queued(self, index: int) -> int:
        """How many a node stands for are in line: itself, or its items."""
        items = self._items.get(index)
        return int(self._seen[index] == _QUEUED) if items is None else items[_QUEUED]

    def _count_plain(self) -> bool:
        """Count all nodes and items at once, for whoever looks for the first time when much has
        happened, as at the end of a run. False where continuations or parked nodes make it a longer
        story.
        """
        view, own = self._view, self._own
        state, grown = view.core.scheduler.state, view.core.grown
        items = sum(expansion.count for expansion in grown.values())
        if len(state) > own + items or view.core.parked or any(index >= own for index in grown):
            return False
        self._enter_all()
        there = items or view.core.reused or view.core.carried
        if not there and state.count(DONE) == own:
            self._seen = [_DONE] * own
            for counts in self._counts.values():
                counts[_DONE], counts[_WAITING] = counts[_WAITING], 0
            return True
        for index, expansion in grown.items():
            self._expanded(index, expansion)
        seen = self._seen = [_PLAIN[now] for now in state]
        if READY in state:
            for index in [index for index, now in enumerate(state) if now == READY]:
                seen[index] = _number(self._view, index)
        for indexes, number in ((view.core.reused, _REUSED), (view.core.carried, _DONE)):
            for index in indexes:
                seen[index] = number
        for (kind, number), count in Counter(zip(view.core.kinds.of, seen, strict=True)).items():
            if kind.queue is not None:
                counts = self._counts[kind]
                counts[_WAITING] -= count
                counts[number] += count
        for index, expansion in grown.items():
            of_items = seen[expansion.first : expansion.first + expansion.count]
            for number, count in Counter(of_items).items():
                self._items[index][_WAITING] -= count
                self._items[index][number] += count
            kind = view.core.kinds.of[index]
            if kind.queue is not None:  # the node itself counts as its items
                self._counts[kind][seen[index]] -= 1
                self._counts[kind][_WAITING] += 1
        return True

    def _enter_all(self) -> None:
        """At first everything waits."""
        for kind, count in Counter(self._view.core.kinds.of[: self._own]).items():
            if kind.queue is not None:  # parameters and routers are no work
                self._counts[kind] = _waiting(count)

    def _expanded(self, index: int, expansion: Expansion) -> None:
        """A mapped node counted as one so far counts as its items from now on."""
        of = self._view.core.kinds.of
        seen = self._seen
        self._counts[of[index]][seen[index] if index < len(seen) else _WAITING] -= 1
        self._items[index] = _waiting(expansion.count)
        if expansion.count:
            counts = self._counts.setdefault(of[expansion.first], _waiting(0))
            counts[_WAITING] += expansion.count


def state_of_place(view: RunView, index: int) -> NodeState:
    """How a node or an item stands, of a mapped node itself; under the engine's lock."""
    number = _number(view, index)
    held = number == _QUEUED and LinePauses(view).over(index)
    return NodeState.HELD if held else _STATES[number]


def _number(view: RunView, index: int) -> int:
    core = view.core
    if core.carried and index in core.carried:
        return _DONE
    if core.reused and index in core.reused:
        return _REUSED
    state = core.scheduler.state[index]
    if state >= RUNNING:
        return _SHOWN[state]
    if index in core.questions:
        return _ASKING
    gate = core.parked[index].parked if core.parked and index in core.parked else None
    if gate is not None:
        return _STOPPED[gate.word]
    if index in core.continuations:
        return _RUNNING
    return _QUEUED if waits_for_a_worker(view, index) else _WAITING


def _waiting(count: int) -> list[int]:
    counts = [0] * len(_STATES)
    counts[_WAITING] = count
    return counts


def _named(counts: list[int]) -> dict[NodeState, int]:
    return dict(zip(_STATES, counts, strict=True))
