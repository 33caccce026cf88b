"""Finds the functions that read a name of the top level for its value.

Such a name is no argument: nothing waits for a node that it means, and the function would be at
work with what is not computed.
"""

from __future__ import annotations

import ast
import dis
from collections.abc import Callable, Collection, Iterator, Mapping
from types import CodeType, FunctionType
from typing import Any, Final
from weakref import WeakKeyDictionary

from cascade_nb.model.tasks.task import Task
from cascade_nb.notebook.roles.argument_changes import read_back
from cascade_nb.notebook.roles.plain_bodies import codes_of
from cascade_nb.notebook.roles.top_level import Function, names_read
from cascade_nb.notebook.roles.uses import is_of_a_node

_LOADS: Final = ("LOAD_GLOBAL", "LOAD_NAME")
_globals: Final[WeakKeyDictionary[CodeType, frozenset[str]]] = WeakKeyDictionary()


def values_read(function: Function, is_of_package: Callable[[ast.expr], bool]) -> set[str]:
    """The names of the top level whose values a function of a cell reads; those not among them that
    it only hands to a node, as in `train.lazy(data)`.
    """
    parents = {inner: node for node in ast.walk(function) for inner in ast.iter_child_nodes(node)}

    def above(node: ast.AST) -> Iterator[ast.AST]:
        while node in parents:
            node = parents[node]
            yield node

    read = names_read(function)
    return {
        node.id
        for node in parents
        if isinstance(node, ast.Name)
        and node.id in read
        and not is_of_a_node(above(node), is_of_package)
    }


def readers_in(
    namespace: Mapping[str, Any],
    names: Collection[str],
    is_of_package: Callable[[ast.expr], bool],
) -> dict[str, str]:
    """Of `names`, those whose values functions, tasks or classes of the user's read that are there
    already, each with one that does.
    """
    found: dict[str, str] = {}
    for own, value in list(namespace.items()):
        function = value.fn if isinstance(value, Task) else value
        is_users = getattr(function, "__module__", None) == "__main__"
        if not is_users or not isinstance(function, (FunctionType, type)):
            continue
        if function.__name__ != own:
            continue  # another name of it, or `_`
        read = {name for code in codes_of(function) for name in _globals_of(code)}
        if isinstance(function, FunctionType) and read.intersection(names):
            written = read_back(function)
            read &= values_read(written, is_of_package) if written is not None else read
        for name in read.intersection(names):
            found.setdefault(name, own)
    return found


def _globals_of(code: CodeType) -> frozenset[str]:
    if code not in _globals:
        found = {one.argval for one in dis.get_instructions(code) if one.opname in _LOADS}
        inner = [_globals_of(one) for one in code.co_consts if isinstance(one, CodeType)]
        _globals[code] = frozenset(found).union(*inner)
    return _globals[code]
