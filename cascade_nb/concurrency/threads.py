"""Runs work that would hold up an event loop in a thread of its own."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import gc
import threading
from collections.abc import Callable
from functools import partial
from typing import Any, Final, TypeVar

from cascade_nb.concurrency.safe_parse import SAFE_ANYWHERE, elsewhere
from cascade_nb.concurrency.scarce import has_begun, scarce
from cascade_nb.concurrency.thread_settings import with_settings

T = TypeVar("T")
HELD_UP: Final = 0.05  # seconds after which a loop counts as held up
LOOK: float = 0.5  # seconds after which a thread that waits for the loop looks whether it is there


#: Nodes with which a few microseconds each may be done on the loop; a thread costs a hundred.
FEW: Final = 1_000


async def beside(nodes: int, work: Callable[[], T]) -> T:
    """What `work` gives, done on the loop for a few nodes, and in a thread of its own for many."""
    return work() if nodes <= FEW else await run_in_thread(work)


async def run_in_thread(work: Callable[[], T]) -> T:
    """What `work` gives, done in a daemon thread that ends with it.

    A pool's threads would outlive the work, and a busy one would hold up the end of the kernel.
    When the wait is cancelled the thread goes on to its end, and nobody hears of it.
    """
    loop = asyncio.get_running_loop()
    done: asyncio.Future[T] = loop.create_future()
    context = with_settings(again=False)
    if not SAFE_ANYWHERE and elsewhere.get() is None:
        context.run(elsewhere.set, partial(_call_on, loop))

    def settle(value: Any, error: BaseException | None) -> None:
        if done.cancelled():
            return
        if error is None:
            done.set_result(value)
        else:
            done.set_exception(error)

    def body() -> None:
        value: Any = None
        error: BaseException | None = None
        try:
            value = context.run(work)
        except StopIteration as raised:  # which no future takes
            error = RuntimeError("it raised StopIteration")
            error.__cause__ = raised
        except BaseException as raised:
            error = raised
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits for it
            loop.call_soon_threadsafe(partial(settle, value, error))

    threading.Thread(target=body, name="cascade-aside", daemon=True).start()
    return await done


async def in_thread_or_here(work: Callable[[], object]) -> None:
    """Do it in a thread; where there are no more of them, here."""
    try:
        await run_in_thread(work)
    except RuntimeError as error:
        if not scarce(error):
            raise
        work()


def drop_aside(values: list[Any]) -> None:
    """Empty a list of what its owner needs no more, in a thread of its own: what the end of a value
    does may take long, and ask for locks that are held here.
    """
    if values:
        thread = threading.Thread(target=values.clear, name="cascade-aside", daemon=True)
        has_begun(thread)  # else they end with their owner


def _call_on(loop: asyncio.AbstractEventLoop, function: Callable[[], T]) -> T:
    """What `function` gives on the loop, for a thread beside it.

    Raises:
        RuntimeError: the loop is closed.
    """
    there: concurrent.futures.Future[T] = concurrent.futures.Future()

    def call() -> None:
        try:
            there.set_result(function())
        except Exception as error:
            there.set_exception(error)
        except BaseException as error:  # an interrupt is the loop's to hear of, too
            there.set_exception(error)
            raise

    loop.call_soon_threadsafe(call)
    while True:
        try:
            return there.result(LOOK)
        except concurrent.futures.TimeoutError:
            if loop.is_closed():
                raise RuntimeError("the event loop ended while a thread waited for it") from None


class ParsingElsewhere:
    """Has a function called on a loop that may be held up for long, or here where it is.

    A cell that holds it up hardly parses itself. Without garbage collection, which may let another
    thread on in the middle, a parse here is over before that has its turn.

    Args:
        loop: whose thread parses cells.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._unanswered = False

    def __call__(self, function: Callable[[], Any]) -> Any:
        """What `function` gives."""
        if asyncio._get_running_loop() is self._loop:
            return function()
        there: concurrent.futures.Future[Any] = concurrent.futures.Future()
        if not self._unanswered and self._asked(there, function):
            try:
                return there.result(HELD_UP)
            except concurrent.futures.TimeoutError:
                if not there.cancel():
                    return there.result()
        collects = gc.isenabled()
        gc.disable()
        try:
            return function()
        finally:
            if collects:
                gc.enable()

    def _asked(self, there: concurrent.futures.Future[Any], function: Callable[[], Any]) -> bool:
        def call() -> None:
            self._unanswered = False
            if there.set_running_or_notify_cancel():
                try:
                    there.set_result(function())
                except Exception as error:
                    there.set_exception(error)

        self._unanswered = True
        try:
            self._loop.call_soon_threadsafe(call)
        except RuntimeError:  # it is closed: nobody parses there
            return False
        return True
