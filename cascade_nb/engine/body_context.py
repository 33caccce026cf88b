"""Holds what is known in the context where the body of a task runs."""

from __future__ import annotations

import contextvars
from collections.abc import Callable

current_runs: contextvars.ContextVar[tuple[str, ...]] = contextvars.ContextVar(
    "cascade_runs", default=()
)
"""Ids of the runs whose task is running here: first the one that a cell started, last its own."""

nodes_above: contextvars.ContextVar[tuple[str, ...]] = contextvars.ContextVar(
    "cascade_nodes_above", default=()
)
"""Of each of those runs but the last, the id of the node in whose body the next one was started."""

at_end: contextvars.ContextVar[list[Callable[[], object]] | None] = contextvars.ContextVar(
    "cascade_at_end", default=None
)
"""What is to be called when the body that runs here is over, in its own thread and context."""


progress_told: contextvars.ContextVar[Callable[[int, int | None], object] | None] = (
    contextvars.ContextVar("cascade_progress", default=None)
)
"""What to call with the items done and in all, where the body that runs here is not of this
process's runs.
"""


own_gpus: contextvars.ContextVar[tuple[str, ...]] = contextvars.ContextVar(
    "cascade_gpus", default=()
)
"""The ids of the GPUs that the body has which runs here, where it is not of this process's runs."""


def finish_body() -> None:
    """Call what is to be called `at_end`; that does not raise."""
    try:
        for callback in at_end.get() or ():
            callback()
    finally:
        at_end.set(None)
