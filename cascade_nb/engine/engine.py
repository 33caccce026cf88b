"""Runs graphs: puts the parts together, starts runs, and ends them whatever happens."""

from __future__ import annotations

import asyncio
import dataclasses
import threading
import weakref
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, ClassVar

from cascade_nb.concurrency.begun_tasks import begin_task
from cascade_nb.concurrency.interrupts import interrupts_wait
from cascade_nb.concurrency.loop_portal import LoopPortal
from cascade_nb.concurrency.process_protocols import Submits
from cascade_nb.concurrency.safe_parse import SAFE_ANYWHERE, elsewhere
from cascade_nb.concurrency.scarce import told_where_scarce
from cascade_nb.concurrency.thread_settings import with_settings
from cascade_nb.concurrency.threads import ParsingElsewhere, in_thread_or_here
from cascade_nb.control.manager import ConstraintManager
from cascade_nb.engine.controls import Controls
from cascade_nb.engine.dispatch.attempt import asking_attempt
from cascade_nb.engine.forked import restart_after_fork
from cascade_nb.engine.planning.planner import Planner
from cascade_nb.engine.reporting.run_log import checked_log
from cascade_nb.engine.runs.connector_supervisor import ConnectorSupervisor
from cascade_nb.engine.runs.edits import HearsOfEdits
from cascade_nb.engine.runs.lifecycle import Execution
from cascade_nb.engine.runs.loop_binding import LoopBinding
from cascade_nb.engine.runs.recorded_runs import RecordedRuns
from cascade_nb.engine.runs.request import RunRequest, new_run_id
from cascade_nb.engine.runs.run import Run
from cascade_nb.engine.runs.services import RunServices, adapters_for
from cascade_nb.engine.storage.sharing import checked_share
from cascade_nb.errors import BlockingError, RunCancelledError, RunError
from cascade_nb.events.bus import MessageBus
from cascade_nb.forking import forget_after_fork
from cascade_nb.graph.build import Bindings
from cascade_nb.graph.graph import Graph
from cascade_nb.leases import LEASE
from cascade_nb.model.options.checks import checked_amount, checked_timeout
from cascade_nb.model.params.param import checked_params
from cascade_nb.model.tasks.present import is_present
from cascade_nb.protocols.connector import Connector
from cascade_nb.protocols.execution import Clock, Executor, Solver
from cascade_nb.protocols.state_backend import StateBackend

GRACE = 3.0


