"""Has the conditions of breakpoints judged, in a thread beside the run.

A condition is the user's code: it may take long, raise anything, or never answer. So it is called
neither on the loop nor under the lock, with copies of what the body would get. Until it has
answered, its node is held. What has not answered within the engine's grace stays held and is left
to itself, and another thread goes on with the others; what it says later counts all the same.
"""

from __future__ import annotations

import inspect
import threading
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any

from cascade_nb.control.gate_kinds.breakpoints import Judgement
from cascade_nb.control.words import seconds_text
from cascade_nb.engine.dispatch.dispatched_run import DispatchedRun
from cascade_nb.engine.dispatch.failures import error_text
from cascade_nb.engine.inspection.inputs_of_run import by_parameter
from cascade_nb.errors import UsageError
from cascade_nb.model.arguments.call import Call
from cascade_nb.model.lazy.any_task import AnyTask
from cascade_nb.model.lazy.lazy import Lazy


class _Timer:
    """Cancels what is to be called when a condition has had its time."""

    timer: Callable[[], object] | None = None


class Judging:
    """Judges what waits at the breakpoints of one run, one after the other.

    Args:
        driver: the run.
        grace: seconds that a condition has to answer.
    """

    def __init__(self, driver: DispatchedRun, grace: float) -> None:
        self._driver = driver
        self._grace = grace
        self._waiting: deque[Judgement] = deque()
        self._thread: threading.Thread | None = None
        self._asked: Judgement | None = None  # what that thread is about

    def ask(self, judgement: Judgement) -> None:
        """Judge one, beside the run. Under the lock."""
        self._waiting.append(judgement)
        if self._thread is None:
            self._begin()

    def _begin(self) -> None:
        self._thread = threading.Thread(target=self._work, name="cascade-judge", daemon=True)
        self._thread.start()

    def _work(self) -> None:
        driver = self._driver
        while True:
            with driver.lock:
                if self._thread is not threading.current_thread():
                    return  # it was left to itself, and another goes on
                judgement = self._asked = self._next()
                if judgement is None:
                    self._thread = None
                    return
                index = judgement.ticket.key
                task = driver.core.node_of(index).task
                call: Call | BaseException
                try:
                    call = driver.core.call_of(index)
                except BaseException as error:  # the user's classes have a say in it
                    call = error
            assert task is not None  # or it were no start
            timer = _Timer()
            driver.services.timer(self._grace, partial(self._late, judgement), timer)
            holds, said = self._answer(judgement, call, task)
            if timer.timer is not None:
                timer.timer()
            self._tell(judgement, holds, said)

    def _next(self) -> Judgement | None:
        """The next that somebody waits for. Under the lock."""
        while self._waiting:
            judgement = self._waiting.popleft()
            if judgement.counts:
                return judgement
        return None

    def _answer(
        self, judgement: Judgement, call: Call | BaseException, task: AnyTask
    ) -> tuple[bool, str]:
        """Whether it is held, and what is to be told of the condition; without the lock."""
        try:
            if isinstance(call, BaseException):
                raise call
            return self._driver.context.copy().run(_is_true, judgement, call, task), ""
        except BaseException as error:
            return True, f"raised {error_text(error)}"

    def _tell(self, judgement: Judgement, holds: bool, said: str) -> None:
        """What is known of a condition; without the lock."""
        driver, ticket = self._driver, judgement.ticket
        with driver.lock:
            if driver.is_over or not judgement.counts:
                return
            with driver.moving():
                driver.services.manager.judged(judgement, holds, said)
                if holds:
                    driver.core.moved(ticket.key)
                    driver.tell.blocked(ticket.key, ticket)

    def _late(self, judgement: Judgement) -> None:
        """On the loop, without the lock: a condition has had its time."""
        self._tell(judgement, True, f"has not answered for {seconds_text(self._grace)}")
        with self._driver.lock:
            if self._asked is judgement:
                self._thread = self._asked = None
                if self._waiting:
                    self._begin()


def _is_true(judgement: Judgement, call: Call, task: AnyTask) -> bool:
    """In the context of bodies, where a task is a plain function."""
    said: Any = judgement.pause_if(by_parameter(call, task))
    if inspect.isawaitable(said) and not isinstance(said, Lazy):  # which says itself what it is
        if inspect.iscoroutine(said):
            said.close()  # or there were a warning that nobody has awaited it
        raise UsageError("it gave something to be awaited")
    return bool(said)
