"""Rewrites the syntax tree of a `%%cascade` cell before it runs; no line moves.

====================  ============================================================================
``def f(): …``        gets a decorator that makes it a task, unless the cell needs it plain
``y = x``             `y` is a node of its own that reads `x`, so that either can be bound anew
``a, b = f()``        each name is bound to its part of the value, a starred one to the rest
``f()``               a call whose value nothing keeps is noticed
====================  ============================================================================
"""

from __future__ import annotations

import ast
from typing import Any

from cascade_nb.notebook.cells.helpers import (
    ASKED,
    EACH,
    FUNCTION,
    LOOSE,
    NOW,
    PLAIN_INSIDE,
    READ,
    REST,
    TASK,
    UNPACK,
)
from cascade_nb.notebook.cells.unpacking import Shape, shape_of
from cascade_nb.notebook.roles.argument_changes import GIVING_NOTHING
from cascade_nb.notebook.roles.function_roles import NO_ROLES, Roles


def rewritten(tree: ast.Module, roles: Roles = NO_ROLES) -> ast.Module:
    """`tree` with what `Helpers` does put in; no line moves.

    Args:
        roles: what is what in it.
    """
    if roles.has_changed_calls:
        tree = _Calls(roles).visit(tree)
    changed: ast.Module = ast.fix_missing_locations(_TopLevel(roles).visit(tree))
    return changed


def bound_past(tree: ast.Module) -> frozenset[str]:
    """The names that code in `tree` writes as globals, wherever its own names are kept."""
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Global):
            names.update(node.names)
        elif isinstance(node, ast.NamedExpr):
            names.add(_id(node.target))
    return frozenset(names)


_Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


class _Calls(ast.NodeTransformer):
    """Calls of tasks that cannot wait, tasks that others call, and what is asked about a value."""

    def __init__(self, roles: Roles) -> None:
        self._at_once = roles.at_once
        self._called_back = roles.called_back
        self._asked = roles.asked
        self._lambdas = roles.lambdas
        self._bare = roles.bare

    def visit(self, node: ast.AST) -> Any:
        done = super().visit(node)
        if node in self._asked:
            question = ast.Constant(self._asked[node])  # type: ignore[index]
            return _call(ASKED, done, ast.Constant(node.lineno), question)  # type: ignore[attr-defined]
        return done

    def visit_Lambda(self, node: ast.Lambda) -> ast.AST:
        self.generic_visit(node)
        return _call(PLAIN_INSIDE, node) if node in self._lambdas else node

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        self.generic_visit(node)
        return _call(PLAIN_INSIDE, node) if node in self._bare else node

    def visit_Name(self, node: ast.Name) -> ast.AST:
        return _call(FUNCTION, node) if node in self._called_back else node

    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        if node in self._at_once:
            node.func = _now(node, self._at_once[node])
        return node


class _TopLevel(ast.NodeTransformer):
    """What stands at the top level, in whatever `if`, `for`, `with` or `try`."""

    def __init__(self, roles: Roles) -> None:
        self._plain = roles.plain
        self._bodies = roles.bodies

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        return self._function(node)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> ast.AST:
        return self._function(node)

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        return self._body(node)

    def visit_Lambda(self, node: ast.Lambda) -> ast.AST:
        return node

    def visit_Assign(self, node: ast.Assign) -> Any:
        first, *others = node.targets
        if not isinstance(first, ast.Name):
            return self._unpacked(node) if not others else node
        if isinstance(node.value, ast.Name):
            node.value = _read(node.value, node.value.id, first)
        # x = y = f() is x = f() and then y = x
        more: list[ast.stmt] = []
        for target in others:
            if isinstance(target, ast.Name):
                again = ast.Assign([target], _read(node, first.id, target))
            else:
                again = ast.Assign([target], _name(first.id, node))
            done = self._unpacked(ast.copy_location(again, node))
            more += done if isinstance(done, list) else [done]
        node.targets = [first]
        return [node, *more]

    def visit_For(self, node: ast.For) -> ast.AST:
        shape = shape_of(node.target)
        if shape is not None and shape[0] < 0:
            node.iter = _call(EACH, node.iter, _constant(shape))
        self.generic_visit(node)
        return node

    def visit_Expr(self, node: ast.Expr) -> ast.AST:
        if isinstance(node.value, (ast.Call, ast.ListComp)):
            called = node.value.func if isinstance(node.value, ast.Call) else None
            if isinstance(called, ast.Attribute) and called.attr in GIVING_NOTHING:
                return node  # a loop may do it a million times, and there is nothing to notice
            if isinstance(node.value, ast.Call) and isinstance(called, ast.Name):
                node.value.func = _now(node.value, "")
            node.value = _call(LOOSE, node.value, ast.Constant(node.lineno))
        return node

    def _function(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> ast.AST:
        if not node.name.startswith("_") and node.name not in self._plain:
            # On the line where the function begins anyway: that is its first line for `inspect`.
            first = node.decorator_list[0] if node.decorator_list else node
            node.decorator_list.insert(0, _name(TASK, first))
        return self._body(node)

    def _body(self, node: _Definition) -> ast.AST:
        if node.name in self._bodies:
            node.decorator_list.append(_name(PLAIN_INSIDE, node))
        return node

    def _unpacked(self, node: ast.Assign) -> ast.stmt | list[ast.stmt]:
        """An assignment to several names, of whose value each takes its part."""
        target = node.targets[0]
        shape = shape_of(target)
        written_out = isinstance(node.value, (ast.Tuple, ast.List))
        if shape is None or (written_out and not any(shape[1])):
            return node
        node.value = _call(UNPACK, node.value, _constant(shape))
        assert isinstance(target, (ast.Tuple, ast.List))
        starred = target.elts[shape[0]] if shape[0] >= 0 else None
        if not isinstance(starred, ast.Starred):
            return node
        rest = _id(starred.value)
        taken = _call(REST, _name(rest, node))
        return [node, ast.copy_location(ast.Assign([ast.Name(rest, ast.Store())], taken), node)]


def _read(place: ast.expr | ast.stmt, source: str, target: ast.expr) -> ast.expr:
    """An expression that gives what `source` names, for another name to be bound to."""
    value = _name(source, place)
    if source == _id(target):
        return value
    return ast.copy_location(_call(READ, value), place)


def _now(call: ast.Call, reason: str) -> ast.Call:
    """What is called in the place of what is."""
    return _call(NOW, call.func, ast.Constant(call.lineno), ast.Constant(reason))


def _call(helper: str, value: ast.expr, *more: ast.expr) -> ast.Call:
    return ast.copy_location(ast.Call(_name(helper, value), [value, *more], []), value)


def _constant(shape: Shape) -> ast.Constant:
    return ast.Constant(shape)  # type: ignore[arg-type]  # tuples of constants are constants


def _id(node: ast.expr) -> str:
    assert isinstance(node, ast.Name)
    return node.id


def _name(name: str, place: ast.expr | ast.stmt) -> ast.Name:
    node = ast.Name(name, ast.Load(), lineno=place.lineno, col_offset=place.col_offset)
    node.end_lineno, node.end_col_offset = place.lineno, place.col_offset
    return node