class Engine(Controls, Planner, RecordedRuns, HearsOfEdits):
    """Runs graphs.

    An engine works on one loop at a time: the running loop of whoever starts a run, or a loop of
    its own in a background thread when there is none. Several runs share it, its constraints and
    its connector.

    Args:
        solver: order of preference among what could start; default `NativeSolver`.
        executor: where sync tasks run, a `concurrent.futures` pool too; default `LocalExecutor`,
            threads.
        bus: told what happens; default a `MessageBus` of its own.
        connector: brings constraints in and takes telemetry out, or a broker's URL such as
            "mqtt://localhost"; default what `CASCADE_BROKER` names, else none.
        state_backend: where results are kept, or its URL; default what `CASCADE_STATE` names, else
            the memory of this process.
        system_resources: what `.with_constraints` can ask for, by name.
        overrides: by resource, what stands for it, for tests.
        clock: where time comes from.
        reuse: whether results of earlier runs stand where code and inputs are the same. False also
            saves the fingerprints, some microseconds for each node.
        grace: seconds that a cancelled run waits for its threads before it ends without them.
        log: "human" or "json": each run is told in lines on the standard error stream.
        lease: seconds without a word after which another kernel may take up a run of this one.

    Raises:
        PolicyError: an amount of a resource is negative or no number, or a lease not above zero.
        UsageError: there is no such log, no such place for results, or no such broker.

    Attributes:
        constraints: the `ConstraintManager`.
        bus: where to subscribe.
        runs: the runs that are not over, oldest first.
        bindings: what names mean where nothing else is said; a notebook's workspace sets it.
        on_made: called with each new engine.
        on_begun: called with each run that begins.
        history: what became of the runs that are over.
        means: by task name, the mean seconds of an attempt in earlier runs.
        partial: names of tasks of whose maps only some items may be kept.

    Example:
        >>> engine = cs.Engine(state_backend="memory:")
        >>> engine.start(report).result()
        3
        >>> engine.close()
    """

    runs: list[Run]
    _executions: dict[Run, Execution]
    on_made: ClassVar[list[Callable[[Engine], object]]] = []
    on_begun: ClassVar[list[Callable[[Run], object]]] = []
    _alive: ClassVar[weakref.WeakSet[Engine]] = weakref.WeakSet()

    def __init__(
        self,
        *,
        solver: Solver | None = None,
        executor: Executor | Submits | None = None,
        bus: MessageBus | None = None,
        connector: Connector | str | None = None,
        state_backend: StateBackend | str | None = None,
        system_resources: Mapping[str, float] | None = None,
        overrides: Mapping[Any, Any] | None = None,
        clock: Clock | None = None,
        grace: float = GRACE,
        log: str | None = None,
        reuse: bool = True,
        lease: float = LEASE,
        org: str = "local",
        project: str = "cascade",
    ) -> None:
        Planner.__init__(self)
        HearsOfEdits.__init__(self)
        given = solver, executor, bus, connector, state_backend, clock
        self.adapters = adapters = adapters_for(*given)
        self.executors = adapters.executors
        self.bus = adapters.bus
        self.clock = adapters.clock
        self.grace = checked_amount("grace", grace)
        self.log = checked_log(log)
        self.reuse = reuse
        self.partial: set[str] = set()
        self.constraints = ConstraintManager(self.clock, self.bus, system_resources)
        self.overrides = dict(overrides or {})
        self.lease = checked_timeout(lease, "a lease")
        self.take_state(adapters.state)
        self.supervisor = ConnectorSupervisor(
            self.bus, self.clock, self.constraints, adapters.connector, org, project
        )
        self.runs = []
        self.loop_binding = LoopBinding(self)
        self._executions = {}
        self._started = 0
        self._starting = threading.RLock()
        Engine._alive.add(self)
        forget_after_fork(self)
        for hook in Engine.on_made:
            hook(self)

    async def run(
        self,
        target: Any,
        *,
        params: Mapping[str, Any] | None = None,
        bindings: Bindings | None = None,
        on_error: str = "stop",
        fresh: bool = False,
        log: str | None = None,
        share: str = "no",
        on: str | Submits | None = None,
        priority: int | None = None,
    ) -> Any:
        """Start a run and wait for its value; see `start`. What is a value already is given as it
        is.

        Raises:
            UsageError: as `start`.
            RunError, RunFailures: it ended without a value.
        """
        if not (params or isinstance(target, Graph)) and is_present(target):
            return target
        said = {"params": params, "bindings": bindings, "on_error": on_error, "fresh": fresh}
        more = {"log": log, "share": share, "on": on}
        return await self.start(target, **said, **more, priority=priority)  # type: ignore[arg-type]

    def start(
        self,
        target: Any,
        *,
        params: Mapping[str, Any] | None = None,
        bindings: Bindings | None = None,
        on_error: str = "stop",
        fresh: bool = False,
        log: str | None = None,
        share: str = "no",
        on: str | Submits | None = None,
        priority: int | None = None,
        run_id: str | None = None,
    ) -> Run:
        """Start a run of what `target` needs, from any thread, and return at once.

        Args:
            target: a lazy value, a container of such, or a `Graph`. A value that is there, such as
                a container of plain values, gives itself.
            params: values of parameters by name.
            bindings: what names mean now.
            on_error: "stop": after a failure nothing new starts, what runs may finish; "continue":
                all that does not need the failed task goes on.
            fresh: whether earlier results are not to be used.
            log: "human" or "json", for this run; default as the engine's.
            share: "wait": what another kernel with the same state computes just now is waited for,
                and computed only once.
            on: "threads", "processes" or an executor: where sync tasks run that do not say it;
                default as the engine's executor.
            priority: of all that it starts, before and above what was said of its tasks.
            run_id: its identity, for who is to know it before anything runs; default a new one.

        Raises:
            GraphError: there is nothing to run, or it needs itself.
            ParamError: a parameter is unknown, missing or of the wrong type.
            PolicyError: a task needs more of a resource than there is.
            BlockingError: runs of this engine go on on another loop.
        """
        bindings = bindings if bindings is not None else self.bindings
        log = checked_log(log) or self.log
        shares = checked_share(share, self.state.journal)
        if isinstance(target, Graph) or not is_present(target):
            graph = self.graph_of(target, bindings)
        else:
            graph = Graph((), (), target, {})
        place = None if on is None else self.executors.place(on)
        asked = checked_params(params), bindings, on_error, fresh, log, shares, place, priority
        run = self.begin(graph, RunRequest(*asked), run_id)
        self.given.update(run.request.params)  # what does not fit is not remembered
        return run

    def retry(self, run: Run) -> Run:
        """What `Run.retry_failed` does."""
        request = dataclasses.replace(run.request, given=run.left(), taken_up=None)
        return self.begin(run.graph, request)

    def begin(self, graph: Graph, request: RunRequest, run_id: str | None = None) -> Run:
        """What `start`, `retry` and `attach` have in common."""
        parent = asking_attempt()
        if parent is not None and (parent.stop or parent.abandoned):
            label = parent.driver.core.label(parent.index)
            raise RunCancelledError(f"{label} was cancelled, so it starts no run any more")
        with self._starting:
            run = Run(self, run_id or new_run_id(), self._started + 1, graph, request, parent)
            execution = Execution(self, run, request, self.ended)
            services = self.loop_binding.services()
            run.begin_log()  # if it cannot be written, nothing has begun
            with interrupts_wait(run.interrupt):  # what is known to have begun can be ended
                self._started = run.number = self._started + 1  # a finalizer may have begun one
                self.runs.append(run)
                self._executions[run], self._edits[run] = execution, execution.edits
                if parent is not None:
                    (nested := parent.driver.nested)[run] = parent
                    run.add_done_callback(lambda run: nested.pop(run, None))
                for tell in Engine.on_begun:
                    tell(run)
                with_settings().run(services.portal.call, partial(self._spawn, services, execution))
        return run

    def remember(self, timings: Mapping[str, tuple[int, float]]) -> None:
        """Learn from a run how long its tasks take."""
        self.means.update((name, took / times) for name, (times, took) in timings.items())

    @property
    def portal(self) -> LoopPortal:
        """The way to the loop that this engine works on."""
        return self.loop_binding.portal

    @property
    def unreachable(self) -> str | None:
        """What to say of a connector that is gone, in words."""
        return self.supervisor.trouble

    def is_own_thread(self) -> bool:
        """Whether the caller's thread is the one whose loop this engine works on."""
        return self.loop_binding.is_here

    def cancel_soon(self, run: Run, reason: str, within: float | None = None) -> None:
        """What `Run.cancel` does, from any thread."""
        self.portal.call(partial(self._cancel, run, reason, within))

    def _cancel(self, run: Run, reason: str, within: float | None) -> None:
        execution = self._executions.get(run)
        if execution is not None:
            execution.cancel(reason, within)

    async def aclose(self) -> None:
        """Cancel what runs, wait for its end, and let go of workers, state and connector."""
        for run in list(self.runs):
            run.cancel("the engine was closed")
            ended = asyncio.wrap_future(run._future)
            await asyncio.wait([ended])
            ended.exception()  # heard, so that nobody reports it as never retrieved
        await self.loop_binding.there(self.supervisor.close())
        if self.journal_writer is not None:
            await self.journal_writer.close()
        await self.state.close()
        await in_thread_or_here(self.executors.close)  # a cluster may take a moment to end
        Engine._alive.discard(self)
        if self.loop_binding.own is not None and not self.loop_binding.is_on_own:
            await in_thread_or_here(self.loop_binding.leave)

    def close(self) -> None:
        """`aclose` for where no loop runs.

        Raises:
            BlockingError: a loop runs here; await `aclose` instead.
        """
        if self.is_own_thread():
            raise BlockingError(
                "close() here would wait for the loop that it stops; await aclose()"
            )
        if self.loop_binding.own is not None:
            asyncio.run_coroutine_threadsafe(self.aclose(), self.loop_binding.own.loop).result()
            self.loop_binding.leave()
        else:
            with told_where_scarce(RunError, "the engine is not closed"):
                asyncio.run(self.aclose())

    @classmethod
    def alive(cls) -> list[Engine]:
        """Every engine of this process that somebody still holds."""
        return list(cls._alive)

    def forget(self) -> None:
        """In a child process: begin anew."""
        restart_after_fork(self)

    def ended(self, run: Run) -> None:
        """An execution is over; called on the loop."""
        if self._executions.pop(run, None) is not None:  # else its loop was closed
            self.runs.remove(run)
            del self._edits[run]

    def end_lost_runs(self) -> None:
        """Runs whose loop was closed before they ended count as ended: nothing moves them any
        more.
        """
        if not self.loop_binding.is_gone:
            return
        dead, self.runs = self.runs, []
        executions, self._executions = self._executions, {}
        self._edits.clear()
        for run in dead:
            executions[run].end_as_lost()

    def _spawn(self, services: RunServices, execution: Execution) -> None:
        if not SAFE_ANYWHERE and services.are_apart:
            elsewhere.set(ParsingElsewhere(services.coroutines.loop))
        task = begin_task(execution.main(services), services.portal.loop)
        services.tasks.add(task)
        task.add_done_callback(services.tasks.discard)
