"""Lets a task wait at points of its own while it is paused, and stop there when it is cancelled."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator
from typing import Any, Generic, TypeVar

from cascade_nb.engine.body_context import progress_told
from cascade_nb.engine.dispatch.attempt import Attempt, asking_attempt, current_attempt
from cascade_nb.errors import BlockingError, RunCancelledError, UsageError
from cascade_nb.text import quoted

T = TypeVar("T")


class Checkpoint:
    """What `checkpoint()` gives: in a sync task it has waited already, in an async one await it."""

    def __init__(self, attempt: Attempt | None) -> None:
        self._attempt = attempt

    def __await__(self) -> Any:
        return _rest_on_loop(self._attempt).__await__()


def checkpoint() -> Checkpoint:
    """Wait here while this task is paused, and stop here when it is cancelled.

    In a sync task ``cs.checkpoint()`` does; in an async one write ``await cs.checkpoint()``.
    Outside a run it does nothing, so a task can be called as a plain function. Paused time does not
    count as the task's duration.

    Returns:
        What an async task awaits.

    Raises:
        RunCancelledError: the run was cancelled, or the time of this task is up.

    Example:
        >>> @cs.task
        ... def two_steps(x):
        ...     x += 1
        ...     cs.checkpoint()  # a pause holds it here, a cancel ends it here
        ...     return x + 1
        >>> cs.run(two_steps(1))
        3
    """
    attempt = current_attempt()
    if attempt is not None and attempt.in_thread:
        _rest_in_thread(attempt)
    return Checkpoint(attempt)


class track(Generic[T]):  # noqa: N801 - it reads as a verb where it is used
    """Go through something with a checkpoint and a word of progress at each item.

    ``for x in cs.track(xs)`` in a sync task, ``async for x in cs.track(xs)`` in an async one. An
    item counts as done when the next one is asked for.

    Args:
        iterable: what to go through; an async one with ``async for`` only.
        total: how many items there are, where `len` cannot tell.

    Raises:
        RunCancelledError: at an item, when the run was cancelled.
        BlockingError: a plain ``for`` in an async task, where waiting would hold up the loop.

    Example:
        >>> @cs.task
        ... def add_up(xs):
        ...     return sum(x for x in cs.track(xs))
        >>> cs.run(add_up([1, 2, 3]))
        6
    """

    def __init__(self, iterable: Iterable[T] | AsyncIterable[T], total: int | None = None) -> None:
        if not isinstance(iterable, (Iterable, AsyncIterable)):
            raise UsageError(
                f"cs.track() goes through the items of something, not {quoted(iterable)}"
            )
        self._iterable = iterable
        self._total = total if total is not None else _length(iterable)

    def __iter__(self) -> Iterator[T]:
        attempt = current_attempt()
        if attempt is not None and not attempt.in_thread:
            raise BlockingError("in an async task write `async for … in cs.track(…)`")
        if not isinstance(self._iterable, Iterable):
            raise UsageError("what is gone through is asynchronous: write `async for`")
        for done, item in enumerate(self._iterable, 1):
            if attempt is not None:
                _rest_in_thread(attempt)
            yield item
            tell_progress(attempt, done, self._total)

    async def __aiter__(self) -> AsyncIterator[T]:
        attempt = current_attempt()
        done = 0
        async for item in _as_async(self._iterable):
            await _rest_on_loop(attempt)
            yield item
            done += 1
            tell_progress(attempt, done, self._total)


async def _as_async(iterable: Iterable[T] | AsyncIterable[T]) -> AsyncIterator[T]:
    if isinstance(iterable, AsyncIterable):
        async for item in iterable:
            yield item
    else:
        for item in iterable:
            yield item


def _length(iterable: object) -> int | None:
    try:
        return len(iterable)  # type: ignore[arg-type]
    except TypeError:
        return None


def tell_progress(attempt: Attempt | None, done: int, total: int | None) -> None:
    """An attempt, or a body that runs for another process, has done so many items."""
    if attempt is None:
        tell = progress_told.get()
        if tell is not None:
            tell(done, total)
        return
    driver = attempt.driver
    with driver.lock:
        if driver.is_over:
            return  # a thread that could not be stopped: nothing of a run is told after its end
        attempt.progress = (done, total)
        driver.core.moved(attempt.index)
        driver.tell.progress(attempt.index, done, total)


def _stop_if_asked(attempt: Attempt) -> None:
    if attempt.stop or attempt.abandoned or attempt.late:
        label = attempt.driver.core.label(attempt.index)
        raise RunCancelledError(f"{label} stopped at a checkpoint, since it was cancelled")


def _rest_in_thread(attempt: Attempt) -> None:
    driver = attempt.driver
    with driver.lock:
        _stop_if_asked(attempt)
        if not driver.services.manager.pause_over(attempt.ticket):
            return
        begin_rest(attempt)
        try:
            while driver.services.manager.pause_over(attempt.ticket):
                driver.resting.wait()
                _stop_if_asked(attempt)
        finally:
            end_rest(attempt)


async def _rest_on_loop(attempt: Attempt | None) -> None:
    if attempt is None:
        return
    driver = attempt.driver
    with driver.lock:
        _stop_if_asked(attempt)
        if not driver.services.manager.pause_over(attempt.ticket):
            return
        begin_rest(attempt)
        woken = asyncio.Event()
        attempt.wake = woken.set
    try:
        while True:
            await woken.wait()
            woken.clear()
            with driver.lock:
                _stop_if_asked(attempt)
                if not driver.services.manager.pause_over(attempt.ticket):
                    return
    finally:
        with driver.lock:
            attempt.wake = None
            end_rest(attempt)


def begin_rest(attempt: Attempt) -> None:
    """An attempt stands still from now on; under the lock."""
    attempt.rests_since = attempt.driver.services.clock.now()
    attempt.driver.core.moved(attempt.index)


def end_rest(attempt: Attempt) -> None:
    """It goes on; under the lock."""
    assert attempt.rests_since is not None
    now = attempt.driver.services.clock.now()
    attempt.rested += now - attempt.rests_since
    attempt.driver.times.rested(attempt, attempt.rests_since, now)
    attempt.rests_since = None
    attempt.driver.core.moved(attempt.index)


@contextlib.contextmanager
def waiting_for_others(run_id: str) -> Iterator[None]:
    """While a task waits here for a run, its places in limits are for others.

    Args:
        run_id: of the run; "" for one that is over.

    Raises:
        BlockingError: the task is part of that run, which would wait for it in turn.
    """
    attempt = asking_attempt()
    if attempt is not None and _waits_for_itself(attempt, run_id):
        label = attempt.driver.core.label(attempt.index)
        raise BlockingError(
            f"{label} cannot wait for the run that it is part of, which waits for it"
        )
    if attempt is None or attempt.ticket in attempt.driver.lent:
        yield
        return
    driver, ticket = attempt.driver, attempt.ticket
    with driver.lock:
        driver.lent.add(ticket)
        driver.services.manager.lend(ticket)
        driver.services.manager.hand_out()
    try:
        yield
    finally:
        with driver.lock:
            driver.lent.discard(ticket)
            if ticket in driver.in_flight:
                driver.services.manager.lend(ticket, back=True)
                driver.services.manager.hand_out()


def _waits_for_itself(attempt: Attempt, run_id: str) -> bool:
    if not run_id or not attempt.ticket.subject.is_of(run_id):
        return False
    # What a coroutine has begun beside itself may wait; it is not waited for.
    return attempt.task is None or attempt.task is asyncio.current_task()
