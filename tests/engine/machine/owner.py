"""The thinnest run there can be: scheduler and manager, and the moves that hold them together.

Every move is made twice, by the engine's parts and by the oracle, and must come out the same.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from cascade_nb.control.constraint import Scope
from cascade_nb.control.gates import Subject, Ticket
from cascade_nb.engine.core.scheduler import Scheduler, State
from tests.engine.machine.specs import Spec
from tests.support.oracle import OVER, DependencyOracle, Facts, covers

if TYPE_CHECKING:
    from tests.engine.machine.world import World


class Owner:
    """One run of a random graph.

    Args:
        targets: the nodes that are wanted.
        direct: whether an offer is taken up at once, as when a worker is free, or later.
    """

    def __init__(
        self, world: World, run: str, specs: list[Spec], targets: list[int], direct: bool
    ) -> None:
        self.world = world
        self.run = run
        self.spec: list[Spec | None] = list(specs)  # None for items and continuations
        self.root = list(range(len(specs)))
        self.direct = direct
        first = [(s.needs if s.condition is None else (s.condition,)) for s in specs]
        self.scheduler = Scheduler(first)
        self.model = DependencyOracle(first)
        self.lane: list[tuple[int, int]] = []
        self.parked: dict[int, Ticket] = {}
        self.admitted: dict[int, Ticket] = {}
        self.running: dict[int, Ticket] = {}
        self.starts: dict[int, int] = {}
        self.spares: list[int] = []
        self.stage: dict[int, str] = {}
        self.steps_left: dict[int, int] = {}
        self.items: dict[int, range] = {}
        self.cancelled = False
        self.closed = False
        self._subjects: dict[tuple[str, frozenset[str]], Subject] = {}
        world.manager.enter(self)
        self.model.demand(targets)
        self._arrive(self._moved(lambda: self.scheduler.demand(targets)))

    # ---- what the manager asks -------------------------------------------------------------

    def offer(self, ticket: Ticket) -> None:
        assert self.parked.pop(ticket.key) is ticket, "offered what did not wait"
        if self.cancelled:
            return
        if self.direct:
            self._ask(ticket)
        else:
            self._push(ticket.key)

    def take_back(self, tickets: Iterable[Ticket], since: float) -> None:
        for ticket in tickets:
            assert self.parked.pop(ticket.key) is ticket, "taken back what did not wait"
            assert not self.cancelled, "taken back from one who had given up"
            self._push(ticket.key)

    def paused(self) -> None:
        """This one counts nothing."""

    def lifting(self) -> None:
        """This one has nothing to hold back."""

    def lifted(self) -> None:
        self.world.lifts += 1

    def in_flight(self) -> list[Ticket]:
        return [*self.admitted.values(), *self.running.values()]

    def members(self, scope: Scope) -> frozenset[int]:
        text = str(scope)
        return frozenset(i for i, spec in enumerate(self.spec) if spec and covers(text, spec.facts))

    def process_of(self, ticket: Ticket) -> int | None:
        return None

    def names_of(self, ticket: Ticket) -> tuple[str, ...]:
        return (f"{self.run}/{ticket.key}",)

    def attempt_of(self, ticket: Ticket) -> tuple[str, int, bool]:
        key = ticket.key
        return f"{self.run}/{key}", self.starts.get(key, 0) + (key not in self.running), True

    def start_of(self, node: int) -> tuple[str, int, int]:
        """Which attempt at which node is under way, or comes next."""
        return self.run, node, self.starts.get(node, 0) + (node not in self.running)

    # ---- moves -----------------------------------------------------------------------------

    def ask_next(self) -> bool:
        """The first of the lane asks whether it may start. False when there is none."""
        if not self.lane:
            return False
        self._ask(self._ticket(heapq.heappop(self.lane)[1]))
        return True

    def begin(self, node: int) -> None:
        """The last look at an admitted node, and its start."""
        world, ticket = self.world, self.admitted.pop(node)
        key, facts = (self.run, node), self.facts(node)
        now = world.clock.now()
        why = world.control.against(facts, now, key, start=self.start_of(node))
        if why:
            world.control.undo(key, now)
            self.parked[node] = ticket
            assert world.manager.recheck(ticket), f"{key} starts although {why}"
            world.parked(self, ticket)
            world.manager.hand_out()
            return
        self.running[node] = ticket
        self.starts[node] = self.starts.get(node, 0) + 1
        world.control.enter(key, facts, now)
        assert not world.manager.recheck(ticket), f"{key} is held back and nothing holds it"
        missing = [n for n in self.model.needs[node] if self.model.state[n] not in OVER]
        assert not missing, f"{key} starts before {missing}"
        assert self.model.is_ready(node), f"{key} starts while it is {self.model.state[node]}"
        self.model.state[node] = "running"
        self.scheduler.start(node)

    def end(self, node: int) -> None:
        """A running node is over, or is to be tried again, or returned more work."""
        self.world.control.leave((self.run, node), self.start_of(node))
        ticket = self.running.pop(node)
        self.world.manager.release(ticket)
        self.world.manager.hand_out()
        spec = self.spec[self.root[node]]
        assert spec is not None
        own = self.spec[node] is not None
        attempt = self.starts[node]
        assert attempt <= spec.attempts, f"{attempt} starts of at most {spec.attempts}"
        if attempt <= spec.fails and not self._is_step(node):
            if attempt < spec.attempts and not self.cancelled:
                self._again(node, spec.delay)
            else:
                self._fail(node)
            return
        if own and spec.steps:
            self.steps_left.setdefault(node, spec.steps)
        if self.steps_left.get(node) and not self.cancelled:
            self._continue(node)
        else:
            self._finish(node)

    def skip(self, node: int) -> None:
        """A node that has not started will not."""
        ticket = self.parked.pop(node, None)
        if ticket is not None:
            self.world.manager.forget(ticket)
            self.world.manager.hand_out()
        self.lane = [entry for entry in self.lane if entry[1] != node]
        heapq.heapify(self.lane)
        others = self.model.waiting_on(node)
        self.model.state[node] = "skipped"
        self._lost(node, others, lambda: self.scheduler.skip(node))

    def cancel(self) -> None:
        """Nothing new starts; what runs may end."""
        self.cancelled = True
        self.lane.clear()
        while self.parked:
            self.world.manager.forget(self.parked.popitem()[1])
        self.world.manager.hand_out()

    def drop_admitted(self) -> None:
        """What was admitted when the run was cancelled does not begin."""
        for node, ticket in list(self.admitted.items()):
            del self.admitted[node]
            self.world.control.undo((self.run, node), self.world.clock.now())
            self.world.manager.give_up(ticket)
        self.world.manager.hand_out()

    def close(self) -> None:
        """The run is over; whatever is left of it is cancelled."""
        self.closed = True
        for node in (*self.admitted, *self.running):
            self.world.control.leave((self.run, node))
        for node, state in enumerate(self.model.state):
            if state not in OVER:
                self.model.state[node] = "cancelled"
                self.scheduler.cancel(node)
        self.parked.clear()
        self.world.manager.leave(self)
        self.world.manager.hand_out()
        self.admitted.clear()
        self.running.clear()
        self.check()
        assert self.scheduler.unfinished == 0

    # ---- looking ---------------------------------------------------------------------------

    def facts(self, node: int) -> Facts:
        spec = self.spec[self.root[node]]
        assert spec is not None
        return spec.facts

    @property
    def idle(self) -> bool:
        """Whether it can do nothing unless something from outside happens."""
        return not (self.lane or self.admitted or self.running)

    def check(self) -> None:
        """The scheduler and the oracle see the same, and nothing ready was lost on the way."""
        said = [State(state).name.lower() for state in self.scheduler.state]
        assert said == self.model.words(), f"{self.run}: {said}, not {self.model.words()}"
        assert self.scheduler.unfinished == self.model.unfinished
        if not self.cancelled:
            held = {n for _, n in self.lane} | self.parked.keys() | self.admitted.keys()
            assert held | self.world.resting(self) == self.model.ready(), f"{self.run} lost one"

    # ---- inside ----------------------------------------------------------------------------

    def _ask(self, ticket: Ticket) -> None:
        world, node = self.world, ticket.key
        key, facts, now = (self.run, node), self.facts(node), world.clock.now()
        why = world.control.against(facts, now, start=self.start_of(node))
        if world.manager.admit(ticket) is None:
            assert not why, f"{key} is admitted although {why}"
            world.control.enter(key, facts, now)
            self.admitted[node] = ticket
        else:
            self.parked[node] = ticket
            world.parked(self, ticket)

    def _ticket(self, node: int) -> Ticket:
        facts = self.facts(node)
        kind = (facts.task, facts.tags)
        subject = self._subjects.setdefault(kind, Subject(self.run, *kind))
        return Ticket(self, node, self.root[node], facts.rank, subject, facts.needs or None)

    def _push(self, node: int) -> None:
        heapq.heappush(self.lane, (self.facts(node).rank, node))

    def _moved(
        self, move: Callable[[], Sequence[int]], *, also: Iterable[int] = ()
    ) -> Sequence[int]:
        """Make a move of the scheduler; what it calls ready must be what became ready."""
        before = {n for n, s in enumerate(self.scheduler.state) if s == State.READY} - set(also)
        ready = move()
        assert sorted(ready) == sorted(self.model.ready() - before), "not what became ready"
        return ready

    def _arrive(self, ready: Iterable[int]) -> None:
        for node in ready:
            if self.model.is_ready(node) and not self.cancelled:
                self._advance(node)

    def _advance(self, node: int) -> None:
        spec = self.spec[node]
        stage = self.stage.get(node)
        if stage in ("items", "continued"):
            self._settle(node, stage)
        elif spec is None or stage == "work":
            self._push(node)
        elif stage is None and spec.condition is not None:
            self.stage[node] = "inputs"
            if not spec.truth or any(self._dooms(node, source) for source in spec.needs):
                self.skip(node)
            else:
                self._need(node, spec.needs)
        else:
            self.stage[node] = "work"
            if spec.items is None:
                self._push(node)
            else:
                self._expand(node, spec.items)

    def _settle(self, node: int, stage: str) -> None:
        """A node whose items or continuation are over takes their outcome."""
        sources = self.model.needs[node]
        if any(self.model.state[source] != "done" for source in sources):
            self._fail(node)
            return
        if stage == "continued":
            self.spares += sources
        self.scheduler.start(node)
        self.model.state[node] = "running"
        self._finish(node)

    def _expand(self, node: int, count: int) -> None:
        items = self.scheduler.expand(node, count)
        self.items[node] = items
        self.stage[node] = "items"
        for item in items:
            assert self._grown(self.root[node], ()) == item
        self.model.need(node, items)
        self._arrive(items)
        if not count:
            self._settle(node, "items")

    def _continue(self, node: int) -> None:
        """It returned one more piece of work, whose outcome will be its own."""
        self.steps_left[node] -= 1
        spare = self.spares.pop() if self.spares else None
        step = self.scheduler.grow((), spare)
        assert self._grown(self.root[node], (), spare) == step
        self.steps_left[step] = self.steps_left.pop(node)
        self.stage[node] = "continued"
        self._need(node, (step,))

    def _grown(self, root: int, needs: tuple[int, ...], spare: int | None = None) -> int:
        index = self.model.add(needs, spare)
        if spare is None:
            self.spec.append(None)
            self.root.append(root)
        else:
            self.root[index] = root
            for known in (self.starts, self.stage, self.steps_left):
                known.pop(index, None)
        return index

    def _is_step(self, node: int) -> bool:
        return self.spec[node] is None and node in self.steps_left

    def _need(self, node: int, more: tuple[int, ...]) -> None:
        self.model.need(node, more)
        self._arrive(self._moved(lambda: self.scheduler.need(node, more), also=(node,)))

    def _again(self, node: int, delay: float) -> None:
        self.model.state[node] = "wanted"
        self.scheduler.again(node)
        if delay:
            self.world.rest(self, node, delay)
        else:
            self._push(node)

    def woken(self, node: int) -> None:
        """The wait before another attempt is over."""
        if not self.cancelled and self.model.is_ready(node):
            self._push(node)

    def _finish(self, node: int) -> None:
        self.model.state[node] = "done"
        self._arrive(self._moved(lambda: self.scheduler.finish(node)))

    def _fail(self, node: int) -> None:
        others = self.model.waiting_on(node)
        self.model.state[node] = "failed"
        self._lost(node, others, lambda: self.scheduler.fail(node))

    def _lost(
        self, node: int, others: set[int], move: Callable[[], tuple[list[int], Iterable[int]]]
    ) -> None:
        """A node is over without a result: what cannot do without is skipped."""
        before = {n for n, s in enumerate(self.scheduler.state) if s == State.READY} - {node}
        ready, said = move()
        assert others <= set(said), f"{others - set(said)} did not hear that {node} is over"
        assert set(ready) == self.model.ready() - before, "not what became ready"
        for other in sorted(others):
            if self.model.state[other] not in OVER and self._dooms(other, node):
                self.skip(other)
        self._arrive(ready)

    def _dooms(self, node: int, source: int) -> bool:
        spec = self.spec[node]
        if self.model.state[source] in ("done", "wanted", "idle", "running") or spec is None:
            return False
        return self.stage.get(node) not in ("items", "continued") and not spec.tolerant
