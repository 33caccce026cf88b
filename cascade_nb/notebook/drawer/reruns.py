"""Starts what a run has run once more: all of it, or what one node needs."""

from __future__ import annotations

from cascade_nb.engine.engine import Engine
from cascade_nb.engine.runs.run import Run
from cascade_nb.graph.graph import Node


def run_to(run: Run, node: Node) -> Run:
    """A run of what one node needs, with the parameters of this one."""
    return _started(run, node.lazy)


def run_again(run: Run) -> Run:
    """A run of the same target, which uses the results that stand."""
    return _started(run, run.graph.shape)


def _started(run: Run, target: object) -> Run:
    engine, asked = run.engine, run.request
    assert isinstance(engine, Engine), "a panel shows the runs of engines"
    known = engine.graph_of(target, asked.bindings).params()
    params = {name: value for name, value in asked.params.items() if name in known}
    return engine.start(target, params=params, bindings=asked.bindings, on_error=asked.on_error)
