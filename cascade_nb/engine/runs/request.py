"""Holds what a run was asked for beyond its graph."""

from __future__ import annotations

import dataclasses
import uuid
from collections.abc import Mapping
from typing import Any, Final

from cascade_nb.engine.core.priorities import level_of, run_level
from cascade_nb.engine.core.task_groups import Place
from cascade_nb.engine.storage.carry_over import PriorResults
from cascade_nb.engine.storage.recovery import TakenUp
from cascade_nb.errors import UsageError
from cascade_nb.graph.build import Bindings
from cascade_nb.model.options.checks import checked_flag, checked_priority
from cascade_nb.text import quoted


def new_run_id() -> str:
    """An identity for a run that is to come."""
    return uuid.uuid4().hex[:12]


ON_ERROR: Final = ("stop", "continue")


@dataclasses.dataclass(frozen=True)
class RunRequest:
    """What a run was asked for beyond its graph; see `Engine.start`.

    Attributes:
        on: where sync tasks run that do not say it; None for the engine's own.
        priority: of the run; None for that of the task that started it, or 0.
        given: what an earlier try leaves to it.
        taken_up: what it has from the kernel where it began.
    """

    params: Mapping[str, Any]
    bindings: Bindings | None = None
    on_error: str = "stop"
    fresh: bool = False
    log: str | None = None
    share: bool = False
    on: Place | None = None
    priority: int | None = None
    given: PriorResults = dataclasses.field(default_factory=PriorResults)
    taken_up: TakenUp | None = None

    def __post_init__(self) -> None:
        checked_flag("fresh", self.fresh)
        if self.on_error not in ON_ERROR:
            raise UsageError(f"on_error is 'stop' or 'continue', not {quoted(self.on_error)}")
        if self.priority is not None:
            checked_priority(self.priority)

    def level_under(self, rank: int) -> int:
        """The level of its nodes of which nothing is said; `rank` is that of what started it."""
        return level_of(rank) if self.priority is None else run_level(self.priority)
