"""Waits for somebody else's coroutines, which may raise anything, or never end."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any


class Patience:
    """Waits for tasks, and leaves behind what does not even end when it is cancelled."""

    def __init__(self) -> None:
        self._left: set[asyncio.Task[Any]] = set()  # a loop alone would not keep them

    async def spend_on(self, task: asyncio.Task[Any], seconds: float) -> bool:
        """Wait for so long at most; whether it ended by itself."""
        try:
            await asyncio.wait([task], timeout=seconds)
        finally:
            if not task.done():
                task.cancel()
                self._left.add(task)
                task.add_done_callback(self._left.discard)
        return task.done() and not task.cancelled()


async def error_of(work: Awaitable[object]) -> BaseException | None:
    """What `work` gave or raised as an error, whatever it is: raised in a task of its own it could
    end the loop.
    """
    try:
        given = await work
    except asyncio.CancelledError:
        raise
    except BaseException as error:
        return error
    return given if isinstance(given, BaseException) else None
