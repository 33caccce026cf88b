"""Runs an event loop in a thread of its own: for an engine where no loop runs, and for work that
must go on however busy the kernel's loop is.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import os
import threading
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import Future
from typing import Any, Final, TypeVar

from cascade_nb.concurrency.begun_tasks import begin_task

T = TypeVar("T")

AT_EXIT: Final = 10.0  # seconds that the end of the process waits for what is under way
GIVEN_UP: Final = 1.0  # seconds that what nobody waits for any more has to take that in


class LoopThread:
    """A running loop, from the moment this is made until it is told to end.

    It is a daemon's, so that it never holds up the end of the process. Only where it has a `last`
    thing to do, an exit handler waits for what is under way, for a bounded time.

    Args:
        name: of the thread.
        last: awaited on the loop by `end`, after everything else has ended.

    Attributes:
        loop: the loop.
    """

    def __init__(
        self, name: str = "cascade-loop", last: Callable[[], Awaitable[object]] | None = None
    ) -> None:
        self.loop = asyncio.new_event_loop()
        self.loop.set_task_factory(None)  # somebody's policy may make loops that have one
        self._last = last
        self._stopping = self._forked = False
        self._ending: asyncio.Task[None] | None = None
        self._ended: Future[None] = Future()
        self._ended.set_running_or_notify_cancel()  # who gives up waiting for it does not cancel it
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        try:
            self._thread.start()
        except RuntimeError:
            self.loop.close()
            raise
        if last is not None:
            atexit.register(self._at_exit)

    def submit(self, work: Coroutine[Any, Any, T]) -> Future[T]:
        """Run `work` on the loop, from any thread; not after it was told to end."""
        return asyncio.run_coroutine_threadsafe(work, self.loop)

    def call(self, callback: Callable[[], object]) -> None:
        """Call `callback` on the loop soon, from any thread; not after it was told to end."""
        self.loop.call_soon_threadsafe(callback)

    def stop(self) -> None:
        """End the loop and its thread; only when nothing runs on it any more."""
        self.stop_soon()
        self._thread.join()

    def stop_soon(self) -> None:
        """The same for a finalizer, which must neither wait nor take a lock."""
        self._stopping = True
        with contextlib.suppress(RuntimeError):  # it has ended
            self.loop.call_soon_threadsafe(self.loop.stop)

    def forget(self) -> None:
        """In a child process that was forked here, by a body that may return there, too: end it
        then. What the loop waits with is the parent's, and goes on there.
        """
        if threading.current_thread() is self._thread:
            self._forked = True
            self.loop.stop()

    async def end(self) -> None:
        """Let everything on the loop come to its end, then the thread; from any other loop.

        Raises:
            BaseException: what the last thing to do raised.
        """
        self._tell_to_end()
        await asyncio.wrap_future(self._ended)

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        try:
            while not self._run_forever():
                pass
            giving_up = begin_task(self._give_up(), self.loop)
            giving_up.add_done_callback(lambda _: self.loop.stop())
            while not giving_up.done():
                self._run_forever()
            if self._ending is not None:
                self._ending.result()
        except BaseException as error:
            self._ended.set_exception(error)
        else:
            self._ended.set_result(None)
        finally:
            # It does not wait for threads that look up a name: a resolver may take minutes.
            self.loop.close()
            atexit.unregister(self._at_exit)

    def _run_forever(self) -> bool:
        """Whether its owner has it end. What else stops a loop was done or raised by one task on
        it, and is no reason for the others to end.
        """
        with contextlib.suppress(SystemExit, KeyboardInterrupt):
            self.loop.run_forever()
        if self._forked:
            os._exit(0)
        return self._stopping or (self._ending is not None and self._ending.done())

    async def _give_up(self) -> None:
        """Cancel what nobody waits for any more, as a look for edits that outlasted its run. Else
        it would be reported as destroyed, by whatever still holds it, long after the loop.
        """
        until, me = self.loop.time() + GIVEN_UP, {asyncio.current_task()}
        told: set[asyncio.Task[Any] | None] = set()
        while (others := asyncio.all_tasks() - me) and (left := until - self.loop.time()) > 0:
            for task in others - told:
                task.cancel()
            told |= others
            await asyncio.wait(others, timeout=left, return_when=asyncio.FIRST_COMPLETED)
        await self.loop.shutdown_asyncgens()

    async def _end(self) -> None:
        me = {asyncio.current_task()}
        try:
            while others := asyncio.all_tasks() - me:
                await asyncio.wait(others)
        finally:
            if self._last is not None:
                await self._last()

    def _begin_to_end(self) -> None:
        if self._ending is None:
            self._ending = begin_task(self._end(), self.loop)
            self._ending.add_done_callback(lambda _: self.loop.stop())

    def _at_exit(self) -> None:
        self._tell_to_end()
        self._thread.join(AT_EXIT)

    def _tell_to_end(self) -> None:
        with contextlib.suppress(RuntimeError):  # it has ended
            self.loop.call_soon_threadsafe(self._begin_to_end)
