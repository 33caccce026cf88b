"""Executors run the bodies of tasks."""

from __future__ import annotations

from cascade_nb.executors.local import LocalExecutor
from cascade_nb.executors.processes.executor import ProcessExecutor

__all__ = ["LocalExecutor", "ProcessExecutor"]
