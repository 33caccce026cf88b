"""Decides everything about one run: which nodes are ready, over, skipped or tried again.

A pure state machine and the only writer of a run's state. It is told what happened and fills
`changes` with what is to be done about it; `runs.driver` does that, under the engine's lock. So a
test can drive it step by step, with no engine at all::

    >>> core.begin()
    >>> core.changes.ready
    [0]
    >>> core.started(0)
    >>> core.finished(0, "rows")
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import islice
from typing import Any, Final

from cascade_nb.concurrency.raised import is_raised_as
from cascade_nb.control.gate_kinds.resource_pools import PoolGate
from cascade_nb.control.gates import Ticket
from cascade_nb.engine.core.arguments import Expansion
from cascade_nb.engine.core.changes import Again, Ended, UserCode
from cascade_nb.engine.core.continuation import Continuations
from cascade_nb.engine.core.control_flow import ControlFlow
from cascade_nb.engine.core.initial_state import InitialState
from cascade_nb.engine.core.run_state import NO_NODES, OpenQuestion, Request, RunState
from cascade_nb.engine.core.scheduler import DONE, IDLE, READY
from cascade_nb.engine.core.skips import SkipPropagation
from cascade_nb.errors import CascadeError
from cascade_nb.graph.graph import Graph
from cascade_nb.model.options.checks import NOTHING

#: What ends an attempt that was asked to end.
OF_STOPPED: Final = (asyncio.CancelledError, CascadeError)


class RunCore(RunState):
    """What becomes of one run.

    Args:
        graph, request, initial, reused, pending, carried, pools: as for `RunState`.

    Attributes:
        continuations: the nodes whose results will be made of others'.
    """

    def __init__(
        self,
        graph: Graph,
        request: Request,
        initial: InitialState,
        *,
        reused: Collection[int] = (),
        pending: Mapping[int, Any] = NO_NODES,
        carried: frozenset[int] = frozenset(),
        pools: Mapping[str, PoolGate] = NOTHING,
    ) -> None:
        super().__init__(
            graph,
            request,
            initial,
            reused=reused,
            pending=pending,
            carried=carried,
            pools=pools,
        )
        self._asked = initial.ready
        self.continuations = Continuations(self)
        self._skips = SkipPropagation(self)
        self._control_flow = ControlFlow(self, self._skips, self.continuations)

    def begin(self, skipped: Mapping[int, tuple[str, str]] = NO_NODES) -> None:
        """Ask for the targets.

        Args:
            skipped: reason and words for what an earlier try has skipped and that stays so.
        """
        self.reused.update(self.results.pruned)
        for index, (reason, detail) in skipped.items():
            if self.scheduler.state[index] == IDLE:  # unless its result was found meanwhile
                self._skips.skip(index, reason, detail)
        ready = self._asked
        if ready is None:
            ready = self.scheduler.demand(self.graph.targets)
        self.arrive(ready)
        self._control_flow.work_off()

    def started(self, index: int) -> None:
        """An attempt at a ready node begins.

        Raises:
            IllegalMoveError: it is not ready.
        """
        self.scheduler.start(index)
        self.state_changes.append(index)

    def made(self, index: int, took: float, result: Any) -> None:
        """An attempt came to a result, after `took` seconds, which nobody keeps elsewhere."""
        self.succeeded(index, took)
        self.finished(index, result)

    def succeeded(self, index: int, took: float) -> None:
        """An attempt came to a result, after `took` seconds; `finished` follows when it is safe."""
        kind = self.kinds.of[index]
        kind.times += 1
        kind.seconds += took
        if took > kind.longest:  # noqa: PLR1730 - `max` costs more
            kind.longest = took

    def finished(self, index: int, result: Any) -> None:
        """A node that runs has its result, and it is safe where it must be.

        Raises:
            IllegalMoveError: it does not run.
        """
        # `RunState.finish`, since a call costs every node of a large graph.
        scheduler = self.scheduler
        ready = scheduler.finish(index)
        self.state_changes.append(index)
        pruned = self.results.finished(index, result, scheduler.state)
        if pruned:
            self.prune(pruned)
        if ready:
            self.arrive(ready)
            if self.agenda:
                self._control_flow.work_off()

    def continued(self, index: int, result: Any, number: int, took: float) -> None:
        """Attempt `number`, after `took` seconds, returned lazy values: they make its result."""
        self._control_flow.continued(index, result, number, took)
        self._control_flow.work_off()

    def failed(
        self, index: int, number: int, took: float, error: BaseException, stopped: bool = False
    ) -> None:
        """Attempt `number`, after `took` seconds, raised an error: it is tried again, or failed.

        Args:
            stopped: whether it was asked to end, which is no failure where it did.
        """
        kind = self.kinds.of[index]
        kind.failed += 1
        kind.lost += took
        if took > kind.longest:  # noqa: PLR1730 - `max` costs more
            kind.longest = took
        if stopped and is_raised_as(error, OF_STOPPED):
            self._cancel(index, number, took)
            return
        retry = self.options_of(index).retry
        if retry is not None and self.stopping is None and retry.again(number, error):
            self.tries[index] = number + 1
            self.scheduler.again(index)
            self.state_changes.append(index)
            self.changes.again.append(Again(index, number, error, retry))
            self.changes.more = True
            return
        self.fail(index, error, number, took)

    def again(self, index: int, missing: Sequence[int] = ()) -> None:
        """What was begun is lost without having ended: it is ready once more, when `missing` is."""
        if self.stopping is not None:
            self._cancel(index, self.tries.get(index, 1), 0.0)
            return
        self.scheduler.again(index)
        if missing:
            self.scheduler.need(index, missing)
            self.state_changes.append(index)
        else:
            self.queue(index)

    def made_ready(self, ready: Sequence[int]) -> None:
        """These are ready once more, since what they made is lost."""
        self.arrive(ready)
        self._control_flow.work_off()

    def user_code_gave(self, code: UserCode, value: Any, error: BaseException | None) -> None:
        """Code of the user's that a node waits for is over; nothing happens where it is in vain."""
        if self.user_code.get(code.node) is not code:
            return  # its place is used for another node
        del self.user_code[code.node]
        if self.is_ready(code.node):
            self._control_flow.go_on(code, value, error)
            self._control_flow.work_off()

    def fail(self, index: int, error: BaseException, number: int = 1, took: float = 0.0) -> None:
        """A node failed for good."""
        self._skips.fail(index, error, number, took)
        self._control_flow.work_off()

    def wait(self, index: int, due: float, error: str) -> None:
        """The next attempt at a node comes at a moment of the clock, after this error."""
        self.last_errors[index] = error
        self.retry_at[index] = due

    def due(self, index: int) -> bool:
        """The moment of the next attempt is there; False where nobody waits for it any more."""
        if self.retry_at.pop(index, None) is None or self.stopping is not None:
            return False
        self.queue(index)
        return True

    def asked(self, index: int, question: OpenQuestion) -> None:
        """An attempt came to a question: its node waits for the answer, and holds nothing."""
        self.scheduler.again(index)
        self.questions[index] = question
        self.state_changes.append(index)

    def answered(self, index: int) -> OpenQuestion:
        """A node waits no longer: it runs again, until it is told what came of that."""
        question = self.questions.pop(index)
        self.started(index)
        return question

    def items_found(
        self, index: int, expansion: Expansion, when: float, results: Mapping[int, Any] = NO_NODES
    ) -> range:
        """The collections of a ready mapped node are there. Gives its items.

        Args:
            when: in seconds since the epoch.
            results: by position, those that an earlier run made and that stand.
        """
        flow = self._control_flow
        items = flow.expanded(index, expansion, when)
        if not items:
            flow.finish(index, [])
        elif self.stopping is None:
            if not results:
                self.changes.ready += items
                self.state_changes += items
            for position, item in enumerate(items if results else ()):
                if position in results:
                    flow.take_kept(item, results[position])
                else:
                    self.queue(item)
            flow.work_off()
        return items

    def moves_to_thread(self, index: int) -> None:
        """A ready node turns out to be too much for a loop."""
        of = self.kinds.of
        of[index] = self.kinds.in_thread(of[index])
        self.queue(index)

    def park(self, index: int, ticket: Ticket) -> None:
        """A ready node waits at a gate."""
        self.parked[index] = ticket
        self.state_changes.append(index)

    def release(self, tickets: Iterable[Ticket]) -> None:
        """What held these is gone: they are ready again."""
        indexes = [ticket.key for ticket in tickets]
        self.state_changes += indexes
        for index in indexes:
            self.parked.pop(index, None)  # or who looks for what is blocked goes through them all
        self.changes.ready += indexes

    def gates_changed(self) -> None:
        """What waits, at a gate or in line, may be held by a pause now, or no longer."""
        state, own = self.scheduler.state, self.own
        ready = islice(enumerate(state), own) if READY in state else ()
        self.state_changes += [index for index, now in ready if now == READY]
        self.state_changes += [i for i in self.grown if i < own and state[i] < DONE]

    def moved(self, index: int) -> None:
        """Something is to be seen of a node whose state is the same."""
        self.state_changes.append(index)

    def is_ready(self, index: int) -> bool:
        """Whether a node may start as far as the run goes."""
        return self.stopping is None and self.scheduler.state[index] == READY

    def stop(self, why: str) -> None:
        """Start nothing new; what runs may finish. `why` is "failed", "edited" or "cancelled"."""
        self._skips.stop(why)

    def cancel_rest(self) -> None:
        """The run is over: what is not, never will be."""
        state = self.scheduler.state
        if not self.scheduler.unfinished and self.stopping is None:
            return
        for index in range(len(state)):
            if state[index] < DONE:
                self.scheduler.cancel(index)
                self.state_changes.append(index)
                if index in self.continuations:  # it was told to have begun
                    number, took = self.continuations.left(index)
                    self.changes.end(Ended(index, "cancelled", number, took))
                elif (asked := self.questions.pop(index, None)) is not None:
                    self.changes.end(Ended(index, "cancelled", asked.number, asked.took))

    def _cancel(self, index: int, number: int, took: float) -> None:
        self.scheduler.cancel(index)
        self.state_changes.append(index)
        self.changes.end(Ended(index, "cancelled", number, took))
