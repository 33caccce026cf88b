"""Where task bodies execute."""

from __future__ import annotations

from cascade_nb.executors.local import LocalExecutor

__all__ = ["LocalExecutor"]
