"""A loop that says when it has nothing to do, so that tests need not guess by sleeping."""

from __future__ import annotations

import asyncio
import selectors
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

#: Seconds: a timer that far away is no work at hand.
FAR = 0.5
#: What threads are called that the package has something done in for a loop, which is work at hand.
ASIDE = "cascade-aside"
MOMENT = 0.001  # seconds between two looks whether one of them has ended


class _IdleSelector(selectors.DefaultSelector):
    """Tells who waits for it when the loop is about to sleep."""

    def __init__(self) -> None:
        super().__init__()
        self.waiting: list[asyncio.Future[None]] = []

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """As the base class; but who waits for the loop to be idle is called instead of a sleep."""
        if self.waiting and (timeout is None or timeout > FAR):
            # Looked at first: who has ended by now has said so before.
            busy = any(thread.name == ASIDE for thread in threading.enumerate())
            ready = super().select(MOMENT if busy else 0)
            if ready or busy:
                return ready
            for future in self.waiting:
                if not future.done():
                    future.set_result(None)
            self.waiting.clear()
            return []
        return super().select(timeout)


class IdleLoop(asyncio.SelectorEventLoop):
    """An event loop with `idle`."""

    def __init__(self) -> None:
        self._idle_selector = _IdleSelector()
        super().__init__(self._idle_selector)

    async def idle(self) -> None:
        """Go on when nothing else has anything to do, but for timers that are far away."""
        future = self.create_future()
        self._idle_selector.waiting.append(future)
        await future


def run_on_idle_loop(work: Coroutine[Any, Any, T]) -> T:
    """`asyncio.run` on such a loop; fails when `work` leaves a task behind."""
    loop = IdleLoop()
    try:
        asyncio.set_event_loop(loop)
        result = loop.run_until_complete(work)
        left = asyncio.all_tasks(loop)
        assert not left, f"tasks were left behind: {left}"
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.run_until_complete(loop.shutdown_default_executor())
        return result
    finally:
        asyncio.set_event_loop(None)
        loop.close()
