"""Puts one run together: its state, what serves it, and where its bodies run."""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Callable, Collection, Mapping
from typing import Any

from cascade_nb.control.gates import Ticket
from cascade_nb.engine.asking.questions import Questions
from cascade_nb.engine.body_context import at_end, current_runs, nodes_above
from cascade_nb.engine.core.driven_run import Edited, InFlight
from cascade_nb.engine.core.initial_state import InitialState
from cascade_nb.engine.core.run_core import RunCore
from cascade_nb.engine.dispatch.admission import Admission
from cascade_nb.engine.dispatch.attempt import current_attempt, node_here
from cascade_nb.engine.dispatch.dispatched_run import RunsElsewhere, Started
from cascade_nb.engine.dispatch.failures import Failure
from cascade_nb.engine.dispatch.figures import figures_by_task
from cascade_nb.engine.dispatch.ready_queues import ReadyQueues
from cascade_nb.engine.dispatch.resources import ResourceManager
from cascade_nb.engine.files.audit_hook import user_here
from cascade_nb.engine.files.run_files import RunFiles
from cascade_nb.engine.inspection.judging import Judging
from cascade_nb.engine.inspection.time_left import TimeLeft
from cascade_nb.engine.processes.process_attempt import said_for_run
from cascade_nb.engine.processes.run_on_clusters import RunOnClusters
from cascade_nb.engine.reporting.event_publisher import EventPublisher
from cascade_nb.engine.reuse.lookup import GraphSnapshot
from cascade_nb.engine.runs.request import RunRequest
from cascade_nb.engine.runs.services import RunServices
from cascade_nb.engine.storage.code_watch import CodeWatch
from cascade_nb.engine.storage.expander import Expander
from cascade_nb.engine.storage.journal_writer import JournalWriter
from cascade_nb.engine.storage.result_keys import Keys
from cascade_nb.engine.storage.result_saver import ResultSaver
from cascade_nb.engine.storage.sharing import Sharing
from cascade_nb.engine.timing.attempt_times import AttemptTimes
from cascade_nb.errors import LeaseLostError
from cascade_nb.file_stamps import Stamps
from cascade_nb.graph.graph import Graph
from cascade_nb.model.copying.elsewhere import Elsewhere
from cascade_nb.model.options.checks import NOTHING
from cascade_nb.model.tasks.body import enter_body
from cascade_nb.protocols.journal import Lease
from cascade_nb.protocols.state_backend import StateBackend


