"""Runs a coroutine on a loop of its own in a thread of its own, and waits for what it gives."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Coroutine
from concurrent.futures import Future
from typing import Any, Final, TypeVar

from cascade_nb.concurrency.begun_tasks import begin_task
from cascade_nb.concurrency.scarce import has_begun, told_where_scarce
from cascade_nb.concurrency.thread_settings import with_settings
from cascade_nb.errors import StateError

T = TypeVar("T")
NOT_ASKED: Final = "what is kept cannot be asked now"
_INTERRUPTED: Final = 0.7  # seconds in which interrupted work ends


class StillWorkingError(Exception):
    """Work did not end in the time that somebody had for it; it goes on."""


def on_own_loop(work: Coroutine[Any, Any, T], timeout: float | None = None) -> T:
    """What `work` gives, in the caller's context: the caller's loop may be running, and is not to
    be run from within.

    Args:
        work: what to run.
        timeout: seconds to wait at most.

    Returns:
        The value of `work`; what it raises is raised here.

    Raises:
        StillWorkingError: it takes longer.
        StateError: there is no thread or no file left for a loop.
    """
    made: Future[T] = Future()
    doing: list[tuple[asyncio.AbstractEventLoop, asyncio.Task[T]]] = []

    async def main() -> T:
        task = begin_task(work)
        doing.append((asyncio.get_running_loop(), task))
        return await task

    def body() -> None:
        working = main()
        try:
            made.set_result(asyncio.run(working))
        except BaseException as error:
            working.close()  # of a loop that could not be made
            made.set_exception(error)

    thread = threading.Thread(
        target=with_settings().run, args=(body,), name="cascade-aside", daemon=True
    )
    with told_where_scarce(StateError, NOT_ASKED):
        if not has_begun(thread):
            work.close()
            raise RuntimeError("can't start new thread")
    try:
        thread.join(timeout)
    except KeyboardInterrupt:  # nothing is to go on behind the back of whoever interrupted it
        for loop, task in doing:
            with contextlib.suppress(RuntimeError):  # it has just ended
                loop.call_soon_threadsafe(task.cancel)
        thread.join(_INTERRUPTED)
        raise
    if thread.is_alive():
        raise StillWorkingError
    if doing or made.exception() is None:
        return made.result()
    work.close()  # there was no loop for it
    with told_where_scarce(StateError, NOT_ASKED):
        return made.result()
