"""Gives the part of a value that is there already, where a run failed, was cancelled or goes on."""

from __future__ import annotations

import dataclasses
from typing import Any

from cascade_nb.engine.core.scheduler import DONE
from cascade_nb.engine.observing.answers import end_of, node_named
from cascade_nb.engine.observing.run_view import RunView
from cascade_nb.errors import UsageError
from cascade_nb.model.arguments.inputs import replace
from cascade_nb.model.copying.isolation import reader_copy
from cascade_nb.model.lazy.lazy import Lazy


@dataclasses.dataclass(frozen=True)
class Missing:
    """Stands in `Run.partial()` where there is no result, and is none: it has no truth value.

    Attributes:
        label: of what has no result: "map(train)[7]".
        why: what became of it: "failed: ValueError: seven".
    """

    label: str
    why: str

    def __bool__(self) -> bool:
        raise UsageError(
            f"{self.label} has no result, neither a true nor a false one; leave it out with "
            "`not isinstance(x, cs.Missing)`"
        )

    def __repr__(self) -> str:
        return f"<no result: {self.label} {self.why}>"


def partial_of(view: RunView, name: str | None) -> Any:
    """See `Run.partial`; it takes the view's lock."""
    graph, place = view.core.graph, view.core.results.place
    shape = graph.shape if name is None else node_named(graph, name).lazy
    with view.services.manager.lock:
        found = replace(shape, Lazy, lambda lazy: _value_at(view, place[lazy.identity]))
    return reader_copy(found)


def _value_at(view: RunView, index: int) -> Any:
    state = view.core.scheduler.state
    if state[index] == DONE:
        if view.core.results.alive(index, state):
            return view.core.results.values[index]
        return Missing(view.core.label(index), "is done, and its value was let go: give it a name")
    if items := view.core.items(index):
        return [_value_at(view, item) for item in items]
    own = view.core.id_of(index)
    if failure := next((one for one in view.failures if one.task_id == own), None):
        return Missing(view.core.label(index), f"failed: {failure.text}")
    over = end_of(view, index)
    return Missing(view.core.label(index), over[0] if over else "is not there yet")
