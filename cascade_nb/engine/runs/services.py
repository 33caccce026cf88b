"""Holds what an engine is made of, and declares what of it its runs use."""

from __future__ import annotations

import asyncio
import dataclasses
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from cascade_nb.control.manager import ConstraintManager
from cascade_nb.engine.dispatch.dispatched_run import RunsInProcesses
from cascade_nb.engine.dispatch.ready_queues import Workers
from cascade_nb.engine.loops.services import LoopServices
from cascade_nb.engine.observing.history import History
from cascade_nb.engine.reuse.provenance_cache import ProvenanceCache
from cascade_nb.engine.runs.connector_supervisor import ConnectorSupervisor
from cascade_nb.engine.storage.journal_writer import JournalWriter
from cascade_nb.events.bus import MessageBus
from cascade_nb.protocols import Clock, Connector, Executor, Solver, StateBackend


class SystemClock:
    """The machine's own time."""

    # Not wrapped: they are asked several times for each node.
    now = staticmethod(time.monotonic)
    wall = staticmethod(time.time)

    def call_later(self, delay: float, callback: Callable[[], object]) -> Callable[[], object]:
        """Call back on the running loop."""
        return asyncio.get_running_loop().call_later(delay, callback).cancel


class Processes:
    """What runs bodies in processes, made when it is first asked for.

    Args:
        make: makes it.

    Attributes:
        made: it, once it was.
    """

    def __init__(self, make: Callable[[], RunsInProcesses]) -> None:
        self._make = make
        self._making = threading.Lock()
        self.made: RunsInProcesses | None = None

    def __call__(self) -> RunsInProcesses:
        """It."""
        with self._making:
            if self.made is None:
                self.made = self._make()
            return self.made


@dataclasses.dataclass(frozen=True)
class Adapters:
    """The exchangeable parts of an engine.

    Attributes:
        processes: runs bodies in processes.
        on: where sync tasks run that do not say it: "threads" or "processes".
    """

    solver: Solver
    executor: Executor
    processes: Processes
    on: str
    bus: MessageBus
    connector: Connector | None
    state: StateBackend
    clock: Clock

    def close(self) -> None:
        """Let idle workers end."""
        self.executor.close()
        if self.processes.made is not None:
            self.processes.made.close()


@dataclasses.dataclass(frozen=True)
class RunServices(LoopServices):
    """What a run at work reaches for.

    Attributes:
        workers: the free places in threads.
        processes: gives those in processes.
        process_runner: gives what runs bodies there.
        overrides: what stands for a resource in this engine, for tests.
    """

    workers: Workers
    processes: Callable[[], Workers]
    process_runner: Callable[[], RunsInProcesses]
    overrides: dict[Any, Any]
    nested: list[Workers] = dataclasses.field(default_factory=list)

    def workers_at(self, depth: int) -> Workers:
        """The places in threads of runs that so many others have started, one inside the other.

        Each depth has as many as the executor says: tasks that wait for runs of their own, however
        many, never take the places that those runs need.
        """
        while len(self.nested) < depth:
            self.nested.append(Workers(self.workers.executor))
        return self.nested[depth - 1] if depth else self.workers


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
