"""Writes runs down while they go on, so that another kernel can take them up.

It works on a loop in a thread of its own. So a lease is renewed however busy the kernel's loop is,
and no run waits for its history to be written.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import dataclasses
import threading
import time
import weakref
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, Final, TypeVar

from cascade_nb.concurrency.begun_tasks import begin_task
from cascade_nb.concurrency.loop_thread import LoopThread
from cascade_nb.concurrency.threads import run_in_thread
from cascade_nb.control.manager import ConstraintManager
from cascade_nb.engine.dispatch.failures import error_text
from cascade_nb.engine.storage.journal_words import constraints_in_words, owner_in_words
from cascade_nb.engine.storage.node_claims import Claims
from cascade_nb.errors import CodecError, LeaseLostError, StateError
from cascade_nb.events.bus import MessageBus, Subscription
from cascade_nb.events.outside_events import ConstraintEvent
from cascade_nb.events.thread_warnings import warn
from cascade_nb.leases import LEASE, renewed_every
from cascade_nb.protocols.journal import Journal, Lease
from cascade_nb.protocols.state_backend import StateBackend

T = TypeVar("T")

ROUND: Final = 0.2  # seconds between two looks at what there is to write


class UnwrittenRunWarning(UserWarning):
    """A run goes on, but its journal is not complete, so it may not be taken up again."""


@dataclasses.dataclass
class _RecordedRun:
    """One run that is being written down.

    Attributes:
        lease: the right to do so.
        on_lost: called, in the journal writer's thread, when another owner has it.
        lines: what is still to be written.
        changed: whether constraints changed since they were written.
        renew_at: when the lease is to be renewed, on the monotonic clock.
        closed: whether it is another's now.
        lock: held by who writes, so that lines stay in order.
    """

    lease: Lease
    on_lost: Callable[[LeaseLostError], None]
    lines: list[str] = dataclasses.field(default_factory=list)
    changed: bool = True
    renew_at: float = 0.0
    closed: bool = False
    lock: asyncio.Lock = dataclasses.field(default_factory=asyncio.Lock)


class JournalWriter:
    """Writes down the runs of one engine. Its coroutines may be awaited on any loop.

    Args:
        journal: where to.
        bus: what happens.
        manager: what is allowed.
        lease: seconds for which a run stays ours without a word.
    """

    def __init__(
        self, journal: Journal, bus: MessageBus, manager: ConstraintManager, lease: float = LEASE
    ) -> None:
        self.journal = journal
        self.owner = owner_in_words()
        self.seconds = lease
        self.claims = Claims(journal, self.owner, lease)
        self._bus = bus
        self._manager = manager
        self._runs: dict[str, _RecordedRun] = {}
        self._loop_thread: LoopThread | None = None
        self._making = threading.Lock()  # of that: what is sent first may come from two threads
        self._sent: set[concurrent.futures.Future[None]] = set()
        self._subscription: Subscription | None = None
        self._writing: asyncio.Task[None] | None = None

    async def begin(
        self,
        run_id: str,
        title: str,
        total: int,
        order: Mapping[str, Any],
        on_lost: Callable[[LeaseLostError], None],
        lease: Lease | None = None,
    ) -> Lease:
        """Write down what a run is made of, and from now on what happens to it.

        Args:
            order: what it takes to run it; given back by `recovery`.
            on_lost: called in another thread when another owner has taken the run over.
            lease: where the run was taken up, the right to it.

        Raises:
            StateError: the place cannot be written now.
        """
        return await self.on_own_loop(self._begin(run_id, title, total, order, on_lost, lease))

    async def note(self, run_id: str, part: str, value: Any) -> None:
        """Write down something more that taking up the run would need.

        Raises:
            StateError: the place cannot be written now.
        """
        run = self._runs.get(run_id)
        if run is not None and not run.closed:
            await self.on_own_loop(self.journal.write(run.lease, part, value))

    async def end(self, run_id: str, status: str) -> None:
        """Write down how a run ended, and let its lease go; what cannot be is a warning."""
        run = self._runs.get(run_id)
        if run is not None:
            await self.on_own_loop(self._end(run, status))

    async def close(self) -> None:
        """End the thread; no run is being written down any more."""
        if self._loop_thread is None:
            return
        for sent in list(self._sent):
            await asyncio.wrap_future(sent)
        await self.on_own_loop(self._stop_writing())
        loop_thread, self._loop_thread = self._loop_thread, None
        await run_in_thread(loop_thread.stop)

    async def on_own_loop(self, work: Coroutine[Any, Any, T]) -> T:
        """Have `work` done on the writer's own loop."""
        return await asyncio.wrap_future(self._sent_to_loop(work))

    def wait_on_own_loop(self, work: Coroutine[Any, Any, T]) -> T:
        """The same for a thread without a loop."""
        return self._sent_to_loop(work).result()

    def send_to_own_loop(self, work: Coroutine[Any, Any, None]) -> None:
        """The same for who does not wait for it: a claim that cannot be let go runs out."""
        sent = self._sent_to_loop(_calmly(work))
        self._sent.add(sent)
        sent.add_done_callback(self._sent.discard)

    def _sent_to_loop(self, work: Coroutine[Any, Any, T]) -> concurrent.futures.Future[T]:
        with self._making:
            loop_thread = self._loop_thread
            if loop_thread is None:
                self._loop_thread = loop_thread = LoopThread("cascade-journal")
                weakref.finalize(self, loop_thread.stop_soon).atexit = False
        return loop_thread.submit(work)

    async def _stop_writing(self) -> None:
        if self._writing is not None:
            self._writing.cancel()
            await asyncio.wait([self._writing])
            self._writing = None

    async def _begin(
        self,
        run_id: str,
        title: str,
        total: int,
        order: Mapping[str, Any],
        on_lost: Callable[[LeaseLostError], None],
        lease: Lease | None,
    ) -> Lease:
        journal = self.journal
        mine = lease or await journal.claim(run_id, self.owner, self.seconds)
        run = _RecordedRun(mine, on_lost, renew_at=time.monotonic() + renewed_every(self.seconds))
        try:
            # What is listed can be taken up: a kernel that dies in between leaves no empty entry.
            if lease is None:
                await self._write_order(run, title, order)
            # What was held from the first is held again: a kernel may die before the first round.
            await self._write_constraints(run)
            await journal.describe(mine, title, self._manager.clock.wall(), total)
        except BaseException:
            await journal.release(mine)
            raise
        self._runs[run_id] = run
        if self._subscription is None:
            self._subscription = self._bus.subscribe()
        if self._writing is None or self._writing.done():
            self._writing = begin_task(self._write())
        return mine

    async def _write_order(self, run: _RecordedRun, title: str, order: Mapping[str, Any]) -> None:
        try:
            await self.journal.write(run.lease, "order", dict(order))
        except CodecError as error:
            warn(
                f"{title} cannot be taken up after a crash, only its results are kept: {error}",
                UnwrittenRunWarning,
                error,
            )
            await self.journal.write(run.lease, "refused", str(error))

    async def _write_constraints(self, run: _RecordedRun) -> None:
        run.changed = False
        try:
            await self.journal.write(run.lease, "constraints", constraints_in_words(self._manager))
        except BaseException:
            run.changed = True
            raise

    async def _write(self) -> None:
        """Round after round, as long as there is a run."""
        while self._runs:
            await asyncio.sleep(ROUND)
            self._gather()
            try:
                await self.claims.renew()
            except StateError:
                pass  # a claim that is not renewed runs out
            except Exception as error:  # of the journal's, which ends none of what is below
                words = f"what this kernel computes may be computed elsewhere too: {error!r}"
                warn(words, UnwrittenRunWarning, error)
            for run in list(self._runs.values()):
                await self._round(run)

    def _gather(self) -> None:
        """Hand what happened to the runs that it concerns."""
        events = self._subscription.drain() if self._subscription is not None else []
        for event in events:
            one = self._runs.get(event.run_id)
            concerned = self._runs.values() if not event.run_id else () if one is None else (one,)
            line = event.to_json()
            for run in concerned:
                run.lines.append(line)
                run.changed |= isinstance(event, ConstraintEvent)

    async def _round(self, run: _RecordedRun) -> None:
        async with run.lock:
            try:
                if not run.closed:
                    await self._catch_up(run)
            except LeaseLostError as error:
                run.closed = True
                run.on_lost(error)
            except StateError:
                # Nothing is lost: the next round tries again. Results that cannot be kept either
                # pause the run, and say why.
                return
            except asyncio.CancelledError:
                raise
            except BaseException as error:  # of the journal's, which ends nothing but this record
                run.closed = True
                words = f"run {run.lease.run_id} is not written down any more: {error!r}"
                warn(words, UnwrittenRunWarning, error)

    async def _catch_up(self, run: _RecordedRun) -> None:
        """Write what is not written yet."""
        if run.changed:
            await self._write_constraints(run)
        if run.lines:
            lines, run.lines = run.lines, []
            try:
                await self.journal.append(run.lease, lines)
            except BaseException:
                run.lines[:0] = lines
                raise
        if time.monotonic() >= run.renew_at:
            await self.journal.renew(run.lease, self.seconds)
            run.renew_at = time.monotonic() + renewed_every(self.seconds)

    async def _end(self, run: _RecordedRun, status: str) -> None:
        run_id = run.lease.run_id
        try:
            self._gather()
            async with run.lock:
                if not run.closed:
                    await self._catch_up(run)
                    await self.journal.finish(run.lease, status)
                    await self.journal.release(run.lease)
        except LeaseLostError:
            pass  # its new owner writes how it ends
        except Exception as error:
            words = f"the end of run {run_id} was not written down: {error_text(error)}"
            warn(words, UnwrittenRunWarning, None if isinstance(error, StateError) else error)
        finally:
            run.closed = True
            self._runs.pop(run_id, None)
            if not self._runs and self._subscription is not None:
                self._subscription.close()
                self._subscription = None


async def _calmly(work: Coroutine[Any, Any, None]) -> None:
    """Work that may fail when the place cannot be reached: what it is about runs out by itself."""
    with contextlib.suppress(StateError):
        await work


def journal_writer_for(
    state: StateBackend, bus: MessageBus, manager: ConstraintManager, lease: float
) -> JournalWriter | None:
    """Who writes down the runs whose results are kept in `state`; nobody where it does not last."""
    return None if state.journal is None else JournalWriter(state.journal, bus, manager, lease)
