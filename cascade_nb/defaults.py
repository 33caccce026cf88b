"""What an engine is made of where its user does not say; the only place that names adapters."""

from __future__ import annotations

import os
import threading

from cascade_nb.engine.engine import Engine, use_defaults
from cascade_nb.engine.parts import Adapters, SystemClock
from cascade_nb.engine.solver import NativeSolver
from cascade_nb.events.bus import MessageBus
from cascade_nb.executors.local import LocalExecutor
from cascade_nb.protocols import Clock, Connector, Executor, Solver, StateBackend
from cascade_nb.state.memory import MemoryState
from cascade_nb.state.urls import state_from

STATE_VARIABLE = "CASCADE_STATE"

_engine: Engine | None = None
_making = threading.Lock()


def fill_in(
    solver: Solver | None = None,
    executor: Executor | None = None,
    bus: MessageBus | None = None,
    connector: Connector | None = None,
    state: StateBackend | str | None = None,
    clock: Clock | None = None,
) -> Adapters:
    """The given adapters, and ours for the rest. An engine without a connector talks to nobody.

    Raises:
        UsageError: a state's URL, given here or in `CASCADE_STATE`, cannot be read.
    """
    named = state if state is not None else os.environ.get(STATE_VARIABLE) or None
    return Adapters(
        solver=solver if solver is not None else NativeSolver(),
        executor=executor if executor is not None else LocalExecutor(),
        bus=bus if bus is not None else MessageBus(),
        connector=connector,
        state=state_of(named),
        clock=clock if clock is not None else SystemClock(),
    )


def state_of(place: StateBackend | str | None) -> StateBackend:
    """A state backend: that of a URL, the given one, or the memory of this process.

    Raises:
        UsageError: the URL cannot be read, or what it takes is not installed.
    """
    if place is None:
        return MemoryState()
    return state_from(place) if isinstance(place, str) else place


def engine_in_use() -> Engine | None:
    """The same, or None where nobody has asked for it yet."""
    return _engine


def default_engine() -> Engine:
    """The engine that `cs.run` and `cs.start` use, made when it is first asked for."""
    global _engine  # noqa: PLW0603 - there is one for the process, that is what it is for
    with _making:
        if _engine is None:
            _engine = Engine()
        return _engine


use_defaults(fill_in)
