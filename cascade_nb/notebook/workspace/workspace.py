"""The workspace: the names that `%%cascade` cells defined, by which cell, and what each means.

It works like a spreadsheet. A node that was built on a name reads what the name means when a run is
planned, not what it meant when the node was written. What becomes of those that read a name:

==================================================  ==============================================
the cell that bound it is run again and binds it    they read the new one
another cell binds it and uses the old one nowhere  the same
another cell binds it and uses the old one          the old one stays, the new one lies on top
it becomes a plain value                            they read that value
it becomes a task                                   they say so when planned
its cell is run again and does not bind it          they read the layer below; without one they say
                                                    so when planned
`drop`                                              they say so when planned
==================================================  ==============================================

A cell never sees what was built on its own earlier results: run again, ``x = f(x)`` reads the same
x as the first time.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, MutableMapping
from typing import Any, Final
from weakref import WeakKeyDictionary

from cascade_nb.errors import DroppedNameError, TargetError, UnknownNameError, UsageError
from cascade_nb.graph.build import build_graph
from cascade_nb.graph.graph import Graph, Node
from cascade_nb.model.lazy.any_task import AnyTask
from cascade_nb.model.lazy.calls import LazyResult, MappedLazyResult
from cascade_nb.model.lazy.lazy import Lazy
from cascade_nb.model.tasks.task import Task
from cascade_nb.notebook.workspace.layers import (
    Cell,
    Chain,
    Definition,
    Latest,
    Layer,
    Meaning,
    lazies_in,
)
from cascade_nb.notebook.workspace.places import Places
from cascade_nb.text import kind_and_value

#: What to do where a node was asked for and there are none, as the end of a sentence.
NO_NODES: Final = "; there are none yet: a %%cascade cell that binds a name to a call makes one"


class Workspace:
    """The recorded names over a user's namespace: the `Bindings` of every graph of a notebook.

    Lazy values and tasks that no name means any more are not kept alive here.

    Attributes:
        namespace: the user's.
        chains: by name, what cells bound it to.
        definitions: tasks by the name they are bound to.
        latest: what the last cell defined.
        recorded: the cell that is running now.
        places: where each lazy value stood that a name meant or means.
        defined: the same for tasks.
    """

    def __init__(self, namespace: MutableMapping[str, Any]) -> None:
        self.namespace = namespace
        self.chains: dict[str, Chain] = {}
        self.definitions: dict[str, Definition] = {}
        self.latest, self.version = Latest(None, (), ()), 0
        self.recorded: Cell | None = None
        self._overview: Graph | None = None
        self.places = Places()
        self.defined: WeakKeyDictionary[AnyTask, Definition] = WeakKeyDictionary()

    # What the graph asks.

    def current(self, lazy: Lazy) -> Lazy:
        """What stands today where `lazy` was written.

        Raises:
            DroppedNameError: no cell defines its name any more, or its container has changed.
        """
        now = self.found(lazy)
        if now is None:
            raise DroppedNameError(self._loss(lazy))
        return now

    def current_task(self, task: AnyTask) -> AnyTask:
        """The task of the name that `task` was bound to, as it is defined today.

        Raises:
            DroppedNameError: no cell defines it any more.
        """
        definition = self.defined.get(task)
        if definition is None:
            return task
        if definition.gone:
            caller = self._first_name(lambda node: _task_of(node) is task)
            raise DroppedNameError(
                f"{caller} calls the task `{definition.name}`, {definition.gone}; define "
                f"`{definition.name}` again, or run the cell that calls it without it"
            )
        return definition.task

    def name_of(self, lazy: Lazy) -> str | None:
        """The name of the node `lazy`: ``x``, or ``x.1``, ``x.2`` for the layers under it."""
        place = self.places.get(lazy)
        if place is None:
            return None
        layer = place.layer.last
        meaning = layer.meaning
        if meaning is None or meaning.whole is not lazy:
            return None
        chain = self.chains[layer.name]
        return layer.name if chain.top() is layer else f"{layer.name}.{chain.index(layer) + 1}"

    def is_lost(self, lazy: Lazy) -> bool:
        """Never: `current` refuses what is lost."""
        return False

    def found(self, lazy: Lazy) -> Lazy | None:
        """What stands today where `lazy` was written; None when nothing does."""
        place = self.places.get(lazy)
        if place is None:
            return lazy
        if place.layer.heir is None and place.layer.meaning is not None:
            return place.now(place.layer)  # nearly always, and a graph asks for every edge
        layer = place.layer.last
        standing = self.chains[layer.name].standing(layer)
        return place.now(standing) if standing is not None else None

    # What people ask.

    def meanings(self) -> dict[str, Meaning]:
        """By name, what is bound to nodes and to containers of nodes today, the oldest first."""
        tops = {name: chain.top() for name, chain in self.chains.items()}
        return {
            name: top.meaning
            for name, top in tops.items()
            if top is not None and top.meaning is not None and top.meaning.lazies
        }

    def tasks(self) -> dict[str, AnyTask]:
        """The tasks that cells define today, by the name they are bound to."""
        return {name: d.task for name, d in self.definitions.items() if not d.gone}

    def target(self, name: str) -> Any:
        """What there is to run under `name`: a lazy value, or a container of some.

        What the user's namespace has counts, where it was bound outside `%%cascade` cells too.

        Raises:
            UnknownNameError: nobody defined the name.
            TargetError: it is bound to something that is not lazy.
            DroppedNameError: it was dropped, or its cell no longer defines it.
        """
        outside = self.namespace.get(name)
        if next(lazies_in(outside), None) is not None:
            return outside
        known = self.meanings()
        if name in known:
            return known[name].shown
        chain = self.chains.get(name)
        if chain and chain.top() is None:
            raise DroppedNameError(f"`{name}` is no node any more: it is a name {chain[-1].gone}")
        if name not in self.namespace:
            raise UnknownNameError("node", name, known, "" if known else NO_NODES)
        advice = "; call it, and give the result a name" if isinstance(outside, Task) else ""
        raise TargetError(
            f"`{name}` is {_kind(outside)}, no lazy value, so there is nothing to run{advice}"
        )

    def default_target(self) -> str:
        """What `run` means without a name: what the last cell defined last, else the only sink.

        Raises:
            UsageError: there is no node, or there are several sinks.
        """
        known = self.meanings()
        last = next((name for name in reversed(self.latest.nodes) if name in known), None)
        if last is not None:
            return last
        sinks = self.sinks()
        if len(sinks) == 1:
            return sinks[0]
        if not sinks:
            raise UsageError(
                "there is nothing to run yet; a %%cascade cell that binds a name to a call of a "
                "task makes a node"
            )
        raise UsageError(f"say what to run; there is {', '.join(sinks)}")

    def sinks(self) -> list[str]:
        """The names whose nodes no other node reads."""
        graph, known = self.overview(), self.meanings()
        if graph is None:
            return []
        place = graph.place
        containers = {place[one.whole.identity] for one in known.values() if not one.is_node}
        read = {edge.source for edge in graph.edges if edge.target not in containers}
        return [
            name
            for name, meaning in known.items()
            if not any(place[self.drawn_as(lazy).identity] in read for lazy in meaning.lazies)
        ]

    def drop(self, *names: str) -> None:
        """The names go; what reads one says so when it is planned.

        Raises:
            UnknownNameError: no cell defined one of them; then none goes.
        """
        tops = {name for name, chain in self.chains.items() if chain.top() is not None}
        tasks = self.tasks()
        for name in names:
            if name not in tops and name not in tasks:
                raise UnknownNameError("node or task", name, [*self.meanings(), *tasks])
        for name in names:
            if name in tops:
                self.forget(name, self.chains[name], "which was dropped")
            else:
                self.definitions[name].gone = "which was dropped"
                self.changed()
                if self.namespace.get(name) is tasks[name]:
                    del self.namespace[name]

    def forget(self, name: str, chain: Chain, reason: str) -> None:
        """No layer of the name means anything any more."""
        if self.shows(name):
            del self.namespace[name]
        for layer in chain:
            layer.loses(reason)
        chain.under = None
        self.changed()

    def shows(self, name: str) -> bool:
        """Whether the user's namespace has under `name` what the workspace put there."""
        value = self.namespace.get(name, self)
        return any(
            layer.meaning is not None and layer.meaning.shown is value
            for layer in self.chains[name]
        )

    # What it looks like as a graph.

    def sketch(self, lazies: Iterable[Lazy]) -> Graph | None:
        """The graph of `lazies`, in which lost names are nodes too; None when there is none.

        Raises:
            CycleError: a node needs itself.
        """
        wanted = list(lazies)
        return build_graph(wanted, _Lenient(self)) if wanted else None

    def overview(self) -> Graph | None:
        """The sketch of all layers.

        Raises:
            CycleError: a node needs itself.
        """
        if self._overview is None:
            layers = (layer for chain in self.chains.values() for layer in chain)
            meanings = (layer.meaning for layer in layers)
            self._overview = self.sketch(m.whole for m in meanings if m is not None)
        return self._overview

    def changed(self) -> None:
        """What was seen in the last overview does not hold any more."""
        self.version += 1
        self._overview = None

    def layers_in(self, graph: Graph) -> Iterator[tuple[Node, Layer]]:
        """The nodes of `graph` that belong to a layer, with it, even if that means nothing now."""
        for node in graph.nodes:
            place = self.places.get(node.lazy)
            if place is not None:
                yield node, place.layer.last

    def drawn_as(self, lazy: Lazy) -> Lazy:
        """What stands for `lazy` in a sketch."""
        now = self.found(lazy)
        return lazy if now is None else now

    def _loss(self, lazy: Lazy) -> str:
        """What is wrong where `lazy` is read, and what to do about it."""
        layer = self.places[lazy].layer.last
        name, reader = layer.name, self._first_name(lambda node: node.lazy is lazy, after=True)
        if self.chains[name].standing(layer) is None:
            return (
                f"{reader} reads `{name}`, {layer.gone}; define `{name}` again, or run the cell "
                "that reads it without it"
            )
        return (
            f"{reader} reads what was in `{name}`, which has other items now; run the cell that "
            "reads it again"
        )

    def _first_name(self, is_it: Any, after: bool = False) -> str:
        """The first name whose node is the one looked for, or comes after it."""
        graph = self.overview()
        roots = [node.index for node in graph.nodes if is_it(node)] if graph else []
        if graph is None or not roots:
            return "a node"
        reached = graph.descendants(roots) - (set(roots) if after else set())
        readers = [graph.nodes[index] for index in sorted(reached)]
        name = next((node.name for node in readers if node.name), None)
        return f"`{name or readers[0].label}`" if readers else "a node"


class _Lenient:
    """Bindings that never refuse: what is lost stands for itself."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace, self.version = workspace, workspace.version
        self.name_of = workspace.name_of

    def current(self, lazy: Lazy) -> Lazy:
        return self._workspace.drawn_as(lazy)

    def current_task(self, task: AnyTask) -> AnyTask:
        return task

    def is_lost(self, lazy: Lazy) -> bool:
        return self._workspace.found(lazy) is None


def _task_of(node: Node) -> AnyTask | None:
    return node.lazy.task if isinstance(node.lazy, (LazyResult, MappedLazyResult)) else None


def _kind(value: object) -> str:
    return "a task" if isinstance(value, Task) else kind_and_value(value)
