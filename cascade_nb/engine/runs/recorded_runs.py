"""Lists, removes and takes up runs that this kernel or another has written down."""

from __future__ import annotations

import abc
import time

from cascade_nb.advice import advised
from cascade_nb.control.manager import ConstraintManager
from cascade_nb.engine.reporting.run_log import checked_log
from cascade_nb.engine.reporting.wait_messages import tell_of_lease
from cascade_nb.engine.runs.request import RunRequest
from cascade_nb.engine.runs.run import Run
from cascade_nb.engine.storage.journal_writer import JournalWriter, journal_writer_for
from cascade_nb.engine.storage.recovery import OnWait, choose, take_up
from cascade_nb.errors import UsageError
from cascade_nb.events.bus import MessageBus
from cascade_nb.graph.build import Bindings
from cascade_nb.graph.graph import Graph
from cascade_nb.kept import Cleaned, Usage
from cascade_nb.protocols.journal import RunRecord
from cascade_nb.protocols.state_backend import StateBackend


class RecordedRuns(abc.ABC):
    """What an engine can do with the runs in its state backend.

    Attributes:
        lease: seconds without a word after which another kernel may take up a run of this one.
        journal_writer: writes them down; None where the state does not outlive the process.
    """

    bus: MessageBus
    constraints: ConstraintManager
    lease: float
    state: StateBackend
    journal_writer: JournalWriter | None
    bindings: Bindings | None
    runs: list[Run]
    log: str | None

    @abc.abstractmethod
    def begin(self, graph: Graph, request: RunRequest, run_id: str | None = None) -> Run:
        """Start a run."""

    async def recorded(self) -> list[RunRecord]:
        """The runs that are written down in the state backend, by whatever kernel, latest first.

        Returns:
            A `RunRecord` of each.

        Raises:
            UsageError: this engine's state does not outlive its process.
            StateError: the place cannot be reached or read.
        """
        journal_writer = self._writer()
        await self.state.open()
        return await journal_writer.journal.runs()

    def take_state(self, state: StateBackend) -> None:
        """Keep results in `state`, and write runs down there where it lasts."""
        self.state = state
        self.journal_writer = journal_writer_for(state, self.bus, self.constraints, self.lease)

    async def use_state(self, state: StateBackend) -> None:
        """Keep results elsewhere from now on; what was kept before stays where it is.

        Args:
            state: a backend that was not opened yet; the engine closes it.

        Raises:
            UsageError: a run goes on, whose results would be in two places.
            StateError: the place cannot be reached or written; nothing changed.
        """
        if self.runs:
            going = self.runs[0]
            stop = advised("run.cancel() ends it", f"cancel {going.number}")
            raise UsageError(f"{going!r} goes on; wait for its end, or end it: {stop}")
        try:
            await state.open()
        except BaseException:
            await state.close()
            raise
        old, old_scribe = self.state, self.journal_writer
        self.take_state(state)
        if old_scribe is not None:
            await old_scribe.close()
        await old.close()

    async def usage(self) -> list[Usage]:
        """What the kept results take, by task, the largest first.

        Returns:
            A `Usage` of each task: how many results, and how many bytes.

        Raises:
            StateError: the place cannot be reached or read.
        """
        await self.state.open()
        return await self.state.usage()

    async def clean(self, unused_for: float | None = None) -> Cleaned:
        """Remove results that have expired by their `ttl` or are over the limit of the place.

        Args:
            unused_for: seconds; results that nobody made or read for so long go too, and so do
                runs that ended and began before that. Zero removes all.

        Returns:
            How many results were removed, and how many bytes they had.

        Raises:
            StateError: the place cannot be reached or written.
        """
        await self.state.open()
        cleaned = await self.state.clean(unused_for)
        if unused_for is not None and self.journal_writer is not None:
            journal, before = self.journal_writer.journal, time.time() - unused_for
            for record in await journal.runs():
                # One that is "running" with no owner can still be taken up.
                if record.status != "running" and record.started <= before:
                    await journal.forget(record.run_id)
        return cleaned

    async def attach(self, run: str | None = None, *, log: str | None = None) -> Run:
        """Go on with a run that another kernel left: nothing that was completed runs again.

        A dead kernel's lease is waited for: `lease` seconds at most.

        Its constraints are in force again before anything starts, unless one of the same scope and
        type is already.

        Args:
            run: its id, or how it begins; None for the latest that did not succeed.
            log: as for `start`.

        Returns:
            A `Run` under the same id, which has begun.

        Raises:
            UnknownNameError: there is no such run.
            UsageError: this engine's state does not outlive its process, the run goes on here, or
                it was never written down in full.
            LeaseHeldError: another kernel goes on with it.
            StateError: the place cannot be reached or read.
        """
        return self.begin(*await self.take_up(run, log=log, on_wait=tell_of_lease))

    async def take_up(
        self, run: str | None = None, *, log: str | None = None, on_wait: OnWait | None = None
    ) -> tuple[Graph, RunRequest, str]:
        """What `attach` begins with: the graph, the request and the id; the run is ours then.

        Args:
            on_wait: told once, when another kernel's lease has to run out first.

        Raises:
            UnknownNameError, UsageError, LeaseHeldError, StateError: as `attach`.
        """
        journal_writer = self._writer()
        log = checked_log(log) or self.log
        await self.state.open()
        record = choose(await journal_writer.journal.runs(), run)
        for live in self.runs:
            if live.id == record.run_id:
                raise UsageError(f"{live!r} goes on in this kernel already")
        found = await take_up(journal_writer, record, self.constraints, on_wait)
        graph, params, on_error, taken_up = found
        request = RunRequest(params, self.bindings, on_error, log=log, taken_up=taken_up)
        return graph, request, record.run_id

    def _writer(self) -> JournalWriter:
        if self.journal_writer is None:
            where = advised(
                'state_backend="sqlite:///cascade.db", or CASCADE_STATE in the environment',
                "state sqlite:///results.db",
            )
            raise UsageError(
                "results and runs are only in this kernel's memory, so there is nothing to take "
                f"up; name a place that lasts: {where}"
            )
        return self.journal_writer
