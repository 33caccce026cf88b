"""The handle of one run: await it, look at it, pause it, stop it. Safe from any thread."""

from __future__ import annotations

import asyncio
import concurrent.futures
from collections.abc import Callable, Container, Generator, Iterable, Mapping
from typing import Any, Final, Protocol

from cascade_nb.control.manager import ConstraintManager
from cascade_nb.engine.asking.answering import Answering
from cascade_nb.engine.dispatch.attempt import Attempt
from cascade_nb.engine.dispatch.checkpoint import waiting_for_others
from cascade_nb.engine.dispatch.failures import call_unharmed, in_a_line
from cascade_nb.engine.inspection.inputs_of_run import GivesInputs
from cascade_nb.engine.observing.answers import item_of, node_named
from cascade_nb.engine.observing.observer import RunObserver
from cascade_nb.engine.observing.readings import Readings
from cascade_nb.engine.observing.retries import with_nested
from cascade_nb.engine.observing.status import Phase, RunStatus
from cascade_nb.engine.planning.doubts import why_more
from cascade_nb.engine.reporting.run_log import RunLog
from cascade_nb.engine.reporting.wait_messages import WaitMessages
from cascade_nb.engine.reuse.lookup import Reuse
from cascade_nb.engine.reuse.provenance_cache import NO_GROUNDS, ProvenanceComparison
from cascade_nb.engine.run_controls import Holds, RunControls
from cascade_nb.engine.runs.driver import RunDriver
from cascade_nb.engine.runs.request import RunRequest
from cascade_nb.engine.runs.services import RunHost
from cascade_nb.engine.storage.carry_over import PriorResults, left_by
from cascade_nb.errors import UsageError, WaitTimeoutError
from cascade_nb.graph.graph import Graph
from cascade_nb.model.copying.isolation import reader_copy, reader_copy_beside
from cascade_nb.model.options.checks import checked_wait

INTERRUPTED: Final = 0.7  # seconds in which an interrupted run ends
_LOOK: Final = 0.25  # seconds after which who waits on a loop looks whether it was interrupted


class WaitsForRuns(Protocol):
    """Waits for a run in whatever thread that is; see `loop_binding.LoopBinding`."""

    @property
    def is_all_here(self) -> bool:
        """Whether the engine works on the caller's loop, and its coroutines do."""

    def wait_within(self, run: Run, timeout: float | None) -> Any:
        """The value of a run, on the loop's own thread."""

    def wait(
        self,
        future: concurrent.futures.Future[Any],
        timeout: float | None,
        look: Callable[[], object],
    ) -> Any:
        """The value of a run, in a thread that blocks."""


class HandleHost(RunHost, Holds, Protocol):
    """What the handle of a run asks of its engine."""

    @property
    def loop_binding(self) -> WaitsForRuns:
        """The loop that it works on."""

    @property
    def unreachable(self) -> str | None:
        """What to say of a connector that is gone."""

    def is_own_thread(self) -> bool:
        """Whether the caller's thread is the one whose loop the engine works on."""

    def end_lost_runs(self) -> None:
        """Runs whose loop was closed count as ended."""

    def cancel_soon(self, run: Run, reason: str, within: float | None = None) -> None:
        """What `Run.cancel` does."""

    def retry(self, run: Run) -> Run:
        """What `Run.retry_failed` does."""


