"""Adapts to IPython at a prompt in a terminal, whose loop runs only while a cell awaits."""

from __future__ import annotations

from asyncio import AbstractEventLoop
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from IPython.core.async_helpers import get_asyncio_loop

from cascade_nb.concurrency.begun_tasks import begin_task
from cascade_nb.engine.runs.loop_binding import stands_still_at_times
from cascade_nb.notebook.shell import Shell

T = TypeVar("T")

Undo = Callable[[], object]


def cells_can_be_interrupted(shell: Shell) -> list[Undo]:
    """Have Ctrl-C end a cell that awaits, and what it waits for with it, as in a kernel.

    By itself IPython leaves the cell where it stands: it ends neither now nor later, and nor does
    a run that it waits for. Also have no run go on on IPython's loop, where it would stand still
    with it. Both are only for a terminal's shell with asyncio, which is what it comes with.

    Returns:
        What ends it.
    """
    usual = getattr(shell, "loop_runner", None)
    if not hasattr(type(shell), "interact") or str(usual) != "asyncio":
        return []
    shell.loop_runner = _run

    def undo() -> None:
        if shell.loop_runner is _run:
            shell.loop_runner = usual

    return [undo]


def _run(cell: Coroutine[Any, Any, T]) -> T:
    """What comes of a cell that awaits, on IPython's loop."""
    loop: AbstractEventLoop = get_asyncio_loop()  # type: ignore[no-untyped-call]
    stands_still_at_times(loop)
    task = begin_task(cell, loop)
    try:
        return loop.run_until_complete(task)
    except KeyboardInterrupt:
        if task.done():
            raise
    task.cancel()  # not inside, or what it raises would have the interrupt as its context
    return loop.run_until_complete(task)
