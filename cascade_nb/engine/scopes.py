"""Reads scopes as people write them, and says which nodes of a graph they are about."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from cascade_nb.control.constraint import KINDS, Scope, parse_scope
from cascade_nb.errors import ConstraintError, nearest
from cascade_nb.graph.graph import Graph
from cascade_nb.model.tasks.task_names import known_task_names, own_task_names

Names = Callable[[], Iterable[str]]

_offered: Final[list[Names]] = []


def offer_names(names: Names) -> Callable[[], None]:
    """Have the nodes of these names known too, though no run has them yet; gives what ends that.
    A notebook offers those of its cells.
    """
    _offered.append(names)
    return lambda: _offered.remove(names)


def task_names(graphs: Iterable[Graph]) -> set[str]:
    """The names of tasks that are defined, or part of a graph."""
    return known_task_names().union(*({node.task_name for node in graph.nodes} for graph in graphs))


def node_names(graphs: Iterable[Graph]) -> set[str]:
    """The names of nodes that are defined in a notebook, or part of a graph."""
    found = {name for names in _offered for name in names()}
    return found.union(*({node.name for node in graph.nodes if node.name} for graph in graphs))


def read_scope(text: object, graphs: Iterable[Graph], *, items: bool = False) -> Scope:
    """A scope out of its text; the bare name of a task or node is one too, where it is clear.

    Args:
        text: a scope, or such a name.
        graphs: of the runs that go on.
        items: whether it may be an item of a mapped node, too: ``t[17]``.

    Raises:
        ConstraintError: there is no such scope, or a bare name can mean two things.
    """
    if not isinstance(text, str) or ":" in text or text in KINDS:
        return parse_scope(text)
    graphs = list(graphs)
    tasks, nodes = task_names(graphs), node_names(graphs)
    if items and text.endswith("]") and _has_items(text.partition("[")[0], tasks | nodes, graphs):
        return parse_scope(f"node:{text}")
    as_task = Scope("task", text)
    is_task = any(as_task.matches(name) for name in tasks)
    if is_task and text in nodes:
        raise ConstraintError(f"{text!r} is a task and a node; say task:{text} or node:{text}")
    if is_task:
        return as_task
    if text in nodes:
        return Scope("node", text)
    used = {node.task_name for graph in graphs for node in graph.nodes if node.task is not None}
    # operators are tasks too, such as "(add)", but nobody means them
    own = (name for name in own_task_names() | used if not name.startswith("("))
    there = ["global", *own, *nodes]
    raise ConstraintError(
        f"there is no scope, task or node {text!r}{nearest(text, there)}; a "
        "scope is global, task:…, tag:…, node:…, from:… or run:…"
    )


def _has_items(name: str, known: set[str], graphs: Iterable[Graph]) -> bool:
    return name in known or any(name == node.called for graph in graphs for node in graph.nodes)


def nodes_under(scope: Scope, graph: Graph) -> frozenset[int]:
    """The nodes of a graph that a scope is about; none where it is one of a run."""
    if scope.kind not in ("node", "from"):
        covered = (n.index for n in graph.nodes if scope.covers(n.task_name, n.options.tags))
        return frozenset(covered)
    named = [node.index for node in graph.nodes if scope.value in (node.name, node.id)]
    return frozenset(graph.descendants(named) if scope.kind == "from" else named)
