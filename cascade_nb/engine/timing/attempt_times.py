"""Remembers when attempts at nodes began and ended, and when the run was paused meanwhile.

Writing down is an append. What is old is put together by kind and by time, so that a run of any
length takes the same little room; who looks at it copies what there is.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from typing import Final, NamedTuple, Protocol

from cascade_nb.control.constraint import Constraint
from cascade_nb.engine.core.run_core import RunCore
from cascade_nb.engine.timing.folded_times import FoldedTimes

ROOM: Final = 20_000  # nodes and items whose last attempt is remembered; those that ended last stay
EACH: Final = 4_000  # attempts that are remembered one by one, beside what is put together
SPANS: Final = 1_000  # of each kind of what happened beside attempts
ONE: Final = 0.02  # seconds between two slices that count as one …
SHARE: Final = 200  # … which is no longer than such a part of the run


class Began(Protocol):
    """An attempt that is over, as far as it is remembered."""

    @property
    def index(self) -> int:
        """At which node or item."""

    @property
    def number(self) -> int:
        """1 for the first attempt at it."""

    @property
    def started(self) -> float | None:
        """When it began, on the engine's clock; None where it did not."""


class AttemptTime(NamedTuple):
    """An attempt that is over.

    Attributes:
        started, ended: on the engine's clock.
        took: seconds that it worked between the two.
        number: 1 for the first attempt at its node.
        node: index of its node or item; below zero for one from before an edit, see `AttemptTimes`.
        outcome: "done", "failed", "cancelled" or "lost".
    """

    started: float
    ended: float
    took: float
    number: int
    node: int
    outcome: str


class Rest(NamedTuple):
    """A time in which an attempt stood still: at a checkpoint, or suspended in its process."""

    node: int
    number: int
    since: float
    until: float


class Slice(NamedTuple):
    """A time in which tiny tasks ran one after the other on the loop, and about how many."""

    started: float
    ended: float
    times: int


class Paused(NamedTuple):
    """A time in which a pause was in force; `until` is None while it is."""

    constraint: Constraint
    since: float
    until: float | None


class Before(NamedTuple):
    """What an attempt from before an edit was at: the graph that had its node is gone."""

    name: str
    kind: str
    place: str


class AttemptTimes:
    """When the attempts of one run were under way. Everything is called under the engine's lock.

    What runs in slices on the loop leaves only the slices here: a node of it takes microseconds,
    and so would this.

    Args:
        core: knows of which kind a node is.
        began: when the run did, on the engine's clock.

    Attributes:
        of: the last attempt at each node that is over, by index.
        each: the attempts that ended last.
        ended: how many have in all.
        folded: those before them.
        rests, slices, pauses: what happened beside attempts, the latest of it.
        before: what attempts from before an edit were at; the one with index -1 comes first.
    """

    def __init__(self, core: RunCore, began: float) -> None:
        self._core = core
        self._began = began
        self.of: dict[int, AttemptTime] = {}
        self.each: deque[AttemptTime] = deque()
        self.ended = 0
        self.folded = FoldedTimes(began)
        self.rests: deque[Rest] = deque(maxlen=SPANS)
        self.slices: deque[Slice] = deque(maxlen=SPANS)
        self.pauses: deque[Paused] = deque(maxlen=SPANS)
        self.before: list[Before] = []

    def note(self, attempt: Began, ended: float, took: float, outcome: str = "done") -> None:
        """An attempt that has begun is over, after so many seconds of work."""
        of, started = self.of, attempt.started
        if started is None:
            return
        time = AttemptTime(started, ended, took, attempt.number, attempt.index, outcome)
        of[attempt.index] = time
        if len(of) > ROOM:
            del of[next(iter(of))]
        self.each.append(time)
        self.ended += 1
        if len(self.each) > EACH:
            self._fold(self.each.popleft())

    def rested(self, attempt: Began, since: float, until: float) -> None:
        """An attempt that stood still goes on, or ends."""
        self.rests.append(Rest(attempt.index, attempt.number, since, until))

    def ran_slice(self, started: float, ended: float, count: int) -> None:
        """Tiny tasks have run one after the other on the loop; slices close together are one."""
        last = self.slices[-1] if self.slices else None
        most = max(ONE, (ended - self._began) / SHARE)
        if last and started - last.ended < ONE and ended - last.started < most:
            self.slices[-1] = Slice(last.started, ended, last.times + count)
        else:
            self.slices.append(Slice(started, ended, count))

    def paused_by(self, standing: Iterable[Constraint], now: float) -> None:
        """These pauses are in force from now on, and no others."""
        there = {one.key: one for one in standing}
        if not there and not any(one.until is None for one in self.pauses):
            return
        for place, paused in enumerate(self.pauses):
            if paused.until is None and there.pop(paused.constraint.key, None) is None:
                self.pauses[place] = paused._replace(until=now)
        self.pauses.extend(Paused(one, now, None) for one in there.values())

    def after_edit(self, core: RunCore, name_of: Callable[[int], str]) -> AttemptTimes:
        """The same for the graph that the run goes on with.

        Args:
            core: knows that.
            name_of: gives what people call a node of the graph before.
        """
        times = AttemptTimes(core, self._began)
        times.ended, times.folded = self.ended, self.folded
        times.slices, times.pauses = self.slices, self.pauses
        known: dict[int, int] = {}
        for time in self.each:
            if time.node not in known:
                known[time.node] = -1 - len(times.before)
                times.before.append(self.at(time.node, name_of))
            times.each.append(time._replace(node=known[time.node]))
        for rest in self.rests:
            if rest.node in known:
                times.rests.append(rest._replace(node=known[rest.node]))
        return times

    def at(self, index: int, name_of: Callable[[int], str]) -> Before:
        """What an attempt was at."""
        if index < 0:
            return self.before[-1 - index]
        kind = self._core.kinds.of[index]
        return Before(name_of(index), kind.name, kind.queue or "")

    def _fold(self, time: AttemptTime) -> None:
        index = time.node
        kind = self.before[-1 - index].kind if index < 0 else self._core.kinds.of[index].name
        self.folded.add(kind, time.started, time.ended, time.outcome != "done")
