"""Displays a plan: a table, and the graph with what would become of each node."""

from __future__ import annotations

import functools
from collections.abc import Container
from typing import Any, Final

from cascade_nb.engine.planning.plan import Plan, Step, time_text
from cascade_nb.view.picture.states import Marks
from cascade_nb.view.table import Row, table_html
from cascade_nb.view.visual import Visual

#: By what would become of a node, the state that the view shows.
_STATES: Final = {
    "run": "planned",
    "reuse": "reused",
    "skip": "skipped",
    "hold": "held",
    "queue": "queued",
}


class ShownPlan(Plan):
    """A `Plan` as a notebook shows it."""

    @classmethod
    def of(cls, plan: Plan) -> ShownPlan:
        """`plan`, able to display itself."""
        return cls(plan.graph, plan.steps, plan.path, plan.path_seconds)

    @functools.cached_property
    def html(self) -> str:
        """The plan as a table. Nodes without a name of which the same is to be said share a row."""
        notes = [self.timing] if self.timing else []
        return table_html(self.summary, notes, [self._row(steps) for steps in self._alike()])

    @property
    def marks(self) -> Marks:
        """What is to be marked on a picture of the graph."""
        return Marks({step.node: _STATES[step.action] for step in self.steps})

    def prepare(self) -> ShownPlan:
        """The same, with all that takes a while for a large graph done: not for the loop."""
        self._repr_mimebundle_()
        return self

    @property
    def visual(self) -> Visual:
        """The graph with what would become of each node."""
        return Visual(self.graph, self.marks)

    def _repr_mimebundle_(
        self, include: Container[str] | None = None, exclude: Container[str] | None = None
    ) -> dict[str, Any]:
        """What IPython asks an object for that is displayed."""
        bundle = {"text/plain": str(self), "text/html": self.html}
        return {
            kind: data
            for kind, data in bundle.items()
            if (not include or kind in include) and (not exclude or kind not in exclude)
        }

    def _alike(self) -> list[list[Step]]:
        """The steps, those of one row together."""
        rows: dict[tuple[str, ...], list[Step]] = {}
        named = {node.id for node in self.graph.nodes if node.name is not None}
        for step in self.steps:
            own = step.node if step.node in named else ""
            rows.setdefault((own, step.task, step.action, step.reason), []).append(step)
        return list(rows.values())

    def _row(self, steps: list[Step]) -> Row:
        first = steps[0]
        time = time_text(sum(step.seconds or 0.0 for step in steps))
        name = self.called(first) if len(steps) == 1 else f"{first.task} \u00d7{len(steps):,}"
        return Row(_STATES[first.action], first.action, name, first.reason, time, first.difference)
