"""Gates, one for each constraint in force: where nodes wait that may not start now.

Each constraint in force, and each of the engine's resources, is a gate. Three rules keep wake-ups
from being lost, and they are what the property tests drive:

1. A ticket waits at one gate at most, the first that refused it.
2. Whenever a gate comes to refuse less, it is *drained*: its waiters are offered again, in order,
   until it refuses or has none left. So a ticket that waits at a gate is refused by it, or stands
   behind one that is.
3. Nothing is taken at any gate unless all of them agree.

What each kind of gate refuses is in `gate_kinds`.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Collection, Iterable, Mapping
from typing import Protocol

from cascade_nb.control.constraint import Constraint, Scope
from cascade_nb.model.options.checks import NOTHING
from cascade_nb.model.options.pause_condition import PauseIf


class TicketOwner(Protocol):
    """Whose tickets wait; every method is called under the manager's lock."""

    def offer(self, ticket: Ticket) -> None:
        """A gate may let this ticket pass now: ask for admission again, at once."""

    def take_back(self, tickets: Iterable[Ticket], since: float) -> None:
        """What held these, since that moment of the clock, is gone: they are ready again, and
        start when every owner knows of its own, with `lifted`.
        """

    def paused(self) -> None:
        """A pause is there: what waits at other gates is held now, too."""

    def lifting(self) -> None:
        """A pause is about to go: a last chance to `hold` what it held."""

    def lifted(self) -> None:
        """A constraint is gone: what rests in the middle of its work may look again."""

    def in_flight(self) -> Iterable[Ticket]:
        """The tickets of everything that runs."""

    def process_of(self, ticket: Ticket) -> int | None:
        """The process where it runs and may be suspended."""

    def members(self, scope: Scope) -> frozenset[int]:
        """The nodes of a `node:` or `from:` scope."""

    def names_of(self, ticket: Ticket) -> tuple[str, ...]:
        """What a person may call it, besides its id; messages do as the first says."""

    def attempt_of(self, ticket: Ticket) -> tuple[str, int, bool]:
        """The id of its node or item, and the number of the attempt at it; and whether it is the
        start of that: not where it continues one.
        """


class Subject:
    """What gates ask of a node. All nodes of one task, with the same tags, in one run, share it.

    Attributes:
        states: the state of the process that its code uses, and whether it changes it.
        breaks, pause_if: whether the workflow itself has a breakpoint before it, and its condition.
    """

    __slots__ = ("above", "breaks", "gates", "pause_if", "run_id", "states", "tags", "task_name",
                 "version")  # fmt: skip

    def __init__(
        self,
        run_id: str,
        task_name: str,
        tags: frozenset[str] = frozenset(),
        above: Subject | None = None,
        states: Mapping[str, bool] = NOTHING,
        breaks: bool = False,
        pause_if: PauseIf | None = None,
    ) -> None:
        self.above = above  # of the task that started this run, if one did
        self.run_id, self.task_name = run_id, task_name
        self.tags, self.states = tags, states
        self.breaks, self.pause_if = breaks, pause_if
        self.gates: tuple[Gate, ...] = ()
        self.version = -1  # of the manager's set of gates when `gates` was looked up

    def is_of(self, run_id: str) -> bool:
        """Whether it is of this run, or none is named; what a run's tasks start is of it, too."""
        step: Subject | None = self if run_id else None
        while step is not None and step.run_id != run_id:
            step = step.above
        return step is not None or not run_id


class Ticket:
    """One node's wish to start.

    Attributes:
        owner: whose it is.
        node: the index that `node:` and `from:` scopes know it by; a mapped item has its parent's.
        rank: the lower is served first.
        subject: what the other scopes ask of it.
        needs: amounts of the engine's resources.
        within: the tickets of the tasks in whose bodies its run was started, and which wait for it.
        key: what the owner calls it by.
        parked: the gate where it waits, or None.
        seen: the manager's count of tightenings when it was looked at last.
    """

    __slots__ = ("key", "needs", "node", "owner", "parked", "rank", "seen", "subject", "within")

    def __init__(
        self,
        owner: TicketOwner,
        key: int,
        node: int,
        rank: int,
        subject: Subject,
        needs: Mapping[str, float] | None = None,
        within: Collection[Ticket] = (),
    ) -> None:
        self.owner, self.key, self.node, self.rank = owner, key, node, rank
        self.subject = subject
        self.needs = needs
        self.within = within
        self.parked: Gate | None = None
        self.seen = 0


