"""Runs task bodies in processes."""

from __future__ import annotations

import os
import sys
import weakref
from collections.abc import Callable
from contextvars import Context
from typing import Any, Final

from cascade_nb.concurrency.process_protocols import ProcessListener
from cascade_nb.errors import ProcessError, TransferError, UsageError
from cascade_nb.executors.local import LocalExecutor
from cascade_nb.executors.processes.carried_errors import raised_here
from cascade_nb.executors.processes.heads import Heads, PackedCall
from cascade_nb.executors.processes.obstacles import obstacle_in
from cascade_nb.executors.processes.pickles import packed, packed_variables
from cascade_nb.executors.processes.pool import Pool
from cascade_nb.executors.processes.process import NotBegunError
from cascade_nb.executors.remote_calls import unpacked_reply, unsendable
from cascade_nb.forking import forget_after_fork
from cascade_nb.protocols.execution import Job

LINGER: Final = 300.0
START: Final = 60.0
_TRIES: Final = 5  # processes that may end, one after the other, before they begin a call


class ProcessExecutor:
    """Runs the bodies of sync tasks in processes: each can be suspended, and ended, at any moment.

    Processes are fresh interpreters, started when they are first needed, and used again. Functions
    and classes of a notebook go there as they are at that moment. When one ends, by a signal, by
    `os._exit` or for want of memory, the task that ran in it fails with the reason, no other does,
    and another process takes its place.

    Args:
        max_workers: how many bodies may run at once; default the number of processors that this
            process may use.
        max_tasks_per_child: after so many bodies a process is replaced by a new one.
        initializer: a function that each process calls once, before any body.
        initargs: what it is called with.
        linger: seconds that a process without work stays.
        start_timeout: seconds that one may take to start.

    Raises:
        UsageError: a number makes no sense, the initializer cannot be pickled, or this is Windows.

    Example:
        >>> from cascade_nb.executors import ProcessExecutor
        >>> executor = ProcessExecutor(max_workers=2)
        >>> executor.capacity
        2
        >>> executor.call(pow, 2, 10)
        1024
        >>> executor.close()
    """

    remote = ends = True
    keeps = False
    place = "processes"
    noun = "process"

    def __init__(
        self,
        max_workers: int | None = None,
        *,
        max_tasks_per_child: int | None = None,
        initializer: Callable[..., object] | None = None,
        initargs: tuple[Any, ...] = (),
        linger: float = LINGER,
        start_timeout: float = START,
    ) -> None:
        if sys.platform == "win32":
            raise UsageError("ProcessExecutor needs Linux or macOS; on Windows use threads")
        for name, number in (
            ("max_workers", max_workers),
            ("max_tasks_per_child", max_tasks_per_child),
        ):
            if number is not None and number < 1:
                raise UsageError(f"{name} must be at least 1, not {number}")
        for name, seconds in (("linger", linger), ("start_timeout", start_timeout)):
            if not 0 < seconds < 1e9:
                raise UsageError(f"{name} is a number of seconds above zero, not {seconds}")
        first = None
        if initializer is not None:
            try:
                first = PackedCall(None, packed((_initialize, (initializer, initargs))))
            except BaseException as error:
                found = obstacle_in((initializer, initargs), "initializer")
                words = found.text if found is not None else str(error)
                raise UsageError(f"the initializer cannot go to a process: {words}") from error
        self._most = max_workers or _processors()
        self._threads = LocalExecutor(self._most)
        self._heads = Heads()
        self._pool = Pool(linger, start_timeout, max_tasks_per_child, first)
        self._closing = weakref.finalize(self, self._pool.close)
        self._closing.atexit = False  # they hear of the end of this process by themselves
        forget_after_fork(self)

    @property
    def capacity(self) -> int:
        """How many bodies may run at once."""
        return self._most

    @property
    def pids(self) -> list[int]:
        """The processes that there are just now, busy or idle."""
        return self._pool.pids

    def submit(self, job: Job) -> None:
        """Have `job` done in a thread, from which it may `call`.

        Args:
            job: an attempt at a task.
        """
        self._threads.submit(job)

    def call(self, function: Callable[..., Any], *args: Any) -> Any:
        """What a function gives, run in a process; waits for it.

        Args:
            function: any that can be pickled; those of a notebook can.
            args: what it is called with.

        Returns:
            its result.

        Raises:
            BaseException: what it raised, with its traceback.
            TransferError: it, an argument or its result cannot be pickled.
            ProcessError: no process started, or its process ended before it did.
        """
        return self.run(_plain, (args,), None, (function,))

    def run(
        self,
        function: Callable[..., Any],
        args: tuple[Any, ...],
        listener: ProcessListener | None,
        shared: tuple[Any, ...] = (),
    ) -> Any:
        """The same with somebody who hears of what happens meanwhile.

        Args:
            function: is called with a channel, on which it can `tell` the listener something, and
                with `shared` and `args`.
            args: what belongs to this call.
            listener: told in this thread.
            shared: what is the same for many calls, and goes to a process once if it can: values
                that nobody changes, and last the function of the task.

        Returns:
            its result.

        Raises:
            BaseException: as `call`; and whatever `listener` raises, which ends the process.
        """
        try:
            call = self._heads.packed(function, shared, args)
        except BaseException as error:
            raise unsendable(error, (*shared, *args)) from error
        reply = self._reply_to(call, listener)
        result, raised, cpu, memory = unpacked_reply(reply)
        if listener is not None:
            listener.used(cpu, memory)
        if raised is not None:
            raise raised_here(raised)
        return result

    def obstacle(self, value: Any, name: str) -> str | None:
        """What in a value cannot go to a process, in words.

        Args:
            value: a function, for instance.
            name: what it is called.

        Returns:
            Which name in it, and why; None where all of it can go.
        """
        found = obstacle_in(value, name)
        return None if found is None else found.text

    def variables(self, context: Context) -> list[bytes]:
        """The variables of a context that can go to a process.

        Args:
            context: any.

        Returns:
            A pickle of each variable and its value.
        """
        return packed_variables(context)

    def close(self) -> None:
        """Let idle processes end; one that is busy ends after its body."""
        self._threads.close()
        self._pool.close()

    def forget(self) -> None:
        """In a child process: the processes are the parent's."""
        self._pool.forget()

    def _reply_to(self, call: PackedCall, listener: ProcessListener | None) -> Any:
        for _ in range(_TRIES):
            process = self._pool.take()
            try:
                return process.call(call, listener)
            except NotBegunError:
                continue
            except OSError as error:
                raise TransferError(
                    f"{call.size / 1e6:,.0f} MB of arguments cannot go to a process: {error}"
                ) from error
            finally:
                self._pool.give_back(process)
        raise ProcessError(
            f"{_TRIES} processes ended, one after the other, before they began this task"
        )


def _plain(channel: object, function: Callable[..., Any], args: tuple[Any, ...]) -> Any:
    return function(*args)


def _initialize(channel: object, function: Callable[..., object], args: tuple[Any, ...]) -> None:
    function(*args)


def _processors() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
