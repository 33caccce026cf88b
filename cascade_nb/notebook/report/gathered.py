"""Gathers what a report tells of a run: its nodes, its time, its failures, its results."""

from __future__ import annotations

import platform
import time
from collections import defaultdict
from importlib.metadata import PackageNotFoundError, version
from typing import Final

from cascade_nb.control.words import seconds_text
from cascade_nb.engine.inspection.node_facts import node_facts
from cascade_nb.engine.inspection.timeline import Timeline, timeline_of
from cascade_nb.engine.observing.status import NodeState
from cascade_nb.engine.reporting.report import summary_lines
from cascade_nb.engine.runs.run import Run
from cascade_nb.engine.timing.attempt_times import EACH
from cascade_nb.errors import UsageError
from cascade_nb.graph.fingerprint.fingerprint import fingerprints
from cascade_nb.graph.graph import NodeKind
from cascade_nb.graph.values.short_repr import short_repr
from cascade_nb.model.params.param import REQUIRED, Param
from cascade_nb.notebook.drawer.references import Named
from cascade_nb.notebook.drawer.results import Results
from cascade_nb.notebook.drawer.tracebacks_apart import error_parts
from cascade_nb.notebook.panel.recorded_times import times_of
from cascade_nb.notebook.report.page import NodeRow, Report
from cascade_nb.notebook.session import Session
from cascade_nb.view.picture.states import Marks
from cascade_nb.view.svg.timeline import draw_times

_RESULTS: Final = 30
_FAILURES: Final = 20
_VALUE: Final = 200
_WITH_RESULT: Final = (NodeState.DONE, NodeState.REUSED)


def run_to_tell(session: Session, name: str | None) -> Run:
    """The run of this number or id; without one, the newest that somebody has.

    Raises:
        UsageError: there is none, or nobody has it any more.
        UnknownNameError: there is no such run.
    """
    held = [one for one in session.shell.user_ns.values() if isinstance(one, Run)]
    there = {run.id: run for run in (*held, *session.runs())}
    if name is None and there:
        return max(there.values(), key=lambda run: run.number)
    status = session.status_named(name)
    if status.run_id in there:
        return there[status.run_id]
    raise UsageError(
        f"run {status.number} is over and nobody has it any more: the last run of a cell can be "
        "told, and one that a variable holds, as in `run = %cascade run …`"
    )


def marks_of(run: Run) -> Marks:
    """The states of its nodes, for its picture."""
    states, nodes = _states(run), run.graph.nodes
    mapped = [node for node in nodes if node.kind is NodeKind.MAP]
    return Marks(
        {node.id: state.value for node, state in zip(nodes, states, strict=True)},
        {node.id: run.progress_of(node.index) for node in mapped},
    )


def gathered(run: Run, results: Results, picture: tuple[str | None, str]) -> Report:
    """All of it; it may take as long as the user's reprs, so it is called in a thread.

    Args:
        run: the run.
        results: shows results.
        picture: of its graph, as SVG and in words.
    """
    status, graph = run.status, run.graph
    times = run.look(lambda view, _: timeline_of(view, 0, False, run.ended_at, EACH))
    states, drawn = _states(run), times_of(run)
    took = _took(times)
    nodes = [
        NodeRow(
            node.id,
            node.task_name,
            state.value,
            seconds_text(took[node.index]) if node.index in took else "",
        )
        for node, state in zip(graph.nodes, states, strict=True)
    ]
    targets = set(graph.targets)
    wanted = [
        Named(node, None)
        for node, state in zip(graph.nodes, states, strict=True)
        if state in _WITH_RESULT
        and not isinstance(node.lazy, Param)
        and (node.name is not None or node.index in targets)
    ]
    wanted.sort(key=lambda named: named.node.index not in targets)
    shown = {}
    for named in wanted[:_RESULTS]:
        facts = node_facts(run, graph, named.node, None)
        if facts is not None:
            shown[named.name] = results.tab(run, facts, named)
    left = len(wanted) - _RESULTS
    told_at = time.strftime("%Y-%m-%d %H:%M:%S")
    return Report(
        f"{status.title} · run {status.number}",
        [*summary_lines(status)[1:], f"Told {told_at}."],
        *picture,
        None if drawn is None else draw_times(drawn),
        nodes,
        [error_parts(one) for one in run.failures[:_FAILURES]],
        _params(run),
        _versions(run),
        shown,
        f"… and {left:,} more results" if left > 0 else "",
    )


def _states(run: Run) -> list[NodeState]:
    count = len(run.graph)
    found = run.look(lambda _, state_of: [state_of(index) for index in range(count)])
    return found if found is not None else [NodeState.WAITING] * count


def _took(times: Timeline | None) -> dict[int, float]:
    """By index of a node, how long it was under way."""
    took: dict[int, float] = defaultdict(float)
    for bar in times.bars if times is not None else ():
        if bar.ended is not None:
            took[bar.node] += bar.ended - bar.started
    return took


def _params(run: Run) -> list[tuple[str, str, str]]:
    given = run.request.params
    rows = []
    for name, param in run.graph.params().items():
        value = given.get(name, param.default)
        shown = "not given" if value is REQUIRED else short_repr(value, _VALUE)
        default = "" if name in given else " (its default)"
        rows.append((name, f"{shown}{default}", param.description or ""))
    return rows


def _versions(run: Run) -> list[tuple[str, str]]:
    """Of Python, of this package, and of the libraries that the code of the tasks names."""
    codes = fingerprints(run.graph, run.request.params).codes().values()
    words = sorted({part for code in codes for part in code.parts if part.startswith("module ")})
    libraries = [part.split() for part in words]
    rows = [("Python", f"{platform.python_version()} on {platform.system()}")]
    rows.append(("cascade-nb", _installed("cascade-nb")))
    return [*rows, *((one[1], one[2]) for one in libraries if len(one) == 3)]


def _installed(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"
