"""Workflows in notebooks: build them cell by cell, see them, run them, pause them and trust that
they pause.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cascade_nb.door.broker.responding import answer_over_brokers
from cascade_nb.door.opening import open_for_runs
from cascade_nb.engine.devices import gpu_ids
from cascade_nb.engine.dispatch.checkpoint import checkpoint, track
from cascade_nb.engine.engine import Engine
from cascade_nb.engine.observing.partial_value import Missing
from cascade_nb.engine.runs.run import Run
from cascade_nb.graph.build import build_graph
from cascade_nb.graph.graph import Graph
from cascade_nb.model.lazy.calls import LazyResult, MappedLazyResult
from cascade_nb.model.lazy.value_lookup import use_look_up
from cascade_nb.model.options.retry import Retry
from cascade_nb.model.params.param import Param
from cascade_nb.model.resources import inject, resource
from cascade_nb.model.routing import Router, pipeline, sequence
from cascade_nb.model.tasks.asking import ask, recv
from cascade_nb.model.tasks.decorator import task
from cascade_nb.model.tasks.grid import Grid, grid
from cascade_nb.notices.notifier import notify
from cascade_nb.shortcuts.answering import answer, ask_again
from cascade_nb.shortcuts.everywhere import breaker, guard, limit, pause, rate, resume, status
from cascade_nb.shortcuts.looking_ahead import plan, visualize
from cascade_nb.shortcuts.running import attach, run, start
from cascade_nb.shortcuts.values import value_of
from cascade_nb.shortcuts.what_is_kept import clean, runs, use_state

if TYPE_CHECKING:
    from cascade_nb.notebook.shell import Shell

__all__ = [
    "Engine",
    "Graph",
    "Grid",
    "LazyResult",
    "MappedLazyResult",
    "Missing",
    "Param",
    "Retry",
    "Router",
    "Run",
    "answer",
    "ask",
    "ask_again",
    "attach",
    "breaker",
    "build_graph",
    "checkpoint",
    "clean",
    "gpu_ids",
    "grid",
    "guard",
    "inject",
    "limit",
    "load_ipython_extension",
    "main",
    "notify",
    "pause",
    "pipeline",
    "plan",
    "rate",
    "recv",
    "resource",
    "resume",
    "run",
    "runs",
    "sequence",
    "start",
    "status",
    "task",
    "track",
    "unload_ipython_extension",
    "use_state",
    "visualize",
]

use_look_up(value_of)
open_for_runs()
answer_over_brokers()


def load_ipython_extension(shell: Shell) -> None:
    """What `%load_ext cascade_nb` calls. The notebook's rooms are imported here and not before."""
    from cascade_nb.notebook.extension import (  # noqa: PLC0415 - scripts need no IPython
        load_ipython_extension as load,
    )

    load(shell)


def main(file: str, target: str = "") -> None:
    """Make a program of a module of tasks: run what its command line names, and end as that ends.

    ``python flow.py`` runs `target`, ``python flow.py other -p size=3`` another node or task with a
    parameter, and ``python flow.py -h`` says what there is; all that ``cascade-nb run`` takes can
    stand behind it.

    Args:
        file: the module's `__file__`.
        target: the name of what runs where none is given; empty for the only thing there is.

    Raises:
        SystemExit: always, with the exit code of ``cascade-nb run``.

    Example:
        >>> if __name__ == "__main__":  # the last lines of flow.py
        ...     cs.main(__file__, "report")  # doctest: +SKIP
    """
    from cascade_nb.terminal.main import run_file  # noqa: PLC0415 - a module is mostly imported

    run_file(file, target)


def unload_ipython_extension(shell: Shell) -> None:
    """What `%unload_ext cascade_nb` calls."""
    from cascade_nb.notebook.extension import (  # noqa: PLC0415 - as above
        unload_ipython_extension as unload,
    )

    unload(shell)
