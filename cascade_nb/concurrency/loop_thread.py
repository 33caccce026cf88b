"""Runs an event loop in a thread of its own: for an engine where no loop runs, and for work that
must go on however busy the kernel's loop is.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import threading
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import Future
from typing import Any, Final, TypeVar

T = TypeVar("T")

AT_EXIT: Final = 10.0  # seconds that the end of the process waits for what is under way


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
        self._last = last
        self._ending: asyncio.Task[None] | None = None
        self._ended: Future[None] = Future()
        self._ended.set_running_or_notify_cancel()  # who gives up waiting for it does not cancel it
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()
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
        with contextlib.suppress(RuntimeError):  # it has ended
            self.loop.call_soon_threadsafe(self.loop.stop)

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
            self.loop.run_until_complete(self.loop.shutdown_asyncgens())
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
        """Whether it was stopped; what else ends a loop was raised by one task on it, which has it,
        and is no reason for the others to end.
        """
        try:
            self.loop.run_forever()
        except (SystemExit, KeyboardInterrupt):
            return False
        return True

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
            self._ending = self.loop.create_task(self._end())
            self._ending.add_done_callback(lambda _: self.loop.stop())

    def _at_exit(self) -> None:
        self._tell_to_end()
        self._thread.join(AT_EXIT)

    def _tell_to_end(self) -> None:
        with contextlib.suppress(RuntimeError):  # it has ended
            self.loop.call_soon_threadsafe(self._begin_to_end)
