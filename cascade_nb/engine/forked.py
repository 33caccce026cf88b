"""An engine in a child process that was forked while it was there."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from typing import TYPE_CHECKING

from cascade_nb.control.manager import ConstraintManager
from cascade_nb.engine.dispatch.attempt import current_attempt
from cascade_nb.engine.observing.status import Phase
from cascade_nb.engine.runs.loop_binding import Home
from cascade_nb.errors import RunCancelledError

if TYPE_CHECKING:
    from cascade_nb.engine.engine import Engine


def begin_anew(engine: Engine) -> None:
    """Let it work in this process: its loops, threads and locks are the parent's, and so are its
    runs, which count as ended here. What is paused or limited stays so.
    """
    dead, engine.runs = engine.runs, []
    engine._executions = {}
    engine._starting = threading.Lock()
    engine.past._looking = threading.Lock()
    engine.history._lock = threading.Lock()
    before = engine.constraints
    resources = {name: pool.total for name, pool in before.pools.items()}
    before.lock = threading.RLock()  # nobody is left who could give it back
    engine.constraints = made = ConstraintManager(engine.clock, engine.bus, resources)
    now = engine.clock.now()
    for one in before.constraints():
        ttl = None if one.expires is None else max(0.001, one.expires - now)
        made.apply(one.scope, one.type, one.params, reason=one.reason, by=one.by, ttl=ttl)
    engine.link = engine.link.anew()
    engine.home = Home(engine)
    engine.take_state(engine.state)
    current_attempt.set(None)
    for run in dead:
        words = f"{run.graph.title} goes on in the process that this one was forked from"
        run._future = Future()
        run.settle(Phase.CANCELLED, ())
        run.end(None, RunCancelledError(words))
