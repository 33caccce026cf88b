"""Begins coroutines as tasks of asyncio that no task factory has a say in."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


def begin_task(
    work: Coroutine[Any, Any, T], loop: asyncio.AbstractEventLoop | None = None
) -> asyncio.Task[T]:
    """A task that begins with the next turn of its loop.

    A loop's owner may have set a factory of tasks. An eager one would begin the work in the middle
    of what its maker does, perhaps under a lock, and one that raises would leave whoever waits for
    the work waiting for ever. So a factory makes the tasks of its owner's code alone.

    Args:
        work: what to do.
        loop: where, for who is on it or makes it run; default the one that runs here.

    Returns:
        The task; who makes it holds it.
    """
    if loop is None:
        loop = asyncio.get_running_loop()
    if loop.get_task_factory() is None:
        return loop.create_task(work)  # a loop of another kind may count its tasks
    return asyncio.Task(work, loop=loop)


async def ended_within(seconds: float | None, work: Coroutine[Any, Any, T]) -> T:
    """What `work` gives, begun so; after `seconds` it is cancelled.

    Raises:
        asyncio.TimeoutError: they are over.
    """
    return await asyncio.wait_for(begin_task(work), seconds)
