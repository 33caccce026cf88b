"""Tells the panel what failed: with which input, where, by which calls, and what fell with it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from cascade_nb.engine.observing.run_view import RunView
from cascade_nb.engine.observing.status import NodeState, RunStatus
from cascade_nb.notebook.drawer.texts import SHORT, Json, line, plain
from cascade_nb.notebook.drawer.tracebacks_apart import frames_of

if TYPE_CHECKING:
    from cascade_nb.engine.dispatch.failures import Failure
    from cascade_nb.engine.runs.run import Run

LISTED: Final = 20  # failures that are told of
_CALLS: Final = 8  # the user's own lines, from the innermost
_INPUTS: Final = 10
_NAMED: Final = 5  # nodes that fell with a failure
_SEARCHED: Final = 5_000  # nodes of a graph in which those are looked for
_FELL: Final = (NodeState.SKIPPED, NodeState.CANCELLED)


class FailuresTold:
    """What is told of the failures of one run, each put into words once.

    Args:
        run: whose failures.
    """

    def __init__(self, run: Run) -> None:
        self._run = run
        self._known: list[Failure] = []
        self._told: list[Json] = []
        self._fell: list[str] | None = None

    def fields(self, status: RunStatus) -> Json:
        """The fields of a patch that are about them."""
        failures = self._run.failures[:LISTED]
        if failures != self._known:  # one more, or after an edit all anew
            self._known, self._told = failures, [_told(failure) for failure in failures]
        if status.phase.is_over and self._fell is None:
            self._fell = [self._fell_with(failure) for failure in failures]
        fell = self._fell or [""] * len(self._told)
        return {
            "failures": [
                {**one, "fell": with_it} for one, with_it in zip(self._told, fell, strict=False)
            ],
            "unlisted": max(0, len(status.failures) - LISTED),
            "again": _again(status),
        }

    def _fell_with(self, failure: Failure) -> str:
        """What did not run because of it, in words."""
        graph = self._run.graph
        if len(graph) > _SEARCHED:
            return ""
        root = failure.task_id.partition("[")[0]
        node = next((one for one in graph.nodes if one.id == root), None)
        if node is None:
            return ""
        below = sorted(graph.descendants([node.index]) - {node.index})

        def read(_: RunView, state_of: Callable[[int], NodeState]) -> list[int]:
            return [index for index in below if state_of(index) in _FELL]

        lost = self._run.look(read) or []
        if not lost:
            return ""
        names = ", ".join(line(graph.nodes[index].id, 40) for index in lost[:_NAMED])
        more = f" and {len(lost) - _NAMED:,} more" if len(lost) > _NAMED else ""
        return f"so {names}{more} did not run"


def _told(failure: Failure) -> Json:
    calls = [frame for frame in frames_of(failure.error) if frame["own"]]
    return {
        "task": line(failure.task),
        "error": plain(failure.text, SHORT),
        "where": plain(failure.where or "", SHORT),
        "inputs": [plain(one, 100) for one in failure.inputs[:_INPUTS]],
        "calls": [
            {name: call[name] for name in ("place", "line", "name")} for call in calls[-_CALLS:]
        ],
    }


def _again(status: RunStatus) -> str:
    """What trying again would do; empty where there is nothing to try."""
    if not status.phase.is_over or not status.failures:
        return ""
    there = status.done + status.reused
    left = status.total - there
    if not there:
        return f"Retry runs {left:,}."
    results = "the result that is" if there == 1 else f"the {there:,} results that are"
    return f"Retry takes {results} there and runs {left:,}."
