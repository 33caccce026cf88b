"""The type of a task for those who only read it, so that lazy values need not know how calls are
made.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from cascade_nb.model.lazy.lazy import Options
from cascade_nb.model.options.given_executor import GivenExecutor


class AnyTask(Protocol):
    """What can be read of every task, whatever its function takes and returns."""

    fn: Callable[..., Any]
    name: str
    executor: str
    given: GivenExecutor | None
    says_where: bool
    options: Options
    version: str | None
    ignore: frozenset[str]
    signature: inspect.Signature
    optional: frozenset[str]
    by_place: tuple[str, ...]

    @property
    def outputs(self) -> int | None:
        """How many values `a, b = task(…)` unpacks; None where nobody says it."""

    def label_of(self, args: tuple[Any, ...]) -> str:
        """How a call with these arguments is called where a person reads it."""

    def placed(self, named: Mapping[str, Any]) -> tuple[tuple[Any, ...], Mapping[str, Any]]:
        """Arguments that are all given by name, as the function takes them."""

    def check(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
        """Refuse a call that the function would refuse."""
