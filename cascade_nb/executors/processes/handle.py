"""Suspends and ends a process, for whoever asks while a call runs in it."""

from __future__ import annotations

import contextlib
import os
import signal
import threading


class ProcessHandle:
    """A process while a call runs in it: from any thread, and of no effect when the call is over.

    Args:
        pid: of the process, and of the group of all that it starts.
    """

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._lock = threading.Lock()
        self._over = False
        self._suspended = False

    def kill(self) -> bool:
        """End it at once, with all that it started; it is not asked. False when it is over."""
        return self._signal(signal.SIGKILL)

    def suspend(self) -> bool:
        """Stop it where it stands, with all that it started; False when the call is over."""
        return self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on."""
        self._signal(signal.SIGCONT)

    def let_go(self) -> None:
        """The call is over: whatever comes now is not for this process."""
        with self._lock:
            self._over = True
            if self._suspended:
                self._sent(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> bool:
        with self._lock:
            if self._over or (number is signal.SIGCONT and not self._suspended):
                return False
            self._suspended = number is signal.SIGSTOP
            self._sent(number)
            return True

    def _sent(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):  # it is just ending
            os.killpg(self.pid, number)
