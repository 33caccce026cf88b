"""Tells whether a value is there already, or made of what is still to be computed."""

from __future__ import annotations

from typing import Any

from cascade_nb.errors import ResultError
from cascade_nb.model.arguments.inputs import OutOfReachError, scan
from cascade_nb.model.containers.containers import container_kind, holds
from cascade_nb.model.copying.immutable import FROZEN
from cascade_nb.model.copying.isolation import kept_copy
from cascade_nb.model.lazy.lazy import Lazy
from cascade_nb.model.tasks.body import in_body
from cascade_nb.model.tasks.partial import PartialTask
from cascade_nb.model.tasks.task import Task


class Continued:
    """What a body returned that is no result yet: it goes on from there.

    Attributes:
        value: the lazy value, or the containers around some, which are run; or a `Question`, which
            is asked.
    """

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value


def returned(result: Any) -> Any:
    """What is kept of the `result` of a body; as `Continued` where it holds lazy values.

    For a table of millions of rows it takes a fraction of the time that making it took, but too
    long for anybody's lock: call it before.

    Raises:
        ResultError: it can be read only once, or not at all.
    """
    if result.__class__ in FROZEN or result.__class__ is Continued:
        return result
    kept = kept_copy(result)
    if not holds(kept, Lazy):
        return kept
    try:
        scan((kept,))
    except OutOfReachError as error:
        raise ResultError(error.told("what it returned")) from None
    return Continued(kept)


def is_present(target: Any) -> bool:
    """Whether `target` is a value already, so that a run has nothing to do for it.

    A container of plain values is, and in a task's body everything but a lazy value and a task.
    """
    if isinstance(target, (Task, PartialTask)) or holds(target, Lazy):
        return False
    kind = container_kind(type(target))
    if kind is None or not kind.within_reach:
        return in_body()
    return not any(isinstance(part, (Task, PartialTask)) for part in kind.parts(target))
