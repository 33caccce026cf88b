"""Tells what a node, or an item of a map, is given: the parameters, from where, and the values."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from inspect import Parameter
from typing import Any, Final

from cascade_nb.engine.core.arguments import Expansion
from cascade_nb.engine.core.scheduler import DONE
from cascade_nb.engine.observing.run_view import RunView
from cascade_nb.errors import UsageError
from cascade_nb.graph.graph import Node
from cascade_nb.graph.values.short_repr import short_repr
from cascade_nb.model.arguments.call import Call
from cascade_nb.model.arguments.inputs import scan
from cascade_nb.model.lazy.any_task import AnyTask
from cascade_nb.model.lazy.calls import LazyResult, MappedLazyResult
from cascade_nb.model.lazy.lazy import Lazy
from cascade_nb.model.routing import Router

_SHORT: Final = 200  # characters of a value
NOT_THERE: Final = object()
_SOURCES: Final = 50  # nodes that one argument is made of


@dataclasses.dataclass(frozen=True)
class NodeInput:
    """One thing that a node is given.

    Attributes:
        name: of the parameter.
        sources: ids of the nodes that it comes from, the first fifty; none for a plain value.
        more: how many others there are.
        shown: the value in short; empty where it is not there.
    """

    name: str
    sources: tuple[str, ...]
    more: int
    shown: str


def inputs_of(view: RunView, index: int) -> list[NodeInput]:
    """What the node or item at `index` is given. Under the view's lock."""
    work = view.core.results.work[index]
    if isinstance(work, Expansion):
        return list(_of_item(view, work, index))
    return [_input(view, name, value) for name, value in _given(work)]


def real_call(view: RunView, index: int) -> Call:
    """What a node or an item calls, with the values themselves. Under the view's lock; what stands
    in containers is put there without it, by `Call.made`.

    Raises:
        UsageError: a value is not there yet, or was let go, or nothing is called.
    """
    call, node = call_with_values(view, index), view.core.node_of(index)
    if call.resources():
        raise UsageError(f"{node.id} is given a resource, which a run alone opens")
    assert node.task is not None  # or there were no call
    return _by_name(node.task, call)


def call_with_values(view: RunView, index: int) -> Call:
    """The call of a node or an item, with resources that are not open. Under the view's lock.

    Raises:
        UsageError: a value is not there yet, or was let go, or nothing is called.
    """
    core, work = view.core, view.core.results.work[index]
    node = core.node_of(index)
    if node.task is None or (isinstance(work, Node) and node.kind.value != "task"):
        raise UsageError(f"{node.id} calls nothing itself")
    if isinstance(work, Expansion):
        if work.is_forgotten:
            raise UsageError(f"the inputs of {node.id}'s items were let go when all were done")
    else:
        for source in node.inputs:
            if core.scheduler.state[source] < DONE:
                raise UsageError(f"{core.label(source)}, which it reads, is not there yet")
            if not core.results.alive(source, core.scheduler.state):
                label = core.label(source)
                raise UsageError(
                    f"the result of {label}, which it read, was let go after its last reader; "
                    "with a name it is kept"
                )
    return core.call_of(index)


def _by_name(task: AnyTask, call: Call) -> Call:
    """A call with what has a name given by it."""
    bound = task.signature.bind(*call.args, **call.kwargs)
    kinds = {task.signature.parameters[name].kind for name in bound.arguments}
    if kinds <= {Parameter.POSITIONAL_OR_KEYWORD, Parameter.KEYWORD_ONLY}:
        return Call(task.fn, (), dict(bound.arguments), inside=call.inside)
    return Call(task.fn, tuple(call.args), dict(call.kwargs), inside=call.inside)


def _given(node: Node) -> Iterator[tuple[str, Any]]:
    """By parameter, what the user wrote there."""
    lazy = node.lazy
    if isinstance(lazy, LazyResult):
        assert node.task is not None
        yield from node.task.signature.bind(*lazy.args, **lazy.kwargs).arguments.items()
    elif isinstance(lazy, MappedLazyResult):
        yield from {**lazy.collections, **lazy.fixed}.items()
    elif isinstance(lazy, Router):
        yield "selector", lazy.selector
        for key, route in lazy.routes.items():
            yield f"for {short_repr(key, 40)}", route


def _of_item(view: RunView, expansion: Expansion, index: int) -> Iterator[NodeInput]:
    lazy, known = expansion.node.lazy, {}
    assert isinstance(lazy, MappedLazyResult)
    if not expansion.is_forgotten:
        known = expansion.kwargs_of(index)
    for name, value in _given(expansion.node):
        there = _input(view, name, value)
        shown = there.shown if name not in lazy.collections else ""
        if name in known:
            shown = short_repr(known[name], _SHORT)
        elif name in lazy.collections:
            part = part_of(view, value, index - expansion.first, expansion.count)
            shown = "" if part is NOT_THERE else short_repr(part, _SHORT)
        yield dataclasses.replace(there, shown=shown)


def part_of(view: RunView, value: Any, number: int, count: int) -> Any:
    """What an item was given of a collection with so many, or `NOT_THERE`: a map that is over keeps
    none of its own. Under the view's lock.
    """
    if isinstance(value, Lazy):
        place = view.core.results.place.get(value.identity, -1)
        value = view.core.results.values[place] if place >= 0 and is_there(view, place) else None
    base = next((one for one in (list, tuple) if issubclass(type(value), one)), None)
    if base is not None and base.__len__(value) == count:  # or it is an axis of a product
        return base.__getitem__(value, number)
    return NOT_THERE


def _input(view: RunView, name: str, value: Any) -> NodeInput:
    lazies = scan((value,))[0] if not isinstance(value, Lazy) else (value,)
    places = [view.core.results.place.get(lazy.identity, -1) for lazy in lazies]
    nodes = view.core.graph.nodes
    sources = [nodes[place].id for place in places if 0 <= place < len(nodes)]
    shown = ""
    if not lazies:
        shown = short_repr(value, _SHORT)
    elif isinstance(value, Lazy) and places[0] >= 0 and is_there(view, places[0]):
        shown = short_repr(view.core.results.values[places[0]], _SHORT)
    return NodeInput(name, tuple(sources[:_SOURCES]), max(0, len(sources) - _SOURCES), shown)


def is_there(view: RunView, index: int) -> bool:
    """Whether the result of a node or item is in the run's memory. Under the view's lock."""
    state = view.core.scheduler.state
    return state[index] == DONE and view.core.results.alive(index, state)
