"""Shows the plan of a run, and why nodes stand as they do, below the current cell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Final

from IPython.display import display

from cascade_nb.concurrency.threads import run_in_thread
from cascade_nb.control.words import count_text
from cascade_nb.engine.inspection.causes import causes_of
from cascade_nb.engine.observing.answers import item_of, node_named
from cascade_nb.engine.planning.call_text import call_text
from cascade_nb.engine.planning.rerun_reasons import indented
from cascade_nb.engine.runs.run import Run
from cascade_nb.errors import UnknownNameError, UsageError
from cascade_nb.graph.graph import Graph
from cascade_nb.graph.values.short_repr import short_repr
from cascade_nb.model.lazy.lazy import Lazy
from cascade_nb.model.params.param import REQUIRED, Param
from cascade_nb.notebook.kernel.shims import running_kernel
from cascade_nb.notebook.panel.drawing import show_graph
from cascade_nb.notebook.session import Session
from cascade_nb.notebook.shell import say
from cascade_nb.notebook.workspace.workspace import NO_NODES
from cascade_nb.plan_view import ShownPlan

_SHOWN: Final = 5  # nodes of a task that are named


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

    Args:
        name: of a node, or an item of a mapped one or of a container: ``t[17]``.

    Raises:
        UnknownNameError: neither a run nor the workspace has such a node.
    """
    name = session.spelled(name)
    meant, item = session.meaning(name)
    for run in session.runs():
        known = _name_in(run.graph, name, meant, item)
        if known is None:
            continue
        # In a large graph it may have to go a long way up to where it begins.
        reasons: list[str] = await run_in_thread(partial(run.why, known))
        if not run.done():
            reasons += await run_in_thread(partial(_cause, run, known))
        told = [f"run {run.number}: {_renamed(reason, known, name)}" for reason in reasons]
        more = run.done() and meant is not None
        return [*told, *(await _now(session, name, meant, item))[1:]] if more else told
    if meant is not None:
        return await _now(session, name, meant, item)
    nodes = _nodes_of_task(session, name)
    if nodes:
        shown = ", ".join([*nodes.values()][:_SHOWN]) + (" …" if len(nodes) > _SHOWN else "")
        first = f"`%cascade why {next(iter(nodes))}`"
        return [f"{name} is a task; its nodes are {shown}: {first} asks about one."]
    there = {node.id for run in session.runs() for node in run.graph.nodes} | session.node_names()
    raise UnknownNameError("node", name, there, "" if there else NO_NODES)


def _name_in(graph: Graph, name: str, meant: object, item: str) -> str | None:
    """By what name a run's graph has what was asked about; None where it has it not."""
    if isinstance(meant, Lazy) and meant.identity in graph.place:
        return graph.nodes[graph.place[meant.identity]].id + item
    try:
        if item_of(graph, name) is None:
            node_named(graph, name)
    except UnknownNameError:
        return None
    return name


def _cause(run: Run, known: str) -> tuple[str, ...]:
    """What it comes down to, in the end, that a node waits; nothing where it waits for no other."""
    graph = run.graph
    if item_of(graph, known) is not None:
        return ()
    causes = causes_of(run, graph, node_named(graph, known).index)
    return causes[-1].lines if causes else ()


def _renamed(reason: str, known: str, name: str) -> str:
    """A reason, with the node under the name by which it was asked about."""
    return name + reason.removeprefix(known) if reason.startswith(f"{known} ") else reason


def _nodes_of_task(session: Session, name: str) -> dict[str, str]:
    """The nodes of this task, in runs and in the workspace, by their ids: how each is called; those
    with a name first.
    """
    here = session.workspace.overview()
    graphs = [*(run.graph for run in session.runs()), *([] if here is None else [here])]
    nodes = [(g, node) for g in graphs for node in g.nodes if node.task_name == name]
    nodes.sort(key=lambda one: one[1].name is None)
    return {node.id: call_text(graph, node) for graph, node in nodes}


async def _now(session: Session, name: str, meant: Any, item: str) -> list[str]:
    """What became of it in the last run that had it, and what a run of now would do, and why."""
    engine, new = session.engine, f"{name} is part of no run; `%cascade run {name}` starts one."
    try:
        graph = engine.graph_of(meant, session.workspace)
        known = graph.params()
        params = {name: value for name, value in session.params.items() if name in known}
        if isinstance(meant, Param):
            return [new, _of_parameter(name, meant, params)]
        plan = await engine.plan(graph, params=params)
    except UsageError as error:
        return [new, f"It could not be run now: {error}"]
    if not isinstance(meant, Lazy):
        one = f"; `%cascade why {name}[0]` asks about one" if isinstance(meant, Sequence) else ""
        holds = f"{name} holds {count_text(len(graph.targets), 'node')}{one}."
        return [holds, f"In a run of now: {plan.summary.removeprefix(plan.title + ': ')}."]
    step = plan.step(graph.nodes[graph.targets[0]].id)
    bare = name.removesuffix(item)
    whole = bare if item else "it"
    does = {
        "run": f"{whole} would run",
        "reuse": f"the result of {whole} would be reused" if item else "its result would be reused",
        "skip": f"{whole} would be skipped",
        "hold": f"{whole} would be held",
        "queue": f"{whole} would be queued",
    }
    seen = step.seen.replace(f": {step.node} ", f": {bare} ", 1)
    told = f"In a run of now {does[step.action]}: {step.reason}"
    return [seen or new, told, *indented(step.difference)]


def _of_parameter(name: str, param: Param, given: Mapping[str, Any]) -> str:
    if param.default is REQUIRED and param.name not in given:
        return f"{name} is a parameter without a value: `-p {param.name}=…` gives it one."
    return f"{name} is a parameter; in a run of now it is {short_repr(param.value_in(given))}."
