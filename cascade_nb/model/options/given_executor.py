"""Holds an executor that a task was given as an object, which stays where it is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cascade_nb.concurrency.process_protocols import Submits


class GivenExecutor:
    """An executor that a task was given as an object.

    It is of this process, with its threads and connections. So where the task travels, as a helper
    of another task or with a graph that is written down, it stays behind.

    Args:
        executor: the object.

    Attributes:
        resolved: what engines use in its place. It is made here, since what makes it may have to be
            imported, and a run that asks for it is on its loop.

    Raises:
        UsageError: it is none that they can use.
    """

    def __init__(self, executor: Any) -> None:
        self.executor = executor
        self.resolved = _executor_of(executor)

    def __copy__(self) -> GivenExecutor:
        return self

    def __deepcopy__(self, memo: object) -> GivenExecutor:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        return _left_behind, ()


_executor_of: Callable[[Any], Any]


def use_kinds(executor_of: Callable[[Any], Any]) -> None:
    """Say how an executor is made of an object, which those know who know all kinds of them."""
    global _executor_of  # noqa: PLW0603 - said once, by `defaults`
    _executor_of = executor_of


def _left_behind() -> None:
    """What is found of a given executor where its task has travelled to."""


def given_executor(executor: str | Submits | None) -> GivenExecutor | None:
    """Holds the executor of a task that was given one as an object; None where it is a name."""
    return None if executor is None or isinstance(executor, str) else GivenExecutor(executor)
