"""Writes a node without a name as the call that it is, to tell it from its neighbours."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from cascade_nb.graph.graph import Graph, Node
from cascade_nb.graph.values.short_repr import short_repr
from cascade_nb.model.lazy.calls import LazyResult, MappedLazyResult
from cascade_nb.model.lazy.lazy import Lazy

_ARGUMENT: Final = 20  # characters
_ARGUMENTS: Final = 4


def call_text(graph: Graph, node: Node) -> str:
    """How a node is called in a list of nodes: its name, or its id and its call, "f#2 = f(f#1, 3)".

    Args:
        graph: where its inputs have their ids.
        node: it.
    """
    lazy = node.lazy
    if node.name is not None or not isinstance(lazy, (LazyResult, MappedLazyResult)):
        return node.id
    if isinstance(lazy, LazyResult) and lazy.label != lazy.task.name:  # an operation: `x + 1`
        return f"{node.id} = {lazy.label}"
    told = list(_told(graph, lazy))
    more = ", …" if len(told) > _ARGUMENTS else ""
    called = lazy.task.name + (".map" if isinstance(lazy, MappedLazyResult) else "")
    return f"{node.id} = {called}({', '.join(told[:_ARGUMENTS])}{more})"


def _told(graph: Graph, lazy: LazyResult[Any] | MappedLazyResult[Any]) -> Iterator[str]:
    if isinstance(lazy, LazyResult):
        yield from (_shown(graph, value) for value in lazy.args)
        named = lazy.kwargs
    else:
        named = {**lazy.collections, **lazy.fixed}
        if lazy.how != "zip":
            yield f"how={lazy.how!r}"
    yield from (f"{name}={_shown(graph, value)}" for name, value in named.items())


def _shown(graph: Graph, value: Any) -> str:
    if isinstance(value, Lazy):
        place = graph.place.get(value.identity)
        return value.label if place is None else graph.nodes[place].id
    return short_repr(value, _ARGUMENT)
