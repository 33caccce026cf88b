"""Drafts a module of the workspace: what it says, and what it has to have."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from cascade_nb.errors import UsageError
from cascade_nb.graph.fingerprint.draws import draws
from cascade_nb.graph.values.short_repr import short_repr
from cascade_nb.model.lazy.calls import LazyResult, MappedLazyResult
from cascade_nb.model.lazy.lazy import Lazy
from cascade_nb.model.params.param import REQUIRED, Param
from cascade_nb.model.tasks.task import Task
from cascade_nb.notebook.export.cells import has_annotations_as_texts, run_cells
from cascade_nb.notebook.export.module_text import ModuleText, module_text, rank_of
from cascade_nb.notebook.export.needed import Needed
from cascade_nb.notebook.export.statements import Statement, statements_of
from cascade_nb.notebook.export.tests_text import TestsText
from cascade_nb.notebook.session import Session
from cascade_nb.notebook.workspace.layers import is_second_name, may_hold_lazy
from cascade_nb.notebook.workspace.workspace import Workspace

_VALUE: Final = 60
_NAMED: Final = 3


class Draft(NamedTuple):
    """A module that was not tried yet.

    Attributes:
        problems: why it cannot be one, in words.
        module: its text.
        tests: the text of its tests.
        left_open: the names of parameters for which these tests have no value.
        file_read_by: where a line reads ``__file__``, which is another in a module.
        values: by name, the nodes and containers of nodes that it has to have, as they are here.
        classes: the names of classes that it defines.
        told: what is otherwise in it than here, in words.
    """

    problems: list[str]
    module: ModuleText
    tests: str
    left_open: list[str]
    file_read_by: list[str]
    values: Mapping[str, Any]
    classes: list[str]
    told: list[str]


def drafted(session: Session, name: str, wanted: list[str]) -> Draft:
    """Draft a module.

    Args:
        session: whose workspace.
        name: what the module is called.
        wanted: the nodes and tasks that it is to have; all without any.

    Raises:
        UsageError: there is nothing to write, or no such name.
    """
    here = session.workspace
    nodes, tasks = here.meanings(), here.tasks()
    if not nodes and not tasks:
        raise UsageError("there is nothing to export yet; a %%cascade cell makes nodes")
    asked = [session.spelled(one) for one in wanted]
    for one in asked:
        if one not in tasks:
            here.target(one)
    needed = _needed(session, [one for one in [*nodes, *tasks] if not asked or one in asked])
    kept = {one for statement in needed.chosen for one in statement.binds}
    values = {
        one: meaning.shown
        for one, meaning in nodes.items()
        if one in kept and not is_second_name(meaning)
    }
    ends = [one for one in here.sinks() if one in values] or list(values)
    title = f"The workflow {', '.join(ends[:_NAMED])}." if ends else "Tasks."
    future = has_annotations_as_texts(session)
    params = _params(session, list(values.values()))
    tests = TestsText(name, {end: _needed_values(session, values[end]) for end in ends if values})
    called = _called(here, needed.chosen)
    module = module_text(title, needed.chosen, kept & tasks.keys(), ends, future, called)
    return Draft(
        list(needed.problems),
        module,
        tests.text,
        tests.left_open,
        list(dict.fromkeys(one.place for one in needed.chosen if "__file__" in one.reads)),
        values,
        [one.node.name for one in needed.chosen if isinstance(one.node, ast.ClassDef)],
        [*needed.told, *_of_params(session, params)],
    )


def _needed(session: Session, roots: list[str]) -> Needed:
    here = session.workspace
    params = {name for name, one in here.namespace.items() if isinstance(one, Param)}
    nodes = set(here.meanings())

    def is_node(value: Any) -> bool:
        return not isinstance(value, Task) and may_hold_lazy(value)

    owners = {
        name: [layer.cell.label for layer in chain if layer.meaning is not None]
        for name, chain in here.chains.items()
    }
    owners |= {name: [one.cell.label] for name, one in here.definitions.items() if not one.gone}
    statements = statements_of(run_cells(session))
    found = Needed(statements, here.namespace, is_node, owners, _read(here, owners))
    found.choose(roots, lambda one: rank_of(one, params, nodes))
    return found


def _read(here: Workspace, owners: Mapping[str, Sequence[str]]) -> dict[tuple[str, str], str]:
    """By the label of a cell and a name that several cells have bound, the label of the cell whose
    binding the nodes of the first read.
    """
    found: dict[tuple[str, str], str] = {}
    layers = [it for chain in here.chains.values() for it in chain if it.meaning is not None]
    for layer in layers if any(len(them) > 1 for them in owners.values()) else ():
        left, seen = list(layer.meaning.lazies if layer.meaning is not None else ()), set[int]()
        while left:
            lazy = left.pop()
            for one in lazy.inputs if id(lazy) not in seen else ():
                place = here.places.get(one)
                if place is None:
                    left.append(one)
                elif (read := here.chains[place.layer.name].standing(place.layer.last)) is not None:
                    found[layer.cell.label, read.name] = read.cell.label
            seen.add(id(lazy))
    return found


def _called(here: Workspace, statements: Sequence[Statement]) -> dict[Statement, str]:
    """What the nodes are called that count by their names: those that draw random numbers."""
    layers = [it for chain in here.chains.values() for it in chain if it.meaning is not None]
    drawn = {
        (layer.cell.label, layer.name): here.name_of(layer.meaning.whole)
        for layer in layers
        if layer.meaning is not None and _draws(layer.meaning.whole)
    }
    called: dict[Statement, str] = {}
    for one in statements:
        found = [drawn.get((one.cell.label, name)) for name in one.binds]
        if len(found) == 1 and found[0] is not None:
            called[one] = found[0]
    return called


def _draws(lazy: Lazy) -> bool:
    return isinstance(lazy, LazyResult | MappedLazyResult) and draws(lazy.task)


def _params(session: Session, values: list[Any]) -> list[Param]:
    if not values:
        return []
    graph = session.engine.graph_of(values, session.workspace)
    return list(graph.params().values())


def _of_params(session: Session, params: list[Param]) -> list[str]:
    chosen = session.chosen_for([one.name for one in params])
    return [
        f"The module's default of {name} is what its line says; chosen here was "
        f"{short_repr(value, _VALUE)}."
        for name, value in chosen.items()
    ]


def _needed_values(session: Session, end: Any) -> dict[str, Any]:
    """A value for each parameter of an end that has no default: as it was given last; `REQUIRED`
    where it was not.
    """
    given = {**session.params, **session.chosen}
    needed = [one.name for one in _params(session, [end]) if one.default is REQUIRED]
    return {name: given.get(name, REQUIRED) for name in needed}
