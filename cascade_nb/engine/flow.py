"""One run at work: what the scheduler says is ready goes to its lane, what comes back goes to the
scheduler.

Every method is called under the engine's lock, from the loop or from a worker, unless it says
otherwise. That one
lock is what makes a pause exact: constraints change under it and starts happen under it, so that no
start can slip between a pause and its acknowledgement.
"""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from cascade_nb.control.constraint import Scope
from cascade_nb.control.limits import Subject, Ticket
from cascade_nb.engine.arguments import Call, Expansion
from cascade_nb.engine.attempt import AsyncAttempt, Attempt, ThreadAttempt
from cascade_nb.engine.failure import Failure, picture, timed_out, where_raised
from cascade_nb.engine.lanes import Lanes
from cascade_nb.engine.ledger import Ledger
from cascade_nb.engine.scheduler import DONE, READY, Scheduler
from cascade_nb.engine.teller import Teller
from cascade_nb.engine.unfold import Unfolding, first_needs
from cascade_nb.errors import CascadeError
from cascade_nb.graph.build import Bindings
from cascade_nb.graph.graph import Graph, Node
from cascade_nb.model.lazy import Lazy
from cascade_nb.model.policy import Options

if TYPE_CHECKING:
    from cascade_nb.engine.parts import Parts
    from cascade_nb.engine.resources import ResourceDesk

A = TypeVar("A", bound=Attempt)


