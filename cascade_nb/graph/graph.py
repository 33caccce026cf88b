"""The graph of what will run: nodes with their edges, immutable once built."""

from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from cascade_nb.errors import UnknownNameError
from cascade_nb.model.lazy.any_task import AnyTask
from cascade_nb.model.lazy.calls import LazyResult, MappedLazyResult
from cascade_nb.model.lazy.lazy import Lazy, Options
from cascade_nb.model.params.param import Param
from cascade_nb.model.routing import Router


class NodeKind(enum.Enum):
    """What a node does when it is its turn."""

    TASK = "task"
    MAP = "map"
    PARAM = "param"
    ROUTER = "router"


class EdgeType(enum.Enum):
    """Why one node comes before another."""

    DATA = "data"  # it reads the result
    ORDER = "order"  # it only starts afterwards
    CONDITION = "condition"  # the result decides whether it runs


class Edge(NamedTuple):
    """One reason for an order, between node indexes."""

    source: int
    target: int
    type: EdgeType


class Control(NamedTuple):
    """The rarer things that bind a node; one object, so that a plain node carries one empty field.

    Attributes:
        after: indexes of the nodes that it only starts after.
        condition: index of the node whose result decides, or None.
        wanted: False for a node whose plain condition was false.
        routes: for a router, the index of each branch's node in the order in which they were
            written, or None where the branch is a plain value.
        follows: indexes of the steps before it, which run also when it is skipped.
        otherwise: indexes of the nodes that make its value where its condition is false.
    """

    after: tuple[int, ...] = ()
    condition: int | None = None
    wanted: bool = True
    routes: tuple[int | None, ...] = ()
    follows: tuple[int, ...] = ()
    otherwise: tuple[int, ...] = ()

    @property
    def order(self) -> tuple[int, ...]:
        """Everything that it only comes after."""
        return (*self.after, *self.follows)


FREE: Final = Control()


class Node:
    """One piece of work of a graph.

    It keeps little of its own and asks its lazy value for the rest: graphs have many nodes, and
    most are looked at once.

    Attributes:
        index: its place in `Graph.nodes`; what it reads has lower ones.
        lazy: the user's lazy value that it was made of.
        task: what is called, or None for a parameter or a router.
        inputs: indexes of the nodes whose results it reads, each once; its condition is not among
            them.
        control: order, condition, needs and routes.
        name: its name in the workspace or from `.named`.
        ordinal: it is the n-th of its name or task in this graph, from 1.
    """

    __slots__ = ("control", "index", "inputs", "lazy", "name", "ordinal", "task")

    def __init__(
        self,
        index: int,
        lazy: Lazy,
        task: AnyTask | None,
        inputs: tuple[int, ...],
        name: str | None,
        ordinal: int,
        control: Control = FREE,
    ) -> None:
        self.index = index
        self.lazy = lazy
        self.task = task
        self.inputs = inputs
        self.name = name
        self.ordinal = ordinal
        self.control = control

    @property
    def kind(self) -> NodeKind:
        """What it does."""
        return _KINDS[type(self.lazy)]

    @property
    def options(self) -> Options:
        """What was asked for it."""
        return self.lazy.options

    @property
    def task_name(self) -> str:
        """The kind of work: its task's name, or what it is when it has no task."""
        return self.task.name if self.task is not None else self.kind.value

    @property
    def id(self) -> str:
        """Its identity in events, scopes and pictures; the same whenever the same graph is
        built.
        """
        name, task = self.name, self.task
        if name is not None:
            return name if self.ordinal == 1 else f"{name}#{self.ordinal}"
        return f"{self.task_name if task is None else task.name}#{self.ordinal}"

    @property
    def label(self) -> str:
        """How messages call it: its name, which the picture and events have too, else what it
        calls.
        """
        return self.name or self.called

    @property
    def called(self) -> str:
        """What it calls, whatever its name: `clean`, `map(clean)`, `n + 1`."""
        if self.kind is NodeKind.MAP:
            return f"map({self.task_name})"
        if not isinstance(self.lazy, LazyResult) or self.task is None:
            return self.task_name
        return self.task.label_of(self.lazy.args)

    @property
    def sources(self) -> tuple[int, ...]:
        """The nodes that come before it by any edge."""
        if self.control is FREE:
            return self.inputs
        return tuple(dict.fromkeys(edge.source for edge in self.edges()))

    @property
    def deciding(self) -> tuple[int, ...]:
        """What a node with a condition waits for if its own result is there already: the condition
        and, where that is false, what is done and given instead.
        """
        control = self.control
        condition = () if control.condition is None else (control.condition,)
        return tuple(dict.fromkeys((*condition, *control.follows, *control.otherwise)))

    def edges(self) -> Iterator[Edge]:
        """The edges that end here. A router's routes count, and what stands for a skipped node:
        each may be read.

        Returns:
            An iterator.

        Example:
            >>> node = cs.build_graph(report).node("report")
            >>> [(edge.source, edge.target, edge.type.value) for edge in node.edges()]
            [(1, 2, 'data')]
        """
        for source in self.inputs:
            yield Edge(source, self.index, EdgeType.DATA)
        control = self.control
        for route in control.routes:
            if route is not None:
                yield Edge(route, self.index, EdgeType.DATA)
        for source in control.otherwise:
            yield Edge(source, self.index, EdgeType.DATA)
        for source in control.order:
            yield Edge(source, self.index, EdgeType.ORDER)
        if control.condition is not None:
            yield Edge(control.condition, self.index, EdgeType.CONDITION)

    def __repr__(self) -> str:
        return f"<node {self.index} {self.id} ({self.kind.value})>"


