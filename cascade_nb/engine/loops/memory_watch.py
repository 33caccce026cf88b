"""Looks at the memory in a thread of its own, while a guard is in force and something runs."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Final

from cascade_nb.concurrency.scarce import has_begun
from cascade_nb.control.gate_kinds.machine_memory import (
    Reading,
    User,
    read_memory,
    users_of_memory,
)
from cascade_nb.control.gate_kinds.memory_guard import GAP
from cascade_nb.control.manager import ConstraintManager

EVERY: Final = 0.25  # seconds between two looks
NAME: Final = "cascade memory guard"


class MemoryWatch:
    """Tells a manager how the memory stands, as long as any guard of it wants to know.

    To read `/proc` takes a millisecond and more, where many processes are: the kernel's loop does
    not do it. The thread ends by itself when the last run does, or when the last guard goes.

    Args:
        manager: whom to tell.
        read: reads the memory.
        users: lists who uses it.

    Attributes:
        every: seconds between two looks.
    """

    def __init__(
        self,
        manager: ConstraintManager,
        read: Callable[[], Reading] = read_memory,
        users: Callable[[], list[User]] = users_of_memory,
    ) -> None:
        self._manager = manager
        self._read, self._users = read, users
        self.every = EVERY
        self._thread: threading.Thread | None = None
        self._soon = threading.Event()

    def look(self) -> bool:
        """Begin to look where a guard wants it, and look soon; under the manager's lock. False
        where there is no thread left for that: then whoever asks has to `look_once`, now and again.
        """
        if not self._is_wanted():
            return True
        self._soon.set()
        if self._thread is None or not self._thread.is_alive():  # that of a parent that forked
            self._thread = threading.Thread(target=self._watch, name=NAME, daemon=True)
            return has_begun(self._thread)
        return True

    def _is_wanted(self) -> bool:
        return self._manager.has_work and bool(self._manager.guards())

    def _watch(self) -> None:
        while self.look_once():
            self._soon.wait(self.every)
            self._soon.clear()

    def look_once(self) -> bool:
        """Look, without the lock; False where nobody wants to know any more."""
        manager = self._manager
        with manager.lock:
            guards = manager.guards()
            if not self._is_wanted():
                for guard in guards:
                    guard.look_again()
                self._thread = None
                return False
            least = min(guard.rule.memory for guard in guards)
            stopped = any(guard.stopped for guard in guards)
        try:
            reading = self._read()
        except (OSError, ValueError) as error:
            manager.memory_read(None, trouble=str(error))
        else:
            near = stopped or reading.fraction > least - GAP
            manager.memory_read(reading, self._users() if near else ())
        return True
