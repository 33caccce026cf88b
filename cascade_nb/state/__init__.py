"""Where results are kept."""

from __future__ import annotations

from cascade_nb.state.memory import MemoryState

__all__ = ["MemoryState"]
