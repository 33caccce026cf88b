"""Finds the functions of a `%%cascade` cell that are better left plain, and says why.

A `def` of a cell is a task unless the cell itself shows that a task could not do what is asked of
it: its value is used before any run, somebody else calls it, it gives nothing that a name could
keep. It is then left as Python has it, and the cell says so. Only what is written counts; in doubt
it is a task, because a lazy value that is used as a value says what to do.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from cascade_nb.model.tasks.task import Task
from cascade_nb.notebook.roles.argument_changes import (
    SHOWERS,
    changed_by,
    changed_parameters,
    own_nodes,
    written_as,
)
from cascade_nb.notebook.roles.calls_at_once import evaluated_texts, needed
from cascade_nb.notebook.roles.global_reads import values_read
from cascade_nb.notebook.roles.top_level import (
    FUNCTIONS,
    Function,
    Written,
    binds_globals,
    call_sites,
    is_explicit,
    names_loaded,
    root_name,
)
from cascade_nb.notebook.roles.uses import Uses

GENERATOR: Final = "it is a generator"


class Roles(NamedTuple):
    """What is what in a cell.

    Attributes:
        plain: its functions that are no tasks, each with the reason.
        at_once: calls of tasks whose value has to be there, with the reason.
        bodies: plain functions and classes of the cell in whose bodies tasks are plain too.
        called_back: where somebody else is given a task of another cell to call, and to whom.
        asked: what is asked about without needing its value, and how.
        given: tasks of other cells that a function of the user's is given to call, and to whom.
        classes: the classes that call tasks of other cells, with those.
        bare: where the function of a task is taken.
        copied: calls of tasks that change what they are given, which is a copy, and what that is.
        lambdas: those that somebody else is given to call, in which tasks are plain.
        reads: the names of the top level whose values each function reads.
    """

    plain: Mapping[str, str]
    at_once: Mapping[ast.Call, str]
    bodies: frozenset[str]
    called_back: Mapping[ast.Name, str]
    asked: Mapping[ast.expr, str]
    given: Mapping[str, str]
    classes: Mapping[str, set[str]]
    lambdas: frozenset[ast.Lambda]
    bare: frozenset[ast.Attribute]
    copied: Mapping[ast.Call, str]
    reads: Mapping[str, set[str]]

    @property
    def has_changed_calls(self) -> bool:
        """Whether expressions at the top level are not left as they are."""
        return any((self.at_once, self.called_back, self.asked, self.lambdas, self.bare))


NO_ROLES: Final = Roles({}, {}, frozenset(), {}, {}, {}, {}, frozenset(), frozenset(), {}, {})


def roles_in(
    tree: ast.Module, look: Callable[[str], Any], known: Mapping[str, Any] = MappingProxyType({})
) -> Roles:
    """Which functions of a cell are tasks, and which calls of tasks cannot wait.

    Args:
        tree: the cell.
        look: what a name means before the cell runs; None for nothing.
        known: what is there by then, for the functions among it.
    """
    written = Written(tree, look)
    functions = {
        name: function
        for name, function in written.functions.items()
        if not name.startswith("_") and not is_explicit(function)
    }
    uses = Uses(written, set(functions))
    for name in uses.as_tasks:
        functions.pop(name, None)
    plain: dict[str, str] = {}
    texts = evaluated_texts(written)
    in_texts = {name for names in texts.values() for name in names}
    for name, function in functions.items():
        reason = _by_its_body(function) or uses.reason(name) or _by_effect(name, function, uses)
        if reason is None and name in in_texts:
            reason = "it stands in a text that is evaluated"
        if reason:
            plain[name] = reason
    while True:  # what a plain function calls, and what it is given, has to be there at once
        more = _drawn_in(functions, plain, written)
        if not more:
            reads = {
                name: values_read(function, written.is_of_package)
                for name, function in written.functions.items()
                if not binds_globals(function)
            }
            tasks = functions.keys() - plain.keys()
            at_once = needed(tasks, plain, written, uses, texts, reads, known)
            copied: dict[ast.Call, str] = {}
            for call, given in _changing(tasks, written):
                if isinstance(written.parents[call], ast.Expr):
                    at_once.setdefault(call, f"it changes `{given}`")
                elif call not in at_once:
                    copied[call] = given
            for call, changed in _changing_others(tasks, written):
                at_once.setdefault(call, f"it changes `{changed}`")
            handed = {name: to for name, to in uses.given.items() if name not in written.functions}
            classes = {node.name: _tasks_in(node, look) for node in written.classes}
            bodies = {name for name in plain if not binds_globals(functions[name])}
            bodies |= {node.name for node in written.classes if not binds_globals(node)}
            return Roles(
                plain,
                at_once,
                frozenset(bodies),
                {n: to for n, to in uses.called_back.items() if n.id not in written.functions},
                uses.asked,
                handed,
                {name: tasks for name, tasks in classes.items() if tasks and name in bodies},
                frozenset(uses.lambdas),
                frozenset(uses.bare),
                copied,
                reads,
            )
        plain.update(more)


def _changing(tasks: set[str], written: Written) -> Iterator[tuple[ast.Call, str]]:
    """Calls of tasks that change what they are given, with what that is."""
    for call in written.parents:
        if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name):
            continue
        known = _written_of(call.func.id, tasks, written)
        if known is not None and (changed := changed_parameters(known)):
            for parameter, given in _given_to(known, call):
                if parameter in changed and root_name(given) is not None:
                    yield call, ast.unparse(given)
                    break


def _changing_others(tasks: set[str], written: Written) -> Iterator[tuple[ast.Call, str]]:
    """Calls of tasks that nothing keeps and that change what they are not given, with that."""
    for call, statement in written.parents.items():
        name = root_name(call.func) if isinstance(call, ast.Call) else None
        if not isinstance(statement, ast.Expr) or name is None:
            continue
        assert isinstance(call, ast.Call)
        known = _written_of(name, tasks, written) if isinstance(call.func, ast.Name) else None
        if known is not None:
            own = {arg.arg for arg in ast.walk(known.args) if isinstance(arg, ast.arg)}
            yield from ((call, changed) for changed in sorted(changed_by(known) - own)[:1])


def _written_of(name: str, tasks: set[str], written: Written) -> Function | None:
    """How a task is written, of the cell or of an earlier one."""
    if name in written.functions:
        return written.functions[name] if name in tasks else None
    return written_as(written.look(name))


def _given_to(function: Function, call: ast.Call) -> Iterator[tuple[str, ast.expr]]:
    parameters = [arg.arg for arg in (*function.args.posonlyargs, *function.args.args)]
    yield from zip(parameters, call.args, strict=False)
    yield from ((key.arg, key.value) for key in call.keywords if key.arg)


def _tasks_in(body: ast.AST, look: Callable[[str], Any]) -> set[str]:
    return {name for name in names_loaded(body) if isinstance(look(name), Task)}


def _by_its_body(function: Function) -> str | None:
    inner = list(own_nodes(function))
    if any(isinstance(node, (ast.Yield, ast.YieldFrom)) for node in inner):
        return GENERATOR
    made = {node.name for node in inner if isinstance(node, (*FUNCTIONS, ast.ClassDef))}
    for node in inner:
        if isinstance(node, ast.Return) and (
            isinstance(node.value, ast.Lambda)
            or (isinstance(node.value, ast.Name) and node.value.id in made)
        ):
            return "it gives a function"
    return None


def _by_effect(name: str, function: Function, uses: Uses) -> str | None:
    """What it does beside giving a value, where the cell counts on that."""
    sites = uses.sites(name)
    for parameter in sorted(changed_parameters(function) - _names_returned(function)):
        returned = "it returns nothing" if _gives_nothing(function) else "it returns something else"
        return f"{returned}, and changes `{parameter}`"
    if sites and all(site.is_statement for site in sites):
        if _gives_nothing(function):
            return "it returns nothing"
        if any(isinstance(node, ast.Call) and _shows(node.func) for node in own_nodes(function)):
            return "nothing keeps what it returns, and it shows something"
    changed = changed_by(function)
    parameters = [arg.arg for arg in (*function.args.posonlyargs, *function.args.args)]
    for site in sites:
        given = dict(_given_to(function, site.call))
        for changed_name in sorted(changed):
            outer = given.get(changed_name, ast.Name(changed_name))
            if changed_name in parameters and changed_name not in given:
                continue
            line = uses.read_after(outer.id, site.statement) if isinstance(outer, ast.Name) else 0
            if line:
                return f"it changes `{outer.id}`, which line {line} reads"  # type: ignore[attr-defined]
    return None


def _drawn_in(
    functions: dict[str, Function], plain: dict[str, str], written: Written
) -> dict[str, str]:
    """What has to be plain because of those that are."""
    more: dict[str, str] = {}
    bodies: list[tuple[str, ast.AST]]
    bodies = [(f"`{name}`", written.functions[name]) for name in plain]
    bodies = [(who, body) for who, body in bodies if not binds_globals(body)]
    bodies += [(f"the class `{node.name}`", node) for node in written.classes]
    for who, body in bodies:
        for name in names_loaded(body) & functions.keys() - plain.keys():
            more.setdefault(name, f"{who} calls it")
    for name in functions.keys() - plain.keys() - more.keys():
        for site in call_sites(written, name):
            if site.receiver in plain:
                more[name] = f"`{site.receiver}` is given its value"
    return more


def _names_returned(function: Function) -> set[str]:
    returned = (node for node in own_nodes(function) if isinstance(node, ast.Return))
    return {name for node in returned for name in names_loaded(node)}


def _gives_nothing(function: Function) -> bool:
    returned = [node.value for node in own_nodes(function) if isinstance(node, ast.Return)]
    return all(
        value is None or (isinstance(value, ast.Constant) and value.value is None)
        for value in returned
    )


def _shows(callee: ast.expr) -> bool:
    if isinstance(callee, ast.Attribute):
        return callee.attr in SHOWERS
    return isinstance(callee, ast.Name) and callee.id in {"print", "display"}
