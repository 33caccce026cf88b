"""Wakes the constraint manager when time alone ends a constraint or lets something pass."""

from __future__ import annotations

import math
from collections.abc import Callable

from cascade_nb.concurrency.loop_portal import LoopPortal
from cascade_nb.control.manager import ConstraintManager
from cascade_nb.engine.loops.memory_watch import MemoryWatch
from cascade_nb.protocols.execution import Clock


class ConstraintTimer:
    """One timer for all that a manager waits for.

    Args:
        manager: whom to wake.
        clock: where time comes from.

    Attributes:
        memory: looks at the memory for guards.
    """

    def __init__(self, manager: ConstraintManager, clock: Clock) -> None:
        self._manager = manager
        self._clock = clock
        self._portal: LoopPortal | None = None
        self._timer: Callable[[], object] | None = None
        self._asked = False
        self.memory = MemoryWatch(manager)
        manager.timer_changed = self._changed
        manager.after_move = self._after_move

    def move(self, portal: LoopPortal) -> None:
        """Live on another loop from now on; what was applied while there was none counts too."""
        with self._manager.lock:
            # Whatever was asked of the old loop died with it.
            self._portal, self._timer, self._asked = portal, None, False
            self._changed()

    def _changed(self) -> None:
        """Under the manager's lock: time may have something to do sooner than was thought, and a
        guard may want to know how the memory stands.
        """
        if not self.memory.look() and self._portal is not None:
            self._portal.call(self._look_here)
        if self._portal is not None and not self._asked:
            self._asked = True
            self._portal.call(self._set)

    def _look_here(self) -> None:
        """Look at the memory on the loop, where no thread is left for it, until there is one."""
        if self.memory.look_once():
            self._clock.call_later(self.memory.every, self._look_on)

    def _look_on(self) -> None:
        with self._manager.lock:
            begun = self.memory.look()
        if not begun:
            self._look_here()

    def _after_move(self, ask: Callable[[], object]) -> None:
        """Under the manager's lock: call it on the loop, which has the lock when that is free."""
        if self._portal is not None:  # else nothing has moved yet
            self._portal.call(ask)

    def _set(self) -> None:
        with self._manager.lock:
            self._asked = False
            if self._timer is not None:
                self._timer()
                self._timer = None
            when = self._manager.next_change()
            if when != math.inf:
                wait = max(0.0, when - self._clock.now())
                self._timer = self._clock.call_later(wait, self._ring)

    def _ring(self) -> None:
        self._timer = None
        self._manager.tick()
        self._set()