class Flow:
    """The machinery of one run.

    Args:
        run_id: the run's identity.
        graph: what runs.
        parts: what the engine is made of.
        have: results that are there already, by index; parameters are among them.
        reused: those of them that an earlier run made.
        params, bindings: what was given, and what names mean, for what a task adds while it runs.
        keys: fingerprint by index, for what may be kept.
        on_error: "stop" or "continue".
        seconds: by node, how long it took before, where known.
        on_over: called once, on whatever thread, when nothing more will happen.
    """

    def __init__(
        self,
        run_id: str,
        graph: Graph,
        parts: Parts,
        *,
        have: Mapping[int, Any],
        reused: Collection[int],
        params: Mapping[str, Any],
        bindings: Bindings | None,
        keys: Mapping[int, str],
        on_error: str,
        seconds: Callable[[int], float | None] | None,
        on_over: Callable[[], None],
    ) -> None:
        self.run_id = run_id
        self.graph = graph
        self.parts = parts
        self.lock = parts.manager.lock
        self.keys = keys
        self.reused = set(reused)
        self.params = params
        self.bindings = bindings
        self.on_error = on_error
        self.on_over = on_over
        self.context = contextvars.copy_context()
        self.scheduler = Scheduler([first_needs(node) for node in graph.nodes], have)
        self.ledger = Ledger(graph)
        for index, value in have.items():
            self.ledger.values[index] = value
        self.lanes = Lanes(self, parts.workers, parts.door)
        self.tell = Teller(self)
        self.unfold = Unfolding(self)
        self.resources: ResourceDesk = parts.desk_for(self)
        self.ranks: Any = parts.solver.ranks([node.inputs for node in graph.nodes], seconds)
        self.flying: dict[Ticket, Attempt] = {}
        self.parked: dict[int, Ticket] = {}
        self.tries: dict[int, int] = {}
        self.retry_at: dict[int, float] = {}
        self.failures: list[Failure] = []
        self.skipped: dict[int, tuple[str, str]] = {}
        self.log: list[int] = []  # every index whose state changed, in order, for who watches
        self.durations: dict[str, tuple[int, float]] = {}
        self.began = self.last_end = parts.clock.now()
        self.rested = 0.0  # seconds in which all was paused and nothing ran
        self.inline_running = 0
        self.resting = threading.Condition(self.lock)
        self.stopping: str | None = None
        self.is_over = False
        self._subjects: dict[Any, Subject] = {}
        self._saving = 0

    def start(self) -> None:
        """Ask for the targets, and let start what may."""
        self.parts.manager.enter(self)
        for index in self.reused:
            self.tell.skipped(index, "Reused", "an earlier run made its result")
            self.unfold.prune(self.ledger.over(index, self.scheduler), "Reused")
        self.unfold.arrive(self.scheduler.demand(self.graph.targets))
        self.settle()

    # ---- what the lanes ask
    # --------------------------------------------------------------------------

    def admitted(self, index: int, kind: type[A]) -> A | None:
        """An attempt at a ready node, or None where a constraint parks it."""
        ticket = self.ticket_for(index)
        if not self._admit(index, ticket):
            return None
        attempt = kind(self, index, ticket, self.tries.get(index, 1))
        self.flying[ticket] = attempt
        return attempt

    def begin(self, attempt: Attempt) -> Call | None:
        """The last look. Gives the call to make; None when it may not start now after all."""
        ticket, index = attempt.ticket, attempt.index
        if self.stopping is not None:
            del self.flying[ticket]
            self.parts.manager.release(ticket)
            self.settle()
            return None
        if self.parts.manager.withdraw(ticket):
            del self.flying[ticket]
            self._blocked(index, ticket)
            return None
        self.scheduler.start(index)
        self.log.append(index)
        attempt.started = self.parts.clock.now()
        self.tell.started(index, attempt.number)
        timeout = self.options_of(index).timeout
        if timeout is not None:
            self.parts.timer(timeout, partial(self._time_is_up, attempt), attempt)
        try:
            return self._call_of(index)
        except CascadeError as error:
            self.end(attempt, None, error)
            return None

    def end(self, attempt: Attempt, result: Any, error: BaseException | None) -> None:
        """An attempt is over, for better or worse."""
        self.flying.pop(attempt.ticket, None)
        self.last_end = self.parts.clock.now()
        if attempt.timer is not None:
            attempt.timer()
        self.parts.manager.release(attempt.ticket)
        if not attempt.abandoned:
            assert attempt.started is not None
            took = max(0.0, self.last_end - attempt.started - attempt.rested)
            self._outcome(attempt.index, attempt.number, took, result, error, attempt.stop)
        self.settle()

    def begin_inline(self, index: int) -> tuple[Call, Ticket | None, float] | None:
        """The call of an inline node, or None where a constraint parks it."""
        if self.stopping is not None:
            return None
        ticket = None
        if self.parts.manager.idle(self._subject_of(index)) and not self.options_of(index).needs:
            self.parked.pop(index, None)
        else:
            ticket = self.ticket_for(index)
            if not self._admit(index, ticket):
                return None
        self.scheduler.start(index)
        self.log.append(index)
        if self.parts.bus.listening:
            self.tell.started(index, self.tries.get(index, 1))
        self.inline_running = 1
        began = self.parts.clock.now()
        try:
            return self._call_of(index), ticket, began
        except CascadeError as error:
            self.end_inline(index, ticket, began, None, error)
            return None

    def end_inline(
        self,
        index: int,
        ticket: Ticket | None,
        began: float,
        result: Any,
        error: BaseException | None,
    ) -> None:
        """An inline node is over."""
        self.inline_running = 0
        if ticket is not None:
            self.parts.manager.release(ticket)
        took = self.parts.clock.now() - began
        self._outcome(index, self.tries.get(index, 1), took, result, error, False)

    # ---- what the constraint manager asks (control.limits.Owner)
    # -------------------------------------

    def offer(self, ticket: Ticket) -> None:
        """A gate may let this ticket pass now."""
        index = ticket.key
        if self.stopping is not None or self.scheduler.state[index] != READY:
            return
        lane = self.unfold.lane[index]
        if lane == "inline" or (lane == "thread" and not self.parts.workers.free):
            self.push(index)
            self.lanes.pump_soon()
        elif lane == "thread":
            job = self.admitted(index, ThreadAttempt)
            if job is not None:
                self.parts.workers.free -= 1
                self.parts.workers.executor.submit(job)
        else:
            attempt = self.admitted(index, AsyncAttempt)
            if attempt is not None:
                self.parts.door.call(partial(self.lanes.start_on_loop, attempt))

    def take_back(self, tickets: Iterable[Ticket], since: float) -> None:
        """What held these is gone."""
        if self.stopping is not None:
            return
        if not self.flying:
            self.rested += max(0.0, self.parts.clock.now() - max(since, self.last_end))
        for ticket in tickets:
            self.push(ticket.key)
            self.log.append(ticket.key)
        self.lanes.pump_soon()

    def lifted(self) -> None:
        """Some constraint is gone: what rests at a checkpoint may go on."""
        self.wake_resting()

    def in_flight(self) -> Iterable[Ticket]:
        """The tickets of everything that is admitted."""
        return list(self.flying)

    def members(self, scope: Scope) -> frozenset[int]:
        """The nodes of a `node:` or `from:` scope."""
        named = [n.index for n in self.graph.nodes if scope.value in (n.name, n.id)]
        return frozenset(self.graph.descendants(named) if scope.kind == "from" else named)

    def label_of(self, ticket: Ticket) -> str:
        """What a person calls it."""
        return self.label(ticket.key)

    # ---- moves
    # ---------------------------------------------------------------------------------------

    def push(self, index: int) -> None:
        """A ready node goes to its lane."""
        root = self.unfold.root_of(index)
        self.lanes.push(index, self.unfold.lane[index] or "inline", self.ranks[root])

    def keep(self, index: int, number: int, took: float, result: Any, tell: bool = True) -> None:
        """Have a result kept where it must be, and only then call the node completed."""
        if tell:
            name = self.node_of(index).task_name
            times, mean = self.durations.get(name, (0, 0.0))
            self.durations[name] = (times + 1, mean + (took - mean) / (times + 1))
        key = self.keys.get(index)
        safe = self.parts.state.put(key, result, took) if key is not None else None
        if safe is not None:
            self._saving += 1
            self.parts.spawn(self._wait_until_safe(safe, index, number, took, result, tell))
            return
        if tell:
            self.tell.finished(index, "completed", took, number, None)
        self.finish(index, result)

    def finish(self, index: int, result: Any) -> None:
        """A node that runs has its result, and the state backend has it too where it must."""
        ledger = self.ledger
        ledger.values[index] = result
        ready = self.scheduler.finish(index)
        self.log.append(index)
        pruned = ledger.over(index, self.scheduler)
        ledger.no_reader(index, self.scheduler)
        if pruned:
            self.unfold.prune(pruned)
        if ready:
            self.unfold.arrive(ready)

    def fail(self, index: int, error: BaseException, attempt: int = 1) -> None:
        """A node failed for good."""
        work = self.ledger.work[index]
        inputs: tuple[str, ...] = ()
        try:
            call = self._call_of(index) if self.unfold.lane[index] else None
            if call is not None:
                values = [*call.args, *(f"{k}={picture(v)}" for k, v in call.kwargs.items())]
                inputs = tuple(v if isinstance(v, str) else picture(v) for v in values)
        except CascadeError:
            inputs = ("its inputs could not be put together",)
        if not (isinstance(work, Node) and self.unfold.is_expanded(index)):
            label = self.label(index)
            self.failures.append(
                Failure(label, self.id_of(index), attempt, error, where_raised(error), inputs)
            )
        ready, others = self.scheduler.fail(index)
        self.log.append(index)
        if self.on_error == "stop":
            self.stop("failed")
        self.unfold.after_end(index, ready, others, "UpstreamFailed", f"{self.label(index)} failed")

    def skip(self, index: int, reason: str, detail: str) -> None:
        """A node will not run."""
        self.skipped[index] = (reason, detail)
        ticket = self.parked.pop(index, None)
        if ticket is not None:
            self.parts.manager.forget(ticket)
        ready, others = self.scheduler.skip(index)
        self.log.append(index)
        self.tell.skipped(index, reason, detail)
        self.unfold.after_end(index, ready, others, "UpstreamSkipped", detail)

    def stop(self, why: str) -> None:
        """Start nothing new; what runs may finish. `why` is "failed" or "cancelled"."""
        if self.stopping is None or why == "cancelled":
            self.stopping = why
        self.lanes.clear()
        self.retry_at.clear()
        self.parked.clear()

    def settle(self) -> None:
        """Notice that nothing more will happen."""
        if self.is_over or self._saving:
            return
        if self.scheduler.unfinished and not (self.stopping is not None and not self._under_way()):
            return
        self.close()

    def close(self) -> None:
        """End now: what has not begun is cancelled, what still runs is not waited for."""
        if self.is_over:
            return
        self.is_over = True
        self.lanes.clear()
        for attempt in self.flying.values():
            attempt.abandoned = attempt.stop = True
        state = self.scheduler.state
        for index in range(len(state)):
            if state[index] < DONE:
                self.scheduler.cancel(index)
                self.log.append(index)
        self.parts.manager.leave(self)
        self.on_over()

    # ---- looking
    # ------------------------------------------------------------------------------------

    def label(self, index: int) -> str:
        """What a person calls a node: `clean`, `map(clean)`, `map(clean)[3]`."""
        work = self.ledger.work[index]
        if isinstance(work, Expansion):
            return f"{work.node.label}[{index - work.first}]"
        return work.label

    def id_of(self, index: int) -> str:
        """The identity of a node in events."""
        work = self.ledger.work[index]
        if isinstance(work, Expansion):
            return f"{work.node.id}[{index - work.first}]"
        return work.id

    def node_of(self, index: int) -> Node:
        """The node at an index, the mapped one for an item."""
        work = self.ledger.work[index]
        return work.node if isinstance(work, Expansion) else work

    def options_of(self, index: int) -> Options:
        """What was asked for it."""
        return self.node_of(index).options

    def ticket_for(self, index: int) -> Ticket:
        """The ticket with which a node asks for admission."""
        ticket = self.parked.pop(index, None)
        if ticket is None:
            root = self.unfold.root_of(index)
            subject = self._subject_of(index)
            needs = self.unfold.needs_of(index)
            ticket = Ticket(self, index, root, self.ranks[root], subject, needs)
        return ticket

    # ---- inside
    # --------------------------------------------------------------------------------------

    def _admit(self, index: int, ticket: Ticket) -> bool:
        if self.parts.manager.admit(ticket) is None:
            return True
        self._blocked(index, ticket)
        return False

    def _blocked(self, index: int, ticket: Ticket) -> None:
        self.parked[index] = ticket
        self.log.append(index)
        self.tell.blocked(index, ticket)

    def _call_of(self, index: int) -> Call:
        work = self.ledger.work[index]
        if isinstance(work, Expansion):
            return work.call_of(index)
        return self.ledger.reader.call_of(work)

    def _subject_of(self, index: int) -> Subject:
        node = self.node_of(index)
        key = (node.task, node.options.tags)
        subject = self._subjects.get(key)
        if subject is None:
            tags = node.options.tags
            subject = self._subjects[key] = Subject(self.run_id, node.task_name, tags)
        return subject

    def _outcome(
        self,
        index: int,
        number: int,
        took: float,
        result: Any,
        error: BaseException | None,
        stopped: bool,
    ) -> None:
        if error is None:
            if isinstance(result, Lazy):
                self.unfold.continue_with(index, result, number, took)
                return
            self.keep(index, number, took, result)
            return
        if stopped and isinstance(error, (asyncio.CancelledError, CascadeError)):
            self.scheduler.cancel(index)
            self.log.append(index)
            self.tell.finished(index, "cancelled", took, number, "cancelled")
            return
        retry = self.options_of(index).retry
        if retry is not None and self.stopping is None and retry.again(number, error):
            self.unfold.retry(index, number, error, retry)
            return
        self.tell.finished(index, "failed", took, number, error)
        self.fail(index, error, number)

    async def _wait_until_safe(
        self,
        safe: Awaitable[None],
        index: int,
        number: int,
        took: float,
        result: Any,
        tell: bool,
    ) -> None:
        failure: BaseException | None = None
        try:
            await safe
        except BaseException as raised:
            failure = raised
        with self.lock:
            self._saving -= 1
            if self.is_over:
                return
            if tell:
                status = "completed" if failure is None else "failed"
                self.tell.finished(index, status, took, number, failure)
            if failure is None:
                self.finish(index, result)
            else:
                self.fail(index, failure, number)
            self.settle()
            self.lanes.pump_soon()

    def _time_is_up(self, attempt: Attempt) -> None:
        """On the loop, without the lock: the time of an attempt is over."""
        with self.lock:
            if attempt.ticket not in self.flying or attempt.abandoned:
                return
            attempt.late = True
            if attempt.task is not None:
                attempt.task.cancel()
                return
            # Its ticket stays in flight: the thread goes on, and what it holds is not free.
            attempt.abandoned = True
            limit = self.options_of(attempt.index).timeout or 0.0
            error = timed_out(self.label(attempt.index), limit, in_thread=True)
            self._outcome(attempt.index, attempt.number, limit, None, error, False)
            self.settle()
            self.lanes.pump_soon()

    def wake_resting(self) -> None:
        """Have every task that rests at a checkpoint look again."""
        self.resting.notify_all()
        for attempt in self.flying.values():
            if attempt.resting and attempt.wake is not None:
                self.parts.door.call(attempt.wake)

    def _under_way(self) -> bool:
        return any(not attempt.abandoned for attempt in self.flying.values())
