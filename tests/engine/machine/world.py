"""Scheduler and constraint manager under random treatment, each step judged by the oracle."""

from __future__ import annotations

import math
from typing import Any, Final

import pytest

from cascade_nb.control.constraint import Constraint, parse_scope
from cascade_nb.control.gate_kinds.breakpoints import BreakpointGate, Judgement
from cascade_nb.control.gates import Ticket
from cascade_nb.control.holders import holder_of
from cascade_nb.control.manager import ConstraintManager
from cascade_nb.engine.core.scheduler import State
from cascade_nb.errors import IllegalMoveError
from cascade_nb.events.bus import MessageBus
from cascade_nb.testing import VirtualClock
from tests.engine.machine.dice import Dice, chance, one_of
from tests.engine.machine.owner import Owner
from tests.engine.machine.specs import (
    HOLDERS,
    POOLS,
    RUNS,
    SCOPES,
    TIMES,
    random_constraint,
    random_specs,
)
from tests.support.oracle import ControlOracle, covers

#: Of breakpoints: none, and two that nobody asks, since the dice answer for them.
CONDITIONS: Final = (None, lambda _: True, lambda _: False)
PATIENCE: Final = 2_000  # rounds after which a program counts as one that never ends


class World:
    """Everything of one program, and the moves that a program is made of.

    Args:
        stops: whether there are breakpoints, too.
    """

    def __init__(self, *, stops: bool = False) -> None:
        self._stops = stops
        self.clock = VirtualClock()
        self.manager = ConstraintManager(self.clock, MessageBus(), POOLS)
        self.manager.timer_changed = self._timer_changed
        self.control = ControlOracle(POOLS)
        self.owners: list[Owner] = []
        self.runs = 0
        self.lifts = 0
        self._alarm = math.inf
        self._asked = False
        self._to_judge: list[tuple[Owner, Judgement]] = []
        self._resting: dict[tuple[Owner, int], object] = {}

    # ---- moves -----------------------------------------------------------------------------

    def start_run(self, dice: Dice) -> None:
        """One more run; a few live at a time."""
        if len(self.owners) == 3:
            return
        run = f"r{self.runs % RUNS}-{self.runs}" if self.runs >= RUNS else f"r{self.runs}"
        self.runs += 1
        specs = random_specs(dice, run)
        targets = [n for n in range(len(specs)) if n == len(specs) - 1 or chance(dice, 40)]
        self.owners.append(Owner(self, run, specs, targets, direct=chance(dice, 60)))

    def ask(self, dice: Dice) -> None:
        """Some of a lane ask to start."""
        owner = self._owner(dice, lambda o: bool(o.lane))
        for _ in range(1 + dice.pick(4)):
            if owner is None or not owner.ask_next():
                return

    def begin(self, dice: Dice) -> None:
        """Something admitted begins."""
        owner = self._owner(dice, lambda o: bool(o.admitted))
        if owner is not None and owner.cancelled:
            owner.drop_admitted()
        elif owner is not None:
            owner.begin(one_of(dice, sorted(owner.admitted)))

    def end(self, dice: Dice) -> None:
        """Something that runs ends."""
        owner = self._owner(dice, lambda o: bool(o.running))
        if owner is not None:
            owner.end(one_of(dice, sorted(owner.running)))

    def work(self, dice: Dice) -> None:
        """Several of these, so that programs get somewhere."""
        for _ in range(1 + dice.pick(8)):
            one_of(dice, (self.ask, self.begin, self.end))(dice)

    def constrain(self, dice: Dice) -> None:
        """A constraint comes into force or is changed."""
        key, params, ttl = random_constraint(dice, sorted(self.control.rules), self._stops)
        scope, type_, holder = key
        self.control.apply(scope, type_, self.clock.now(), params, ttl, holder)
        condition = CONDITIONS[params.pop("condition", 0)]
        made = self.manager.apply(scope, type_, params, by=holder, ttl=ttl, pause_if=condition)
        assert self.manager.find(scope, type_, made.holder) == made

    def lift(self, dice: Dice) -> None:
        """One that is in force is lifted, or all of its scope."""
        known = sorted(self.control.rules)
        scope, type_, _ = one_of(dice, known) if known else (one_of(dice, SCOPES), "pause", "")
        by = one_of(dice, HOLDERS) if chance(dice, 25) else HOLDERS[0]
        self._lift(scope, None if chance(dice, 15) else type_, by)

    def judge(self, dice: Dice) -> None:
        """The condition of a breakpoint is judged, of something that may not wait any more."""
        if not self._to_judge:
            return
        owner, judgement = self._to_judge.pop(dice.pick(len(self._to_judge)))
        holds, about = chance(dice, 40), judgement.gate.constraint
        if judgement.counts and not holds and about is not None:
            rule = self.control.rules[_key(about)]
            rule.judged.add(owner.start_of(judgement.ticket.key))
        self.manager.judged(judgement, holds)
        self.manager.hand_out()

    def go_on(self, dice: Dice) -> None:
        """What is held at breakpoints is let go."""
        scope = one_of(dice, SCOPES)
        by = one_of(dice, HOLDERS) if chance(dice, 25) else HOLDERS[0]
        count = 0
        for owner in self.owners:
            for node, ticket in owner.parked.items():
                gate, facts = ticket.parked, owner.facts(node)
                at_one = isinstance(gate, BreakpointGate) and gate.obeys(holder_of(by))
                if at_one and covers(scope, facts):
                    count += 1
                    self.control.go_on(facts, owner.start_of(node), by)
        assert self.manager.go_on(parse_scope(scope), holder_of(by))[0] == count

    def advance(self, dice: Dice) -> None:
        """Time passes; what it brings about happens at its moment."""
        self._advance(one_of(dice, TIMES))

    def skip(self, dice: Dice) -> None:
        """Somebody takes a node out that has not started."""
        owner = self._owner(dice, lambda o: not o.cancelled)
        if chance(dice, 50):
            owner = self._owner(dice, lambda o: bool(o.parked)) or owner
        if owner is None:
            return
        resting = self.resting(owner)
        open_ = [
            n
            for n, state in enumerate(owner.model.state)
            if state in ("idle", "wanted") and n not in owner.admitted and n not in resting
        ]
        # A node that was already continued or expanded is not taken out from under its items.
        open_ = [n for n in open_ if owner.stage.get(n) not in ("items", "continued")]
        waiting = [node for node in open_ if node in owner.parked]
        if waiting and chance(dice, 80):
            # The greediest: others may wait for nothing but their turn behind it.
            owner.skip(max(waiting, key=lambda node: sum(owner.facts(node).needs.values())))
        elif open_:
            owner.skip(one_of(dice, open_))

    def cancel(self, dice: Dice) -> None:
        """A run is cancelled; it closes at once or when what runs has ended."""
        owner = self._owner(dice, lambda o: True)
        if owner is None:
            return
        owner.cancel()
        if chance(dice, 50):
            owner.drop_admitted()
        if chance(dice, 50):
            self._close(owner)

    def illegal(self, dice: Dice) -> None:
        """A move that the rules do not know is refused and changes nothing."""
        owner = self._owner(dice, lambda o: True)
        if owner is None:
            return
        node = dice.pick(len(owner.spec))
        move, allowed = one_of(dice, sorted(LEGAL.items()))
        if owner.model.words()[node] in allowed:
            return
        arguments: dict[str, tuple[Any, ...]] = {
            "need": (node, (0,)),
            "expand": (node, 1),
            "grow": ((), node),
        }
        with pytest.raises(IllegalMoveError, match=f"^node {node} "):
            getattr(owner.scheduler, move)(*arguments.get(move, (node,)))

    # ---- what holds after each move --------------------------------------------------------

    def check(self) -> None:
        """Scheduler and oracle agree, everybody's share is counted, and no wake-up was lost."""
        for owner in self.owners:
            owner.check()
        waiting = [(o, n, o.facts(n)) for o in self.owners for n in o.parked]
        now = self.clock.now()
        for place, (owner, node, fact) in enumerate(waiting):
            others = [other for _, _, other in (*waiting[:place], *waiting[place + 1 :])]
            start = owner.start_of(node)
            excuse = self.control.against(fact, now, start=start) or self.control.behind(
                fact, others
            )
            assert excuse, f"{owner.run}/{node} waits and nothing is in its way"
        in_force = {_key(c) for c in self.manager.constraints()}
        assert in_force == set(self.control.rules), "not what is in force"
        assert self.alarm <= self.manager.next_change(), "nobody was told when time has to be asked"

    def finish(self, *, everything: bool = False) -> None:
        """Lift everything that could hold for ever: then everything comes to its end."""
        for (scope, type_, holder), rule in list(self.control.rules.items()):
            shut = rule.type in ("pause", "breakpoint") or (
                rule.type == "concurrency" and not rule.limit
            )
            if everything or shut:
                self._lift(scope, type_, holder)
        for _ in range(PATIENCE):
            self.check()
            for owner in [o for o in self.owners if o.cancelled or not o.scheduler.unfinished]:
                self._close(owner)
            if not self.owners:
                break
            if not self._step():
                when = min(self.alarm, self.clock.next_call)
                assert when < math.inf, f"deadlock: {[o.model.words() for o in self.owners]}"
                self._advance(when - self.clock.now())
        assert not self.owners, "it never ends"
        assert not self.control.inside
        for gate in (*self.manager._gates.values(), *self.manager.pools.values()):
            assert gate.first() is None, "somebody still waits"
            assert not list(gate.holders()), "somebody still holds a share"
            assert not gate.members

    def parked(self, owner: Owner, ticket: Ticket) -> None:
        """A node waits; where it does so at a breakpoint with a condition, that is to be judged."""
        gate = ticket.parked
        judgement = gate.to_judge(ticket) if isinstance(gate, BreakpointGate) else None
        if judgement is not None:
            self._to_judge.append((owner, judgement))

    # ---- inside ----------------------------------------------------------------------------

    def rest(self, owner: Owner, node: int, delay: float) -> None:
        """A node waits for its next attempt, and holds nothing."""

        def wake() -> None:
            del self._resting[owner, node]
            owner.woken(node)

        self._resting[owner, node] = self.clock.call_later(delay, wake)

    def resting(self, owner: Owner) -> set[int]:
        """Those of a run that wait for their next attempt."""
        return {node for other, node in self._resting if other is owner}

    def _step(self) -> bool:
        moved = False
        for owner in self.owners:
            while owner.ask_next():
                moved = True
            for node in sorted(owner.admitted):
                owner.begin(node)
                moved = True
            for node in sorted(owner.running):
                owner.end(node)
                moved = True
        return moved

    def _close(self, owner: Owner) -> None:
        for node in self.resting(owner):
            self._resting.pop((owner, node))()  # type: ignore[operator]
        self.owners.remove(owner)
        owner.close()

    def _lift(self, scope: str, type_: str | None, by: str) -> None:
        gone = self.control.lift(scope, type_, by)
        lifted = self.manager.lift(scope, type_, by=holder_of(by))
        assert sorted(map(_key, lifted)) == sorted(gone)

    def _advance(self, seconds: float) -> None:
        end = self.clock.now() + seconds
        for _ in range(PATIENCE):
            when = min(self.alarm, self.clock.next_call)
            if when > end:
                self.clock.advance(end - self.clock.now())
                self.control.expire(end)
                return
            self.clock.advance(max(0.0, when - self.clock.now()))
            if self.alarm <= self.clock.now():
                self.control.expire(self.clock.now())
                self.manager.tick()
                self._asked = True
        raise AssertionError("time is asked for ever")

    @property
    def alarm(self) -> float:
        """When the manager wants to be asked; looked up only when it said that this has changed, as
        the engine does.
        """
        if self._asked:
            self._asked = False
            self._alarm = self.manager.next_change()
        return self._alarm

    def _timer_changed(self) -> None:
        self._asked = True

    def _owner(self, dice: Dice, wanted: object) -> Owner | None:
        found = [owner for owner in self.owners if wanted(owner)]  # type: ignore[operator]
        return one_of(dice, found) if found else None