_KINDS: Final[Mapping[type, NodeKind]] = {
    LazyResult: NodeKind.TASK,
    MappedLazyResult: NodeKind.MAP,
    Param: NodeKind.PARAM,
    Router: NodeKind.ROUTER,
}


class Graph:
    """What will run: nodes in an order in which they could run one by one. Made by `build_graph`.

    Attributes:
        nodes: in an order in which everything comes after what it reads.
        targets: indexes of what was asked for.
        shape: the target as it was given.
        place: by identity of each lazy value that stands in an argument or in the target, the index
            of its node; two may have one node, when a name was bound anew.
    """

    __slots__ = ("_ids", "nodes", "place", "shape", "targets")

    def __init__(
        self,
        nodes: Sequence[Node],
        targets: tuple[int, ...],
        shape: Any,
        place: Mapping[object, int],
    ) -> None:
        self.nodes = tuple(nodes)
        self.targets = targets
        self.shape = shape
        self.place = place
        self._ids: dict[str, int] | None = None

    def __len__(self) -> int:
        return len(self.nodes)

    @property
    def edges(self) -> Iterator[Edge]:
        """Every edge, by target."""
        for node in self.nodes:
            yield from node.edges()

    @property
    def title(self) -> str:
        """What a person calls the whole: its target's name."""
        if not self.targets:
            return "nothing"
        labels = [self.nodes[i].label for i in self.targets[:3]]
        return ", ".join(labels) + (" …" if len(self.targets) > 3 else "")

    def node(self, name: str) -> Node:
        """The node of this name or id, or the only node of this task.

        Args:
            name: such as "report", "fetch#1", or "fetch" where there is one.

        Returns:
            The node.

        Raises:
            UnknownNameError: there is none; the message names the nearest.

        Example:
            >>> cs.build_graph(report).node("fetch")
            <node 1 fetch#1 (task)>
        """
        if self._ids is None:
            self._ids = {node.id: node.index for node in self.nodes}
        index = self._ids.get(name) if isinstance(name, str) else None
        if index is None and f"{name}#2" not in self._ids:
            index = self._ids.get(f"{name}#1")
        if index is None:
            raise UnknownNameError("node", name, self._ids)
        return self.nodes[index]

    @property
    def param_indexes(self) -> frozenset[int]:
        """Indexes of its parameters, whose values are known without running."""
        found = (node for node in self.nodes if node.task is None)
        return frozenset(node.index for node in found if node.kind is NodeKind.PARAM)

    def params(self) -> dict[str, Param]:
        """The parameters that its nodes read, by name.

        Returns:
            A dict of its own.

        Example:
            >>> list(cs.build_graph(report).params())
            ['size']
        """
        lazies = (node.lazy for node in self.nodes if node.task is None)
        return {lazy.name: lazy for lazy in lazies if isinstance(lazy, Param)}

    def descendants(self, roots: Sequence[int]) -> set[int]:
        """`roots` and everything that comes after one of them by any edge.

        Args:
            roots: indexes of nodes.

        Returns:
            Indexes of nodes.

        Example:
            >>> sorted(cs.build_graph(report).descendants([1]))
            [1, 2]
        """
        reached = set(roots)
        for node in self.nodes:  # topological, so one pass reaches all
            if node.index not in reached and any(e.source in reached for e in node.edges()):
                reached.add(node.index)
        return reached

    def __repr__(self) -> str:
        return f"<graph of {self.title}: {len(self.nodes)} nodes>"
