"""Takes a graph apart into plain values and functions, so that a pickler can carry it anywhere.

Pickling the lazy values themselves would follow a chain of them as deep as it is long. Here each
node is one flat row, and where an argument holds a lazy value its row has the number of its node.
JSON (`graph_writer`) is for people and programs to read, and holds what JSON can; a pickled graph
holds everything, and only a kernel that trusts it may open it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple, TypeAlias

from cascade_nb.errors import SerializationError
from cascade_nb.graph.graph import FREE, Control, Graph, Node, NodeKind
from cascade_nb.model.arguments.inputs import CALLS, replace, scan
from cascade_nb.model.lazy.any_task import AnyTask
from cascade_nb.model.lazy.calls import LazyResult, MappedLazyResult, lazy_call, lazy_map
from cascade_nb.model.lazy.lazy import PLAIN, Lazy, Options
from cascade_nb.model.options.checks import NOTHING
from cascade_nb.model.params.param import Param
from cascade_nb.model.routing import Router
from cascade_nb.text import quoted

VERSION: Final = 3


class Hole:
    """Stands where a lazy value was, deep in an argument.

    Attributes:
        index: of the node that it is.
    """

    __slots__ = ("index",)

    def __init__(self, index: int) -> None:
        self.index = index


#: One node. A plain tuple, which a pickler writes without asking anybody how:
#: - the value of its `NodeKind`,
#: - its task's number in the plain graph, or -1,
#: - by kind, what it is made of, `None` at the holes,
#: - position and node of each argument that is a lazy value itself: the holes,
#: - whether there are `Hole`s in what it is made of,
#: - the number of its options in the plain graph,
#: - what `Node` is made of besides: inputs, name, ordinal, and control where it has some.
Row: TypeAlias = tuple[
    str,
    int,
    Any,
    tuple[tuple[int, int], ...],
    bool,
    int,
    tuple[tuple[int, ...], "str | None", int, "tuple[Any, ...] | None"],
]


class PlainGraph(NamedTuple):
    """A graph in flat rows."""

    version: int
    tasks: list[AnyTask]
    options: list[Any]
    rows: list[Row]
    targets: tuple[int, ...]
    shape: Any


def pack_graph(graph: Graph) -> PlainGraph:
    """`graph` in plain values; nothing is copied that need not be."""
    return _Packing(graph).plain()


def unpack_graph(plain: PlainGraph) -> Graph:
    """The graph that `pack_graph` gave, with the same ids.

    Raises:
        SerializationError: another version of this library wrote it.
    """
    if plain[0] != VERSION:
        raise SerializationError(
            f"this graph was written down in format {quoted(plain[0], 20)}, and this version of "
            f"cascade_nb reads format {VERSION}"
        )
    return _Unpacking(plain).graph()


class _Packing:
    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._tasks: dict[AnyTask, int] = {}
        self._options: dict[int, int] = {}
        self._packed: list[Any] = []

    def plain(self) -> PlainGraph:
        graph = self._graph
        rows = [self._row(node) for node in graph.nodes]
        shape = self._full(graph.shape)
        return PlainGraph(VERSION, list(self._tasks), self._packed, rows, graph.targets, shape)

    def _row(self, node: Node) -> Row:
        lazy, place = node.lazy, self._graph.place
        task = -1 if node.task is None else self._tasks.setdefault(node.task, len(self._tasks))
        holes: tuple[tuple[int, int], ...] = ()
        nested = True
        if isinstance(lazy, LazyResult):
            if not lazy.nested and not lazy.kwargs:
                nested = False
                values: Any = [None if v.__class__ in CALLS or isinstance(v, Lazy) else v
                               for v in lazy.args]  # fmt: skip
                holes = tuple([(n, place[v.identity]) for n, v in enumerate(lazy.args)
                               if isinstance(v, Lazy)])  # fmt: skip
            else:
                values = self._full((tuple(lazy.args), dict(lazy.kwargs)))
        elif isinstance(lazy, MappedLazyResult):
            values = self._full((dict(lazy.collections), dict(lazy.fixed), lazy.how))
        elif isinstance(lazy, Router):
            values = self._full((lazy.selector, lazy.routes))
        else:
            assert isinstance(lazy, Param)
            nested, values = False, (lazy.name, lazy.default, lazy.type, lazy.description)
        control = None if node.control is FREE else tuple(
            dict(part) if isinstance(part, Mapping) else part for part in node.control
        )  # fmt: skip
        rest = (node.inputs, node.name, node.ordinal, control)
        return node.kind.value, task, values, holes, nested, self._numbered(lazy), rest

    def _numbered(self, lazy: Lazy) -> int:
        number = self._options.get(id(lazy.options))
        if number is None:
            number = self._options[id(lazy.options)] = len(self._packed)
            said = lazy.options
            self._packed.append(
                None
                if said is PLAIN
                else said.but(
                    after=self._full(said.after),
                    follows=self._full(said.follows),
                    condition=self._full(said.condition),
                    otherwise=self._full(said.otherwise),
                    needs=self._full(dict(said.needs)),
                )
            )
        return number

    def _full(self, value: Any) -> Any:
        place = self._graph.place
        return replace(value, Lazy, lambda lazy: Hole(place[lazy.identity]))


class _Unpacking:
    def __init__(self, plain: PlainGraph) -> None:
        self._plain = PlainGraph(*plain)
        self._lazies: list[Lazy] = []
        self._options: dict[int, Options] = {}

    def graph(self) -> Graph:
        plain = self._plain
        nodes = []
        for index, row in enumerate(plain.rows):
            kind, number, values, holes, nested, options, rest = row
            task = None if number < 0 else plain.tasks[number]
            lazy = self._lazy(NodeKind(kind), task, values, holes, nested, self._full(options))
            self._lazies.append(lazy)
            inputs, name, ordinal, control = rest
            made = FREE if control is None else Control(*control)
            nodes.append(Node(index, lazy, task, inputs, name, ordinal, made))
        place = {lazy.identity: index for index, lazy in enumerate(self._lazies)}
        return Graph(nodes, plain.targets, self._filled(plain.shape), place)

    def _lazy(
        self,
        kind: NodeKind,
        task: AnyTask | None,
        values: Any,
        holes: tuple[tuple[int, int], ...],
        nested: bool,
        options: Options,
    ) -> Lazy:
        if kind is NodeKind.PARAM:
            return Param(*values)
        if kind is NodeKind.ROUTER:
            selector, routes = self._filled(values)
            return Router(selector, routes, options=options)
        assert task is not None
        if kind is NodeKind.MAP:
            collections, fixed, how = self._filled(values)
            inputs, deep = scan((*collections.values(), *fixed.values()))
            return lazy_map(task, collections, fixed, inputs, deep, options, how)
        if nested:
            args, kwargs = self._filled(values)
            inputs, deep = scan((*args, *kwargs.values()))
            return lazy_call(task, args, kwargs or NOTHING, inputs, deep, options)
        full = list(values)
        for position, index in holes:
            full[position] = self._lazies[index]
        args = tuple(full)
        return lazy_call(task, args, NOTHING, scan(args)[0], False, options)

    def _full(self, number: int) -> Options:
        """The options of this number, around the lazy values that there are now."""
        made = self._options.get(number)
        if made is None:
            said = self._plain.options[number]
            made = PLAIN if said is None else said.but(
                after=self._filled(said.after),
                follows=self._filled(said.follows),
                condition=self._filled(said.condition),
                otherwise=self._filled(said.otherwise),
                needs=self._filled(dict(said.needs)) or NOTHING,
            )  # fmt: skip
            self._options[number] = made
        return made

    def _filled(self, value: Any) -> Any:
        put: Callable[[Hole], Any] = lambda hole: self._lazies[hole.index]  # noqa: E731
        return replace(value, Hole, put)
