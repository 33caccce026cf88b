"""A loop in a thread of its own, that ends when told, with everything on it done."""

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
    """A running loop, from the moment this is made until `end`.

    It is a daemon's, so that it never holds up a process that forgot it for longer than it takes to
    finish what is under way; an exit handler waits for that.

    Args:
        name: of the thread.
        last: awaited on the loop after everything else has ended.
    """

    def __init__(self, name: str, last: Callable[[], Awaitable[object]]) -> None:
        self._loop = asyncio.new_event_loop()
        self._ending = asyncio.Event()
        self._last = last
        self._ended: Future[None] = Future()
        self._ended.set_running_or_notify_cancel()  # who gives up waiting for it does not cancel it
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()
        atexit.register(self._at_exit)

    def submit(self, work: Coroutine[Any, Any, T]) -> Future[T]:
        """Run `work` on the loop, from any thread; not after `end` was called."""
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    def call(self, callback: Callable[[], object]) -> None:
        """Call `callback` on the loop soon, from any thread; not after `end` was called."""
        self._loop.call_soon_threadsafe(callback)

    async def end(self) -> None:
        """Let everything on the loop come to its end, then the thread; from any other loop."""
        self._tell_to_end()
        await asyncio.wrap_future(self._ended)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_until_complete(self._live())
        except BaseException as error:
            self._ended.set_exception(error)
        else:
            self._ended.set_result(None)
        finally:
            # It does not wait for threads that look up a name: a resolver may take minutes.
            self._loop.close()
            atexit.unregister(self._at_exit)

    async def _live(self) -> None:
        await self._ending.wait()
        me = {asyncio.current_task()}
        try:
            while others := asyncio.all_tasks() - me:
                await asyncio.wait(others)
        finally:
            await self._last()

    def _at_exit(self) -> None:
        self._tell_to_end()
        self._thread.join(AT_EXIT)

    def _tell_to_end(self) -> None:
        with contextlib.suppress(RuntimeError):  # it has ended
            self._loop.call_soon_threadsafe(self._ending.set)
