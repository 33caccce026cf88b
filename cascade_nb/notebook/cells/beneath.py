"""What a cell finds under its own earlier results, and who reads what it takes the place of.

A cell never sees what was built on what it bound itself: run again, ``x = f(x)`` reads the same `x`
as the first time. That may be another cell's layer, or a plain value that is no layer at all.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from cascade_nb.control.words import some_of
from cascade_nb.graph.fingerprint.content import Unkeyed, content_key
from cascade_nb.graph.graph import Node
from cascade_nb.model.lazy.calls import LazyResult, MappedLazyResult
from cascade_nb.model.tasks.task import Task
from cascade_nb.notebook.cells.recorded_names import ABSENT
from cascade_nb.notebook.workspace.layers import (
    NOTHING,
    Cell,
    Chain,
    Definition,
    Layer,
    Meaning,
    Under,
    lazies_in,
)
from cascade_nb.notebook.workspace.workspace import Workspace


def uncover(workspace: Workspace, cell: Cell) -> set[str]:
    """Let the namespace show what is under the cell's own earlier results; the names that show what
    is no layer.
    """
    uncovered: set[str] = set()
    if not any(chain.of(cell) for chain in workspace.chains.values()):
        return uncovered
    graph = workspace.overview()
    if graph is None:
        return uncovered
    own = [n.index for n, layer in workspace.layers_in(graph) if layer.cell.key == cell.key]
    later = graph.descendants(own)
    for name, chain in workspace.chains.items():
        if not workspace.shows(name):
            continue
        meanings = [layer.meaning for layer in reversed(chain) if layer.meaning is not None]
        shown = [m.shown for m in meanings if graph.place[m.whole.identity] not in later]
        below = chain.under.value if chain.under is not None else NOTHING
        if shown:
            workspace.namespace[name] = shown[0]
        elif below is not NOTHING:
            workspace.namespace[name] = below
            uncovered.add(name)
    return uncovered


def lay_upon(chain: Chain, before: Any, meaning: Meaning) -> None:
    """Remember what a node that is the only layer was laid upon, where that is a plain value."""
    if not meaning.lazies:
        chain.under = None  # `n = n + 1` is what it is in Python
    elif len(chain) == 1 and before is not ABSENT and not isinstance(before, Task):
        has_nodes = next(lazies_in(before), None) is not None
        chain.under = chain.under if has_nodes else Under(before)


def put_back(workspace: Workspace, name: str) -> None:
    """Let the namespace show what the layers of a name were laid upon, of which none is left."""
    under = workspace.chains[name].under
    below = under.value if under is not None else NOTHING
    if below is NOTHING:
        workspace.namespace.pop(name, None)
    else:
        workspace.namespace[name] = below


def told_of_readers(
    workspace: Workspace, cell: Cell, names: Iterable[str], bound: Mapping[str, Any]
) -> list[str]:
    """What to say of nodes of other cells that read a name which this cell has bound anew without
    reading it, or call a task that it has defined anew: they mean something else from now on,
    though nobody has run their cells.

    Args:
        names: the names that it has bound so.
        bound: all that the cell has bound.
    """
    told: list[str] = []
    if not _is_known(cell):
        return told  # it may be the same cell
    for name in names:
        layers = [layer for layer in workspace.chains[name] if layer.meaning is not None]
        if layers and all(_is_known(one.cell) and one.cell.key != cell.key for one in layers):
            told += _said(workspace, cell, name, layers, bound)
    for name, task in bound.items():
        known = workspace.definitions.get(name)
        if (
            known is not None
            and not known.gone
            and isinstance(task, Task)
            and _is_known(known.cell)
            and known.cell.key != cell.key
            and not says_the_same(known.task, task)
        ):
            told += _said(workspace, cell, name, known, bound)
    return told


def says_the_same(before: Any, now: Any) -> bool:
    """Whether two values have one content, as far as that can be known."""
    key = content_key(before)
    return not isinstance(key, Unkeyed) and key == content_key(now)


def _said(
    workspace: Workspace,
    cell: Cell,
    name: str,
    old: Collection[Layer] | Definition,
    bound: Collection[str],
) -> list[str]:
    """The sentence about one name, if any other reads or calls what it meant."""
    graph = workspace.overview()
    if graph is None:
        return []
    if isinstance(old, Definition):
        roots = [node.index for node in graph.nodes if _called_by(node, workspace) is old]
        verb, did, label = "call", "defined", old.cell.label
    else:
        roots = [node.index for node, layer in workspace.layers_in(graph) if layer in old]
        verb, did, label = "read", "had bound", [*old][-1].cell.label
    found = (graph.nodes[index] for index in sorted(graph.descendants(roots)))
    places = (workspace.places.get(node.lazy) for node in found)
    names = dict.fromkeys(place.layer.last.name for place in places if place is not None)
    readers = [f"`{one}`" for one in names if one != name and one not in bound]
    if not readers:
        return []
    verb += "" if len(readers) > 1 else "s"
    said = f"{some_of(readers)} {verb} `{name}`, which cell {label} {did}, and from now on the "
    return [f"{said}`{name}` of this cell. Another name for one of the two keeps both."]


def _called_by(node: Node, workspace: Workspace) -> Definition | None:
    """What defined the task that a node calls."""
    is_call = isinstance(node.lazy, (LazyResult, MappedLazyResult))
    return workspace.defined.get(node.lazy.task) if is_call else None


def _is_known(cell: Cell) -> bool:
    """Whether the frontend gives its cells identities."""
    return type(cell.key) is not object
