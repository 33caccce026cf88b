"""What would become of nodes, and why they stand as they do, below the current cell."""

from __future__ import annotations

from functools import partial

from IPython.display import display

from cascade_nb.engine.aside import in_thread
from cascade_nb.engine.reasons import indented
from cascade_nb.errors import UnknownNameError, UsageError
from cascade_nb.notebook.drawing import show_graph
from cascade_nb.notebook.session import Session
from cascade_nb.notebook.shell import say
from cascade_nb.notebook.shims import running_kernel
from cascade_nb.notebook.workspace import NO_NODES
from cascade_nb.planned import ShownPlan


def show_plan(session: Session, plan: ShownPlan) -> None:
    """Show a plan: as a table, and on the graph."""
    if running_kernel() is None:
        say(str(plan))
    else:
        display(plan)  # type: ignore[no-untyped-call]
    show_graph(session, plan.graph, (), plan.marks)


async def why(session: Session, name: str) -> list[str]:
    """Why a node stands as it does, in lines, and what would become of it in a run of now where no
    run goes on that has it.

    Raises:
        UnknownNameError: neither a run nor the workspace has such a node.
    """
    name = session.spelled(name)
    for run in session.runs():
        try:
            # In a large graph it may have to go a long way up to where it begins.
            reasons = await in_thread(partial(run.why, name))
        except UnknownNameError:
            continue
        told = [f"run {run.number}: {reason}" for reason in reasons]
        if not run.done() or name not in session.workspace.meanings():
            return told
        return [*told, *await _now(session, name)]
    nodes = _nodes_of_task(session, name)
    if nodes and name not in session.workspace.meanings():
        first = f"`%cascade why {nodes[0]}`"
        return [f"{name} is a task; its nodes are {', '.join(nodes)}: {first} asks about one."]
    if name in session.workspace.meanings():
        told = [f"{name} is part of no run; `%cascade run {name}` starts one."]
        return [*told, *await _now(session, name)]
    known = {node.id for run in session.runs() for node in run.graph.nodes} | session.node_names()
    raise UnknownNameError("node", name, known, "" if known else NO_NODES)


def _nodes_of_task(session: Session, name: str) -> list[str]:
    """The ids of the nodes of this task, in runs and in the workspace."""
    here = session.workspace.overview()
    graphs = [*(run.graph for run in session.runs()), *([] if here is None else [here])]
    found = (node.id for graph in graphs for node in graph.nodes if node.task_name == name)
    return list(dict.fromkeys(found))


async def _now(session: Session, name: str) -> list[str]:
    """What a run would do with the node that has this name in the workspace, and why."""
    engine, workspace = session.engine, session.workspace
    try:
        graph = engine.graph_of(workspace.target(name), workspace)
        known = graph.params()
        params = {name: value for name, value in session.params.items() if name in known}
        plan = await engine.plan(graph, params=params)
        step = plan.step(name)
    except UsageError as error:
        return [f"It could not be run now: {error}"]
    does = {
        "run": "it would run",
        "reuse": "its result would be reused",
        "skip": "it would be skipped",
        "hold": "it would be held",
    }
    return [f"In a run of now {does[step.action]}: {step.reason}", *indented(step.difference)]
