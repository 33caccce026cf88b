"""Says what the panel of all runs shows: a row for each run and for each constraint in force."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from cascade_nb.engine.observing.status import RunStatus
from cascade_nb.engine.planning.comparison import Comparison, some_nodes
from cascade_nb.engine.reporting.history import EndedRun
from cascade_nb.engine.reporting.report import outermost
from cascade_nb.notebook.panel.in_force import InForce
from cascade_nb.notebook.session import Session

#: Runs that are over, and such that go on, that are shown at most.
ENDED: Final = 30
LIVE: Final = 30
_CHANGES: Final = 20
_COUNTS: Final = ("total", "done", "reused", "failed", "skipped", "running")

Json = dict[str, Any]


class OverviewFacts:
    """What there is to show, as JSON. Rows of runs that are over are made once.

    Args:
        session: whose runs these are.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._over: dict[str, Json] = {}
        self._in_force = InForce()

    def rows(self) -> dict[str, Json]:
        """By id, a row for each run: those that go on, then those that are over, the newest first.
        What a task has started is left to the panel of the run that it belongs to.
        """
        session = self._session
        going = outermost([run.status for run in session.live_runs()])
        rows = {one.run_id: self._live(one) for one in going[:LIVE]}
        for one in self._ended()[:ENDED]:
            rows.setdefault(one.status.run_id, self._ended_row(one))
        self._over = {run_id: row for run_id, row in self._over.items() if run_id in rows}
        return rows

    def constraints(self) -> list[Json]:
        """What is in force, those of one scope and type together, as they are lifted together."""
        session = self._session
        runs = {run.id: f"run {run.number}" for run in session.live_runs()}
        return self._in_force.rows(session.constraints().values(), session.engine.clock, runs)

    def _ended(self) -> list[EndedRun]:
        ended = [one for engine in self._session.engines for one in engine.history.runs]
        ended = [one for one in ended if one.status.parent is None]
        return sorted(ended, key=lambda one: -one.started)

    def _live(self, status: RunStatus) -> Json:
        return {
            **_row(status),
            "live": True,
            "elapsed": round(status.elapsed, 1),
            "ticking": status.paused_for is None,
            "panel": self._panel(status),
        }

    def _ended_row(self, one: EndedRun) -> Json:
        run_id = one.status.run_id
        if run_id not in self._over:
            self._over[run_id] = {
                **_row(one.status),
                "live": False,
                "elapsed": round(one.status.elapsed, 3),
                "started": round(one.started, 1),
            }
        return {**self._over[run_id], "panel": self._panel(one.status)}

    def _panel(self, status: RunStatus) -> str | None:
        widget = self._session.panels.get(status.run_id)
        return None if widget is None else widget.model_id


def _row(status: RunStatus) -> Json:
    return {
        "number": status.number,
        "title": status.title,
        "phase": status.phase.value,
        "counts": {name: getattr(status, name) for name in _COUNTS},
        "headline": status.headline,
    }


def comparison_facts(comparison: Comparison) -> Json:
    """What two runs differ in, as the panel has it."""
    return {
        "title": comparison.title,
        "changed": [
            {"words": one.words, "lines": list(one.lines), "nodes": some_nodes(one.nodes)}
            for one in comparison.changed[:_CHANGES]
        ],
        "slower": [one.words for one in comparison.slower[:_CHANGES]],
        "faster": [one.words for one in comparison.faster[:_CHANGES]],
        "values": [list(one) for one in comparison.values],
        "notes": comparison.notes,
    }


def news_since(before: Mapping[str, Json], now: Mapping[str, Json]) -> dict[str, Json]:
    """The rows that are other than before."""
    return {run_id: row for run_id, row in now.items() if before.get(run_id) != row}
