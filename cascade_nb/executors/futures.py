"""Runs task bodies in any pool that is like those of `concurrent.futures`."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from concurrent.futures import BrokenExecutor, CancelledError, ThreadPoolExecutor
from contextvars import Context
from functools import partial
from typing import Any, Final

from cascade_nb.concurrency.process_protocols import ProcessListener, Submits
from cascade_nb.errors import ExecutorError, UsageError
from cascade_nb.executors.local import LocalExecutor
from cascade_nb.executors.pool_jobs import Errand, RefusedJob, ThreadJob
from cascade_nb.executors.processes.obstacles import obstacle_in
from cascade_nb.executors.processes.pickles import packed_variables
from cascade_nb.executors.remote_calls import Parts, packed_call, result_of, run_packed
from cascade_nb.text import quoted

#: Where a body is.
_HERE, _ON_ITS_WAY, _THERE, _OVER = "here", "on its way", "there", "over"
#: Pools whose workers are threads, and yet share nothing with this interpreter.
_APART: Final = frozenset({"InterpreterPoolExecutor"})


class FuturesExecutor:
    """Runs the bodies of sync tasks in a pool of `concurrent.futures`, or in one like these.

    The pool stays its owner's: it is never shut down from here, and others may use it too. It is
    handed at most as many bodies as it has workers. In a pool of threads, a body looks once more at
    its beginning whether it may start. In a pool of processes, or of other machines, what has not
    begun when a pause comes is taken back, and what has begun finishes: nothing suspends it, and
    nothing ends it. What such a body prints, logs and tells of its progress is heard when it is
    over.

    Args:
        executor: what has `submit(function, *args)`, which gives futures: a `ThreadPoolExecutor`, a
            `ProcessPoolExecutor`, loky's, one of your own. Or a function that gives one, which is
            asked again when that one is broken: `FuturesExecutor(loky.get_reusable_executor)`.
        remote: whether it runs what it is given in other processes. Default False for a
            `ThreadPoolExecutor` and True for all others.
        capacity: how many bodies it is handed at once; default as many as it says that it has
            workers, else the number of processors.

    Raises:
        UsageError: it is no such pool, or the capacity makes no sense.

    Example:
        >>> from concurrent.futures import ThreadPoolExecutor
        >>> from cascade_nb.executors import FuturesExecutor
        >>> with ThreadPoolExecutor(2) as pool:
        ...     cs.run(report, on=FuturesExecutor(pool), fresh=True)
        3
    """

    fixed = True
    ends = False
    keeps = True

    def __init__(
        self,
        executor: Submits | Callable[[], Submits],
        *,
        remote: bool | None = None,
        capacity: int | None = None,
    ) -> None:
        self._make: Callable[[], Any] | None = None
        pool: Any = executor
        if not hasattr(pool, "submit") and callable(pool):
            self._make, pool = pool, pool()
        if isinstance(pool, type) or not callable(getattr(pool, "submit", None)):
            raise UsageError(f"{quoted(pool)} is no executor: it has no method submit()")
        if capacity is not None and (not isinstance(capacity, int) or capacity < 1):
            raise UsageError(f"capacity is a number of bodies from 1 on, not {quoted(capacity)}")
        self._pool: Any = pool
        self._renewing = threading.Lock()
        self.remote = _is_remote(pool) if remote is None else remote
        self._most = capacity or _workers_of(pool)
        self.noun = f"{self.name} worker"
        # In these threads somebody waits for each body of another process.
        self._threads = LocalExecutor(self._most)
        #: Where bodies run of runs that its own threads wait for.
        self.inner = None if self.remote else LocalExecutor(self._most)

    @property
    def name(self) -> str:
        """What a person calls it: the name of its class."""
        return type(self._pool).__name__.lstrip("_")

    @property
    def capacity(self) -> int:
        """How many bodies it is handed at once."""
        return self._most

    def submit(self, job: Any) -> None:
        """Have `job` done: in a thread of the pool, or in one from which it may `run`.

        Args:
            job: an attempt at a task.
        """
        if self.remote:
            self._threads.submit(job)
            return
        # Whoever submits holds the engine's lock: somebody's own code is not called here.
        if self._make is None and isinstance(self._pool, ThreadPoolExecutor):
            self._hand_to_threads(job)
        else:
            self._threads.submit(Errand(partial(self._hand_to_threads, job)))

    def run(
        self,
        function: Callable[..., Any],
        args: tuple[Any, ...],
        listener: ProcessListener | None,
        shared: tuple[Any, ...] = (),
    ) -> Any:
        """What a function gives, run where the pool runs it; waits for it.

        Args:
            function: is called with a channel, on which it can `tell` the listener something, and
                with `shared` and `args`.
            args: what belongs to this call.
            listener: told in this thread, when it is over.
            shared: what is the same for many calls.

        Returns:
            its result.

        Raises:
            BaseException: what it raised, with its traceback.
            TransferError: it, an argument or its result cannot be pickled.
            ExecutorError: the pool did not run it.
        """
        parts = packed_call(function, (*shared, *args))
        handle = PoolHandle()
        if listener is not None:
            listener.began(handle)
        try:
            return result_of(self._reply_to(parts, handle, listener), listener)
        finally:
            handle.let_go()

    def obstacle(self, value: Any, name: str) -> str | None:
        """What in a value cannot go to another process, in words; None where all of it can.

        Args:
            value: a function, for instance.
            name: what it is called.
        """
        found = obstacle_in(value, name)
        return None if found is None else found.text

    def variables(self, context: Context) -> list[bytes]:
        """Pickles of the variables of a context that can go to another process.

        Args:
            context: any.
        """
        return packed_variables(context)

    def close(self) -> None:
        """Let go of threads of its own; the pool stays as it is."""
        self._threads.close()
        if self.inner is not None:
            self.inner.close()

    def _reply_to(
        self, parts: Parts, handle: PoolHandle, listener: ProcessListener | None
    ) -> Parts:
        while True:
            handle.begin()
            handle.has(future := self._hand_over(run_packed, parts))
            try:
                reply: Parts = future.result()
                return reply
            except CancelledError as error:
                if not handle.came_back():
                    raise ExecutorError(f"somebody cancelled it in the {self.name}") from error
                if listener is not None:
                    listener.began(handle)  # it looks again whether it may
            except BrokenExecutor as error:
                raise ExecutorError(
                    f"the {self.name} broke while it had it: {_text(error)}{self._advice()}"
                ) from error
            except BaseException as error:  # whatever the pool makes of it
                raise ExecutorError(f"the {self.name} did not run it: {_text(error)}") from error

    def _hand_to_threads(self, job: Any) -> None:
        mine = ThreadJob(job)
        try:
            future = self._hand_over(mine.work)
        except ExecutorError as error:
            self._threads.submit(RefusedJob(job, error))
        else:
            future.add_done_callback(partial(self._over, mine))

    def _hand_over(self, function: Callable[..., Any], *args: Any) -> Any:
        """A future of the pool, or of another where it is broken and somebody gives one.

        Raises:
            ExecutorError: it takes nothing.
        """
        pool = self._pool
        try:
            return _submitted(pool, function, *args)
        except BaseException as error:  # whatever a pool does that takes nothing any more
            if self._make is None:
                raise self._not_taken(error) from error
        try:
            with self._renewing:
                if self._pool is pool:
                    self._pool = self._make()
            return _submitted(self._pool, function, *args)
        except BaseException as error:
            raise self._not_taken(error) from error

    def _not_taken(self, error: BaseException) -> ExecutorError:
        return ExecutorError(
            f"the {self.name} takes nothing any more: {_text(error)}{self._advice()}"
        )

    def _advice(self) -> str:
        if self._make is not None:
            return ""
        ways = f"FuturesExecutor(lambda: {self.name}(…))"
        return f"; give a new one, or a function that makes one whenever it is needed: {ways}"

    def _over(self, job: ThreadJob, future: Any) -> None:
        """A future is over; its job may never have begun."""
        if not job.give_up():
            return
        if future.cancelled():
            error = ExecutorError(f"somebody cancelled it in the {self.name}")
        else:
            cause = future.exception()
            error = ExecutorError(
                f"the {self.name} did not run it: {_text(cause)}; if it runs in other processes, "
                "say FuturesExecutor(…, remote=True)"
            )
            error.__cause__ = cause
        self._threads.submit(RefusedJob(job.job, error))


class PoolHandle:
    """A body on its way to a pool, or in it. Any thread may ask."""

    pid = 0  # it is not known

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._stage = _HERE
        self._future: Any = None
        self._suspended = self._killed = self._wanted = False

    def kill(self) -> bool:
        """Take it back where it has not begun; False where it goes on to its end."""
        with self._changed:
            if self._stage is _OVER:
                return False
            self._killed = True
            return self._take_back()

    def suspend(self) -> bool:
        """Take it back until `resume`, where it has not begun; False where it goes on."""
        with self._changed:
            if self._stage is _OVER or self._killed or not self._take_back():
                return False
            self._suspended = True
            return True

    def resume(self) -> None:
        """Let the pool have it."""
        with self._changed:
            self._suspended = self._wanted = False
            self._changed.notify_all()

    def begin(self) -> None:
        """Wait until the pool may have it.

        Raises:
            ExecutorError: it may not any more.
        """
        with self._changed:
            while self._suspended and not self._killed:
                self._changed.wait()
            if self._killed:
                raise ExecutorError("it was taken back before it began")
            self._stage = _ON_ITS_WAY

    def has(self, future: Any) -> None:
        """The pool has it; it is taken back where that was wanted meanwhile."""
        with self._changed:
            self._stage, self._future = _THERE, future
            if self._wanted or self._killed:
                self._take_back()

    def came_back(self) -> bool:
        """Whether it was taken back, and is here again."""
        with self._changed:
            came_back, self._stage = self._stage is _HERE, _HERE
            return came_back

    def let_go(self) -> None:
        """It is over."""
        with self._changed:
            self._stage, self._future = _OVER, None

    def _take_back(self) -> bool:
        if self._stage is _THERE and self._future.cancel():
            self._stage, self._future = _HERE, None
        # On its way it cannot be had, and has not begun either.
        self._wanted = self._stage is _ON_ITS_WAY
        self._changed.notify_all()
        return self._stage is _HERE


def _submitted(pool: Any, function: Callable[..., Any], *args: Any) -> Any:
    # A pool may fork its workers, or start threads: nothing of this context is theirs.
    future = Context().run(pool.submit, function, *args)
    if not callable(getattr(future, "add_done_callback", None)):
        raise TypeError(f"its submit() gave {quoted(future)}, which is no future")
    return future


def _is_remote(pool: object) -> bool:
    apart = any(cls.__name__ in _APART for cls in type(pool).__mro__)
    return apart or not isinstance(pool, ThreadPoolExecutor)


def _workers_of(pool: object) -> int:
    for name in ("_max_workers", "max_workers"):
        said = getattr(pool, name, None)
        if isinstance(said, int) and said > 0:
            return said
    return os.cpu_count() or 1


def _text(error: BaseException | None) -> str:
    words = " ".join(str(error).split()).split(". ")[0]  # loky's go on for a page
    return f"{type(error).__name__}: {words.rstrip('.')}" if words else type(error).__name__
