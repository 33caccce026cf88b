"""Finds the arguments that a function changes in place, as far as that is written."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from textwrap import dedent
from types import FunctionType
from typing import Any, Final
from weakref import WeakKeyDictionary

from cascade_nb.concurrency.safe_parse import parse
from cascade_nb.model.tasks.task import Task
from cascade_nb.notebook.roles.top_level import FUNCTIONS, Function

SHOWERS: Final = {
    "show",
    "plot",
    "savefig",
    "imshow",
    "hist",
    "scatter",
    "bar",
    "write",
    "display",
}
#: Methods that change what they are of, and whose value is nobody's business.
GIVING_NOTHING: Final = {
    "append",
    "appendleft",
    "extend",
    "insert",
    "add",
    "update",
    "remove",
} | {"discard", "clear", "sort", "reverse"}
_MUTATORS: Final = GIVING_NOTHING | {"pop", "popitem", "setdefault"}


_trees: Final[WeakKeyDictionary[FunctionType, Function | None]] = WeakKeyDictionary()


def written_as(value: Any) -> Function | None:
    """How the function of a task is written; None where nobody can say, or it is no task."""
    return read_back(value.fn) if isinstance(value, Task) else None


def read_back(function: Any) -> Function | None:
    """How a function is written; None where nobody can say, or it is none."""
    function = inspect.unwrap(function)
    if not isinstance(function, FunctionType):
        return None
    if function not in _trees:
        _trees[function] = _read(function)
    return _trees[function]


def _read(function: FunctionType) -> Function | None:
    try:
        statement = parse(dedent(inspect.getsource(function))).body[0]
    except (OSError, TypeError, SyntaxError, ValueError, IndexError, RecursionError):
        return None
    return statement if isinstance(statement, FUNCTIONS) else None


def changed_parameters(function: Function) -> set[str]:
    """The parameters whose values its body changes, but for those that it is lent."""
    args = function.args
    named = [*args.posonlyargs, *args.args]
    names = [arg.arg for arg in reversed(named)]
    defaults = dict(zip(names, reversed(args.defaults), strict=False))
    defaults |= {a.arg: d for a, d in zip(args.kwonlyargs, args.kw_defaults, strict=True) if d}
    lent = {name for name, default in defaults.items() if isinstance(default, ast.Call)}
    parameters = {arg.arg for arg in (*named, *args.kwonlyargs)}
    return changed_by(function) & parameters - lent


def own_nodes(function: Function) -> Iterator[ast.AST]:
    """The nodes of a function's body, without those of functions and classes inside it."""
    todo: list[ast.AST] = list(function.body)
    while todo:
        node = todo.pop()
        yield node
        if not isinstance(node, (*FUNCTIONS, ast.ClassDef, ast.Lambda)):
            todo.extend(ast.iter_child_nodes(node))


def changed_by(function: Function) -> set[str]:
    """Names of its arguments, and of what is outside of it, that its body changes in place."""
    changed: set[str] = set()
    local = {
        node.id
        for node in own_nodes(function)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    }
    for node in own_nodes(function):
        if isinstance(node, ast.Global):
            changed.update(node.names)
            local.difference_update(node.names)
        elif isinstance(node, (ast.Subscript, ast.Attribute)) and not isinstance(
            node.ctx, ast.Load
        ):
            changed |= _root(node)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            in_place = any(
                key.arg == "inplace" and isinstance(key.value, ast.Constant) and key.value.value
                for key in node.keywords
            )
            if in_place or node.func.attr in _MUTATORS or _draws_on(node, node.func):
                changed |= _root(node.func)
    return changed - local


def _draws_on(call: ast.Call, method: ast.Attribute) -> bool:
    """Whether a call puts something on what its method is of: axes are given what they show, while
    a frame shows itself, as in `s.hist(ax=ax)` and `frame.plot.scatter(x, y)`.
    """
    chain = method.value
    by_itself = isinstance(chain, ast.Attribute) and chain.attr == "plot"
    shown = [one for one in call.args if not isinstance(one, ast.Constant)]
    return method.attr in SHOWERS and bool(shown) and not by_itself


def _root(node: ast.expr) -> set[str]:
    while isinstance(node, (ast.Subscript, ast.Attribute)):
        node = node.value
    return {node.id} if isinstance(node, ast.Name) else set()
