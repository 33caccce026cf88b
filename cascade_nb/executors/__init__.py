"""Executors run the bodies of tasks."""

from __future__ import annotations

from cascade_nb.executors.local import LocalExecutor

__all__ = ["LocalExecutor"]
