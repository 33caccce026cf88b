"""Undoes what a cell did to the workspace, where its names cannot mean what it bound them to."""

from __future__ import annotations

from cascade_nb.model.tasks.partial import PartialTask
from cascade_nb.model.tasks.task import Task
from cascade_nb.notebook.cells.recorded_names import ABSENT, Names
from cascade_nb.notebook.workspace.layers import Chain, lazies_in
from cascade_nb.notebook.workspace.workspace import Workspace


class Saved:
    """The workspace, and what the user's names showed of it, before a cell ran."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._chains = {
            name: (list(chain), chain.under) for name, chain in workspace.chains.items()
        }
        self._layers = [
            (layer, layer.cell, layer.meaning, layer.shape, layer.gone, layer.heir)
            for chain in workspace.chains.values()
            for layer in chain
        ]
        self._definitions = [
            (name, d, d.cell, d.task, d.gone) for name, d in workspace.definitions.items()
        ]
        self._latest = workspace.latest
        self._places = workspace.places.copy()
        self._defined = workspace.defined.copy()
        known = (*workspace.chains, *workspace.definitions)
        self._shown = {name: workspace.namespace.get(name, ABSENT) for name in known}

    def restore(self, names: Names) -> None:
        """Make it so again."""
        workspace = self._workspace
        workspace.changed()
        workspace.chains.clear()
        for name, (layers, under) in self._chains.items():
            chain = workspace.chains[name] = Chain(layers)
            chain.under = under
        for layer, cell, meaning, shape, gone, heir in self._layers:
            layer.cell, layer.meaning, layer.shape = cell, meaning, shape
            layer.gone, layer.heir = gone, heir
        workspace.definitions.clear()
        for name, definition, cell, task, gone in self._definitions:
            definition.cell, definition.task, definition.gone = cell, task, gone
            workspace.definitions[name] = definition
        workspace.latest = self._latest
        workspace.places = self._places
        workspace.defined = self._defined
        for name, before in {**names.before, **self._shown}.items():
            now = workspace.namespace.get(name, ABSENT)
            if name in self._shown or _concerns(before) or _concerns(now):
                if before is ABSENT:
                    workspace.namespace.pop(name, None)
                else:
                    workspace.namespace[name] = before


def _concerns(value: object) -> bool:
    """Whether the workspace cares for a name with this value."""
    return isinstance(value, (Task, PartialTask)) or next(lazies_in(value), None) is not None
