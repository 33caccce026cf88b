"""Makes the parts of an engine where its user names none; the only place that names adapters."""

from __future__ import annotations

import os
import threading

from cascade_nb.concurrency.process_protocols import Submits
from cascade_nb.concurrency.scarce import told_where_scarce
from cascade_nb.connectors.urls import connector_from
from cascade_nb.engine.core.priorities import NativeSolver
from cascade_nb.engine.engine import Engine
from cascade_nb.engine.processes.executors import Executors
from cascade_nb.engine.runs.services import Adapters, SystemClock, use_defaults
from cascade_nb.errors import CascadeError, StateError, UsageError
from cascade_nb.events.bus import MessageBus
from cascade_nb.executors.resolve import Kinds
from cascade_nb.model.options.given_executor import use_kinds
from cascade_nb.protocols.connector import Connector
from cascade_nb.protocols.execution import Clock, Executor, Solver
from cascade_nb.protocols.state_backend import StateBackend
from cascade_nb.state.memory import MemoryState
from cascade_nb.state.urls import state_from
from cascade_nb.text import quoted

STATE_VARIABLE = "CASCADE_STATE"
BROKER_VARIABLE = "CASCADE_BROKER"

_engine: Engine | None = None
_making = threading.RLock()


def fill_in(
    solver: Solver | None = None,
    executor: Executor | Submits | None = None,
    bus: MessageBus | None = None,
    connector: Connector | str | None = None,
    state: StateBackend | str | None = None,
    clock: Clock | None = None,
) -> Adapters:
    """The given adapters, and ours for the rest. An engine without a connector talks to nobody.

    Raises:
        UsageError: a URL, given here or in `CASCADE_STATE` or `CASCADE_BROKER`, cannot be read, or
            something is not what it is given as.
    """
    if connector is None:
        connector = os.environ.get(BROKER_VARIABLE) or None
    if isinstance(connector, str):
        with told_where_scarce(CascadeError, "no broker can be reached now"):
            connector = connector_from(connector)
    for what, given, does in (
        ("a solver", solver, "ranks"),
        ("a bus", bus, "publish"),
        ("a connector", connector, "subscribe"),
        ("a clock", clock, "call_later"),
    ):
        if given is not None and not callable(getattr(given, does, None)):
            raise UsageError(f"{quoted(given)} is not {what}: it has no method {does}()")
    named = state if state is not None else os.environ.get(STATE_VARIABLE) or None
    return Adapters(
        solver=solver if solver is not None else NativeSolver(),
        executors=Executors(Kinds(), executor),
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
    if isinstance(place, str):
        with told_where_scarce(StateError, "no place for results can be opened now"):
            return state_from(place)
    if not callable(getattr(place, "known", None)):
        raise UsageError(
            f"{quoted(place)} is no place for results; give a URL, such as 'sqlite:///results.db'"
        )
    return place


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
use_kinds(Kinds().executor_of)
