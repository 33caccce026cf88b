"""Tells from the text of a module what its own functions may change in it while they run: a
counter, a cache. That is no work of somebody else's.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from typing import Final, NamedTuple

_FUNCTIONS: Final = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
READING: Final = frozenset({"get", "items", "keys", "values", "copy", "index", "count"})
"""Methods of containers that change nothing."""
# What an object is made in: what it stores there is what the file gave.
_MAKING: Final = frozenset(
    {"__init__", "__new__", "__post_init__", "__set_name__", "__init_subclass__"}
)
_SPACES: Final = frozenset({"globals", "vars", "locals"})  # of a module, where nothing is given
_LOOKING: Final = frozenset(
    {"len", "sorted", "sum", "list", "tuple", "set", "dict", "frozenset", "str", "repr", "min"}
    | {"max", "any", "all", "enumerate", "zip", "isinstance", "issubclass", "range", "print"}
    | {"getattr", "hasattr"}
)
_ONLY_READING: Final = (
    ast.Compare, ast.For, ast.AsyncFor, ast.comprehension, ast.BinOp, ast.BoolOp, ast.UnaryOp,
    ast.FormattedValue, ast.If, ast.IfExp, ast.While, ast.Attribute, ast.Subscript,
)  # fmt: skip


class OwnChanges(NamedTuple):
    """What the functions of a module may change in it while they run.

    Attributes:
        anything: whether that cannot be told.
        any_part: whether it cannot be told of the attributes of what is in it.
        rebound: names that they bind.
        touched: names of what they may change in place: hand on, call methods of, store items of.
        stored: attributes that they store, of whatever object.
    """

    anything: bool = True
    any_part: bool = True
    rebound: frozenset[str] = frozenset()
    touched: frozenset[str] = frozenset()
    stored: frozenset[str] = frozenset()


def own_changes_in(tree: ast.Module) -> OwnChanges:
    """What the functions of a module may change in it while they run, methods among them."""
    above = {inner: one for one in ast.walk(tree) for inner in ast.iter_child_nodes(one)}
    functions = [one for one in ast.walk(tree) if isinstance(one, _FUNCTIONS)]
    making = {
        inner for one in functions if getattr(one, "name", "") in _MAKING for inner in ast.walk(one)
    }
    anything = any_part = False
    rebound, touched, stored = set[str](), set[str](), set[str]()
    for one in {inner for function in functions for inner in ast.walk(function)}:
        if isinstance(one, ast.Global):
            rebound.update(one.names)
        elif isinstance(one, ast.Attribute) and not isinstance(one.ctx, ast.Load):
            stored.update(() if one in making else (one.attr,))
        elif isinstance(one, ast.Name) and isinstance(one.ctx, ast.Load):
            touched.update((one.id,) if _may_change(one, above) else ())
        elif isinstance(one, ast.Call):
            called = getattr(one.func, "id", "")
            anything = anything or called == "exec" or (called in _SPACES and not one.args)
            any_part = any_part or called == "setattr"
        said = getattr(one, "attr", "")
        anything = anything or said == "modules"
        any_part = any_part or said == "__dict__"
    return OwnChanges(anything, any_part, frozenset(rebound), frozenset(touched), frozenset(stored))


def _may_change(name: ast.Name, above: Mapping[ast.AST, ast.AST]) -> bool:
    """Whether what stands at a name may change what that stands for."""
    last: ast.AST = name
    while isinstance(outer := above[last], ast.Attribute | ast.Subscript) and outer.value is last:
        last = outer
    if not isinstance(getattr(last, "ctx", None), ast.Load):
        return True
    if isinstance(outer, ast.Call):
        if outer.func is last:  # a method of it
            return last is not name and getattr(last, "attr", "") not in READING
        return getattr(outer.func, "id", "") not in _LOOKING
    if last is not name:  # a part of it
        return False
    return not isinstance(outer, _ONLY_READING)
