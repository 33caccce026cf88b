"""Runs one attempt at one node: in a worker thread, or as a coroutine on the loop.

An attempt is admitted before it begins, and between the two a pause may come: a worker has to wake
up, the loop has other callbacks first. So each looks a last time when it really begins (`begin`),
under the lock that a pause takes. After that it is in flight, and it finishes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any, ClassVar

from cascade_nb.concurrency.thread_settings import as_carried
from cascade_nb.concurrency.threads import run_in_thread
from cascade_nb.control.gates import Ticket
from cascade_nb.engine.body_context import at_end, finish_body, nodes_above
from cascade_nb.engine.dispatch.dispatched_run import DispatchedRun, PlacesInThreads
from cascade_nb.engine.dispatch.timeouts import timed_out, watch_closing
from cascade_nb.engine.files.audit_hook import user_here
from cascade_nb.engine.files.opened_files import OpenedFiles
from cascade_nb.engine.files.result_paths import NO_PATHS, PLAIN
from cascade_nb.model.arguments.call import Call
from cascade_nb.model.copying.isolation import are_quick_to_copy
from cascade_nb.model.tasks.present import returned
from cascade_nb.protocols.execution import Job


def current_attempt() -> Attempt | None:
    """The attempt whose body is running here; None for a function that runs inline, too."""
    user = user_here.get()
    return user if isinstance(user, Attempt) else None


def asking_attempt() -> Attempt | None:
    """The attempt that asks for something here, while it is under way."""
    attempt = current_attempt()
    if attempt is None or attempt.driver.in_flight.get(attempt.ticket) is not attempt:
        return None  # something that it began has outlived it
    return attempt


def node_here(depth: int = 0) -> str:
    """The id of the node whose body is running here; empty outside of bodies.

    Args:
        depth: for a body within a body, in which of the runs of `current_runs`.
    """
    above, user = nodes_above.get(), user_here.get()
    if depth < len(above):
        return above[depth]
    index = None if user is None else user.index
    return "" if user is None or index is None else user.driver.core.shown_id(index)


class Attempt:
    """What is known of an attempt while it is under way.

    Attributes:
        driver, index: whose it is, and which node.
        ticket: what it holds while it runs.
        call: what is to be called, from its beginning to that of the body.
        number: 1 for the first attempt at this node.
        started: when it began, on the engine's clock; None before that.
        rested: seconds of it that were spent at checkpoints, paused.
        progress: items done and in all, as the task itself told.
        stop: whether it was asked to end.
        late: whether its time is up.
        abandoned: whether it counts no longer, being a thread whose time is up or whose run has
            ended.
        replaced: whether another thread has its place, since its own may never end.
        rests_since: since when it waits at a checkpoint, or None.
        wake: for one on the loop, what ends that wait.
        files: what it opened, and what its result points to; None for nothing.
        workers: of whose places it has one; None on the loop.
    """

    __slots__ = (
        "abandoned",
        "call",
        "driver",
        "files",
        "index",
        "late",
        "number",
        "progress",
        "replaced",
        "rested",
        "rests_since",
        "started",
        "stop",
        "task",
        "ticket",
        "timer",
        "wake",
        "workers",
    )

    in_thread: ClassVar[bool] = True  # whether its body runs in one here, where nothing can stop it
    in_process: ClassVar[bool] = False  # whether its body runs in another process here
    on_cluster: ClassVar[bool] = False

    def __init__(self, driver: DispatchedRun, index: int, ticket: Ticket, number: int) -> None:
        self.call: Call | None = None
        self.driver = driver
        self.index = index
        self.ticket = ticket
        self.number = number
        self.started: float | None = None
        self.rested = 0.0
        self.progress: tuple[int, int | None] | None = None
        self.stop = False
        self.late = False
        self.abandoned = False
        self.replaced = False
        self.rests_since: float | None = None
        self.task: asyncio.Task[None] | None = None
        self.timer: Callable[[], object] | None = None
        self.wake: Callable[[], object] | None = None
        self.files: OpenedFiles | None = None
        self.workers: PlacesInThreads | None = None

    @property
    def resting(self) -> bool:
        """Whether it waits at a checkpoint."""
        return self.rests_since is not None

    def worked(self, now: float) -> float:
        """Seconds that it has run until `now`, those at checkpoints not counted."""
        assert self.started is not None
        until = now if self.rests_since is None else self.rests_since
        return max(0.0, until - self.started - self.rested)

    def _noted(self, result: Any) -> Any:
        """A result, with what is to be known of files; where the body ran, since it may take a
        look at the disk.
        """
        if self.files is not None or result.__class__ not in NO_PATHS:
            self.driver.files.note(self, result)
        return result

    @property
    def suspendable(self) -> int | None:
        """The number of its process, where it may be suspended there."""
        return None

    @property
    def can_be_ended(self) -> bool:
        """Whether `cancel` ends it."""
        return self.task is not None

    @property
    def runs_through_pauses(self) -> bool:
        """Whether its body runs in another process that nothing can suspend."""
        return False

    @property
    def goes_on(self) -> str:
        """What to say of its body where it cannot be ended."""
        return "its thread cannot be stopped and goes on"

    def end_now(self) -> bool:
        """End it, if it can be; False where it goes on. Under the lock."""
        if not self.can_be_ended:
            return False
        self.cancel()
        return True

    def pause_came(self) -> None:
        """Stand still where a pause is about it, if it can; under the lock."""

    def wake_up(self) -> None:
        """What rests is to look again; under the lock."""
        if self.wake is not None:
            self.driver.services.coroutines.call(self.wake)

    def cancel(self) -> None:
        """Cancel its coroutine, if it is one and has begun; under the lock."""
        task, portal = self.task, self.driver.services.coroutines
        if task is None:
            return
        if portal.is_here:
            task.cancel()
            return

        def cancel() -> None:
            # Its task may carry another attempt by now.
            if self.task is task and self.ticket in self.driver.in_flight:
                task.cancel()

        portal.call(cancel)

    def _begun(self) -> Call | None:
        driver = self.driver
        try:
            return driver.admission.begin(self)
        except BaseException as error:
            driver.in_flight.pop(self.ticket, None)
            driver.break_off(error)
            return None


class ThreadAttempt(Attempt):
    """An attempt as a job for a worker thread."""

    __slots__ = ()

    def begin(self) -> Callable[[], Any] | None:
        """The call to make, or None when a pause or the end of the run came in between."""
        driver = self.driver
        call = self.call
        if call is None:
            with driver.lock:
                call = self._begun()
                if call is None:
                    assert self.workers is not None
                    self.workers.give_back()
                    driver.queues.pump_soon()
                    return None
        self.call = None  # its arguments live as long as the body, and no longer
        return self._work(call)

    def _work(self, call: Call) -> Callable[[], Any]:
        context = self.driver.context.copy()  # two threads cannot be inside one context at once
        return partial(context.run, self._body_here, call)

    def end(self, result: Any, error: BaseException | None) -> Job | None:
        """Hand in the outcome; gives the attempt that this worker goes straight on with, if any."""
        driver, workers = self.driver, self.workers
        assert workers is not None
        with driver.lock:
            driver.ended(self, self.worked(driver.services.clock.now()), result, error)
            # Begun under the same hold of the lock, before others are looked at: to wake a second
            # worker for the next link of a chain would cost more than the link.
            job = workers.next_after(self)
            driver.queues.pump_soon()
            freed = driver.core.results.take_freed()
        del freed
        return job

    def _body_here(self, call: Call) -> Any:
        settings = as_carried()
        if settings is None:
            return self._body(call)
        with settings:
            return self._body(call)

    def _body(self, call: Call) -> Any:
        user_here.set(self)
        if (sharing := self.driver.sharing) is not None:
            found = sharing.before_in_thread(self)
            if found is not None:
                return self._noted(found.value)
        if not call.immutable:
            call = call.owned()
        return self._call_body(call)

    def _call_body(self, call: Call) -> Any:
        if self.files is not None:
            self.files.begin(call.args, call.kwargs)
        result: Any = None
        if not call.injects:
            try:
                result = call.fn(*call.args, **call.kwargs)
                if self.files is None and type(result) in PLAIN:
                    return result
                return self._noted(returned(result))
            finally:
                if at_end.get() is not None:
                    finish_body()
        borrowed = self.driver.resources.borrow_from_thread(self, call.resources())
        failure: BaseException | None = None
        try:
            ready = call.with_resources(borrowed)
            result = self._noted(returned(ready.fn(*ready.args, **ready.kwargs)))
        except BaseException as error:
            failure = error
            raise
        finally:
            finish_body()
            watch_closing(self.driver, self, result, failure)
            failure = None  # or it would hold this frame, and this frame it
            self.driver.resources.give_back_from_thread(self)
        return result


class AsyncAttempt(Attempt):
    """An attempt as a coroutine on the loop, for `coroutines`."""

    __slots__ = ()

    in_thread = False

    def begin(self) -> Call | None:
        """The call to make, or None when a pause or the end of the run came in between; under the
        lock.
        """
        return self._begun()

    def end(self, result: Any, failure: BaseException | None) -> None:
        """Hand in the outcome; under the lock."""
        if self.late:
            failure = timed_out(self.driver, self.index)
        took = self.worked(self.driver.services.clock.now())
        self.driver.ended(self, took, result, failure)
        self.driver.queues.pump_soon()

    async def body(self, call: Call) -> Any:
        """What runs on the loop."""
        user_here.set(self)
        if (sharing := self.driver.sharing) is not None:
            found = await sharing.before(self)
            if found is not None:
                return self._noted(found.value)
        if not call.immutable:
            call = call.owned() if call.is_quick else await run_in_thread(call.owned)
        if self.files is not None:
            await run_in_thread(partial(self.files.begin, call.args, call.kwargs))
        if not call.injects:
            try:
                result = await call.fn(*call.args, **call.kwargs)
                if self.files is None and type(result) in PLAIN:
                    return result
                return self._noted(await _returned(result))
            finally:
                if at_end.get() is not None:
                    finish_body()
        resources = self.driver.resources
        borrowed = await resources.borrow(self, call.resources())
        result, failure = None, None
        try:
            ready = call.with_resources(borrowed)
            result = self._noted(await _returned(await ready.fn(*ready.args, **ready.kwargs)))
        except BaseException as error:
            failure = error
            raise
        finally:
            finish_body()
            watch_closing(self.driver, self, result, failure)
            failure = None  # as above
            await resources.give_back(self)
        return result


async def _returned(result: Any) -> Any:
    """What is kept of a result; that of a large one is made off the loop."""
    if are_quick_to_copy((result,)):
        return returned(result)
    return await run_in_thread(partial(returned, result))