class Run(RunControls, Readings, Answering, GivesInputs):
    """One run of a graph, as `cs.start` gives it: wait for it, look at it, hold it, end it.

    Attributes:
        id: its identity, unique among all runs.
        number: it is the n-th of its engine, for people.
        graph: what runs.
        request: what was asked for beyond it.
        above: what scopes ask of the task that started it, if one did.
        parent: the id of the run whose task has started it, if one did.
        depth: how many runs are above it, each of which has started the next.
        level: of its nodes of which no priority is said.
        is_shown: whether a panel shows how it goes.
        edits: names of what was edited and taken up while it was held.
        kept: by index of maps that came to no end, in words, what of them is kept for a new run.

    Example:
        >>> run = cs.start(report)
        >>> run.result()  # in a notebook's cell also: await run
        3
        >>> run.status.headline  # doctest: +ELLIPSIS
        'Done in ...'
        >>> run.why("report")
        ['report is done']
    """

    def __init__(
        self,
        engine: HandleHost,
        run_id: str,
        number: int,
        graph: Graph,
        request: RunRequest,
        parent: Attempt | None = None,
    ) -> None:
        RunControls.__init__(self, engine, run_id)
        Readings.__init__(self, RunObserver(self, engine.constraints, lambda: engine.unreachable))
        self._engine = engine
        self.request = request
        self.number = number
        self.graph = graph
        self.edits: tuple[str, ...] = ()
        self.kept: Mapping[int, str] = {}
        self.is_shown = False
        self.above = None if parent is None else parent.driver.core.kinds.of[parent.index].subject
        self.parent = None if parent is None else parent.driver.run_id
        self.depth = 0 if parent is None else parent.driver.depth + 1
        self.level = request.level_under(0 if parent is None else parent.ticket.rank)
        self._future: concurrent.futures.Future[Any] = concurrent.futures.Future()
        self._blocked_by = self._observer.blocked_by if request.log is None else lambda: None
        self._told = WaitMessages(self, self._blocked_by)
        self._driver: RunDriver | None = None
        self._reuse: Reuse | None = None
        self._skipped: Container[int] = ()
        self._log: RunLog | None = None
        self._outcome: Phase | None = None
        self._ended_at: float | None = None
        self._still_running: tuple[str, ...] = ()

    @property
    def engine(self) -> HandleHost:
        """The engine that it runs on."""
        return self._engine

    def __await__(self) -> Generator[Any, None, Any]:
        """Wait on a loop for its value. Cancelling the wait cancels the run, and waits for its end.

        Raises:
            RunError, RunFailures: it ended without a value.
        """
        return self._wait().__await__()

    async def _wait(self) -> Any:
        waiting = asyncio.wrap_future(self._future)
        # Whoever waits may be interrupted: nobody is to report it as never retrieved.
        waiting.add_done_callback(lambda done: done.cancelled() or done.exception())
        try:
            with waiting_for_others("" if waiting.done() else self.id):
                while not waiting.done():
                    # Tornado tells the kernel's loop of an interrupt without waking it.
                    if not (await asyncio.wait([waiting], timeout=_LOOK))[0]:
                        self._told.look()
        except asyncio.CancelledError as interrupt:
            if not waiting.done():
                within = None if self._engine.loop_binding.is_all_here else INTERRUPTED
                self.cancel("the cell that waited for it was interrupted", within=within)
                await asyncio.wait([waiting])
            raise in_a_line(interrupt, self.number, self.graph.title) from None
        value = waiting.result()
        return await reader_copy_beside(value) if self.graph.targets else value

    def result(self, timeout: float | None = None) -> Any:
        """Block until its value is there; in a notebook's cell the loop is run from within.

        Args:
            timeout: seconds to wait at most.

        Raises:
            WaitTimeoutError: the time is up; the run goes on.
            BlockingError: as `cs.run`.
            RunError, RunFailures: the run ended without a value.
        """
        timeout = checked_wait(timeout, "a timeout")
        if not self.done() and self._engine.is_own_thread():
            return self._engine.loop_binding.wait_within(self, timeout)
        try:
            with waiting_for_others("" if self.done() else self.id):
                told = WaitMessages(self, self._blocked_by).look
                value = self._engine.loop_binding.wait(self._future, timeout, told)
                return reader_copy(value) if self.graph.targets else value
        except concurrent.futures.TimeoutError:
            if self._future.done():  # the task's own TimeoutError comes as a cause, never bare
                raise
            raise self.not_there_after(timeout) from None

    def not_there_after(self, seconds: float | None) -> WaitTimeoutError:
        """What is said to whoever has waited for so long."""
        stands = f"run {self.number} goes on: {self.status.headline}"
        return WaitTimeoutError(f"{self.graph.title} is not there after {seconds} s; {stands}")

    def done(self) -> bool:
        """Whether it is over."""
        self._engine.end_lost_runs()
        return self._future.done()

    def add_done_callback(self, callback: Callable[[Run], object]) -> None:
        """Call `callback` with this run when it is over, where it ends; what it raises is a
        warning.
        """
        words = f"at the end of {self.graph.title}"
        self._future.add_done_callback(lambda _: call_unharmed(callback, self, words))

    def exception(self) -> BaseException | None:
        """What it ended with instead of a value; None while it goes on or when it has one."""
        return self._future.exception() if self._future.done() else None

    def cancel(self, reason: str = "", *, within: float | None = None) -> None:
        """End it: nothing starts any more, async tasks are cancelled, threads are asked to stop.

        What cannot be stopped within the engine's `grace` is named in `RunFinished`; nothing waits
        for it.

        Args:
            reason: for people.
            within: seconds that are less than the engine's `grace`; a `UsageError` for no number.
        """
        self._engine.cancel_soon(self, reason, checked_wait(within, "within"))

    def interrupt(self) -> None:
        """`cancel`, by somebody who waits for its end and is not to wait for long."""
        self.cancel("it was interrupted", within=INTERRUPTED)

    def retry_failed(self) -> Run:
        """A new run of the same graph that does only what is missing.

        It runs what failed, what waited for it, and what a cancelled run did not come to. Every
        result that this run has made, or had, is taken as it is, items of mapped nodes too.

        Raises:
            UsageError: this run goes on, or nothing failed.
            BlockingError: as `Engine.start`.
        """
        if self._outcome is None or not self.done():
            raise UsageError(f"{self!r} is not over; wait for its end, or cancel it")
        if not self.failures and self._outcome is not Phase.CANCELLED:
            raise UsageError(f"nothing failed in {self!r}, so there is nothing to do again")
        return self._engine.retry(self)

    @property
    def in_words(self) -> str:
        """Which run it is, and how it goes."""
        return f"run {self.number} of {self.graph.title}: {self.status.standing}"

    @property
    def history(self) -> tuple[str, ...]:
        """What happened to it in the kernels that had it before, an event a line, as JSON."""
        return self.request.taken_up.history if self.request.taken_up is not None else ()

    def left(self) -> PriorResults:
        """What it leaves to the next try; for the engine."""
        with self._engine.constraints.lock:
            if (driver := self._driver) is None:
                return self.request.given
            return left_by(driver, driver.code, driver.sight)

    def why(self, name: str) -> list[str]:
        """Why a node runs, waits or did not run, in words, one reason a line; and, where an
        earlier result might have stood for it, why not, what changed, and what no key can tell.

        Args:
            name: of a node, or an item of a mapped one: ``t[17]``, ``map(train)[17]``.

        Raises:
            UnknownNameError: the graph has no such node or item.
        """
        lines = self._observer.why(name)
        if self._reuse is None or item_of(self.graph, name) is not None:
            return lines
        node, now = node_named(self.graph, name), self._engine.clock.wall()
        return lines + why_more(self.graph, self._reuse, node, node.index in self._skipped, now)

    @property
    def status(self) -> RunStatus:
        """What it is doing now."""
        own = self._observer.status()
        # Each may be another engine's, which has a lock of its own: none is held here.
        nested = self._observer.nested()
        return with_nested(own, [(n, t, r.status) for n, t, r in nested if isinstance(r, Run)])

    def rests(self, manager: ConstraintManager) -> bool:
        """Whether it goes by these constraints and nothing of it is under way; for the engine."""
        return self._engine.constraints is manager and self._observer.is_quiet()

    @property
    def outcome(self) -> Phase | None:
        """How it ended; None while it goes on."""
        return self._outcome

    @property
    def ended_at(self) -> float | None:
        """When it ended, on the engine's clock."""
        return self._ended_at

    @property
    def still_running(self) -> tuple[str, ...]:
        """Labels of tasks whose threads it could not stop."""
        return self._still_running

    def begin_log(self) -> None:
        """Tell what happens from now on in lines, where that was asked for; for the engine."""
        if self.request.log is not None:
            self._log = RunLog(self, self.request.log, self._engine.bus, self._engine.clock)

    def finish_log(self) -> None:
        """Wait until the last line is written, for whoever may end the process next."""
        if self._log is not None:
            self._log.flush()

    @property
    def grounds(self) -> ProvenanceComparison:
        """What its nodes are made of, and were before; for the engine."""
        return NO_GROUNDS if self._reuse is None else self._reuse.grounds

    def take(self, graph: Graph, edited: Iterable[str]) -> None:
        """It goes on with another graph, because of edits of these; for the engine."""
        self.graph = graph
        self.edits = (*self.edits, *(name for name in edited if name not in self.edits))

    def begin(self, driver: RunDriver, reuse: Reuse) -> None:
        """Its machinery is there, and what of its graph was there before; for the engine."""
        self._driver, self._reuse, self._skipped = driver, reuse, driver.core.skipped
        self._observer.begin(driver)

    def set_outcome(self, outcome: Phase, still_running: tuple[str, ...]) -> None:
        """It is decided how it ended; for the engine."""
        self._still_running = still_running
        self._ended_at = self._engine.clock.now()
        self._outcome = outcome

    def end(self, value: Any, error: BaseException | None) -> None:
        """Whoever waits may go on; for the engine."""
        if error is not None:
            self._future.set_exception(error)
        else:
            self._future.set_result(value)

    def __repr__(self) -> str:
        return f"<run {self.number} of {self.graph.title}: {self.status.headline}>"
