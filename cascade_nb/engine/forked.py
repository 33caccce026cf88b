"""Makes an engine work anew in a child process that was forked while it was there."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from typing import Any, Protocol

from cascade_nb.control.manager import ConstraintManager
from cascade_nb.engine.files.audit_hook import user_here
from cascade_nb.engine.observing.status import Phase
from cascade_nb.engine.runs.edits import Edits
from cascade_nb.engine.runs.loop_binding import BoundEngine, LoopBinding
from cascade_nb.engine.runs.run import Run
from cascade_nb.errors import RunCancelledError
from cascade_nb.protocols.state_backend import StateBackend


class Forked(BoundEngine, Protocol):
    """An engine whose process was forked."""

    loop_binding: LoopBinding
    _executions: dict[Run, Any]
    _edits: dict[Run, Edits]
    _starting: threading.RLock

    def take_state(self, state: StateBackend) -> None:
        """Keep results there."""


def restart_after_fork(engine: Forked) -> None:
    """Let it work in this process: its loops, threads and locks are the parent's, and so are its
    runs, which count as ended here. What is paused or limited stays so.
    """
    dead, engine.runs = engine.runs, []
    engine._executions = {}
    engine._edits = {}
    engine._starting = threading.RLock()
    engine.provenance._looking = threading.RLock()
    engine.history._lock = threading.RLock()
    before = engine.constraints
    resources = {name: pool.total for name, pool in before.pools.items()}
    before.lock = threading.RLock()  # nobody is left who could give it back
    engine.constraints = made = ConstraintManager(engine.clock, engine.bus, resources)
    now = engine.clock.now()
    for one in before.constraints():
        left = one.left(now)
        made.apply(**one.parts, ttl=None if left is None else max(0.001, left))
    engine.supervisor = engine.supervisor.anew(made)
    engine.loop_binding = LoopBinding(engine)
    engine.take_state(engine.state)
    user_here.set(None)
    for run in dead:
        words = f"{run.graph.title} goes on in the process that this one was forked from"
        run._future = Future()
        run.set_outcome(Phase.CANCELLED, ())
        run.end(None, RunCancelledError(words))