class AssembledRun(RunOnClusters):
    """One run with all that serves it.

    Args:
        run_id: the run's identity.
        graph: what runs.
        services: what the engine lends it.
        state: where results are kept.
        request: what was asked for, and what an earlier try left.
        initial, reused, pending, carried: as for `RunState`.
        keys: by which the results are kept.
        on_over: called once, on whatever thread, when nothing more will happen.
        on_lost: called, on whatever thread, when another kernel has taken the run over.
        on_edited: called, under the lock, when a pause goes that something was edited in.
        files: by index, those that the results which are there already were made of.
        edits: what the run knows of edits.
        sight: what the keys come from; None where they are no fingerprints of today.
        lease: the right to write about this run, where runs are journaled.
        journal_writer: who writes the run down, where anybody does.
        depth: how many runs are above this one, each of which has started the next.
        means: by task name, seconds that an attempt took in earlier runs.

    Attributes:
        began: when it did, on the engine's clock.
        code: whether code is what the keys say.
        failures: what failed for good.
        times: when attempts were under way.
        left: estimates when it will be over.
        expander: grows the items of mapped nodes.
        questions: whose answers its nodes wait for.
        left_behind: what ran when the run was over, and whose end nobody waited for.
        has_left: whether it is over, and holds nothing any more.
        accident: what this machinery was broken off with.
    """

    request: RunRequest
    services: RunServices
    saver: ResultSaver
    queues: ReadyQueues

    def __init__(
        self,
        run_id: str,
        graph: Graph,
        services: RunServices,
        state: StateBackend,
        request: RunRequest,
        initial: InitialState,
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
        means: Mapping[str, float] = NOTHING,
    ) -> None:
        manager = services.manager
        self.run_id, self.services, self.state, self.request = run_id, services, state, request
        self.lease, self.depth, self.edits, self.sight, self.keys = lease, depth, edits, sight, keys
        self.on_over, self.on_lost, self.on_edited = on_over, on_lost, on_edited
        self.lock = manager.lock
        self.core = RunCore(
            graph,
            request,
            initial,
            reused=reused,
            pending=pending,
            carried=carried,
            pools=manager.pools,
        )
        self.began = self.last_end = services.clock.now()
        self.rested = 0.0
        self.inline: int | None = None
        self.inline_ticket: Ticket | None = None
        self.resting = threading.Condition(self.lock)
        self.in_flight = {}
        self.nested = {}
        self.lent = set()
        self.failures: list[Failure] = []
        self.times = AttemptTimes(self.core, self.began)
        self.left = TimeLeft(run_id, means)
        self.left_behind: list[int] = []
        self.is_over = self.has_left = False
        self.accident: BaseException | None = None
        self._give_back_figures: Callable[[], object] | None = None
        self._said: bytes | None = None
        self.sharing = None
        if journal_writer is not None and request.share:
            self.sharing = Sharing(self, keys, journal_writer, state)
        self.context = contextvars.copy_context()
        self.files = RunFiles(self, files, self.context, self._running)
        outer = current_attempt()
        self.within = () if outer is None else (*outer.driver.within, outer.ticket)
        self.context.run(self._enter_context)
        self.queues = ReadyQueues(self, self.workers_at(services.workers.at(depth)), services)
        self.deaths: dict[int, float] = {}
        self.lost_values: dict[int, Elsewhere] = {}
        self.tell = EventPublisher(self)
        self.judging = Judging(self, services.grace)
        self.admission = Admission(self)
        self.expander = Expander(self, keys, state, request.given.items)
        self.resources = ResourceManager(self, services.overrides)
        self.code: CodeWatch | None = None
        if sight is not None:
            given = request.given
            self.code = CodeWatch(self, sight.prints, sight.code, given.tainted, given.rewritten)
        self.saver = ResultSaver(self, self.code)
        self.questions = Questions(self, self.code)

    def _enter_context(self) -> None:
        """Here bodies run; where a task itself started this run, nothing is that task's."""
        enter_body()
        depth = len(current_runs.get())
        if depth:
            nodes_above.set((*nodes_above.get(), node_here(depth - 1)))
        user_here.set(None)
        at_end.set(None)
        current_runs.set((*current_runs.get(), self.run_id))

    def said(self, runner: RunsElsewhere) -> bytes:
        """What was said of logging, warnings and the context, for bodies in other processes."""
        if self._said is None:
            self._said = said_for_run(self.context.copy(), runner)
        return self._said

    def _running(self) -> list[Started]:
        """The attempts that have begun and are not over; from any thread."""
        return [one for one in list(self.in_flight.values()) if one.started is not None]

    def give_figures(self) -> None:
        """Let tasks have pyplot figures of their own, where any of them uses pyplot."""
        if self.core.kinds.use_pyplot and self._give_back_figures is None:
            self._give_back_figures = figures_by_task(lambda: current_attempt() is not None)

    def take_figures(self) -> None:
        """The opposite of `give_figures`."""
        if self._give_back_figures is not None:
            self._give_back_figures()
            self._give_back_figures = None

    # Its attempts, under the lock, and what these have started.

    def pause_came(self) -> None:
        """There is another pause: what can be suspended stands still from now on."""
        for attempt in self.in_flight.values():
            attempt.pause_came()

    def abandon(self, attempt: Started) -> None:
        """It counts no longer, and nobody waits for it."""
        attempt.abandoned = attempt.stop = True
        self.services.manager.failed(attempt.ticket, None)  # a probe that nobody hears of is none
        if attempt.started is not None:
            self.left_behind.append(attempt.index)
            if attempt.in_thread and attempt.workers is not None:
                attempt.workers.replace(attempt)
            elif attempt.in_process or attempt.on_cluster:
                attempt.cancel()

    def under_way(self) -> bool:
        """Whether an attempt that counts has not ended."""
        in_flight = any(not attempt.abandoned for attempt in self.in_flight.values())
        return in_flight or self.inline is not None

    def cancel_nested(
        self, reason: str, of: InFlight | None = None, within: float | None = None
    ) -> None:
        """End the runs that its tasks have started, or that one attempt has."""
        for run, attempt in list(self.nested.items()):
            if of is None or attempt is of:
                run.cancel(reason, within=within)
