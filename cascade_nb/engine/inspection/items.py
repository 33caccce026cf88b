"""Looks at the items of a mapped node: how each stands, how long it took, what it got and gave."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

from cascade_nb.engine.core.arguments import Expansion
from cascade_nb.engine.inspection.node_inputs import NOT_THERE, is_there, part_of
from cascade_nb.engine.observing.readings import Readings
from cascade_nb.engine.observing.run_view import RunView
from cascade_nb.engine.observing.state_counts import state_of_place
from cascade_nb.engine.observing.status import NodeState
from cascade_nb.graph.graph import Graph, Node
from cascade_nb.graph.values.short_repr import short_repr
from cascade_nb.model.lazy.calls import MappedLazyResult

#: Items that are looked at, since all of it happens under the engine's lock.
MOST: Final = 20_000
_SHORT: Final = 80  # characters of a value


class Item(NamedTuple):
    """An item at one moment.

    Attributes:
        number: which one.
        place: as a person reads it: "3", on the axes of a product "a=0.1, b=2".
        attempt: the number of its attempt.
        took: seconds of it; None where it is not over, or nobody knows.
        given: what it is given of the collections, where that is there.
        result: `NOT_THERE` where it has none in the run's memory.
    """

    number: int
    place: str
    state: NodeState
    attempt: int
    took: float | None
    given: dict[str, Any]
    result: Any

    @property
    def given_text(self) -> str:
        """What it is given, in short."""
        return ", ".join(f"{name}={short_repr(one, _SHORT)}" for name, one in self.given.items())

    @property
    def result_text(self) -> str:
        """What it gave, in short; empty where that is not there."""
        return "" if self.result is NOT_THERE else short_repr(self.result, _SHORT)


class Items(NamedTuple):
    """The items of a mapped node: how many there are, and the first of them."""

    total: int
    first: list[Item]


def items_of(run: Readings, graph: Graph, node: Node) -> Items | None:
    """The items of a mapped node just now; None before it has grown them.

    Args:
        run: the run.
        graph: its graph.
        node: one of it.
    """

    def read(view: RunView, _: Callable[[int], NodeState]) -> Items | None:
        places = view.core.items(node.index)
        if view.core.graph is not graph or not places:
            return None
        expansion = view.core.results.work[places[0]]
        assert isinstance(expansion, Expansion)
        whole = _whole(view, node)
        return Items(
            len(places),
            [
                _item(view, expansion, number, places[number], whole)
                for number in range(min(MOST, len(places)))
            ],
        )

    return run.look(read)


def _whole(view: RunView, node: Node) -> Sequence[Any]:
    """The results together, once all are there."""
    if not is_there(view, node.index):
        return ()
    value = view.core.results.values[node.index]
    return value if isinstance(value, list) else ()


def _item(
    view: RunView, expansion: Expansion, number: int, index: int, whole: Sequence[Any]
) -> Item:
    core, result = view.core, NOT_THERE
    if whole:
        result = whole[number]
    elif is_there(view, index):
        result = core.results.values[index]
    time = view.times.of.get(index)
    state = state_of_place(view, index)
    is_over = state is not NodeState.RUNNING and index not in core.retry_at
    return Item(
        number,
        expansion.place_of(number),
        state,
        core.tries.get(index, 1),
        time.took if time is not None and is_over else None,
        _given(view, expansion, number),
        result,
    )


def _given(view: RunView, expansion: Expansion, number: int) -> dict[str, Any]:
    given = expansion.collected(number)
    lazy = expansion.node.lazy
    if given or not isinstance(lazy, MappedLazyResult):
        return given
    parts = {
        name: part_of(view, value, number, expansion.count)
        for name, value in lazy.collections.items()
    }
    return {name: part for name, part in parts.items() if part is not NOT_THERE}
