"""Handles the end of an attempt: a result, another try, a failure, a cancel."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any, Final

from cascade_nb.engine.core.scheduler import DONE
from cascade_nb.engine.dispatch.dispatched_run import DispatchedRun, Started
from cascade_nb.engine.dispatch.failures import Failure, error_text, timed_out, where_raised
from cascade_nb.errors import CascadeError
from cascade_nb.graph.graph import Node, NodeKind
from cascade_nb.graph.values.short_repr import short_repr
from cascade_nb.model.options.retry import Retry
from cascade_nb.model.tasks.present import Continued

_GLIMPSE: Final = 80  # characters of an argument of what failed
_MOMENT: Final = 1e-3  # seconds by which a timer may come too early


class Outcomes:
    """Takes what attempts bring back to the scheduler.

    Args:
        flow: the run.
        failures: gets what failed for good.
    """

    def __init__(self, flow: DispatchedRun, failures: list[Failure]) -> None:
        self._flow = flow
        self._failures = failures

    def end(self, attempt: Started, result: Any, error: BaseException | None) -> None:
        """An attempt is over, for better or worse."""
        flow = self._flow
        services = flow.services
        flow.in_flight.pop(attempt.ticket, None)
        now = flow.last_end = services.clock.now()
        if attempt.timer is not None:
            attempt.timer()
        services.manager.release(attempt.ticket)
        if not attempt.abandoned:
            took, index = attempt.worked(now), attempt.index
            if attempt.files is not None and error is None:
                flow.files.met(index, attempt.files.met)
            if error is not None or index in flow.keys.of or result.__class__ is Continued:
                self.outcome(index, attempt.number, took, result, error, attempt.stop)
            else:
                self.completed(index, attempt.number, took, result)
        if flow.is_over:
            flow.leave()
        elif not flow.scheduler.unfinished or flow.stopping is not None:
            flow.end_if_done()

    def outcome(
        self,
        index: int,
        number: int,
        took: float,
        result: Any,
        error: BaseException | None,
        stopped: bool = False,
    ) -> None:
        """Attempt `number` at a node took `took` seconds and gave this."""
        flow = self._flow
        if error is None:
            if result.__class__ is Continued:
                flow.control_flow.continuations.continue_with(index, result.value, number, took)
            else:
                flow.saver.keep(index, number, took, result)
            return
        kind = flow.kinds.of[index]
        kind.failed += 1
        kind.lost += took
        if took > kind.longest:  # noqa: PLR1730 - `max` costs more
            kind.longest = took
        if stopped and isinstance(error, (asyncio.CancelledError, CascadeError)):
            if flow.sharing is not None:
                flow.sharing.over(index)
            flow.scheduler.cancel(index)
            flow.state_changes.append(index)
            flow.tell.finished(index, "cancelled", took, number, "cancelled")
            return
        retry = flow.options_of(index).retry
        if retry is not None and flow.stopping is None and retry.again(number, error):
            self._retry(index, number, error, retry)
            return
        flow.tell.finished(index, "failed", took, number, error)
        self.fail(index, error, number)

    def completed(self, index: int, number: int, took: float, result: Any) -> None:
        """What `ResultSaver.keep` does for a result that need not be kept elsewhere, as nearly all
        of a large graph are.
        """
        flow = self._flow
        kind = flow.kinds.of[index]
        kind.times += 1
        kind.seconds += took
        if took > kind.longest:  # noqa: PLR1730 - `max` costs more
            kind.longest = took
        if flow.files.of:
            flow.files.collect(index)
        if flow.services.bus.listening:
            flow.tell.finished(index, "completed", took, number, None)
        self.finish(index, result)

    def finish(self, index: int, result: Any) -> None:
        """A node that runs has its result, and the state backend has it too where it must."""
        flow = self._flow
        scheduler = flow.scheduler
        ready = scheduler.finish(index)
        flow.state_changes.append(index)
        pruned = flow.results.finished(index, result, scheduler.state)
        if pruned:
            flow.skips.prune(pruned)
        if ready:
            flow.control_flow.arrive(ready)

    def fail(self, index: int, error: BaseException, number: int = 1) -> None:
        """A node failed for good."""
        flow = self._flow
        if flow.sharing is not None:
            flow.sharing.over(index)
        flow.has_failures_or_skips = True
        if not flow.control_flow.is_expanded(
            index
        ):  # a mapped node fails with its items, who said why
            label, node_id = flow.label(index), flow.id_of(index)
            inputs = self._inputs_in_words(index)
            where = where_raised(error)
            self._failures.append(Failure(label, node_id, number, error, where, inputs))
        ready, others = flow.scheduler.fail(index)
        flow.state_changes.append(index)
        if flow.request.on_error == "stop":
            flow.stop("failed")
        flow.skips.after_end(index, ready, others)

    def time_is_up(self, attempt: Started) -> None:
        """On the loop, without the lock: the time of an attempt is over."""
        flow = self._flow
        with flow.lock:
            if attempt.ticket not in flow.in_flight or attempt.abandoned:
                return
            limit = flow.options_of(attempt.index).timeout or 0.0
            left = limit - attempt.worked(flow.services.clock.now())
            if left > _MOMENT:  # it rested at a checkpoint, which does not count
                flow.services.timer(left, partial(self.time_is_up, attempt), attempt)
                return
            attempt.late = True
            if attempt.task is not None:
                attempt.cancel()
                return
            # Its ticket stays in flight: the thread goes on, and what it holds is not free.
            attempt.abandoned = True
            flow.workers.replace(attempt)
            flow.cancel_nested("the task that started it took too long", attempt)
            flow.wake_resting()
            error = timed_out(flow.label(attempt.index), limit, in_thread=True)
            self.outcome(attempt.index, attempt.number, limit, None, error)
            flow.end_if_done()
            flow.queues.pump_soon()

    def _retry(self, index: int, number: int, error: BaseException, policy: Retry) -> None:
        """Another attempt is due after `number` failed; until then it holds nothing."""
        flow = self._flow
        wait = policy.wait_after(number, flow.services.rng)
        flow.tries[index] = number + 1
        flow.last_errors[index] = error_text(error)
        flow.scheduler.again(index)
        flow.state_changes.append(index)
        flow.tell.retrying(index, number + 1, policy.max_attempts, wait, error)
        if wait <= 0:
            flow.push(index)
            flow.queues.pump_soon()
            return
        flow.retry_at[index] = flow.services.clock.now() + wait
        flow.services.timer(wait, partial(self._retry_now, index))

    def _retry_now(self, index: int) -> None:
        """On the loop, without the lock: the wait is over."""
        flow = self._flow
        with flow.lock:
            if flow.retry_at.pop(index, None) is not None and flow.stopping is None:
                flow.push(index)
                flow.queues.pump_soon()

    def _inputs_in_words(self, index: int) -> tuple[str, ...]:
        """A short picture of each argument of a node that failed."""
        flow = self._flow
        work = flow.results.work[index]
        if isinstance(work, Node) and work.kind is not NodeKind.TASK:
            return ()  # it calls nothing itself
        if any(flow.scheduler.state[i] < DONE for i in flow.node_of(index).inputs):
            return ()  # it failed before it asked for them
        try:
            call = flow.call_of(index)
        except BaseException as error:
            return (f"its arguments cannot be put together: {error}",)
        named = (f"{name}={short_repr(value, _GLIMPSE)}" for name, value in call.kwargs.items())
        return (*(short_repr(value, _GLIMPSE) for value in call.args), *named)
