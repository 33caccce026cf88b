"""Asks the constraints before a node of a run begins, and answers what they ask back."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Protocol, TypeVar

from cascade_nb.control.constraint import Scope
from cascade_nb.control.gates import Ticket
from cascade_nb.engine.core.arguments import Call
from cascade_nb.engine.core.scheduler import READY
from cascade_nb.engine.dispatch.attempt import AsyncAttempt, Attempt, ThreadAttempt
from cascade_nb.engine.dispatch.dispatched_run import DispatchedRun, FreesWorkers, Started
from cascade_nb.engine.files.opened_files import OpenedFiles
from cascade_nb.engine.scopes import nodes_under

A = TypeVar("A", bound=Attempt)


class StartsCoroutines(FreesWorkers, Protocol):
    """Also starts coroutines; see `workers`."""

    def offered(self, attempt: AsyncAttempt) -> None:
        """One was admitted, because what it waited for was free."""


class Admission:
    """The owner of a run's tickets (`control.gates.TicketOwner`)."""

    def __init__(self, flow: AdmittingRun) -> None:
        self._flow = flow
        self._manager = flow.services.manager
        self._own = len(flow.graph.nodes)

    def admitted(self, index: int, kind: type[A]) -> A | None:
        """An attempt at a ready node, or None where a constraint parks it."""
        flow = self._flow
        ticket = self.ticket_for(index)
        if self._manager.admit(ticket) is not None:
            self._blocked(index, ticket)
            return None
        number = flow.tries.get(index, 1) if flow.tries else 1
        attempt = flow.in_flight[ticket] = kind(flow, index, ticket, number)
        return attempt

    def admit(self, index: int, ticket: Ticket) -> bool:
        """Whether a node may start now; otherwise it is parked."""
        if self._manager.admit(ticket) is None:
            return True
        self._blocked(index, ticket)
        return False

    def begin(self, attempt: Started) -> Call | None:
        """The last look. Gives the call to make; None when it may not start now after all."""
        flow = self._flow
        ticket, index = attempt.ticket, attempt.index
        if flow.stopping is not None:
            del flow.in_flight[ticket]
            self._manager.give_up(ticket)
            if flow.is_over:
                flow.leave()
            flow.end_if_done()
            return None
        if self._manager.recheck(ticket):
            del flow.in_flight[ticket]
            self._blocked(index, ticket)
            return None
        return self.start(attempt)

    def start(self, attempt: Started) -> Call | None:
        """Begin what was admitted under the same hold of the lock, so that nothing can have come
        between. None when its call cannot be made.
        """
        flow, index = self._flow, attempt.index
        flow.scheduler.start(index)
        flow.state_changes.append(index)
        attempt.started = flow.services.clock.now()
        if flow.services.bus.listening:
            flow.tell.started(index, attempt.number)
        kind = flow.kinds.of[index]
        timeout = None if kind.light else kind.options.timeout
        if not kind.light and (kind.files or kind.mentions is not None):
            tracks = kind.options.track_files
            attempt.files = OpenedFiles(tracks, kind.files, kind.mentions, kind.name)
        if timeout is not None:
            flow.services.timer(timeout, partial(flow.outcomes.time_is_up, attempt), attempt)
        try:
            return flow.call_of(index)
        except BaseException as error:  # the user's classes have a say in it
            flow.outcomes.end(attempt, None, error)
            return None

    def ticket_for(self, index: int) -> Ticket:
        """The ticket with which a node asks."""
        flow = self._flow
        ticket = flow.parked.pop(index, None) if flow.parked else None
        if ticket is None:
            root = index if index < self._own else flow.control_flow.root_of(index)
            kind = flow.kinds.of[index]
            needs = flow.control_flow.needs_of(index) if kind.options.needs else None
            rank = flow.ranks[root]
            ticket = Ticket(self, index, root, rank, kind.subject, needs, flow.within)
        return ticket

    # What the manager asks back.

    def offer(self, ticket: Ticket) -> None:
        """A gate may let this ticket pass now."""
        flow, index = self._flow, ticket.key
        if flow.stopping is not None or flow.scheduler.state[index] != READY:
            return
        queue = flow.kinds.of[index].queue
        if queue == "inline" or (queue == "thread" and flow.workers.free <= 0):
            flow.push(index)
            flow.queues.pump_soon()
        elif queue == "thread":
            job = self.admitted(index, ThreadAttempt)
            if job is not None:
                flow.workers.free -= 1
                flow.workers.executor.submit(job)
        else:
            attempt = self.admitted(index, AsyncAttempt)
            if attempt is not None:
                flow.queues.offered(attempt)

    def take_back(self, tickets: Iterable[Ticket], since: float) -> None:
        """What held these is gone."""
        flow = self._flow
        if flow.stopping is not None:
            return
        if not flow.in_flight:
            flow.rested += max(0.0, flow.services.clock.now() - max(since, flow.last_end))
        indexes = [ticket.key for ticket in tickets]
        flow.state_changes += indexes
        for index in indexes:
            flow.parked.pop(index, None)  # or who looks for what is blocked goes through them all
        flow.push_all(indexes)
        flow.queues.pump_soon()

    def paused(self) -> None:
        """What was queued is held from now on, as far as the pause is about it."""
        self._flow.state_changes += self._flow.parked

    def lifting(self) -> None:
        """A pause is about to go: what was edited meanwhile is looked at before anything starts."""
        flow = self._flow
        edits = flow.edits
        if edits.unseen and not edits.looking and flow.stopping is None:
            edits.looking = True
            flow.services.manager.hold(flow.run_id, "your edits are being looked at")
            flow.on_edited()

    def lifted(self) -> None:
        """A constraint is gone: what rests at a checkpoint, or waits to be kept, looks again."""
        self._flow.state_changes += (
            self._flow.parked
        )  # what a pause held beside a limit is queued again
        self._flow.wake_resting()
        self._flow.saver.again()

    def in_flight(self) -> Iterable[Ticket]:
        """The tickets of everything that is admitted."""
        flow = self._flow
        tickets = [ticket for ticket in flow.in_flight if ticket not in flow.lent]
        if flow.inline is not None:
            if flow.inline_ticket is None:
                flow.inline_ticket = self.ticket_for(flow.inline)
            tickets.append(flow.inline_ticket)
        return tickets

    def members(self, scope: Scope) -> frozenset[int]:
        """The nodes of a `node:` or `from:` scope."""
        return nodes_under(scope, self._flow.graph)

    def label_of(self, ticket: Ticket) -> str:
        """What a person calls it."""
        return self._flow.label(ticket.key)

    def _blocked(self, index: int, ticket: Ticket) -> None:
        flow = self._flow
        flow.parked[index] = ticket
        flow.state_changes.append(index)
        flow.tell.blocked(index, ticket)


class AdmittingRun(DispatchedRun):
    """The state of a run, with who admits its nodes."""

    admission: Admission
    queues: StartsCoroutines
