"""Notices when a plain cell binds a name of the workspace anew, or any cell changes a container.

A plain cell may bind the name of a node or of a task, and any cell may put other items into a
container of nodes. What reads the old one goes on reading it, so the cell is told of it, once.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from cascade_nb.graph.graph import Node
from cascade_nb.model.lazy.calls import LazyResult, MappedLazyResult
from cascade_nb.model.lazy.lazy import Lazy
from cascade_nb.notebook.workspace.layers import Definition, Layer, lazies_in
from cascade_nb.notebook.workspace.workspace import Workspace

_ABSENT: Final = object()
# Larger containers are looked through only after cells in which their name stands.
_ALWAYS: Final = 1_000


class OutsideChanges:
    """Compares the user's namespace with what the workspace put there.

    Args:
        workspace: whose names.
    """

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._known: dict[str, Any] = {}
        self._told: dict[str, list[int]] = {}

    def look(self, text: str) -> list[str]:
        """What to say below the cell `text`, which is over: a look at each name."""
        here = self._workspace
        said = []
        for name, before in self._known.items():
            now = here.namespace.get(name, _ABSENT)
            if now is not before:
                said += self._bound(name, now)
        for name, chain in here.chains.items():
            top = chain.top()
            meaning = top.meaning if top is not None else None
            if top is None or meaning is None or not meaning.parts:
                self._told.pop(name, None)
            elif here.namespace.get(name) is meaning.shown and (
                len(meaning.parts) <= _ALWAYS or name in text
            ):
                said += self._items(name, top)
        names = (*here.chains, *here.definitions)
        self._known = {name: here.namespace.get(name, _ABSENT) for name in names}
        return said

    def _bound(self, name: str, now: Any) -> list[str]:
        """What to say of a name that has another value than after the last cell."""
        here = self._workspace
        chain, definition = here.chains.get(name), here.definitions.get(name)
        top = chain.top() if chain is not None else None
        how = "deleted" if now is _ABSENT else "bound"
        if top is not None and top.meaning is not None:
            if here.shows(name):
                return []
            readers = self._readers([top.meaning.whole, *top.meaning.parts.values()], name)
            old = f"{_read(readers)} what cell {top.cell.label} made of it"
        elif definition is not None and not definition.gone and definition.task is not now:
            readers = self._callers(definition, name)
            how = "deleted" if now is _ABSENT else "defined"
            old = f"{_listed(readers)} still {_s(readers, 'call')} the task of cell "
            old += definition.cell.label
        else:
            return []
        if not readers:
            return []
        way = (
            f"`%cascade drop {name}` takes it out of the workspace"
            if now is _ABSENT
            else "do so in a %%cascade cell to change that"
        )
        return [f"`{name}` was {how} outside of %%cascade: {old}; {way}."]

    def _items(self, name: str, layer: Layer) -> list[str]:
        """What to say of a container that may have other items than its cell gave it."""
        here, meaning = self._workspace, layer.meaning
        assert meaning is not None
        # An item that belongs to another name is none of the parts.
        now = {
            path: lazy
            for path, lazy in lazies_in(meaning.shown)
            if path in meaning.parts or lazy not in here.places
        }
        if now == dict(meaning.parts):
            self._told.pop(name, None)
            return []
        items = [id(lazy) for lazy in now.values()]
        if self._told.get(name) == items:
            return []
        self._told[name] = items
        readers = self._readers(meaning.parts.values(), name)
        if not readers:
            return []
        told = f"`{name}` has other items than cell {layer.cell.label} gave it: {_read(readers)} "
        way = f"run the cell of `{readers[0]}` again, or change them where `{name}` is made"
        return [f"{told}the old ones; {way}."]

    def _readers(self, lazies: Iterable[Lazy], name: str) -> list[str]:
        """The names, but for `name`, of what reads one of them, near or far."""
        graph = self._workspace.overview()
        if graph is None:
            return []
        roots = [graph.place[lazy.identity] for lazy in lazies if lazy.identity in graph.place]
        nodes = [graph.nodes[index] for index in sorted(graph.descendants(roots))]
        return _names(nodes, name)

    def _callers(self, definition: Definition, name: str) -> list[str]:
        """The names of nodes that call a task."""
        graph, defined = self._workspace.overview(), self._workspace.defined
        calls = (LazyResult, MappedLazyResult)
        nodes = [
            node
            for node in (graph.nodes if graph is not None else ())
            if isinstance(node.lazy, calls) and defined.get(node.lazy.task) is definition
        ]
        return _names(nodes, name)


def why_gone(workspace: Workspace, error: BaseException | None) -> list[str]:
    """What to say where a cell looked for a name that the workspace took away: in Python it would
    still be there.
    """
    name = error.name if isinstance(error, NameError) else None
    if name is None or name in workspace.namespace:
        return []
    chain, definition = workspace.chains.get(name), workspace.definitions.get(name)
    gone = definition.gone if definition is not None else ""
    if chain:
        gone = "" if chain.top() is not None else chain[-1].gone
    return [f"`{name}` is not there any more: it is a name {gone}."] if gone else []


def _names(nodes: Iterable[Node], but: str) -> list[str]:
    names = dict.fromkeys(node.name for node in nodes if node.name is not None)
    return [name for name in names if name != but and not name.startswith(f"{but}.")]


def _read(readers: list[str]) -> str:
    return f"{_listed(readers)} still {_s(readers, 'read')}"


def _s(names: list[str], verb: str) -> str:
    return verb if len(names) > 1 else f"{verb}s"


def _listed(names: list[str]) -> str:
    shown = ", ".join(f"`{name}`" for name in names[:3])
    return shown + (f" and {len(names) - 3} more" if len(names) > 3 else "")
