"""Makes what the tabs Why, Log, Error, Inputs and Reproduce of a node show."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from cascade_nb.engine.inspection.causes import causes_of, pause_of
from cascade_nb.engine.inspection.node_facts import NodeFacts, place_of
from cascade_nb.engine.inspection.node_inputs import real_call
from cascade_nb.engine.observing.run_view import RunView
from cascade_nb.engine.observing.status import NodeState
from cascade_nb.engine.runs.run import Run
from cascade_nb.errors import CascadeError
from cascade_nb.notebook.drawer.references import Named, References
from cascade_nb.notebook.drawer.texts import SHORT, Json, line, plain
from cascade_nb.notebook.drawer.tracebacks_apart import error_parts
from cascade_nb.notebook.kernel.task_output import TaskOutput

_DISPLAYS: Final = 1_000_000  # bytes of one figure
_LINES: Final = 60


def why_tab(run: Run, named: Named, references: References) -> Json:
    """Why it stands as it does, and what that comes down to."""
    node = named.node
    steps = [] if named.item is not None else causes_of(run, run.graph, node.index)
    pause = run.look(lambda view, _: pause_of(view, node.index)) or ""
    return {
        "lines": [plain(one, 2_000) for one in run.why(named.name)[:_LINES]],
        "pause": line(pause, SHORT),
        "causes": [
            {
                "ref": references.of(run.graph.node(step.node).index),
                "name": line(step.node),
                "lines": [plain(one, 2_000) for one in step.lines[:5]],
                "pause": line(step.pause, SHORT),
            }
            for step in steps
        ],
    }


def log_tab(output: TaskOutput | None, named: Named) -> Json:
    """What it wrote and displayed."""
    if output is None:
        return {"chunks": [], "displays": [], "earlier": 0}
    chunks, bundles, earlier = output.of_node(named.name)
    return {
        "chunks": [[chunk.stream, chunk.text] for chunk in chunks],
        "displays": [_display(bundle) for bundle in bundles],
        "earlier": earlier,
    }


def _display(bundle: Mapping[str, Any]) -> Json:
    data: Mapping[str, Any] = bundle.get("data", {})
    small = {name: one for name, one in data.items() if len(str(one)) <= _DISPLAYS}
    left = sorted(data.keys() - small.keys())
    notes = [f"Its {line(name)} is too large to show here." for name in left]
    return {"text": plain(str(data.get("text/plain", ""))), "data": small, "notes": notes}


def error_tab(facts: NodeFacts) -> Json:
    """What it raised, apart."""
    return {"failures": [error_parts(failure) for failure in facts.failures]}


def inputs_tab(run: Run, facts: NodeFacts, references: References) -> Json:
    """What it is given, with the nodes that it comes from, and the files that it met."""
    graph, states = run.graph, {}
    for source in {name for one in facts.inputs for name in one.sources}:
        node = graph.node(source)
        states[source] = references.of(node.index)
    standing = _states(run, {graph.node(name).index for name in states})
    return {
        "inputs": [
            {
                "name": line(one.name),
                "shown": plain(one.shown, SHORT),
                "more": one.more,
                "sources": [
                    {
                        "ref": states[source],
                        "name": line(source),
                        "state": standing.get(graph.node(source).index, "waiting"),
                    }
                    for source in one.sources
                ],
            }
            for one in facts.inputs
        ],
        "files": [plain(path, SHORT) for path in facts.files],
    }


def _states(run: Run, indexes: set[int]) -> dict[int, str]:
    def read(_: RunView, state_of: Callable[[int], NodeState]) -> dict[int, str]:
        return {index: state_of(index).value for index in indexes}

    return run.look(read) or {}


def reproduce_tab(run: Run, named: Named, spelled: Callable[[str], str]) -> Json:
    """A cell that makes just this call again, as a plain function, and whether that can be done.

    Args:
        run: its run.
        named: the node or item.
        spelled: how a cell names the function of this task; empty where it has no name for it.
    """
    task = named.node.task
    assert task is not None, "what has no task has no such tab"
    variable = inputs_variable(named)
    try:
        call = call_at(run, named)
        problem = "" if call is not None else "The run has not begun."
    except CascadeError as error:
        problem = plain(str(error), SHORT)
        call = None
    args = f"*{variable}_args, " if call is not None and call.args else ""
    function = spelled(task.name)
    name = function or f"{variable}_function"
    return {
        "cell": f"# {line(named.name)} of run {run.number}, once more with the same inputs\n"
        f"{name}({args}**{variable})",
        "variable": variable,
        "problem": problem,
    }


def call_at(run: Run, named: Named) -> Any:
    """What a node or item calls, with its real inputs; None before the run has begun.

    Raises:
        UsageError: they are not there.
    """
    return run.look(lambda view, _: real_call(view, place_of(view, named.node, named.item)))


def inputs_variable(named: Named) -> str:
    """The name of the variable that the inputs of a node are put into."""
    return f"{identifier(named)}_inputs"


def identifier(named: Named) -> str:
    """A name for variables that tells which node it is."""
    whole = "".join(c if c.isalnum() or c == "_" else "_" for c in named.name[:60]).strip("_")
    while "__" in whole:
        whole = whole.replace("__", "_")
    return whole if whole.isidentifier() else f"node_{whole or named.node.index}"
