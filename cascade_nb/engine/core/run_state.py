"""Holds the state of one run at work, and makes the few changes that concern all of it.

What the scheduler says is ready goes through `control_flow` to its queue; `admission` asks the
constraints before it begins; `outcomes` takes what comes back to the scheduler, and so on until
nothing is left. Each of them has the run's state, and asks the others by way of it, as the
protocols of `run_protocols` say.

Everything here is called under the engine's lock, from the loop or from a worker, unless it says
otherwise. That one lock is what makes a pause exact: constraints change under it and starts happen
under it, so that no start can slip between a pause and its acknowledgement.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, Final

from cascade_nb.control.gates import Ticket, TicketOwner
from cascade_nb.engine.core.arguments import Call, Expansion
from cascade_nb.engine.core.initial_state import InitialState
from cascade_nb.engine.core.run_protocols import (
    Edited,
    Files,
    InFlight,
    Keyed,
    NestedRun,
    Places,
    Publisher,
    Queues,
    Request,
    Saver,
    Shared,
    Skips,
    TakesOutcomes,
    Unfolds,
)
from cascade_nb.engine.core.scheduler import DONE
from cascade_nb.engine.loops.services import LoopServices
from cascade_nb.errors import LeaseLostError
from cascade_nb.graph.graph import Graph, Node
from cascade_nb.model.lazy.lazy import Options
from cascade_nb.protocols import Lease, StateBackend

#: Why a node is skipped whose readers are all there already.
UNREAD: Final = ("Reused", "nothing that runs needs it")


class RunState:
    """The state of one run at work.

    Args:
        run_id: the run's identity.
        graph: what runs.
        services: what the engine lends it.
        state: where results are kept.
        request: what was asked for.
        blueprint: what follows from the graph and from the results that are there already.
        reused: the results among them that an earlier run made.
        pending: by index, results that an earlier run made and that stand if the conditions of
            their nodes turn out true.
        carried: indexes of what was done before an edit, and stands.
        lease: the right to write about this run, where runs are journaled.
        depth: how many runs are above this one, each of which has started the next.
        on_over: called once, on whatever thread, when nothing more will happen.
        on_lost: called, on whatever thread, when another kernel has taken the run over.
        on_edited: called, under the lock, when a pause goes that something was edited in.
        figures: lets tasks have pyplot figures of their own; gives how to take that back.

    Attributes:
        in_flight: what is admitted, by ticket.
        nested: the runs that its tasks have started, and which attempt did.
        parked: the tickets that wait at a gate, by index.
        tries: the number of the attempt to come, where it is not the first.
        retry_at: when it comes, on the engine's clock.
        last_errors: what the attempt before it raised, in words.
        inline, inline_ticket: what runs in a slice just now, with the ticket if it has one.
        skipped: reason and words, by index.
        state_changes: every index whose state changed, in order, for who watches.
        has_failures_or_skips: whether anything failed or was skipped so far.
        stopping: None, "failed", "edited" or "cancelled": then nothing new starts.
        within: the tickets of the tasks in whose bodies the run was started, the outermost first.
        left_behind: what ran when the run was over, and whose end nobody waited for.
        tell, queues, workers, admission, saver, outcomes, skips, control_flow, files, keys,
            sharing: who moves it; whoever makes a state says which.
    """

    tell: Publisher
    queues: Queues
    workers: Places
    admission: TicketOwner
    saver: Saver
    outcomes: TakesOutcomes
    skips: Skips
    control_flow: Unfolds
    files: Files
    keys: Keyed
    sharing: Shared | None
    edits: Edited
    request: Request
    in_flight: Mapping[Ticket, InFlight]
    nested: Mapping[NestedRun, InFlight]
    within: tuple[Ticket, ...]

    def __init__(
        self,
        run_id: str,
        graph: Graph,
        services: LoopServices,
        state: StateBackend,
        request: Request,
        blueprint: InitialState,
        *,
        reused: Collection[int],
        pending: Mapping[int, Any],
        carried: frozenset[int],
        lease: Lease | None,
        depth: int,
        on_over: Callable[[], None],
        on_lost: Callable[[LeaseLostError], None],
        on_edited: Callable[[], None],
        figures: Callable[[], Callable[[], object]],
    ) -> None:
        self.run_id = run_id
        self.graph = graph
        self.services = services
        self.state = state
        self.lock = services.manager.lock
        self.request = request
        self.reused = set(reused)
        self.pending = dict(pending)
        self.carried = carried
        self.lease = lease
        self.depth = depth
        self.on_over = on_over
        self.on_lost = on_lost
        self.on_edited = on_edited
        self._figures = figures
        self._take_figures: Callable[[], object] | None = None
        self.scheduler, self.results = blueprint.scheduler, blueprint.results
        self.kinds, self.ranks = blueprint.kinds, blueprint.ranks
        self.parked: dict[int, Ticket] = {}
        self.tries: dict[int, int] = {}
        self.retry_at: dict[int, float] = {}
        self.last_errors: dict[int, str] = {}
        self.skipped: dict[int, tuple[str, str]] = dict.fromkeys(blueprint.results.pruned, UNREAD)
        self.state_changes: list[int] = list(blueprint.results.pruned)
        self.began = self.last_end = services.clock.now()
        self.rested = 0.0  # seconds in which all was paused and nothing ran
        self.inline: int | None = None
        self.inline_ticket: Ticket | None = None
        self.resting = threading.Condition(self.lock)
        self.stopping: str | None = None
        self.has_failures_or_skips = False
        self.left_behind: list[int] = []
        self.is_over = False
        self.accident: BaseException | None = None

    def give_figures(self) -> None:
        """Let tasks have pyplot figures of their own, where any of them uses pyplot."""
        if self.kinds.use_pyplot and self._take_figures is None:
            self._take_figures = self._figures()

    def push(self, index: int) -> None:
        """A ready node goes to its queue."""
        queue = self.kinds.of[index].queue
        assert queue is not None
        self.queues.push(index, queue, self.ranks[self.control_flow.root_of(index)])

    def push_all(self, indexes: Iterable[int]) -> None:
        """Ready nodes go to their queues; there may be very many."""
        of, ranks, own = self.kinds.of, self.ranks, len(self.graph.nodes)
        root_of = self.control_flow.root_of
        keys: dict[str | None, list[int]] = {}
        for index in indexes:
            rank = ranks[index if index < own else root_of(index)]
            keys.setdefault(of[index].queue, []).append(rank << 32 | index)
        for queue, of_one in keys.items():
            assert queue is not None
            self.queues.push_all(of_one, queue)

    def stop(self, why: str) -> None:
        """Start nothing new; what runs may finish. `why` is "failed", "edited" or "cancelled"."""
        if self.stopping is None or why == "cancelled":
            self.stopping = why
        self.queues.clear()
        self.retry_at.clear()
        waiting, self.parked = self.parked, {}
        self.state_changes.extend(waiting)  # nothing holds them any more
        for ticket in waiting.values():
            self.services.manager.forget(ticket)  # or others would wait for their turn behind it

    def end_if_done(self) -> None:
        """Notice that nothing more will happen."""
        if self.is_over or self.saver.under_way:
            return
        if self.scheduler.unfinished and not (self.stopping is not None and not self._under_way()):
            return
        self.close()

    def close(self) -> None:
        """End now: what has not begun is cancelled, what still runs is not waited for."""
        if self.is_over:
            return
        self.is_over = True
        if self.sharing is not None:
            self.sharing.close()
        self.queues.clear()
        for attempt in self.in_flight.values():
            attempt.abandoned = attempt.stop = True
            if attempt.started is not None:
                self.left_behind.append(attempt.index)
                if attempt.in_thread:
                    self.workers.replace(attempt)
        self.workers.pump()  # other runs may have work for the places that are free now
        self.wake_resting()
        state = self.scheduler.state
        if self.scheduler.unfinished or self.stopping is not None:
            for index in range(len(state)):
                if state[index] < DONE:
                    self.scheduler.cancel(index)
                    self.state_changes.append(index)
                    if index in self.control_flow.continuations:  # it was told to have begun
                        number, took = self.control_flow.continuations.left(index)
                        self.tell.finished(index, "cancelled", took, number, "cancelled")
        self.leave()
        self.on_over()

    def leave(self) -> None:
        """Let go of everything, once the run is over and nothing of it is under way any more.

        Until then a thread that could not be stopped holds what it holds: its slot in a limit, its
        share of a resource.
        """
        if self.is_over and not self.in_flight:
            if self._take_figures is not None:
                self._take_figures()
                self._take_figures = None
            self.services.manager.leave(self.admission)

    def break_off(self, error: BaseException) -> None:
        """This machinery went wrong: end the run with that, or who waits would wait for ever."""
        if self.accident is None:
            self.accident = error
        self.stop("failed")
        self.close()

    def cancel_nested(
        self, reason: str, of: InFlight | None = None, within: float | None = None
    ) -> None:
        """End the runs that its tasks have started, or that one attempt has."""
        for run, attempt in list(self.nested.items()):
            if of is None or attempt is of:
                run.cancel(reason, within=within)

    def wake_resting(self) -> None:
        """Have every task that rests at a checkpoint look again."""
        self.resting.notify_all()
        for attempt in self.in_flight.values():
            if attempt.resting and attempt.wake is not None:
                self.services.coroutines.call(attempt.wake)

    def label(self, index: int) -> str:
        """What a person calls a node: `clean`, `map(clean)`, `map(clean)[3]`."""
        work = self.results.work[index]
        if isinstance(work, Expansion):
            return f"{work.node.label}[{index - work.first}]"
        return work.label

    def id_of(self, index: int) -> str:
        """The identity of a node in events."""
        work = self.results.work[index]
        return work.id_of(index) if isinstance(work, Expansion) else work.id

    def node_of(self, index: int) -> Node:
        """The node at an index, the mapped one for an item."""
        work = self.results.work[index]
        return work.node if isinstance(work, Expansion) else work

    def options_of(self, index: int) -> Options:
        """What was asked for it."""
        return self.kinds.of[index].options

    def call_of(self, index: int) -> Call:
        """What it calls.

        Raises:
            UsageError: its arguments cannot be put together.
        """
        work = self.results.work[index]
        if isinstance(work, Expansion):
            return work.call_of(index)
        return self.results.reader.call_of(work)

    def _under_way(self) -> bool:
        in_flight = any(not attempt.abandoned for attempt in self.in_flight.values())
        return in_flight or self.inline is not None
