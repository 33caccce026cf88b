"""How it runs: the scheduler, the engine, and the handle of a run."""

from __future__ import annotations

from cascade_nb.engine.engine import Engine
from cascade_nb.engine.run import Run
from cascade_nb.engine.solver import NativeSolver
from cascade_nb.engine.status import NodeState, Phase, RunStatus

__all__ = ["Engine", "NativeSolver", "NodeState", "Phase", "Run", "RunStatus"]
