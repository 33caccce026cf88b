"""Says which constraints are in force, for panels to show them with what lifts each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from cascade_nb.control.constraint import Constraint, Scope
from cascade_nb.control.explanations import what_it_does, whose_words
from cascade_nb.engine.observing.status import RunStatus
from cascade_nb.engine.scopes import nodes_under
from cascade_nb.graph.graph import Graph
from cascade_nb.protocols.execution import Clock

if TYPE_CHECKING:
    from cascade_nb.engine.runs.run import Run

_MOST: Final = 50

Json = dict[str, Any]


class InForce:
    """Rows of what is in force. Each is made once: the clock of constraints and the time of day are
    read one after the other, so that a row made again may have other times, which were no news.
    """

    def __init__(self) -> None:
        self._known: dict[tuple[Constraint, ...], Json] = {}

    def rows(
        self, constraints: Iterable[Constraint], clock: Clock, runs: Mapping[str, str]
    ) -> list[Json]:
        """A row for each scope and type, since those of one are lifted together.

        Args:
            constraints: what is in force, the oldest first.
            clock: that of their manager.
            runs: what runs are called, by id.
        """
        together: dict[tuple[Scope, str], list[Constraint]] = {}
        for one in constraints:
            together.setdefault((one.scope, one.type), []).append(one)
        shown = list(map(tuple, together.values()))[:_MOST]
        ahead = clock.wall() - clock.now()
        self._known = {one: self._known.get(one) or _row(one, ahead, runs) for one in shown}
        return list(self._known.values())


class InForceFor:
    """What is in force for one run, or would be for what it has not come to yet.

    Args:
        run: whose panel tells it.
    """

    def __init__(self, run: Run) -> None:
        self._run = run
        self._graph = run.graph
        self._rows = InForce()
        self._about: dict[Scope, bool] = {}

    def rows(self, status: RunStatus) -> list[Json]:
        """A row for each scope and type; none when the run is over.

        Args:
            status: of the run.
        """
        if status.phase.is_over:
            return []
        manager = self._run.engine.constraints
        standing = manager.constraints()
        named = self._looked_up({one.scope for one in standing})
        nested = [one for each in status.nested for one in _with_nested(each.status)]
        runs = {status.run_id: "this run", **{one.run_id: f"run {one.number}" for one in nested}}
        if status.parent is not None:
            runs[status.parent] = "the run around this one"
        inside = {kind.name for one in nested for kind in one.kinds}
        about = [one for one in standing if _is_about(one.scope, named, runs, inside)]
        return self._rows.rows(about, manager.clock, runs)

    def _looked_up(self, scopes: set[Scope]) -> set[Scope]:
        """Those that nodes of its graph are under, each looked up once: it may be a large graph."""
        graph = self._run.graph
        before = self._about if graph is self._graph else {}
        self._graph = graph
        self._about = {
            scope: before[scope] if scope in before else _covers_some(scope, graph)
            for scope in scopes
        }
        return {scope for scope, some in self._about.items() if some}


def _covers_some(scope: Scope, graph: Graph) -> bool:
    # a breakpoint may be before a single item of a map
    whole = Scope("node", scope.value.partition("[")[0]) if scope.kind == "node" else scope
    return bool(nodes_under(scope, graph) or nodes_under(whole, graph))


def _is_about(scope: Scope, named: set[Scope], runs: Mapping[str, str], inside: set[str]) -> bool:
    """Whether it is about a run, or about one inside of it, of which only the tasks are known."""
    if scope.run and scope.run not in runs:
        return False
    if scope.kind == "run":
        return scope.value in runs
    if scope.kind == "global" or scope in named:
        return True
    return bool(inside) and (scope.kind != "task" or any(map(scope.matches, inside)))


def _with_nested(status: RunStatus) -> Iterator[RunStatus]:
    yield status
    for nested in status.nested:
        yield from _with_nested(nested.status)


def _row(several: Sequence[Constraint], ahead: float, runs: Mapping[str, str]) -> Json:
    """A row; `ahead` is what the time of day is ahead of the clock of constraints."""
    ordered = sorted(several, key=lambda one: one.since)
    first, expires = ordered[0], [one.expires for one in ordered]
    ends = [one for one in expires if one is not None]
    does: dict[str, list[Constraint]] = {}
    for one in ordered:
        does.setdefault(what_it_does(one), []).append(one)
    return {
        "scope": str(first.scope),
        "kind": first.type,
        "what": _called(first.scope, runs),
        "does": "; ".join(does),
        "words": "; ".join(one + _whose(those) for one, those in does.items()),
        "since": round(first.since + ahead, 1),
        "until": round(max(ends) + ahead, 1) if len(ends) == len(ordered) else None,
    }


def _whose(several: Sequence[Constraint]) -> str:
    """Whose they are and why, to be read on: "paused by you", "at most 2 at once, by you"."""
    whose = whose_words(several)
    return f",{whose}" if whose.startswith(" ") and several[0].type != "pause" else whose


def _called(scope: Scope, runs: Mapping[str, str]) -> str:
    """A scope with runs as they are called, and not by id."""
    if scope.kind == "run":
        return runs.get(scope.value, scope.words)
    if scope.run in runs:
        return f"{scope.everywhere.words} in {runs[scope.run]}"
    return scope.words
