"""Calls functions on an event loop from any thread."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from cascade_nb.concurrency.begun_tasks import begin_task

T = TypeVar("T")


class LoopPortal:
    """Calls things on a loop, from any thread.

    Args:
        loop: where it calls.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop

    @property
    def is_here(self) -> bool:
        """Whether the caller is on the loop."""
        return asyncio._get_running_loop() is self.loop

    def call(self, callback: Callable[[], object]) -> None:
        """Call it on the loop, soon. Where the loop is closed there is nobody left to care."""
        if asyncio._get_running_loop() is self.loop:
            self.loop.call_soon(callback)  # nobody to wake: a chain of coroutines stays cheap
            return
        try:
            self.loop.call_soon_threadsafe(callback)
        except RuntimeError:
            if not self.loop.is_closed():
                raise

    def later(self, delay: float, callback: Callable[[], object]) -> None:
        """Call it on the loop after `delay` seconds; only from the loop's own thread."""
        self.loop.call_later(delay, callback)

    async def there(self, work: Coroutine[Any, Any, T]) -> T:
        """What `work` gives on the loop, awaited on whichever loop.

        It comes to its end there: cancelled here, it is cancelled there, and that is waited for.

        Raises:
            RuntimeError: the loop is closed.
        """
        if self.is_here:
            return await work
        if self.loop.is_closed():
            work.close()
            raise RuntimeError("the event loop that this needs is closed")
        here = asyncio.get_running_loop()
        over = here.create_future()
        task: asyncio.Task[None] | None = None
        back = LoopPortal(here)

        async def body() -> None:
            value: T | None = None
            error: BaseException | None = None
            try:
                value = await work
            except BaseException as raised:
                error = raised
            back.call(lambda: None if over.done() else over.set_result((value, error)))

        def begin() -> None:
            nonlocal task
            task = begin_task(body(), self.loop)

        self.call(begin)
        while not over.done():
            try:
                await asyncio.wait([over])
            except asyncio.CancelledError:
                if self.loop.is_closed():
                    raise
                self.call(lambda: None if task is None else task.cancel())
        value, error = over.result()
        if error is not None:
            raise error
        return value  # type: ignore[no-any-return]
