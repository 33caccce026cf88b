"""Estimates when a run will be over: by the longest way that is left, what its attempts took so far
or in earlier runs, and what may run at once.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator, Mapping, Sequence
from time import perf_counter
from typing import Final, NamedTuple

from cascade_nb.concurrency.scarce import has_begun
from cascade_nb.control.constraint import Constraint
from cascade_nb.engine.core.arguments import Expansion
from cascade_nb.engine.core.scheduler import DONE, IDLE
from cascade_nb.engine.core.task_groups import TaskGroup
from cascade_nb.engine.observing.run_view import RunView
from cascade_nb.engine.scopes import nodes_under
from cascade_nb.engine.timing.estimate import Lane, Work, time_left
from cascade_nb.graph.graph import Graph, Node
from cascade_nb.model.lazy.calls import MappedLazyResult, length_of
from cascade_nb.model.lazy.lazy import Lazy

FEW: Final = 300  # nodes of which an estimate is made where it is asked for, and not in a thread
_STOPPING: Final = ("pause", "concurrency", "rate_limit", "breakpoint")
REST: Final = 50  # so many times longer than one took there is no other


class Moment(NamedTuple):
    """A run at one moment, to be thought about without its lock.

    Attributes:
        states: as the scheduler has them, of nodes and of items.
        kinds: by index.
        grown: what mapped nodes grew into.
        place: the index of a lazy value, by its identity.
        seconds: what an attempt took, by task name: in this run, or in earlier ones.
        worked: for how long attempts have been under way, by index.
        constraints: those in force that may be about it.
        waits: seconds until the last attempt that is to be made again is due, by index of a node.
        capacity: how many may run at once where nothing else is said, by queue.
        pools: how much there is of what tasks need.
    """

    graph: Graph
    states: list[int]
    kinds: Sequence[TaskGroup]
    grown: Mapping[int, Expansion]
    place: Mapping[object, int]
    seconds: Mapping[str, float]
    worked: Mapping[int, float]
    constraints: Sequence[Constraint]
    waits: Mapping[int, float]
    capacity: Mapping[str, float]
    pools: Mapping[str, float]


class TimeLeft:
    """What is left of one run, as far as that can be known.

    Args:
        run_id: the run's identity.
        means: by task name, seconds that an attempt took in earlier runs.
    """

    def __init__(self, run_id: str, means: Mapping[str, float]) -> None:
        self._run_id, self._means = run_id, means
        # When that was so on the engine's clock, too: one object, since a thread may change it.
        self._known: tuple[float | None, float] = (None, 0.0)
        self._key: object = None
        self._next = 0.0  # when another may be made, on this machine's
        self._thinking = False

    def __call__(self, view: RunView) -> float | None:
        """Seconds from now to the end; None where nobody knows. Under the engine's lock.

        Of very many nodes it is made in a thread, and this is the last that was.
        """
        now = view.services.clock.now()
        ours = view.services.manager.constraints_on(self._run_id)
        key = len(view.core.state_changes), ours
        if key != self._key and perf_counter() >= self._next and not self._thinking:
            moment = _moment(view, now, self._means, ours)
            if len(moment.graph) <= FEW:
                self._think(moment, key, now)
            else:
                self._thinking = True
                thread = threading.Thread(
                    target=self._think,
                    args=(moment, key, now),
                    name="cascade-estimate",
                    daemon=True,
                )
                if not has_begun(thread):
                    self._thinking = False  # whoever asks next tries
        known, at = self._known
        return None if known is None else max(0.0, known - (now - at))

    def _think(self, moment: Moment, key: object, now: float) -> None:
        began = perf_counter()
        try:
            self._known, self._key = (estimate(moment), now), key
        finally:
            ended = perf_counter()
            self._next = ended + REST * (ended - began)
            self._thinking = False


def _moment(
    view: RunView, now: float, means: Mapping[str, float], ours: Sequence[Constraint]
) -> Moment:
    """Copy what is needed, under the lock."""
    core, manager = view.core, view.services.manager
    timings = core.kinds.timings()
    seconds = {name: took / times for name, (times, took) in timings.items()}
    worked = {
        attempt.index: max(0.0, (attempt.rests_since or now) - attempt.started)
        for attempt in view.in_flight.values()
        if attempt.started is not None and not attempt.abandoned
    }
    waits: dict[int, float] = {}
    for index, due in core.retry_at.items():
        root = core.root_of(index)
        waits[root] = max(waits.get(root, 0.0), due - now)
    queues = {kind.queue for kind in core.kinds.all} - {None, "inline", "async"}
    return Moment(
        core.graph,
        list(core.scheduler.state),
        core.kinds.of,
        dict(core.grown),
        core.results.place,
        {**means, **seconds},
        worked,
        ours,
        waits,
        {queue: view.queues.workers_for(queue).executor.capacity for queue in queues if queue},
        {name: pool.total for name, pool in manager.pools.items()},
    )


def estimate(moment: Moment) -> float | None:
    """Seconds that what is left takes; None where most of it was never measured, or where nothing
    of some of it may run.
    """
    nodes, wanted = moment.graph.nodes, list(_wanted(moment))
    pieces = _pieces(moment)
    measured = unknown = 0
    for i in wanted:
        if nodes[i].task is not None:
            known = nodes[i].task_name in moment.seconds
            measured, unknown = measured + known * pieces[i], unknown + (not known) * pieces[i]
    if unknown > measured:
        return None  # forty tasks that were never seen may take an hour or a moment
    mean = sum(moment.seconds.values()) / max(1, len(moment.seconds))
    lanes = _Lanes(moment)
    works: list[Work] = []
    at: dict[int, tuple[int, ...]] = {}
    for i in wanted:
        node = nodes[i]
        sources = tuple(place for s in node.sources for place in at.get(s, ()))
        seconds = moment.seconds.get(node.task_name, mean) if node.task is not None else 0.0
        grown = moment.grown.get(i)
        kind = moment.kinds[grown.first if grown is not None and grown.count else i]
        total = max(0.0, pieces[i] * seconds - _worked(moment, i, seconds))
        shared = lanes.of(i, kind)
        if shared is None and pieces[i]:
            return None
        at[i] = (len(works),)
        each = total / pieces[i] if pieces[i] else 0.0
        works.append(Work(sources, each, pieces[i], shared or (), id(kind)))
        if i in moment.waits:  # what is tried again, beside what may begin before it is due
            at[i] += (len(works),)
            works.append(Work(sources, moment.waits[i] + seconds))
    return time_left(works, lanes.all)


def _wanted(moment: Moment) -> Iterator[int]:
    """The nodes that are not over and will run, as far as that is known: those that were asked for,
    and what they read.
    """
    nodes, states = moment.graph.nodes, moment.states
    read: set[int] = set()
    for i in range(len(nodes) - 1, -1, -1):
        if states[i] < DONE and (states[i] != IDLE or i in read):
            read.add(i)
            read.update(nodes[i].inputs)
    return (i for i in range(len(nodes)) if i in read and states[i] < DONE)


def _pieces(moment: Moment) -> list[int]:
    """How many pieces of work are left of each node: of a map its items, as many as are expected
    where they are not known.
    """
    counts: list[int] = []  # of items in all, 1 for what is no map
    left: list[int] = []
    sizes: dict[str, list[int]] = {}
    for node in moment.graph.nodes:
        grown = moment.grown.get(node.index)
        if grown is not None:
            counts.append(grown.count)
            sizes.setdefault(node.task_name, []).append(grown.count)
            items = moment.states[grown.first : grown.first + grown.count]
            left.append(sum(state < DONE for state in items))
        else:
            counts.append(_expected(moment, node, counts, sizes))
            left.append(counts[-1])
    return left


def _expected(
    moment: Moment, node: Node, counts: Sequence[int], sizes: Mapping[str, Sequence[int]]
) -> int:
    lazy = node.lazy
    if not isinstance(lazy, MappedLazyResult):
        return 1
    known = length_of(lazy)
    if known is not None:
        return known
    lengths = []
    for collection in lazy.collections.values():
        if isinstance(collection, Lazy):
            place = moment.place.get(collection.identity, -1)
            if 0 <= place < len(counts) and isinstance(collection, MappedLazyResult):
                lengths.append(counts[place])
        else:
            lengths.append(len(collection))
    if lengths and lazy.how == "zip":
        return lengths[0]
    if len(lengths) == len(lazy.collections):
        return math.prod(lengths)
    others = sizes.get(node.task_name)
    return round(sum(others) / len(others)) if others else 1


def _worked(moment: Moment, index: int, seconds: float) -> float:
    """Seconds that are done already of what is under way of a node."""
    grown = moment.grown.get(index)
    if grown is None:
        return min(seconds, moment.worked.get(index, 0.0))
    under_way = (i for i in moment.worked if grown.first <= i < grown.first + grown.count)
    return sum(min(seconds, moment.worked[i]) for i in under_way)


class _Lanes:
    """What nodes share: places where they run, limits, what only one may touch, resources."""

    def __init__(self, moment: Moment) -> None:
        self._moment = moment
        self.all: list[Lane] = []
        self._known: dict[object, int] = {}
        self._of: dict[TaskGroup, list[int] | None] = {}
        stopping = (c for c in moment.constraints if c.type in _STOPPING)
        self._limits = [c for c in stopping if c.pause_if is None]
        self._named = {
            one.key: nodes_under(one.scope, moment.graph)
            for one in self._limits
            if one.scope.kind in ("node", "from")
        }

    def of(self, index: int, kind: TaskGroup) -> tuple[int, ...] | None:
        """The lanes of a node, by number; None where it may not run at all."""
        if kind not in self._of:
            self._of[kind] = self._of_kind(kind)
        found = self._of[kind]
        if found is None:
            return None
        lanes = list(found)
        for one in self._limits:
            if index in self._named.get(one.key, ()):
                lane = self._limit(one)
                if lane is None:
                    return None
                lanes.append(lane)
        return tuple(lanes)

    def _of_kind(self, kind: TaskGroup) -> list[int] | None:
        lanes: list[int | None] = []
        if kind.subject.breaks and kind.subject.pause_if is None:
            return None
        if kind.queue == "inline":
            lanes.append(self._lane("inline", Lane(1)))
        elif kind.queue is not None and kind.queue in self._moment.capacity:
            places = self._moment.capacity[kind.queue]
            lanes.append(self._lane(kind.queue, Lane(places)) if places > 0 else None)
        for one in self._limits:
            whole = one.scope.kind in ("global", "run")
            if whole or one.scope.covers(kind.name, kind.options.tags):
                lanes.append(self._limit(one))
        lanes += [self._lane(("state", state), Lane(1)) for state in kind.subject.states]
        for name, amount in kind.options.needs.items():
            if isinstance(amount, (int, float)) and amount > 0 and name in self._moment.pools:
                places = self._moment.pools[name] / amount
                lanes.append(self._lane((name, amount), Lane(math.floor(places) or 1)))
        return None if None in lanes else [lane for lane in lanes if lane is not None]

    def _limit(self, one: Constraint) -> int | None:
        """The lane of a limit; None where it lets nothing run, as a pause does."""
        if one.type == "rate_limit":
            return self._lane(one.key, Lane(gap=1 / one.rate)) if one.rate else None
        return self._lane(one.key, Lane(one.limit)) if one.limit else None

    def _lane(self, key: object, lane: Lane) -> int:
        if key not in self._known:
            self._known[key] = len(self.all)
            self.all.append(lane)
        return self._known[key]
