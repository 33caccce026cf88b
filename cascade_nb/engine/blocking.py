"""Waiting for a run where waiting seems impossible: in a function that a running loop has
called.
"""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING, Any

from cascade_nb.errors import BlockingError

if TYPE_CHECKING:
    from cascade_nb.engine.run import Run


def wait_for(run: Run) -> Any:
    """Block until `run` has its value; an interrupt cancels the run first.

    On the loop's own thread, in a notebook's cell for instance, the loop is run from within.
    nest_asyncio2 makes that possible; it changes the loop's class and costs tasks time, so it is
    applied here, when somebody blocks, and never before.

    Raises:
        BlockingError: the loop was patched by the archived nest_asyncio, which loses messages on
            ipykernel 7.
        RunError, RunFailures: the run ended without a value.
    """
    if run.engine.is_own_thread():
        return _nested(run)
    try:
        return run.result()
    except KeyboardInterrupt:
        run.cancel("it was interrupted")
        _wait_for_end(run)
        raise
    finally:
        run.finish_log()


def _wait_for_end(run: Run) -> None:
    try:
        run.result(timeout=run.engine.grace + 1)
    except Exception as error:
        # The interrupt is what the user is told; how the run ended is in its events.
        error.__suppress_context__ = True


def _nested(run: Run) -> Any:
    loop = asyncio.get_running_loop()
    if "nest_asyncio" in sys.modules and _patched_by_archived(loop) and _kernel_7():
        raise BlockingError(
            "nest_asyncio has patched this kernel's loop, and on ipykernel 7 it loses messages "
            "while a cell blocks. Restart without it and write `await cs.start(target)`, or "
            "`%cascade run --wait`"
        )
    import nest_asyncio2  # noqa: PLC0415 - only for whom it serves; it costs everybody

    nest_asyncio2.apply(loop)
    try:
        return loop.run_until_complete(_awaited(run))
    except KeyboardInterrupt:
        # It came up through the loop from whatever ran in it; the run itself has not heard of it.
        run.cancel("it was interrupted")
        loop.run_until_complete(_ended(run))
        raise


async def _awaited(run: Run) -> Any:
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
