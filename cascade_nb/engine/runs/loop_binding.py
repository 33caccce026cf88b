"""Chooses the loop that an engine works on, and the loop of its coroutines."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import math
import time
import weakref
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from typing import Any, Final, Protocol, TypeVar

from cascade_nb.concurrency.loop_portal import LoopPortal
from cascade_nb.concurrency.loop_thread import LoopThread
from cascade_nb.concurrency.scarce import scarce
from cascade_nb.engine.dispatch.failures import error_text
from cascade_nb.engine.loops.constraint_timer import ConstraintTimer
from cascade_nb.engine.processes.executors import WorkersOf
from cascade_nb.engine.runs.nested_wait import wait_for
from cascade_nb.engine.runs.run import Run
from cascade_nb.engine.runs.services import RunHost, RunServices
from cascade_nb.errors import BlockingError, RunError
from cascade_nb.forking import forget_after_fork

T = TypeVar("T")

LOOK: Final = 0.5  # seconds between two looks of who blocks

_held_up: Final[weakref.WeakSet[asyncio.AbstractEventLoop]] = weakref.WeakSet()
_behalf: Final[contextvars.ContextVar[asyncio.AbstractEventLoop | None]] = contextvars.ContextVar(
    "cascade_behalf", default=None
)
_at_times: Final[weakref.WeakSet[asyncio.AbstractEventLoop]] = weakref.WeakSet()


def may_be_held_up(loop: asyncio.AbstractEventLoop) -> Callable[[], None]:
    """Say of a loop that what runs on it may block it for long, as cells do a kernel's. Engines
    then work beside it, and only coroutines need it. Gives how to take that back.
    """
    _held_up.add(loop)
    return lambda: _held_up.discard(loop)


def stands_still_at_times(loop: asyncio.AbstractEventLoop) -> None:
    """Say of a loop that it runs now and again only, as that of IPython at a prompt. Engines then
    have one of their own, as where there is none.
    """
    _at_times.add(loop)


@contextlib.contextmanager
def on_behalf_of(loop: asyncio.AbstractEventLoop | None) -> Iterator[None]:
    """What is started inside, in a thread without a loop, goes where a caller on that one would
    have it go.
    """
    token = _behalf.set(loop if loop is not None and loop.is_running() else None)
    try:
        yield
    finally:
        _behalf.reset(token)


class BoundEngine(RunHost, Protocol):
    """An engine, as far as it matters on which loop it works.

    Attributes:
        overrides: what stands for a resource in it, for tests.
        runs: those that go on.
    """

    overrides: dict[Any, Any]
    runs: list[Run]

    def end_lost_runs(self) -> None:
        """Runs whose loop was closed count as ended."""


class LoopBinding:
    """The loop of an engine, and the parts that its runs reach for there.

    Attributes:
        own: the loop in a thread of the engine's own, where its user has none, or one that may be
            held up.
    """

    def __init__(self, engine: BoundEngine) -> None:
        self._engine = engine
        self._alarm = ConstraintTimer(engine.constraints, engine.clock)
        self._services: RunServices | None = None
        self.own: LoopThread | None = None

    @property
    def is_here(self) -> bool:
        """Whether the caller's thread is one whose loop the engine works on."""
        running = asyncio._get_running_loop()
        services = self._services
        return services is not None and running in (services.portal.loop, services.coroutines.loop)

    async def there(self, work: Coroutine[Any, Any, T]) -> T:
        """What `work` gives on the loop that the engine works on, or here where that has ended."""
        services = self._services
        if services is None or not services.portal.loop.is_running():
            return await work
        return await services.portal.there(work)

    @property
    def is_gone(self) -> bool:
        """Whether a loop is closed that runs of the engine would go on on."""
        return self._services is not None and self._services.are_gone

    @property
    def is_apart(self) -> bool:
        """Whether its coroutines run on another loop than everything else."""
        return self._services is not None and self._services.are_apart

    @property
    def is_all_here(self) -> bool:
        """Whether it works on the caller's loop, and its coroutines do."""
        return self.is_here and not self.is_apart

    @property
    def is_on_own(self) -> bool:
        """Whether the caller is on the engine's own loop."""
        return self.own is not None and asyncio._get_running_loop() is self.own.loop

    @property
    def portal(self) -> LoopPortal:
        """The way to the loop that it works on, from any thread."""
        services = self._services
        if services is not None and not services.portal.loop.is_closed():
            return services.portal
        return self.services().portal

    def services(self) -> RunServices:
        """The parts on the loop to work on: where runs go on, else the caller's, else one of the
        engine's own.

        Raises:
            BlockingError: runs go on on another loop.
        """
        running = asyncio._get_running_loop() or _behalf.get()
        if running in _at_times:
            running = None
        services = self._services
        if services is not None and not services.are_gone:
            # A loop that is open and does not run would never start what it is given: an earlier
            # `run_until_complete` is over. From another thread one that runs is as good as ours.
            theirs = (services.coroutines.loop, services.portal.loop)
            if running in theirs or (running is None and all(one.is_running() for one in theirs)):
                return services
            if self._engine.runs:
                raise BlockingError(
                    "runs of this engine go on on another event loop; wait for them, or use "
                    "another Engine()"
                )
        self._engine.end_lost_runs()
        if running is None or running in _held_up:
            if self.own is None or self.own.loop.is_closed():
                self.own = own = _loop_thread()
                # For who drops the engine without closing it.
                weakref.finalize(self._engine, own.stop_soon).atexit = False
            return self._move(self.own.loop, running or self.own.loop)
        return self._move(running, running)

    def wait_within(self, run: Run, timeout: float | None) -> Any:
        """What `Run.result` does on the loop's own thread: it runs the loop from within."""
        return wait_for(run, timeout)

    def wait(self, future: Future[T], timeout: float | None, look: Callable[[], object]) -> T:
        """What comes of a run, in a thread that blocks; now and then it looks whether the loop was
        closed meanwhile.

        Raises:
            TimeoutError: the time is up.
        """
        until = math.inf if timeout is None else time.monotonic() + timeout
        while (left := until - time.monotonic()) > LOOK:
            with contextlib.suppress(FutureTimeout):
                return future.result(LOOK)
            if future.done():
                break
            self._engine.end_lost_runs()
            look()
        return future.result(max(0.0, left))

    def leave(self) -> None:
        """End the loop of its own, if there is one; the next run makes another."""
        if self.own is not None:
            self.own.stop()
        self.own = self._services = None

    def _move(
        self, loop: asyncio.AbstractEventLoop, coroutines: asyncio.AbstractEventLoop
    ) -> RunServices:
        engine = self._engine
        portal = LoopPortal(loop)
        self._services = RunServices(
            bus=engine.bus,
            clock=engine.clock,
            manager=engine.constraints,
            workers=WorkersOf(engine.adapters.executors, engine.constraints.lock),
            portal=portal,
            coroutines=portal if coroutines is loop else LoopPortal(coroutines),
            overrides=engine.overrides,
            grace=engine.grace,
        )
        self._alarm.move(portal)
        engine.supervisor.move()
        return self._services


def _loop_thread() -> LoopThread:
    """A loop of an engine's own.

    Raises:
        RunError: this process may have no more threads, or files.
    """
    try:
        made = LoopThread()
    except (OSError, RuntimeError) as error:
        raise RunError(f"no run can begin: {error_text(error)}{scarce(error)}") from error
    forget_after_fork(made)
    return made
