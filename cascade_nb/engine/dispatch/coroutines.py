"""Runs coroutines on the loop, with as few tasks of asyncio as there are coroutines that wait.

A task of asyncio costs more than a small node. So one task carries a coroutine, and when that has
ended without ever having waited, goes straight on to the next. With one that waits it stays to the
end, as any task would, and others carry on.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Coroutine, Generator, Iterable
from contextvars import Context
from functools import partial
from heapq import heappop
from time import perf_counter
from typing import Any, Final

from cascade_nb.concurrency.begun_tasks import begin_task
from cascade_nb.engine.core.priorities import goes_first
from cascade_nb.engine.dispatch.admission import AdmittingRun
from cascade_nb.engine.dispatch.attempt import AsyncAttempt
from cascade_nb.engine.dispatch.inline import INDEX, SLICE, YIELD_PAUSE
from cascade_nb.model.arguments.call import Call

BURST: Final = 500  # runners begun at a stretch
LOOK: Final = 500  # looked at at a stretch, or what is allowed would begin too late


class CoroutineRunner:
    """Runs the coroutines of one run; each of its runners is a task of asyncio.

    Attributes:
        waiting: the heap of the nodes whose coroutines have not begun.
        active: how many runners are about to begin a coroutine, so that no others are needed.
    """

    def __init__(self, driver: AdmittingRun) -> None:
        self._driver = driver
        self.waiting: list[int] = []
        self.active = 0
        self._burst = 1
        self._until: float | None = None  # the end of the slice, while one goes on
        self._offers: list[AsyncAttempt] | None = None  # of this moment, while one hands in

    def take(self) -> list[AsyncAttempt]:
        """Attempts to `begin` runners with, admitted; under the lock.

        One is enough for coroutines that never wait. For those that do, the number doubles each
        time, or each would begin a turn of the loop later than the one before.
        """
        taken: list[AsyncAttempt] = []
        if self.active:
            return taken
        heap, admission = self.waiting, self._driver.admission
        for _ in range(LOOK):
            if not heap or len(taken) == self._burst or not self._goes_first():
                break
            attempt = admission.admitted(heappop(heap) & INDEX, AsyncAttempt)
            if attempt is not None:
                taken.append(attempt)
        if taken:  # what only looks at what is held must not come back with a crowd
            self._burst = min(2 * self._burst, BURST)
        self.active = len(taken)
        return taken

    def begin(self, attempts: Iterable[AsyncAttempt]) -> None:
        """Begin runners with what was taken; on the loop, without the lock."""
        driver = self._driver
        for attempt in attempts:
            work = self._carry(attempt)
            loop = driver.services.coroutines.loop
            attempt.task = driver.context.copy().run(begin_task, work, loop)

    def offered(self, attempt: AsyncAttempt) -> None:
        """One was admitted otherwise, because what it waited for was free; under the lock.

        The runner whose coroutine has just ended goes on with it, or else one begins with it.
        """
        if self._offers is not None:
            self._offers.append(attempt)
        else:
            self._driver.services.coroutines.call(partial(self._begin_with, attempt))

    def _begin_with(self, attempt: AsyncAttempt) -> None:
        self.active += 1
        self.begin([attempt])

    async def _carry(self, attempt: AsyncAttempt | None) -> None:
        """Carry an admitted attempt, and then others."""
        driver, me = self._driver, asyncio.current_task()
        assert me is not None
        waited = False
        failure: BaseException | None = None
        try:
            while (until := self._end_of_slice()) < perf_counter():  # noqa: ASYNC110
                # Nothing tells when it is over but a turn of the loop.
                await asyncio.sleep(YIELD_PAUSE)
            with driver.lock:
                call = attempt.begin() if attempt is not None else None
                if call is None:
                    attempt, call = self._next()
            while attempt is not None and call is not None:
                attempt.task = me
                result, failure = None, None
                context = driver.context.copy()
                body = attempt.body(call)
                try:
                    try:
                        first = context.run(body.send, None)
                    except StopIteration as done:
                        result = done.value
                    else:
                        waited = True
                        self._leave_to_others()
                        result = await _Rest(context, body, first)
                except BaseException as error:  # also what would end the loop: it is the task's own
                    failure = error
                del body, context
                if waited:
                    until = self._end_of_slice()
                over, called = _is_asked_to_end(me) or perf_counter() > until, call
                with driver.lock:
                    attempt, call = self._hand_in(attempt, result, failure, over, waited)
                    if waited and call is not None:
                        waited = False
                        self.active += 1
                    freed = driver.core.results.take_freed()
                del result, called, freed  # without the lock: their end is code of the user's
        except Exception as broken:
            with driver.lock:
                driver.break_off(broken)
        finally:
            if not waited:
                with driver.lock:
                    self.active -= 1
                    self._burst = 1
                    driver.queues.pump_coroutines_later()
            del failure

    def _hand_in(
        self,
        attempt: AsyncAttempt,
        result: Any,
        failure: BaseException | None,
        over: bool,
        waited: bool,
    ) -> tuple[AsyncAttempt, Call] | tuple[None, None]:
        """One is over; gives what its runner goes on with, begun, unless that is over too.

        One that waited has left the heap to others, and only takes what its end has freed: to begin
        a task for that would take as long again as all the rest, and a turn of the loop more.
        """
        self._offers = []
        try:
            attempt.end(result, failure)
        finally:
            offers, self._offers = self._offers, None
        mine = offers.pop(0) if offers and not over else None
        for other in offers:
            self.offered(other)
        call = mine.begin() if mine is not None else None
        if mine is not None and call is not None:
            return mine, call
        return (None, None) if over or waited else self._next()

    def _end_of_slice(self) -> float:
        """Until when the runners may work in this turn of the loop. All share one slice: there may
        be hundreds, and the loop would come to nothing else while each had one of its own.
        """
        if self._until is None:
            self._until = perf_counter() + SLICE
            self._driver.services.coroutines.loop.call_soon(self._turn_is_over)
        return self._until

    def _turn_is_over(self) -> None:
        self._until = None

    def _next(self) -> tuple[AsyncAttempt, Call] | tuple[None, None]:
        """The first that is allowed to start, begun, and its call; under the lock."""
        heap, admission = self.waiting, self._driver.admission
        for _ in range(LOOK):
            if not heap or not self._goes_first():
                break
            attempt = admission.admitted(heappop(heap) & INDEX, AsyncAttempt)
            if attempt is not None:
                call = admission.start(attempt)
                if call is not None:
                    return attempt, call
        return None, None

    def _goes_first(self) -> bool:
        return goes_first(self._driver.services.waiting, self.waiting)

    def _leave_to_others(self) -> None:
        """A runner stays with a coroutine that waits."""
        with self._driver.lock:
            self.active -= 1
            taken = self.take()
            # What was not looked at yet, and nobody else will look at.
            self._driver.queues.pump_coroutines_later()
        self.begin(taken)


class _Rest:
    """What is left of a coroutine after its first step, in its own context.

    Args:
        context: where it runs.
        body: the coroutine.
        first: what it waits for.
    """

    def __init__(self, context: Context, body: Coroutine[Any, Any, Any], first: Any) -> None:
        self._context = context
        self._body = body
        self._first = first

    def __await__(self) -> Generator[Any, Any, Any]:
        body, awaited = self._body, self._first
        step: Callable[[], Any]
        while True:
            try:
                step = partial(body.send, (yield awaited))
            except BaseException as error:
                step = partial(body.throw, error)
            try:
                awaited = self._context.run(step)
            except StopIteration as done:
                return done.value


def _is_asked_to_end(task: asyncio.Task[Any]) -> bool:
    """Whether a coroutine had its own task cancelled and ended before it could hear of it."""
    if sys.version_info >= (3, 11):
        return task.cancelling() > 0
    return bool(task._must_cancel)  # a task of 3.10 does not say it in any other way
