"""Gives what a node's body is called with, or would be: the part of `Run` that a person who debugs
asks at a breakpoint.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cascade_nb.engine.core.arguments import Expansion
from cascade_nb.engine.inspection.node_facts import at_breakpoints, place_of
from cascade_nb.engine.inspection.node_inputs import call_with_values
from cascade_nb.engine.observing.answers import item_of, node_named
from cascade_nb.engine.observing.run_view import RunView
from cascade_nb.errors import UnknownNameError, UsageError
from cascade_nb.graph.graph import NodeKind
from cascade_nb.model.arguments.call import Call
from cascade_nb.model.lazy.any_task import AnyTask
from cascade_nb.model.resources import Injected


class GivesInputs:
    """The part of `Run` that tells inputs."""

    look: Callable[..., Any]

    def inputs(self, name: str) -> dict[str, Any]:
        """What the body of a node is called with, or would be: for a look at it while the node is
        held at a breakpoint, and at any other time when all that it reads is there.

        Args:
            name: of a node, an item of a mapped one (``t[17]``), or a task of which one is held.

        Returns:
            By parameter its value, defaults too, each a copy as the body would get it. A resource,
            which only the run opens, is the `cs.resource` itself.

        Raises:
            UnknownNameError: the graph has no such node or item.
            UsageError: what it reads is not there yet or any more; or `name` is a map, whose items
                have inputs.

        Example:
            >>> cs.pause("task:fetch", before=True)
            >>> run = cs.start(fetch(2).named("small"))
            >>> import time
            >>> while not run.status.held:
            ...     time.sleep(0.01)
            >>> run.inputs("small")
            {'n': 2}
            >>> run.resume("node:small")
            >>> run.result()
            [0, 1]
            >>> cs.resume("task:fetch", before=True)
            True
        """
        found: tuple[Call, AnyTask] | None = self.look(lambda view, _: _call_named(view, name))
        if found is None:
            raise UsageError("the run has not begun, so no inputs are there yet")
        return by_parameter(*found)


def by_parameter(call: Call, task: AnyTask) -> dict[str, Any]:
    """What a body would get, by parameter, in copies; it may take long, and fetch what is on a
    cluster.
    """
    owned = call.owned()
    bound = task.signature.bind(*owned.args, **owned.kwargs)
    bound.apply_defaults()
    return {
        name: value.resource if value.__class__ is Injected else value
        for name, value in bound.arguments.items()
    }


def _call_named(view: RunView, name: str) -> tuple[Call, AnyTask]:
    index = _place_named(view, name)
    call = call_with_values(view, index)
    task = view.core.node_of(index).task
    assert task is not None  # or there were no call
    return call, task


def _place_named(view: RunView, name: str) -> int:
    """The index of a node or item. Under the view's lock."""
    core, graph = view.core, view.core.graph
    try:
        item = item_of(graph, name)
        node = node_named(graph, name) if item is None else item[0]
    except UnknownNameError:
        held = [i for i in at_breakpoints(view) if core.kinds.of[i].name == name]
        if len(held) == 1:
            return held[0]
        raise
    if node.kind is not NodeKind.MAP:
        return node.index
    if item is None:
        held = [i for i in at_breakpoints(view) if core.root_of(i) == node.index]
        if len(held) == 1:
            return held[0]
        raise UsageError(f"{node.id} is a map, whose items have inputs; say which: {node.id}[0]")
    places = core.items(node.index)
    work = core.results.work[places[0]] if places else None
    number = work.number_at(item[1]) if isinstance(work, Expansion) else 0
    if number is None:
        raise UnknownNameError("item", name, (), f"; {node.id} has {len(places)}, from 0")
    return place_of(view, node, number)
