"""Asks the constraints before a node of a run begins, and answers what they ask back."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol, TypeVar

from cascade_nb.control.constraint import Scope
from cascade_nb.control.gate_kinds.breakpoints import BreakpointGate, Judgement
from cascade_nb.control.gates import Ticket
from cascade_nb.engine.dispatch.attempt import AsyncAttempt, Attempt, ThreadAttempt
from cascade_nb.engine.dispatch.dispatched_run import AsksLoops, DispatchedRun, Started
from cascade_nb.engine.dispatch.timeouts import watch_time
from cascade_nb.engine.files.opened_files import OpenedFiles
from cascade_nb.engine.scopes import nodes_under
from cascade_nb.model.arguments.call import Call

A = TypeVar("A", bound=Attempt)


class GivesPlaces(Protocol):
    """The free places of an executor; see `ready_queues`.

    Attributes:
        free: how many there are.
        attempt: what an attempt is there.
    """

    free: int
    attempt: type[ThreadAttempt]

    def give(self, job: ThreadAttempt) -> None:
        """Have an attempt begin in a free place."""


class StartsCoroutines(AsksLoops, Protocol):
    """Also starts coroutines; see `ready_queues`."""

    def offered(self, attempt: AsyncAttempt) -> None:
        """One was admitted, because what it waited for was free."""

    def workers_for(self, queue: str) -> GivesPlaces:
        """Whose places those are that a queue is for."""


class Admission:
    """The owner of a run's tickets (`control.gates.TicketOwner`)."""

    def __init__(self, driver: AdmittingRun) -> None:
        self._driver = driver
        self._manager = driver.services.manager
        self._own = driver.core.own

    def admitted(self, index: int, kind: type[A], at_once: bool = False) -> A | None:
        """An attempt at a ready node, or None where a constraint parks it.

        Args:
            at_once: whether it begins, too, under this hold of the lock; None also where its call
                cannot be made.
        """
        driver = self._driver
        ticket = self.ticket_for(index)
        if self._manager.admit(ticket) is not None:
            self._blocked(index, ticket)
            return None
        number = driver.core.tries.get(index, 1) if driver.core.tries else 1
        attempt = driver.in_flight[ticket] = kind(driver, index, ticket, number)
        if at_once:
            attempt.call = self.start(attempt)
            return attempt if attempt.call is not None else None
        return attempt

    def admit(self, index: int, ticket: Ticket) -> bool:
        """Whether a node may start now; otherwise it is parked."""
        if self._manager.admit(ticket) is None:
            return True
        self._blocked(index, ticket)
        return False

    def begin(self, attempt: Started) -> Call | None:
        """The last look. Gives the call to make; None when it may not start now after all."""
        driver = self._driver
        ticket, index = attempt.ticket, attempt.index
        if driver.core.stopping is not None:
            del driver.in_flight[ticket]
            self._manager.give_up(ticket)
            driver.gave_up()
            return None
        if self._manager.recheck(ticket):
            del driver.in_flight[ticket]
            self._blocked(index, ticket)
            self._manager.hand_out()
            return None
        return self.start(attempt)

    def start(self, attempt: Started) -> Call | None:
        """Begin what was admitted under the same hold of the lock, so that nothing can have come
        between. None when its call cannot be made.
        """
        driver, index = self._driver, attempt.index
        driver.core.started(index)
        attempt.started = driver.services.clock.now()
        if driver.services.bus.listening:
            driver.tell.started(index, attempt.number)
        kind = driver.core.kinds.of[index]
        timeout = None if kind.light else kind.options.timeout
        if not kind.light and not kind.remote and (kind.files or kind.mentions is not None):
            tracks = kind.options.track_files
            attempt.files = OpenedFiles(tracks, kind.files, kind.mentions, kind.name)
        if timeout is not None:
            watch_time(driver, attempt, timeout)
        try:
            return driver.core.call_of(index)
        except BaseException as error:  # the user's classes have a say in it
            driver.ended(attempt, 0.0, None, error)
            driver.queues.ask_loops()  # whoever pumps is on the stack below
            return None

    def ticket_for(self, index: int) -> Ticket:
        """The ticket with which a node asks."""
        driver = self._driver
        core = driver.core
        ticket = core.unpark(index) if core.parked else None
        if ticket is None:
            root = index if index < self._own else core.root_of(index)
            kind = core.kinds.of[index]
            needs = core.needs_of(index) if kind.options.needs else None
            rank = core.ranks[index] if index < self._own else core.rank_of(index)
            ticket = Ticket(self, index, root, rank, kind.subject, needs, driver.within)
        return ticket

    # What the manager asks back.

    def offer(self, ticket: Ticket) -> None:
        """A gate may let this ticket pass now."""
        driver, index = self._driver, ticket.key
        if not driver.core.is_ready(index):
            return
        queue = driver.core.kinds.of[index].queue
        assert queue is not None
        if queue == "async":
            attempt = self.admitted(index, AsyncAttempt)
            if attempt is not None:
                driver.queues.offered(attempt)
            return
        workers = None if queue == "inline" else driver.queues.workers_for(queue)
        if workers is None or workers.free <= 0:
            driver.queues.add((index,))
            driver.core.moved(index)
            driver.queues.ask_loops()
        else:
            job = self.admitted(index, workers.attempt)
            if job is not None:
                workers.give(job)

    def take_back(self, tickets: Iterable[Ticket], since: float) -> None:
        """What held these is gone."""
        driver = self._driver
        if driver.core.stopping is not None:
            return
        if not driver.in_flight:
            driver.rested += max(0.0, driver.services.clock.now() - max(since, driver.last_end))
        driver.core.release(tickets)
        driver.carry_out()

    def paused(self) -> None:
        """What was queued is held from now on, as far as the pause is about it."""
        self.note_pauses()
        self._driver.core.gates_changed()
        self._driver.pause_came()

    def lifting(self) -> None:
        """A pause is about to go: what was edited meanwhile is looked at before anything starts."""
        self._driver.pause_lifting()

    def lifted(self) -> None:
        """A constraint is gone: what rests at a checkpoint, or waits to be kept, looks again."""
        self.note_pauses()
        self._driver.core.gates_changed()  # what a pause held beside a limit is queued again
        self._driver.look_again()

    def note_pauses(self) -> None:
        """Have it written down which pauses there are from now on."""
        driver = self._driver
        pauses = self._manager.constraints_on(driver.run_id, "pause")
        driver.times.paused_by(pauses, driver.services.clock.now())

    def in_flight(self) -> Iterable[Ticket]:
        """The tickets of everything that is admitted."""
        driver = self._driver
        tickets = [ticket for ticket in driver.in_flight if ticket not in driver.lent]
        if driver.inline is not None:
            if driver.inline_ticket is None:
                driver.inline_ticket = self.ticket_for(driver.inline)
            tickets.append(driver.inline_ticket)
        return tickets

    def process_of(self, ticket: Ticket) -> int | None:
        """The process where it runs and may be suspended."""
        attempt = self._driver.in_flight.get(ticket)
        return None if attempt is None else attempt.suspendable

    def members(self, scope: Scope) -> frozenset[int]:
        """The nodes of a `node:` or `from:` scope."""
        return nodes_under(scope, self._driver.core.graph)

    def names_of(self, ticket: Ticket) -> tuple[str, ...]:
        """What a person may call it, besides its id."""
        return self._driver.core.names_of(ticket.key)

    def attempt_of(self, ticket: Ticket) -> tuple[str, int, bool]:
        """Its node or item, the number of the attempt, and whether it does not continue one."""
        core, index = self._driver.core, ticket.key
        starts = core.node_of(index).index < self._own
        return core.shown_id(index), core.tries.get(index, 1), starts

    def _blocked(self, index: int, ticket: Ticket) -> None:
        driver, gate = self._driver, ticket.parked
        driver.core.park(index, ticket)
        judgement = gate.to_judge(ticket) if isinstance(gate, BreakpointGate) else None
        if judgement is None:
            driver.tell.blocked(index, ticket)
        else:  # it is told when somebody knows whether it is held
            driver.judging.ask(judgement)


class Judges(Protocol):
    """Has the conditions of breakpoints judged; see `inspection.judging`."""

    def ask(self, judgement: Judgement) -> None:
        """Judge one, beside the run."""


class AdmittingRun(DispatchedRun):
    """A run, with who admits its nodes.

    Attributes:
        judging: who judges the conditions of breakpoints.
    """

    admission: Admission
    judging: Judges
    queues: StartsCoroutines
