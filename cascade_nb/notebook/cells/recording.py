"""Records one run of one cell: what it sees, what it binds, and what that changes in the workspace.

When a cell fails, what it had bound before stays, as in any cell of Python, and the workspace takes
it up as far as it came; names that it did not come to keep what they meant. Only what cannot be,
because a node would need itself, is put back as a whole: nodes, containers of nodes, tasks. Plain
values keep what the cell gave them even then, because what ran did run.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from cascade_nb.errors import CycleError, UsageError
from cascade_nb.graph.values.atoms import ATOMS
from cascade_nb.model.lazy.lazy import Lazy
from cascade_nb.model.resources import Injected
from cascade_nb.model.tasks.task import Task
from cascade_nb.notebook.cells.before_cell import Saved
from cascade_nb.notebook.cells.beneath import (
    lay_upon,
    put_back,
    says_the_same,
    told_of_readers,
    uncover,
)
from cascade_nb.notebook.cells.recorded_names import ABSENT, Names
from cascade_nb.notebook.workspace.layers import (
    WHOLE,
    Cell,
    Chain,
    Definition,
    Latest,
    Layer,
    Meaning,
    Place,
    lazies_in,
    meaning_of,
)
from cascade_nb.notebook.workspace.workspace import Workspace


@contextmanager
def recording(
    workspace: Workspace,
    cell: Cell,
    helpers: Mapping[str, Any] | None = None,
    may_bind: Collection[str] = (),
) -> Iterator[Names]:
    """Run the body of `cell` in the names this gives.

    When it ends the workspace has what the cell bound, also when it ends by an exception. When what
    it bound cannot be, the workspace is as it was.

    Args:
        helpers: further names that the body can read.
        may_bind: names that the body writes into the namespace itself.

    Raises:
        UsageError: another cell is being recorded.
        CycleError: with what the cell bound, a node would need itself, and the cell did not fail.
    """
    if workspace.recorded is not None:
        raise UsageError("a %%cascade cell cannot run inside another one; run one after the other")
    saved = Saved(workspace)
    names = Names(workspace.namespace, helpers)
    workspace.recorded = cell
    failed, uncovered = True, set[str]()
    try:
        uncovered = uncover(workspace, cell)
        names.begin()
        yield names
        failed = False
    finally:
        try:
            names.compare()
            commit = _Commit(workspace, cell, names, frozenset(may_bind), failed=failed)
            commit.make(uncovered)
        except BaseException as error:
            saved.restore(names)
            if not (failed and isinstance(error, CycleError)):
                raise
            names.told[f"What this cell had bound is as it was before: {error}."] = None
        finally:
            workspace.recorded = None
            names.end()


class _Commit:
    """What a cell changes that ran.

    Args:
        may_bind: names that it may have bound to what they were already.
        failed: whether it came to no end, so that what it did not bind it may only not have come
            to.
    """

    def __init__(
        self,
        workspace: Workspace,
        cell: Cell,
        names: Names,
        may_bind: frozenset[str],
        *,
        failed: bool,
    ) -> None:
        self.workspace = workspace
        self.cell = cell
        self.names = names
        self.spared = may_bind
        self.failed = failed
        self.laid: list[str] = []
        self.bound = {
            name: workspace.namespace[name]
            for name in names.bound
            if name in workspace.namespace and name.strip("_")
        }

    def make(self, uncovered: set[str]) -> None:
        """Change the workspace and the names that show it.

        Args:
            uncovered: names that showed what is under all layers while the cell ran.
        """
        workspace = self.workspace
        ours = uncovered | {name for name in workspace.chains if workspace.shows(name)}
        fresh = self._meanings()
        read = self._names_read(fresh)
        replaced = [name for name in fresh if name in workspace.chains and name not in read]
        told = told_of_readers(workspace, self.cell, replaced, self.bound)
        self.names.told.update(dict.fromkeys(told))
        workspace.changed()
        changed = False
        for name, meaning in fresh.items():
            changed |= self._bind(name, meaning, name in read)
        tasks = self._define_tasks()
        lost = self._lose()
        if lost or changed:
            self._settle(fresh)
        for name in self.laid:
            self._tell_of_round(name, fresh[name])
        self.names.concerns = bool(lost or fresh or tasks)
        for name, chain in workspace.chains.items():
            if name in ours or name in fresh:
                top = chain.top()
                if top is not None and top.meaning is not None:
                    workspace.namespace[name] = top.meaning.shown
                elif name not in tasks:
                    put_back(workspace, name)
        self._tell_of_defaults()
        nodes = tuple(name for name, meaning in fresh.items() if meaning.lazies)
        if nodes or tasks:
            workspace.latest = Latest(self.cell, nodes or workspace.latest.nodes, tasks)

    def _meanings(self) -> dict[str, Meaning]:
        """What the bound names mean now, where that concerns the workspace."""
        places, chains = self.workspace.places, self.workspace.chains
        claimed: set[Lazy] = set()
        meanings: dict[str, Meaning] = {}
        # A node that has a name belongs to the name, not to a container that holds it too.
        for name in sorted(self.bound, key=lambda name: not isinstance(self.bound[name], Lazy)):
            value = self.bound[name]
            own = chains[name].of(self.cell) if name in chains else None

            def has_place(lazy: Lazy, own: Layer | None = own) -> bool:
                place = places.get(lazy)
                return lazy in claimed or (place is not None and place.layer.last is not own)

            if isinstance(value, Task):
                continue
            if name in chains or next(lazies_in(value), None) is not None:
                meaning = meaning_of(value, has_place)
                claimed.update((meaning.whole, *meaning.parts.values()))
                meanings[name] = meaning
        return {name: meanings[name] for name in self.bound if name in meanings}

    def _names_read(self, fresh: Mapping[str, Meaning]) -> set[str]:
        """The names of which something that the cell bound reads an older layer."""
        chains = self.workspace.chains
        if not any(name in chains and chains[name].of(self.cell) is None for name in fresh):
            return set()
        graph = self.workspace.sketch(meaning.whole for meaning in fresh.values())
        return {layer.name for _, layer in self.workspace.layers_in(graph)} if graph else set()

    def _bind(self, name: str, meaning: Meaning, is_read: bool) -> bool:
        """Put `meaning` into the chain of `name`; whether that changes what older nodes read."""
        chain = self.workspace.chains.setdefault(name, Chain())
        own = chain.of(self.cell)
        meaning = chain.fitted(meaning)
        changed = True
        if own is not None:
            own.binds(self.cell, meaning)
        elif chain and not is_read:
            own = chain.collapse(self.cell, meaning)
        else:
            own = Layer(name, self.cell, meaning)
            if chain:
                self.laid.append(name)
            chain.append(own)
            changed = False
        lay_upon(chain, self.names.before.get(name, ABSENT), meaning)
        self.workspace.places[meaning.whole] = Place(own, WHOLE, meaning.shape)
        for path, part in meaning.parts.items():
            self.workspace.places[part] = Place(own, path, meaning.shape)
        return changed

    def _define_tasks(self) -> tuple[str, ...]:
        """Put the tasks under their names; the names."""
        workspace = self.workspace
        names = []
        for name, task in self.bound.items():
            if not isinstance(task, Task):
                continue
            names.append(name)
            if name in workspace.chains:
                reason = f"which cell {self.cell.label} made a task"
                workspace.forget(name, workspace.chains[name], reason)
                workspace.namespace[name] = task
            known = workspace.defined.get(task)
            if known is not None and known.name != name:
                continue  # a second name for a task is no second task
            definition = workspace.definitions.get(name)
            if definition is None:
                definition = Definition(name, self.cell, task)
                workspace.definitions[name] = definition
            definition.cell, definition.task, definition.gone = self.cell, task, ""
            workspace.defined[task] = definition
        return tuple(names)

    def _lose(self) -> bool:
        """Take away what the cell bound earlier and does not now, and what it deleted."""
        workspace, key = self.workspace, object() if self.failed else self.cell.key
        label = self.cell.label
        lost = False
        for name, chain in workspace.chains.items():
            own = next((layer for layer in chain if layer.cell.key == key), None)
            if name in self.bound:
                continue
            if name in self.names.deleted:
                workspace.forget(name, chain, f"which cell {label} deleted")
                lost = True
            elif own is not None and own.meaning is not None and name not in self.spared:
                own.loses(f"which cell {label} no longer defines")
                lost = True
        for name, definition in list(workspace.definitions.items()):
            if name in self.bound or definition.gone:
                continue
            if name in self.names.deleted:
                self._delete(name, definition)
            elif definition.cell.key == key:
                definition.gone = f"which cell {label} no longer defines"
                if workspace.namespace.get(name) is definition.task:
                    del workspace.namespace[name]
        return lost

    def _delete(self, name: str, definition: Definition) -> None:
        """Take a task's name away; another name of it is the task's from now on."""
        workspace = self.workspace
        names = workspace.namespace.items()
        other = next((n for n, v in names if v is definition.task and n.strip("_")), None)
        if other is None or other in workspace.definitions:
            definition.gone = f"which cell {self.cell.label} deleted"
            return
        moved = Definition(other, self.cell, definition.task)
        workspace.definitions[other] = workspace.defined[definition.task] = moved
        workspace.definitions.pop(name)

    def _settle(self, fresh: Mapping[str, Meaning]) -> None:
        """Make sure that no node needs itself, and that each layer lies above what it reads."""
        workspace = self.workspace
        graph = workspace.overview()
        for name in fresh if graph is not None else ():
            chain = workspace.chains[name]
            own = chain.of(self.cell)
            above = chain[chain.index(own) + 1 :] if own is not None else []
            if not above or graph is None or own is None:
                continue
            roots = [n.index for n, layer in workspace.layers_in(graph) if layer in above]
            if graph.place[fresh[name].whole.identity] in graph.descendants(roots):
                chain.remove(own)
                chain.append(own)

    def _tell_of_defaults(self) -> None:
        """Say which tasks of other cells keep what a name of this cell meant before, a resource for
        instance: defaults are looked up once, when a function is made.
        """
        before = {
            id(value): name
            for name, value in self.names.before.items()
            if name in self.bound and self.bound[name] is not value and type(value) not in ATOMS
        }
        for definition in list(self.workspace.definitions.values()) if before else ():
            if definition.gone or definition.name in self.bound:
                continue
            fn = definition.task.fn
            held = [*(getattr(fn, "__defaults__", None) or ())]
            held += (getattr(fn, "__kwdefaults__", None) or {}).values()
            for one in held:
                old = before.get(id(one.resource if isinstance(one, Injected) else one))
                if old is not None and not says_the_same(self.names.before[old], self.bound[old]):
                    self.names.told[
                        f"`{definition.name}` keeps the old `{old}`, a default of it: run cell "
                        f"{definition.cell.label} again for the new one."
                    ] = None

    def _tell_of_round(self, name: str, meaning: Meaning) -> None:
        """Say it where `name` reads its own older layer by way of another name: it could be meant
        as a circle.
        """
        workspace = self.workspace
        graph = workspace.overview()
        if graph is None:
            return
        older = [layer for layer in workspace.chains[name] if layer.cell.key != self.cell.key]
        wholes = [layer.meaning.whole for layer in older if layer.meaning is not None]
        readers = graph.descendants([graph.place[whole.identity] for whole in wholes])
        needed: set[int] = set()
        todo = [graph.place[meaning.whole.identity]]
        while todo:
            for source in graph.nodes[todo.pop()].sources:
                if source not in needed:
                    needed.add(source)
                    todo.append(source)
        for node, layer in workspace.layers_in(graph):
            if (
                node.index in needed & readers
                and layer.name != name
                and layer.name not in self.bound
            ):
                label = older[-1].cell.label
                said = (
                    f"`{name}` of this cell reads `{layer.name}`, which reads the `{name}` of cell "
                )
                self.names.told[f"{said}{label}: that one stays as it was, under the new one."] = (
                    None
                )
                return
