"""Displays a plan: a table, and the graph with what would become of each node."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Container
from typing import Any, Final

from cascade_nb.engine.planning.plan import Plan, StepGroup
from cascade_nb.view.picture.states import Marks
from cascade_nb.view.table import Row, RowGroup, table_html
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
        fields = dataclasses.fields(plan)
        return cls(**{field.name: getattr(plan, field.name) for field in fields})

    @functools.cached_property
    def html(self) -> str:
        """The plan as a table, grouped by what becomes of nodes and why."""
        return table_html(self.summary, self.notes, [self._rows(group) for group in self.groups])

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

    def _rows(self, group: StepGroup) -> RowGroup:
        lines = self.lines_of(group)
        rows = [Row(line.names, line.own, line.time, line.nodes) for line in lines]
        state = _STATES[group.action]
        return RowGroup(state, group.heading, group.time, group.difference, tuple(rows))
