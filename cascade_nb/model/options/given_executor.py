"""Holds an executor that a task was given as an object, which stays where it is."""

from __future__ import annotations

from typing import Any

from cascade_nb.concurrency.process_protocols import Submits


class GivenExecutor:
    """An executor that a task was given as an object.

    It is of this process, with its threads and connections. So where the task travels, as a helper
    of another task or with a graph that is written down, it stays behind.

    Args:
        executor: the object.

    Attributes:
        resolved: what an engine uses in its place, once one has asked.
    """

    def __init__(self, executor: Any) -> None:
        self.executor = executor
        self.resolved: Any = None

    def __copy__(self) -> GivenExecutor:
        return self

    def __deepcopy__(self, memo: object) -> GivenExecutor:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        return _left_behind, ()


def _left_behind() -> None:
    """What is found of a given executor where its task has travelled to."""


def given_executor(executor: str | Submits | None) -> GivenExecutor | None:
    """Holds the executor of a task that was given one as an object; None where it is a name."""
    return None if executor is None or isinstance(executor, str) else GivenExecutor(executor)
