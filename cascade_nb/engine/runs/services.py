"""Holds what an engine is made of, and declares what of it its runs use."""

from __future__ import annotations

import asyncio
import dataclasses
import time
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from cascade_nb.control.manager import ConstraintManager
from cascade_nb.engine.loops.services import LoopServices
from cascade_nb.engine.processes.executors import Executors, WorkersOf
from cascade_nb.engine.reporting.history import History
from cascade_nb.engine.reuse.provenance_cache import ProvenanceCache
from cascade_nb.engine.runs.connector_supervisor import ConnectorSupervisor
from cascade_nb.engine.storage.journal_writer import JournalWriter
from cascade_nb.events.bus import MessageBus
from cascade_nb.protocols.connector import Connector
from cascade_nb.protocols.execution import Clock, Solver
from cascade_nb.protocols.state_backend import StateBackend


class SystemClock:
    """The machine's own time."""

    # Not wrapped: they are asked several times for each node.
    now = staticmethod(time.monotonic)
    wall = staticmethod(time.time)

    def call_later(self, delay: float, callback: Callable[[], object]) -> Callable[[], object]:
        """Call back on the running loop."""
        return asyncio.get_running_loop().call_later(delay, callback).cancel


@dataclasses.dataclass(frozen=True)
class Adapters:
    """The exchangeable parts of an engine.

    Attributes:
        executors: where sync tasks run.
    """

    solver: Solver
    executors: Executors
    bus: MessageBus
    connector: Connector | None
    state: StateBackend
    clock: Clock


_fill_in: Callable[..., Adapters]


def use_defaults(fill_in: Callable[..., Adapters]) -> None:
    """Say what an engine is made of where its user does not; `defaults` does, once."""
    global _fill_in  # noqa: PLW0603 - said once, by `defaults`
    _fill_in = fill_in


def adapters_for(*given: Any) -> Adapters:
    """What an engine is made of, given what its user says of each part: None for the default."""
    return _fill_in(*given)


@dataclasses.dataclass(frozen=True)
class RunServices(LoopServices):
    """What a run at work reaches for.

    Attributes:
        workers: the free places of executors.
        overrides: what stands for a resource in this engine, for tests.
        grace: seconds that code of the user's beside tasks has to answer.
    """

    workers: WorkersOf
    overrides: dict[Any, Any]
    grace: float


class RunHost(Protocol):
    """What runs use of their engine.

    Attributes:
        grace: seconds that a cancelled run waits for its threads.
        reuse: whether results of earlier runs stand.
        means: by task name, the mean seconds of an attempt in earlier runs.
        partial: names of tasks of whose maps only some items may be kept.
    """

    adapters: Adapters
    bus: MessageBus
    clock: Clock
    constraints: ConstraintManager
    state: StateBackend
    journal_writer: JournalWriter | None
    supervisor: ConnectorSupervisor
    provenance: ProvenanceCache
    history: History
    means: dict[str, float]
    partial: set[str]
    reuse: bool
    grace: float

    def remember(self, timings: Mapping[str, tuple[int, float]]) -> None:
        """Learn from a run how long its tasks take."""
