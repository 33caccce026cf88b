"""Puts one run together: its state, and the objects that change it."""

from __future__ import annotations

import contextvars
from collections.abc import Callable, Collection, Mapping
from typing import Any

from cascade_nb.engine.core.control_flow import ControlFlow
from cascade_nb.engine.core.initial_state import InitialState
from cascade_nb.engine.core.run_protocols import Edited
from cascade_nb.engine.core.run_state import UNREAD
from cascade_nb.engine.core.scheduler import IDLE
from cascade_nb.engine.core.skips import SkipPropagation
from cascade_nb.engine.dispatch.admission import Admission, AdmittingRun
from cascade_nb.engine.dispatch.attempt import current_attempt
from cascade_nb.engine.dispatch.body_context import at_end, current_runs
from cascade_nb.engine.dispatch.dispatched_run import Started
from cascade_nb.engine.dispatch.failures import Failure
from cascade_nb.engine.dispatch.figures import figures_by_task
from cascade_nb.engine.dispatch.resources import ResourceManager
from cascade_nb.engine.dispatch.workers import ReadyQueues, Workers
from cascade_nb.engine.files.file_reads import user_here
from cascade_nb.engine.files.run_files import RunFiles
from cascade_nb.engine.observing.event_publisher import EventPublisher
from cascade_nb.engine.runs.outcomes import Outcomes
from cascade_nb.engine.runs.request import RunRequest
from cascade_nb.engine.runs.services import RunServices
from cascade_nb.engine.storage.code_watch import CodeWatch
from cascade_nb.engine.storage.expander import Expander
from cascade_nb.engine.storage.journal_writer import JournalWriter
from cascade_nb.engine.storage.lookup import GraphSnapshot
from cascade_nb.engine.storage.result_keys import Keys
from cascade_nb.engine.storage.result_saver import ResultSaver
from cascade_nb.engine.storage.sharing import Sharing
from cascade_nb.errors import LeaseLostError
from cascade_nb.file_stamps import Stamps
from cascade_nb.graph.graph import Graph
from cascade_nb.model.tasks.body import enter_body
from cascade_nb.protocols import Lease, StateBackend


class Flow(AdmittingRun):
    """The machinery of one run.

    Args:
        run_id, graph, parts, state, blueprint, reused, pending, carried, lease, depth, on_over,
            on_lost, on_edited: as for `RunState`.
        request: what was asked for, and what an earlier try left.
        keys: by which the results are kept.
        files: by index, those that the results which are there already were made of.
        edits: what the run knows of edits.
        sight: what the keys come from; None where they are no fingerprints of today.
        journal_writer: who writes the run down, where anybody does.

    Attributes:
        code: whether code is what the keys say.
        failures: what failed for good.
    """

    request: RunRequest
    services: RunServices
    saver: ResultSaver
    control_flow: ControlFlow
    queues: ReadyQueues
    workers: Workers

    def __init__(
        self,
        run_id: str,
        graph: Graph,
        services: RunServices,
        state: StateBackend,
        request: RunRequest,
        blueprint: InitialState,
        *,
        reused: Collection[int],
        pending: Mapping[int, Any],
        keys: Keys,
        on_over: Callable[[], None],
        on_lost: Callable[[LeaseLostError], None],
        on_edited: Callable[[], None],
        files: Mapping[int, Stamps],
        edits: Edited,
        sight: GraphSnapshot | None = None,
        carried: frozenset[int] = frozenset(),
        lease: Lease | None = None,
        journal_writer: JournalWriter | None = None,
        depth: int = 0,
    ) -> None:
        super().__init__(
            run_id,
            graph,
            services,
            state,
            request,
            blueprint,
            reused=reused,
            pending=pending,
            carried=carried,
            lease=lease,
            depth=depth,
            on_over=on_over,
            on_lost=on_lost,
            on_edited=on_edited,
            figures=lambda: figures_by_task(lambda: current_attempt() is not None),
        )
        self.keys = keys
        self.in_flight = {}
        self.nested = {}
        self.lent = set()
        self.failures: list[Failure] = []
        self.sharing = None
        if journal_writer is not None and request.share:
            self.sharing = Sharing(self, keys, journal_writer, state)
        self.context = contextvars.copy_context()
        self.files = RunFiles(self, files, self.context, self._running)
        outer = current_attempt()
        self.within = () if outer is None else (*outer.flow.within, outer.ticket)
        self.context.run(self._enter_context)
        self._blueprint = blueprint
        self.workers = services.workers_at(depth)
        self.queues = ReadyQueues(self, self.workers, services)
        self.tell = EventPublisher(self)
        self.admission = Admission(self)
        self.outcomes = Outcomes(self, self.failures)
        self.skips = SkipPropagation(self)
        self.control_flow = ControlFlow(self, Expander(self, keys, state, request.given.items))
        self.resources = ResourceManager(self, services.overrides)
        self.edits = edits
        self.sight = sight
        self.code: CodeWatch | None = None
        if sight is not None:
            self.code = CodeWatch(self, sight.prints, sight.code, request.given.tainted)
        self.saver = ResultSaver(self, self.code)

    def _enter_context(self) -> None:
        """Here bodies run; where a task itself started this run, nothing is that task's."""
        enter_body()
        user_here.set(None)
        at_end.set(None)
        current_runs.set((*current_runs.get(), self.run_id))

    def _running(self) -> list[Started]:
        """The attempts that have begun and are not over; from any thread."""
        return [one for one in list(self.in_flight.values()) if one.started is not None]

    def start(self) -> None:
        """Ask for the targets, and let start what may."""
        self.services.manager.enter(self.admission)
        self.give_figures()
        pruned = self.results.pruned
        self.tell.all_skipped(sorted(self.reused), "Reused", "an earlier run made its result")
        carried = self.carried
        self.tell.all_skipped([i for i in pruned if i not in carried], *UNREAD)
        self.reused.update(pruned)
        for index, (reason, detail) in self.request.given.skipped.items():
            if self.scheduler.state[index] == IDLE:  # unless its result was found meanwhile
                self.skips.skip(index, reason, detail)
        ready = self._blueprint.ready
        if ready is None:
            ready = self.scheduler.demand(self.graph.targets)
        self.control_flow.arrive(ready)
        self.end_if_done()
