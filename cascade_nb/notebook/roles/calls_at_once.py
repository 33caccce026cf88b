"""Finds the calls of tasks in a cell that cannot wait, and says why."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

from cascade_nb.concurrency.safe_parse import parse
from cascade_nb.model.tasks.task import Task
from cascade_nb.notebook.roles.argument_changes import written_as
from cascade_nb.notebook.roles.demand import READ_ONCE, Demand
from cascade_nb.notebook.roles.global_reads import readers_in
from cascade_nb.notebook.roles.plain_bodies import is_left_plain
from cascade_nb.notebook.roles.top_level import (
    FUNCTIONS,
    Written,
    names_loaded,
    names_read,
    root_name,
)
from cascade_nb.notebook.roles.uses import Uses


def needed(
    tasks: set[str],
    plain: Mapping[str, str],
    written: Written,
    uses: Uses,
    texts: Mapping[ast.expr, set[str]],
    reads: Mapping[str, set[str]],
    known: Mapping[str, Any],
) -> dict[ast.Call, str]:
    """The calls of tasks whose values the cell needs while it runs, with the reason.

    Args:
        tasks: those of its functions that are.
        plain: those that are not.
        texts: texts that somebody evaluates, with the names in them.
        reads: the names whose values its functions read, by those.
        known: what there is before the cell runs, by its name.
    """
    calls = {
        call
        for call, parent in written.parents.items()
        if isinstance(call, ast.Call)
        and isinstance(call.func, ast.Name)
        and not isinstance(parent, ast.Attribute)
        and _is_task(call.func.id, tasks, written)
    }

    def reason(node: ast.expr, in_container: bool) -> str | None:
        if isinstance(node, ast.Constant):
            return _evaluates(node, plain, written)
        return uses.used(node, in_container) or _given_to_plain(node, plain, written)

    bound = {
        node.id
        for node in written.parents
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    }
    others = {name: value for name, value in known.items() if name not in written.functions}
    read_by = readers_in(others, bound, written.is_of_package)
    for who, values in reads.items():
        read = names_read(written.functions[who]) if who in plain else values
        read_by.update(dict.fromkeys(read & bound, who))

    at_once = {c: why for c, why in uses.at_once.items() if root_name(c.func) not in plain}
    for call in calls - at_once.keys():
        why = _given_to_plain(call, plain, written)
        if why is not None:
            at_once[call] = why

    def read_in(call: ast.Call) -> set[str]:
        name = root_name(call.func) or ""
        function = written.functions.get(name) or written_as(written.look(name))
        return names_read(function) if function is not None else set()

    in_magics = set(_words_of_magics(written))

    def is_kept(node: ast.Name) -> bool:
        return node.id in in_magics or uses.is_kept(node)

    demand = Demand(written, calls, reason, is_kept, texts, read_in)
    at_once = demand.at_once(at_once, read_by)
    names = {root_name(call.func) for call in calls}
    for call in calls - at_once.keys():
        if isinstance(written.parents[call], ast.Expr):
            continue  # it is looked at anyway
        if any(_may_be_read_once(one, calls, names, written) for one in _given(call)):
            at_once[call] = READ_ONCE
    return at_once


def evaluated_texts(written: Written) -> dict[ast.expr, set[str]]:
    """The texts of a cell that are given to code of the user's which may evaluate them, or to
    `eval`, with the names in them.
    """
    found: dict[ast.expr, set[str]] = {}
    for node in written.parents:
        if not isinstance(node, ast.Constant) or not isinstance(node.value, str):
            continue
        if _evaluates(node, {}, written):
            with suppress(SyntaxError, ValueError, RecursionError):
                found[node] = names_loaded(parse(node.value.strip()))
    return found


def _words_of_magics(written: Written) -> Iterator[str]:
    """What stands in the `%cascade` lines of a cell: its names are those of nodes."""
    for node in written.parents:
        match node:
            case ast.Call(
                func=ast.Attribute(attr="run_line_magic"),
                args=[ast.Constant(value="cascade"), ast.Constant(value=str(line))],
            ):
                yield from line.split()


def _evaluates(text: ast.Constant, plain: Mapping[str, str], written: Written) -> str | None:
    taker = written.parents[text]
    if isinstance(taker, ast.Call) and root_name(taker.func) in {"eval", "exec"}:
        return f"`{ast.unparse(taker.func)}` is given it as text"
    return _given_to_plain(text, plain, written)


def _given(call: ast.Call) -> list[ast.expr]:
    return [*call.args, *(keyword.value for keyword in call.keywords)]


def _may_be_read_once(
    argument: ast.expr, calls: set[ast.Call], tasks: set[str | None], written: Written
) -> bool:
    """Whether an argument may be an iterator, a generator or a file.

    Args:
        argument: what is given to a task.
        calls: the calls of tasks.
        tasks: the names of those tasks.
    """
    if isinstance(argument, ast.GeneratorExp):
        return True
    if isinstance(argument, ast.Call):
        return argument not in calls
    if isinstance(argument, ast.Name):
        name, made = argument.id, written.made_by(argument.id)
        if made is not None and root_name(made) in tasks:
            return False
        return name in written.from_calls or isinstance(written.look(name), Iterator)
    return False


def _is_task(name: str, tasks: set[str], written: Written) -> bool:
    if name in written.functions:
        return name in tasks
    return isinstance(written.look(name), Task)


def _given_to_plain(node: ast.expr, plain: Mapping[str, str], written: Written) -> str | None:
    """Why what a plain function is given has to be there, or a method of the user's."""
    for outer in written.above(node):
        if isinstance(outer, ast.Call):
            is_given = outer.func is not node and _is_plain(outer.func, plain, written)
            return f"`{ast.unparse(outer.func)}` is given its value" if is_given else None
        if not isinstance(outer, (ast.keyword, ast.Starred)):
            return None
    return None


def _is_plain(callee: ast.expr, plain: Mapping[str, str], written: Written) -> bool:
    classes = {node.name: node for node in written.classes}
    if isinstance(callee, ast.Name):
        name = callee.id
        if name in classes:
            return any(
                isinstance(n, FUNCTIONS) and n.name == "__init__" for n in classes[name].body
            )
        if name in written.functions:
            return name in plain
        value = written.look(name)
        return is_left_plain(vars(value).get("__init__") if isinstance(value, type) else value)
    if isinstance(callee, ast.Attribute) and isinstance(callee.value, ast.Name):
        made = written.made_by(callee.value.id)
        if isinstance(made, ast.Name) and made.id in classes:
            return True
        return made is None and is_left_plain(type(written.look(callee.value.id)))
    return False
