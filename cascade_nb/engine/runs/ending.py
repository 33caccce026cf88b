"""Takes the last steps of a run: leaves none out, and lets none hold up the end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Final

from cascade_nb.concurrency.begun_tasks import begin_task
from cascade_nb.concurrency.scarce import scarce
from cascade_nb.engine.dispatch.failures import LeftBehindWarning, error_text, unharmed
from cascade_nb.engine.runs.driver import RunDriver
from cascade_nb.engine.runs.run import Run
from cascade_nb.engine.runs.services import RunHost
from cascade_nb.engine.storage.partial_items import Seen, keep_items
from cascade_nb.errors import CascadeError, RunCancelledError, RunError
from cascade_nb.events.thread_warnings import warn

CLOSING: Final = 10.0  # seconds that a run which has its value waits for what is to be closed
LEAST: Final = 0.5  # seconds that it waits however short its grace is
_LOOK: Final = 0.2  # seconds after which who waits looks whether to wait on
_MOMENT: Final = 0.1  # seconds in which what is cancelled may end

_left: Final[set[asyncio.Task[Any]]] = set()  # or nobody would hold what goes on by itself


async def closed(
    engine: RunHost,
    run: Run,
    driver: RunDriver,
    error: BaseException | None,
    within: float,
    kept: bool,
) -> tuple[BaseException | None, tuple[str, ...]]:
    """Close what the run has open, and keep what is there of it.

    Args:
        error: what the run ended with, if not with its value.
        within: seconds to wait for that.
        kept: whether keeping results, too, is not to take longer.

    Returns:
        what the run ends with now, and what is left behind, in words.
    """
    with driver.lock:
        driver.close()
        still = tuple(map(driver.core.label, driver.left_behind))
        timings = driver.core.kinds.timings()
        engine.remember(timings)
        engine.provenance.enter(run.grounds, driver.core.scheduler.state, timings)
    problems, left = await driver.resources.close(within)
    if problems and error is None:
        error = problems[0]
    if left:
        still += tuple(f"resource {name}" for name in left)
        words = f"{run.graph.title} ended without {', '.join(left)}: not closed, left behind"
        warn(words, LeftBehindWarning)
    if error is not None and not isinstance(error, asyncio.CancelledError):
        # Whoever waits for its end and runs it again finds them.
        seen = Seen(driver.sight, driver.code, driver.request.given)
        run.kept = await keep_items(driver, seen, engine.partial, within if kept else None)
    return error, still


def as_told(error: BaseException | None, title: str, cancelled: str | None) -> BaseException | None:
    """What a run ends with, as whoever waits for it is told.

    Args:
        error: what ended it, if it has no value: also one of the machine's, or of an adapter's.
        title: of the run.
        cancelled: how it was cancelled, in words, if it was.
    """
    if error is None or isinstance(error, CascadeError):
        return error
    if isinstance(error, asyncio.CancelledError):
        return RunCancelledError(f"{title} {cancelled or 'was cancelled: its event loop ended'}")
    made = RunError(f"{title} could not go on: {error_text(error)}{scarce(error)}")
    made.__cause__ = error
    return made


def of_accident(error: BaseException, title: str) -> RunError:
    """What is said where the machinery of a run went wrong."""
    if advice := scarce(error):
        return RunError(f"{title} could not go on: {error_text(error)}{advice}")
    return RunError(
        f"{title} was broken off by an error of cascade_nb itself, please report it: "
        f"{error_text(error)}"
    )


async def at_last(
    work: Callable[[], Coroutine[Any, Any, None]],
    what: str,
    title: str,
    patience: Callable[[], float],
) -> None:
    """Do something more for a run that has told its end: how that goes changes nothing about it.

    Args:
        work: does it.
        what: it is, for people, where it comes to nothing.
        patience: gives the seconds to wait for it, which may become fewer meanwhile.
    """
    loop = asyncio.get_running_loop()
    doing = begin_task(unharmed(work), loop)
    began = loop.time()
    try:
        while not doing.done() and (left := began + patience() - loop.time()) > 0:
            await asyncio.wait([doing], timeout=min(left, _LOOK))
    except asyncio.CancelledError:
        pass  # the loop ends, or somebody cancels every task there is: wait no longer
    if not doing.done():
        doing.cancel()
        _left.add(doing)
        doing.add_done_callback(_left.discard)
        await asyncio.wait([doing], timeout=_MOMENT)
        words = "it does not answer, left behind"
    elif doing.cancelled() or (error := doing.exception()) is None:
        return
    else:
        words = error_text(error)
    warn(f"{title} has ended, but not {what}: {words}", LeftBehindWarning)
