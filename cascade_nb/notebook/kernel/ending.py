"""Ends the runs that still go on when the kernel is told to end: each has its last event."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from cascade_nb.concurrency.loop_portal import LoopPortal
from cascade_nb.notebook.kernel.shims import on_shutdown

if TYPE_CHECKING:
    from cascade_nb.engine.runs.run import Run

#: Seconds that a run gets for its threads, and that the kernel's end is held up at most; the kernel
#: is killed about three seconds after it was told.
GRACE: Final = 1.0
PATIENCE: Final = 2.0


class _Ending:
    """Knows the runs that go on; one for the process, because the kernel ends once."""

    def __init__(self) -> None:
        self._runs: dict[Run, LoopPortal] = {}
        self._undo: Callable[[], None] | None = None

    def add(self, run: Run) -> None:
        if self._undo is None:
            self._undo = on_shutdown(self._end)
        self._runs[run] = LoopPortal(asyncio.get_running_loop())

    def remove(self, run: Run) -> None:
        self._runs.pop(run, None)
        if self._undo is not None and not self._runs:
            self._undo()
            self._undo = None

    def _end(self) -> None:
        """Not on the kernel's loop, which still runs and does the work meanwhile."""
        runs = dict(self._runs)
        ended = [_ended(run, door) for run, door in runs.items()]
        deadline = time.monotonic() + PATIENCE
        for over in ended:
            over.wait(max(0.0, deadline - time.monotonic()))
        for run in runs:
            # Its last event is told by a thread that would be gone with the process.
            run.engine.bus.flush(max(0.0, deadline - time.monotonic()))


def _ended(run: Run, door: LoopPortal) -> threading.Event:
    """Have it end, on its loop; what happens when it has."""
    over = threading.Event()
    run.add_done_callback(lambda _: over.set())
    run.engine.grace = min(run.engine.grace, GRACE)
    door.call(lambda: run.cancel("the kernel was shut down"))
    return over


_ending: Final = _Ending()


def end_with_kernel(run: Run) -> Callable[[], None]:
    """Cancel `run` when the kernel ends, and hold that up for a moment; returns what forgets it.

    Both on the kernel's loop.
    """
    _ending.add(run)
    return lambda: _ending.remove(run)
