"""Counts how the nodes of a run stand, by what changed since the last time.

A run of 100,000 small nodes changes tens of thousands of times between two looks of a panel, and
each look holds up the kernel's loop. So nothing is looked at twice, and inside states are numbers.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Final

from cascade_nb.control.constraint import Constraint, Scope
from cascade_nb.control.explanations import stopper, whose_words
from cascade_nb.control.gates import Gate
from cascade_nb.control.holders import YOU
from cascade_nb.control.manager import ConstraintManager
from cascade_nb.engine.core.arguments import Expansion
from cascade_nb.engine.core.scheduler import DONE, READY, RUNNING, State
from cascade_nb.engine.core.task_groups import NO_WORKERS, Spent, TaskGroup
from cascade_nb.engine.observing.run_view import RunView
from cascade_nb.engine.observing.status import SHOWN, KindStatus, NodeState

_STATES: Final = tuple(NodeState)
_NUMBER: Final = {state: number for number, state in enumerate(_STATES)}
_WAITING: Final = _NUMBER[NodeState.WAITING]
_STOPPED: Final = {"held": _NUMBER[NodeState.HELD], "queued": _NUMBER[NodeState.QUEUED]}
_ASKING: Final = _NUMBER[NodeState.ASKING]
_QUEUED: Final = _NUMBER[NodeState.QUEUED]
_RUNNING: Final = _NUMBER[NodeState.RUNNING]
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
_ORDER: Final = [_NUMBER[state] for state in MOST_URGENT_FIRST]


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
            elif now == READY and index in parked and (gate := _stopper(view, index)) is not None:
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
        """By task name."""
        found: dict[str, Counter[NodeState]] = {}
        for kind, counts in self._counts.items():
            found.setdefault(kind.name, Counter()).update(_named(counts))
        return found

    def items(self, index: int) -> Counter[NodeState] | None:
        """Of the items of a mapped node, once it has grown them."""
        items = self._items.get(index)
        return None if items is None else Counter(_named(items))

    def states(self, indexes: Iterable[int]) -> dict[int, NodeState]:
        """How these nodes of the graph stand."""
        self.catch_up()
        seen, items = self._seen, self._items
        if not items:
            return {index: _STATES[seen[index]] for index in indexes}
        return {i: self.state(i) if i in items else _STATES[seen[i]] for i in indexes}

    def state(self, index: int) -> NodeState:
        """How one node stands."""
        items = self._items.get(index)
        if items is not None and self._view.core.scheduler.state[index] < DONE:
            return _STATES[next(number for number in _ORDER if items[number])]
        return _STATES[_number(self._view, index)]

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
    return _STATES[_number(view, index)]


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
    gate = _stopper(view, index) if core.parked and index in core.parked else None
    if gate is not None:
        return _STOPPED[gate.word]
    if index in core.continuations:
        return _RUNNING
    return _QUEUED if waits_for_a_worker(view, index) else _WAITING


def _stopper(view: RunView, index: int) -> Gate | None:
    """What keeps a node from starting that asked to."""
    return stopper(view.services.manager, view.core.parked[index])


def waits_for_a_worker(view: RunView, index: int) -> bool:
    """Whether a node could start, but for a worker: nothing else keeps it, and it is queued."""
    return (
        view.core.scheduler.state[index] == READY
        and view.core.kinds.of[index].queue not in NO_WORKERS
        and index not in view.core.retry_at
        and index not in view.core.questions
        and index not in view.core.parked
    )


def _waiting(count: int) -> list[int]:
    counts = [0] * len(_STATES)
    counts[_WAITING] = count
    return counts


def _named(counts: list[int]) -> dict[NodeState, int]:
    return dict(zip(_STATES, counts, strict=True))


def kind_status(
    manager: ConstraintManager, name: str, counts: Counter[NodeState], spent: Spent | None
) -> KindStatus:
    """All nodes of one task taken together.

    Args:
        manager: knows its pause and its limit.
        name: of the task.
        counts: how many of them stand how.
        spent: what they took so far.
    """
    scope = Scope("task", name)
    pauses, limits = manager.standing(scope), manager.standing(scope, "concurrency")
    ours = [*pauses, *limits]
    spent = spent or Spent()
    return KindStatus(
        name=name,
        total=sum(counts.values()),
        done=counts[NodeState.DONE] + counts[NodeState.REUSED],
        running=counts[NodeState.RUNNING],
        queued=counts[NodeState.QUEUED],
        held=counts[NodeState.HELD],
        asking=counts[NodeState.ASKING],
        waiting=counts[NodeState.WAITING],
        failed=counts[NodeState.FAILED],
        paused=bool(pauses),
        limit=min((one.limit for one in limits), default=None),
        by=whose_words(ours).strip(),
        others=tuple(dict.fromkeys(_short(one) for one in ours if one.by not in ("", YOU))),
        attempts=spent.attempts,
        seconds=spent.seconds,
        longest=spent.longest,
        cpu=spent.cpu,
        memory=spent.memory,
    )


def _short(constraint: Constraint) -> str:
    """Whose it is, where there is little room."""
    holder = constraint.holder
    short = holder.kind != "person" and not holder.means and not holder.shown
    return holder.name if short else constraint.by


def suspended_of(view: RunView | None, index: int | None = None) -> tuple[int, float | None]:
    """How many attempts are suspended in their processes, and since how many seconds the first is;
    of one node of the graph where one is given. Under the lock.
    """
    if view is None:
        return 0, None
    since = [
        a.rests_since
        for a in view.in_flight.values()
        if a.in_process and a.rests_since is not None
        and (index is None or view.core.root_of(a.index) == index)
    ]  # fmt: skip
    if not since:
        return 0, None
    return len(since), max(0.0, view.services.clock.now() - min(since))


def through_pauses(view: RunView | None) -> int:
    """How many attempts run in other processes that nothing can suspend. Under the lock."""
    return 0 if view is None else sum(a.runs_through_pauses for a in view.in_flight.values())
