"""Drafts a module of the workspace: what it says, and what it has to have."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from cascade_nb.errors import UsageError
from cascade_nb.graph.values.short_repr import short_repr
from cascade_nb.model.params.param import REQUIRED, Param
from cascade_nb.model.tasks.task import Task
from cascade_nb.notebook.export.cells import has_annotations_as_texts, run_cells
from cascade_nb.notebook.export.module_text import ModuleText, module_text, rank_of, tests_text
from cascade_nb.notebook.export.needed import Needed
from cascade_nb.notebook.export.statements import statements_of
from cascade_nb.notebook.session import Session
from cascade_nb.notebook.workspace.layers import is_second_name, may_hold_lazy

_VALUE: Final = 60
_NAMED: Final = 3


class Draft(NamedTuple):
    """A module that was not tried yet.

    Attributes:
        problems: why it cannot be one, in words.
        module: its text.
        tests: the text of its tests.
        values: by name, the nodes and containers of nodes that it has to have, as they are here.
        classes: the names of classes that it defines.
        told: what is otherwise in it than here, in words.
    """

    problems: list[str]
    module: ModuleText
    tests: str
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
    problems = [
        f"`{one}` is bound by several cells, one on top of the other: give each its own name"
        for one in nodes
        if sum(layer.meaning is not None for layer in here.chains[one]) > 1
    ]
    kept = {one for statement in needed.chosen for one in statement.binds}
    values = {
        one: meaning.shown
        for one, meaning in nodes.items()
        if one in kept and not is_second_name(meaning)
    }
    ends = [one for one in here.sinks() if one in values] or list(values)
    title = f"The workflow {', '.join(ends[:_NAMED])}." if ends else "Tasks."
    future = has_annotations_as_texts(session)
    params = _params(session, values)
    return Draft(
        [*problems, *needed.problems],
        module_text(title, needed.chosen, kept & tasks.keys(), ends, future),
        tests_text(name, ends, _needed_values(session, params)),
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

    tops = {name: chain.top() for name, chain in here.chains.items()}
    owners = {name: top.cell.label for name, top in tops.items() if top is not None}
    owners |= {name: one.cell.label for name, one in here.definitions.items() if not one.gone}
    found = Needed(statements_of(run_cells(session)), here.namespace, is_node, owners)
    found.choose(roots, lambda one: rank_of(one, params, nodes))
    return found


def _params(session: Session, values: Mapping[str, Any]) -> list[Param]:
    if not values:
        return []
    graph = session.engine.graph_of(list(values.values()), session.workspace)
    return list(graph.params().values())


def _of_params(session: Session, params: list[Param]) -> list[str]:
    chosen = session.chosen_for([one.name for one in params])
    return [
        f"The module's default of {name} is what its line says; chosen here was "
        f"{short_repr(value, _VALUE)}."
        for name, value in chosen.items()
    ]


def _needed_values(session: Session, params: list[Param]) -> dict[str, Any]:
    """A value for each parameter that has no default: as it was given last, where that is known."""
    given = {**session.params, **session.chosen}
    return {one.name: given.get(one.name) for one in params if one.default is REQUIRED}