LEGAL: Final = {
    "start": {"ready"},
    "finish": {"running"},
    "fail": {"waiting", "ready", "running"},
    "skip": {"idle", "waiting", "ready"},
    "again": {"running"},
    "need": {"ready", "running"},
    "expand": {"ready"},
    "grow": {"done"},
    "cancel": {"idle", "waiting", "ready", "running"},
}
assert {word for words in LEGAL.values() for word in words} <= {s.name.lower() for s in State}

#: The moves of a program by name; those that get it anywhere come more often.
MOVES: Final = (
    *("start_run", "ask", "begin", "end", "work", "work", "work", "constrain", "constrain"),
    *("lift", "advance", "advance", "skip", "cancel", "illegal"),
)
#: Those of breakpoints beside them.
MOVES_WITH_STOPS: Final = (*MOVES, "judge", "judge", "go_on")


def play(dice: Dice, moves: int = 40, *, stops: bool = False) -> None:
    """A whole program without Hypothesis, for where many are needed and none will be shrunk; with
    `stops` there are breakpoints in it.
    """
    world = World(stops=stops)
    world.start_run(dice)
    world.start_run(dice)
    for _ in range(moves):
        getattr(world, one_of(dice, MOVES_WITH_STOPS if stops else MOVES))(dice)
        world.check()
    world.finish(everything=chance(dice, 50))


def _key(constraint: Constraint) -> tuple[str, str, str]:
    return str(constraint.scope), constraint.type, str(constraint.holder)
