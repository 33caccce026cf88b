"""A loop in a thread of its own: for an engine where no loop runs, and for what must go on however
busy the kernel's loop is.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading


class HomeLoop:
    """A running loop. It is a daemon's, so that it never holds up the end of the process.

    Args:
        name: of the thread.

    Attributes:
        loop: the loop; use it through `asyncio.run_coroutine_threadsafe` or a `Door`.
    """

    def __init__(self, name: str = "cascade-loop") -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the loop and its thread; only when nothing runs on it any more."""
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()

    def stop_soon(self) -> None:
        """The same for a finalizer, which must neither wait nor take a lock."""
        with contextlib.suppress(RuntimeError):  # it has ended
            self.loop.call_soon_threadsafe(self.loop.stop)

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        try:
            while not self._run_forever():
                pass
            self.loop.run_until_complete(self.loop.shutdown_asyncgens())
            self.loop.run_until_complete(self.loop.shutdown_default_executor())
        finally:
            self.loop.close()

    def _run_forever(self) -> bool:
        """Whether it was stopped; what else ends a loop was raised by one task on it, which has it,
        and is no reason for the others to end.
        """
        try:
            self.loop.run_forever()
        except (SystemExit, KeyboardInterrupt):
            return False
        return True
