"""What is there of a value whose run came to no end."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from cascade_nb.engine.core.scheduler import DONE
from cascade_nb.engine.observing.answers import end_of, node_named
from cascade_nb.errors import UsageError
from cascade_nb.model.arguments.inputs import replace
from cascade_nb.model.copying.isolation import reader_copy
from cascade_nb.model.lazy.lazy import Lazy

if TYPE_CHECKING:
    from cascade_nb.engine.observing.observer import Watch
    from cascade_nb.engine.runs.flow import Flow


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


class HasPartial:
    """The part of `Run` that gives what is there."""

    _watch: Watch

    def partial(self, name: str | None = None) -> Any:
        """The run's value so far as it is there, also after a failure or a cancel.

        A map that did not come to its end gives the results of its items in order. Where there is
        no result stands a `Missing`, which says why: ``[x for x in run.partial() if not
        isinstance(x, cs.Missing)]`` are the good ones.

        Args:
            name: of a node, such as a map that the run's target reads; default the target.

        Raises:
            UnknownNameError: the graph has no such node.
        """
        return self._watch.partial(name)


def partial_of(flow: Flow, name: str | None) -> Any:
    """See `HasPartial.partial`; it takes the flow's lock."""
    graph, place = flow.graph, flow.ledger.place
    shape = graph.shape if name is None else node_named(graph, name).lazy
    with flow.lock:
        found = replace(shape, Lazy, lambda lazy: _value_at(flow, place[lazy.identity]))
    return reader_copy(found)


def _value_at(flow: Flow, index: int) -> Any:
    state = flow.scheduler.state
    if state[index] == DONE:
        if flow.ledger.alive(index, state):
            return flow.ledger.values[index]
        return Missing(flow.label(index), "is done, and its value was let go: give it a name")
    if items := flow.unfold.items(index):
        return [_value_at(flow, item) for item in items]
    own = flow.id_of(index)
    if failure := next((one for one in flow.failures if one.task_id == own), None):
        return Missing(flow.label(index), f"failed: {failure.text}")
    over = end_of(flow, index)
    return Missing(flow.label(index), over[0] if over else "is not there yet")
