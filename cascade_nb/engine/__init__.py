"""How it runs: the scheduler, the engine, and the handle of a run."""

from __future__ import annotations

from cascade_nb.engine.core.priorities import NativeSolver
from cascade_nb.engine.engine import Engine
from cascade_nb.engine.observing.status import NodeState, Phase, RunStatus
from cascade_nb.engine.runs.run import Run

__all__ = ["Engine", "NativeSolver", "NodeState", "Phase", "Run", "RunStatus"]
