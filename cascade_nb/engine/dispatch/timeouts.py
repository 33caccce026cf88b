"""Ends attempts whose timeout expires, or whose resources do not close: cancels what can be ended,
leaves threads behind.
"""

from __future__ import annotations

from functools import partial
from typing import Any, Final

from cascade_nb.control.words import seconds_text
from cascade_nb.engine.core.driven_run import DrivenRun
from cascade_nb.engine.dispatch.dispatched_run import DispatchedRun, Started
from cascade_nb.engine.dispatch.failures import LeftBehindWarning, came_to, note_failure
from cascade_nb.errors import TaskTimeoutError
from cascade_nb.events.thread_warnings import warn

ENDS_WITHIN: Final = 3.0
"""Seconds for a body to end that was told to, when its time is over; then nobody waits for it."""

CLOSES_WITHIN: Final = 10.0
"""Seconds for the resources of a body that is over to close; then nobody waits for them."""

_MOMENT: Final = 1e-3  # seconds by which a timer may come too early


def watch_time(driver: DispatchedRun, attempt: Started, seconds: float) -> None:
    """Have `time_is_up` called when an attempt that begins has run for so long."""
    driver.services.timer(seconds, partial(time_is_up, driver, attempt), attempt)


def time_is_up(driver: DispatchedRun, attempt: Started) -> None:
    """On the loop, without the lock: the time of an attempt is over."""
    with driver.moving():
        if attempt.ticket not in driver.in_flight or attempt.abandoned:
            return
        index = attempt.index
        limit = driver.core.options_of(index).timeout or 0.0
        left = limit - attempt.worked(driver.services.clock.now())
        if left > _MOMENT:  # it rested at a checkpoint, which does not count
            watch_time(driver, attempt, left)
            return
        attempt.late = True
        if attempt.end_now():
            driver.services.timer(ENDS_WITHIN, partial(_has_not_ended, driver, attempt), attempt)
        else:
            _leave_behind(driver, attempt, attempt.goes_on)


def _has_not_ended(driver: DispatchedRun, attempt: Started) -> None:
    """On the loop, without the lock: what was to end has had its time."""
    with driver.moving():
        if attempt.ticket in driver.in_flight and not attempt.abandoned:
            _leave_behind(driver, attempt, "it was told to end and goes on")


def watch_closing(
    driver: DispatchedRun, attempt: Started, result: Any, error: BaseException | None
) -> None:
    """A body is over, in whatever thread this is, and what was opened for it is about to be closed:
    when that hangs, what the body came to counts without it.
    """
    with driver.lock:
        if attempt.abandoned or not driver.resources.unclosed(attempt):
            return
        if attempt.timer is not None:
            attempt.timer()  # in time or not is settled
        took = attempt.worked(driver.services.clock.now())
        gone = partial(_does_not_close, driver, attempt, took, result, error)
        driver.services.timer(CLOSES_WITHIN, gone, attempt)


def _does_not_close(
    driver: DispatchedRun,
    attempt: Started,
    took: float,
    result: Any,
    error: BaseException | None,
) -> None:
    """On the loop, without the lock: what was opened for an attempt has had its time to close."""
    with driver.moving():
        left = driver.resources.unclosed(attempt)
        if attempt.ticket not in driver.in_flight or attempt.abandoned or not left:
            return
        attempt.abandoned = True
        if attempt.workers is not None:
            attempt.workers.replace(attempt)
        if attempt.late:  # what its body raised when it was told to end says nothing of that
            error = timed_out(driver, attempt.index)
        outcome = "done" if error is None else came_to(error, attempt.stop)
        driver.times.note(attempt, driver.services.clock.now(), took, outcome)
        if attempt.files is not None and error is None:
            driver.files.met(attempt.index, attempt.files.met)
        driver.outcome(attempt.index, attempt.number, took, result, error, attempt.stop)
        driver.carry_out()
        manager = driver.services.manager
        if error is not None and manager.breakers:
            note_failure(manager, driver.core, attempt.ticket, error, attempt.stop)
        attempt.end_now()
        label = driver.core.label(attempt.index)
    words = f"{label} ended without resource {', '.join(left)}: not closed, left behind"
    warn(words, LeftBehindWarning)


def _leave_behind(driver: DispatchedRun, attempt: Started, goes_on: str) -> None:
    # Its ticket stays in flight: the body goes on, and what it holds is not free.
    index = attempt.index
    limit = driver.core.options_of(index).timeout or 0.0
    attempt.abandoned = True
    if attempt.workers is not None:
        attempt.workers.replace(attempt)
    driver.cancel_nested("the task that started it took too long", attempt)
    driver.wake_resting()
    error = timed_out(driver, index, f"; {goes_on}, its result will be dropped")
    driver.times.note(attempt, driver.services.clock.now(), limit, "failed")
    driver.outcome(index, attempt.number, limit, None, error)
    driver.carry_out()
    if driver.services.manager.breakers:
        note_failure(driver.services.manager, driver.core, attempt.ticket, error)


def timed_out(driver: DrivenRun, index: int, rest: str = "") -> TaskTimeoutError:
    """What is raised for an attempt that took longer than it may.

    Args:
        driver, index: which node's.
        rest: what becomes of its body, in words.
    """
    label, limit = driver.core.label(index), driver.core.options_of(index).timeout or 0.0
    return TaskTimeoutError(
        f"{label} took longer than {seconds_text(limit)}{rest}", task=label, target=label
    )
