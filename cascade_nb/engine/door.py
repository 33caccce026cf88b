"""The one door through which another thread reaches the engine's loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class Door:
    """Calls things on a loop, from any thread.

    Args:
        loop: whose door it is.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop

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
