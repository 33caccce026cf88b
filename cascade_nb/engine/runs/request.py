"""Holds what a run was asked for beyond its graph."""

from __future__ import annotations

import dataclasses
import uuid
from collections.abc import Mapping
from typing import Any

from cascade_nb.engine.storage.carry_over import PriorResults
from cascade_nb.engine.storage.recovery import TakenUp
from cascade_nb.graph.build import Bindings
from cascade_nb.model.options.checks import checked_flag


def new_run_id() -> str:
    """An identity for a run that is to come."""
    return uuid.uuid4().hex[:12]


@dataclasses.dataclass(frozen=True)
class RunRequest:
    """What a run was asked for beyond its graph; see `Engine.start`.

    Attributes:
        given: what an earlier try leaves to it.
        taken_up: what it has from the kernel where it began.
    """

    params: Mapping[str, Any]
    bindings: Bindings | None = None
    on_error: str = "stop"
    fresh: bool = False
    log: str | None = None
    share: bool = False
    given: PriorResults = dataclasses.field(default_factory=PriorResults)
    taken_up: TakenUp | None = None

    def __post_init__(self) -> None:
        checked_flag("fresh", self.fresh)
