"""Waits for a run inside of a function that the running loop itself has called."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from types import FrameType
from typing import Any, Final, Protocol

from cascade_nb.advice import advised
from cascade_nb.concurrency.begun_tasks import begin_task, ended_within
from cascade_nb.engine.dispatch.attempt import AsyncAttempt
from cascade_nb.engine.dispatch.failures import in_a_line
from cascade_nb.engine.dispatch.inline import run_inline_batch
from cascade_nb.engine.runs.request import new_run_id
from cascade_nb.engine.runs.run import INTERRUPTED, Run
from cascade_nb.errors import BlockingError, CascadeError

_PACKAGE: Final = __name__.partition(".")[0] + "."
_CALL: Final = (AsyncAttempt.body.__code__, run_inline_batch.__code__)


def wait_for(run: Run, timeout: float | None = None) -> Any:
    """Block until `run` has its value; an interrupt cancels the run first.

    On the loop's own thread, in a notebook's cell for instance, the loop is run from within.
    nest_asyncio2 makes that possible; it changes the loop's class and costs tasks time, so it is
    applied here, when somebody blocks, and never before.

    Args:
        timeout: seconds to wait at most; the run goes on then.

    Raises:
        WaitTimeoutError: the time is up.
        BlockingError: the loop was patched by the archived nest_asyncio, which loses messages on
            ipykernel 7.
        RunError, RunFailures: the run ended without a value.
    """
    if run.engine.is_own_thread():
        return _nested(run, timeout)
    try:
        return run.result(timeout)
    except KeyboardInterrupt as interrupt:
        run.interrupt()
        _wait_for_end(run)
        raise in_a_line(interrupt, run.number, run.graph.title) from None
    finally:
        run.finish_log()


class HasRuns(Protocol):
    """An engine, as far as its runs are looked for."""

    @property
    def runs(self) -> Sequence[Run]:
        """Those that go on."""


def run_and_wait(engine: HasRuns, begin: Callable[[str], Run]) -> tuple[Run, Any]:
    """Begin a run, and block until its value is there. What breaks that off ends the run, at
    whatever moment it comes: nobody else has it.

    Args:
        engine: where it runs.
        begin: begins a run of this id.

    Raises:
        BlockingError, RunError, RunFailures: as `wait_for`.
    """
    run_id = new_run_id()
    try:
        run = begin(run_id)
        return run, wait_for(run)
    except BaseException:
        end_unseen(engine, run_id, "it was interrupted")
        raise


def end_unseen(engine: HasRuns, run_id: str, words: str) -> None:
    """End a run of which nobody would know that it goes on, if it does."""
    for run in list(engine.runs):
        if run.id == run_id:
            run.cancel(words, within=INTERRUPTED)


def _wait_for_end(run: Run) -> None:
    try:
        run.result(timeout=run.engine.grace + 1)
    except Exception as error:
        # The interrupt is what the user is told; how the run ended is in its events.
        error.__suppress_context__ = True


def _nested(run: Run, timeout: float | None) -> Any:
    loop = asyncio.get_running_loop()
    if "nest_asyncio" in sys.modules and _patched_by_archived(loop) and _kernel_7():
        instead = advised("`await cs.start(target)`", "run … --wait")
        raise BlockingError(
            "nest_asyncio has patched this kernel's loop, and on ipykernel 7 it loses messages "
            f"while a cell blocks. Restart without it, or write {instead}, which does not block"
        )
    import nest_asyncio2  # noqa: PLC0415 - only for whom it serves; it costs everybody

    nest_asyncio2.apply(loop)
    with _interrupts(run, loop) as noted:
        waiting = begin_task(_awaited(run, timeout), loop)
        # An interrupt may leave it behind: nobody is to report it as never retrieved.
        waiting.add_done_callback(lambda done: done.cancelled() or done.exception())
        try:
            value = loop.run_until_complete(waiting)
        except KeyboardInterrupt as interrupt:
            # It came up through the loop from whatever ran in it.
            run.interrupt()
            loop.run_until_complete(_ended(run))
            raise in_a_line(interrupt, run.number, run.graph.title) from None
        except CascadeError:
            if not noted:
                raise
    if noted:
        raise in_a_line(KeyboardInterrupt(), run.number, run.graph.title) from None
    return value


@contextlib.contextmanager
def _interrupts(run: Run, loop: asyncio.AbstractEventLoop) -> Iterator[list[int]]:
    """Hear of real interrupts while a run is waited for here; gives where they are noted.

    What a task raises is its own affair, also a `KeyboardInterrupt`. So the signal itself is heard,
    and raises only in the body of a task, which may block the loop: in the middle of what an engine
    does it would leave things half done.
    """
    noted: list[int] = []
    before = signal.getsignal(signal.SIGINT) if _is_main_thread() else None
    if not callable(before):
        yield noted
        return

    def handle(number: int, frame: FrameType | None) -> None:
        again = bool(noted)
        noted.append(number)
        run.interrupt()
        loop.call_soon_threadsafe(lambda: None)  # it may sleep
        if again or _in_a_body(frame):
            raise KeyboardInterrupt

    signal.signal(signal.SIGINT, handle)
    try:
        yield noted
    finally:
        signal.signal(signal.SIGINT, before)


def _in_a_body(frame: FrameType | None) -> bool:
    """Whether a frame belongs to what a task does: the first of ours above it is one that calls."""
    step = frame
    while step is not None:
        if str(step.f_globals.get("__name__", "")).startswith(_PACKAGE):
            return step is not frame and step.f_code in _CALL
        step = step.f_back
    return False


def _is_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()


async def _awaited(run: Run, timeout: float | None) -> Any:
    if timeout is not None:
        over = asyncio.Event()
        loop = asyncio.get_running_loop()
        run.add_done_callback(lambda _: loop.call_soon_threadsafe(over.set))
        try:
            await ended_within(timeout, over.wait())
        except asyncio.TimeoutError:
            raise run.not_there_after(timeout) from None
    return await run


async def _ended(run: Run) -> None:
    over = asyncio.Event()
    loop = asyncio.get_running_loop()
    run.add_done_callback(lambda _: loop.call_soon_threadsafe(over.set))
    await over.wait()


def _patched_by_archived(loop: asyncio.AbstractEventLoop) -> bool:
    run = type(loop).run_until_complete
    return run.__module__ == "nest_asyncio"


def _kernel_7() -> bool:
    kernel = sys.modules.get("ipykernel")
    version = getattr(kernel, "__version__", "0")
    return int(version.split(".")[0]) >= 7
