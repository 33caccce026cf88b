"""Executors run the bodies of tasks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cascade_nb.executors.local import LocalExecutor

if TYPE_CHECKING:
    from cascade_nb.executors.dask.executor import DaskExecutor
    from cascade_nb.executors.futures import FuturesExecutor
    from cascade_nb.executors.processes.executor import ProcessExecutor

__all__ = ["DaskExecutor", "FuturesExecutor", "LocalExecutor", "ProcessExecutor"]


def __getattr__(name: str) -> Any:
    """What loads a library is imported when somebody names it."""
    if name == "FuturesExecutor":
        from cascade_nb.executors.futures import FuturesExecutor  # noqa: PLC0415 - likewise

        return FuturesExecutor
    if name == "ProcessExecutor":
        from cascade_nb.executors.processes.executor import (  # noqa: PLC0415 - it loads cloudpickle
            ProcessExecutor,
        )

        return ProcessExecutor
    if name == "DaskExecutor":
        from cascade_nb.executors.dask.executor import (  # noqa: PLC0415 - it loads Dask
            DaskExecutor,
        )

        return DaskExecutor
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