class Gate:
    """One reason why work may have to wait.

    Attributes:
        word: what those are that it refuses.
        says_the_same: whether it says the same to all of them at one moment.
        moves: goes up when it has something else to say.
        beside: the gates of its scope and type, of all holders; itself among them.
    """

    word = "queued"
    says_the_same = True

    def __init__(self, constraint: Constraint | None) -> None:
        self.constraint = constraint
        self.moves = 0
        self.beside: list[Gate] = [self]
        self.queue: list[tuple[int, int, Ticket]] = []
        self.members: dict[TicketOwner, frozenset[int]] = {}
        self._arrivals = 0

    @property
    def title(self) -> str:
        """What events call it."""
        return str(self.constraint)

    def covers(self, subject: Subject) -> bool:
        """Whether its scope is about this subject; `node:` and `from:` are asked by ticket
        instead.
        """
        assert self.constraint is not None
        scope = self.constraint.scope
        if scope.kind == "run":
            return subject.is_of(scope.value) and subject.is_of(scope.run)
        return scope.covers(subject.task_name, subject.tags) and subject.is_of(scope.run)

    def concerns(self, ticket: Ticket) -> bool:
        """What `covers` is for `node:` and `from:`."""
        assert self.constraint is not None
        named = ticket.node in self.members.get(ticket.owner, ())
        return named and ticket.subject.is_of(self.constraint.scope.run)

    def refuses(self, ticket: Ticket, now: float) -> bool:
        """Whether this ticket may not pass."""
        return True

    def refuses_start(self, ticket: Ticket, now: float) -> bool:
        """Whether a ticket that was admitted and has not begun may not begin after all."""
        return self.refuses(ticket, now)

    def take(self, ticket: Ticket) -> None:
        """This ticket passes; one that has passed already does so for nothing."""

    def give_back(self, ticket: Ticket) -> bool:
        """This ticket is done. True when the gate refuses less than before."""
        return False

    def undo(self, ticket: Ticket) -> bool:
        """This ticket passed and did not start after all. True when the gate refuses less."""
        return self.give_back(ticket)

    def lend(self, ticket: Ticket, back: bool) -> bool:
        """What this ticket is for waits for other work, or goes on. True when it refuses less."""
        return False

    def opens_at(self, now: float) -> float:
        """When time alone makes it refuse less; infinity when only an event can."""
        return math.inf

    def forget(self, owner: TicketOwner) -> None:
        """This owner ends."""
        self.members.pop(owner, None)

    def leave(self, owner: TicketOwner) -> None:
        """Nothing of this owner, who ends, waits or holds any more."""
        self.forget(owner)
        self.queue = [entry for entry in self.queue if entry[2].owner is not owner]
        self.queue.sort(key=lambda entry: entry[:2])
        for ticket in [t for t in self.passed() if t.owner is owner]:
            self.give_back(ticket)

    def park(self, ticket: Ticket) -> None:
        """Let it wait here."""
        self._arrivals += 1
        ticket.parked = self
        heapq.heappush(self.queue, (ticket.rank, self._arrivals, ticket))

    def first(self) -> Ticket | None:
        """Who is next, or None; tickets whose owner took them away are dropped on the way."""
        while self.queue and self.queue[0][2].parked is not self:
            heapq.heappop(self.queue)
        return self.queue[0][2] if self.queue else None

    def pop(self) -> None:
        """Take the next one out; it must be there."""
        heapq.heappop(self.queue)[2].parked = None

    def pop_all(self) -> list[Ticket]:
        """Take everyone out who waits, in no particular order."""
        waiting = [ticket for _, _, ticket in self.queue if ticket.parked is self]
        self.queue.clear()
        for ticket in waiting:
            ticket.parked = None
        return waiting

    def passed(self) -> Collection[Ticket]:
        """Who has passed and is not done."""
        return ()

    def holders(self) -> Collection[Ticket]:
        """Whose work has what others wait for."""
        return self.passed()
