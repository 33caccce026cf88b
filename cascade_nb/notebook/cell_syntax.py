"""What is changed in the syntax tree of a `%%cascade` cell before it runs; no line moves.

====================  ============================================================================
``def f(): …``        gets a decorator that makes it a task, unless the cell needs it plain
``y = x``             `y` is a node of its own that reads `x`, so that either can be bound anew
``a, b = f()``        each name is bound to its part of the value, a starred one to the rest
``f()``               a call whose value nothing keeps is noticed
====================  ============================================================================
"""

from __future__ import annotations

import ast
import dis
from collections.abc import Callable, Collection, Iterable, Mapping
from contextvars import copy_context
from functools import partial
from types import FunctionType
from typing import Any, Final, TypeGuard
from weakref import ref

from cascade_nb.errors import TaskDefinitionError
from cascade_nb.model.body import enter_body
from cascade_nb.model.lazy import Lazy, LazyResult
from cascade_nb.model.task import Task
from cascade_nb.notebook.layers import standing_for
from cascade_nb.notebook.unpacking import Shape, as_rest, each, shape_of, unpack

# No identifiers, so that no name of the user's can be one of them.
_TASK: Final = "<task>"
_READ: Final = "<read>"
_UNPACK: Final = "<unpack>"
_REST: Final = "<rest>"
_EACH: Final = "<each>"
_LOOSE: Final = "<loose>"
_NOW: Final = "<now>"
_BODY: Final = "<body>"

NO_CALLS: Final[Mapping[ast.Call, str]] = {}


class Helpers:
    """What the rewritten code of one cell calls.

    Attributes:
        names: by the names under which the code finds them.
        ran: the tasks that ran at once, with the reason.
    """

    def __init__(self) -> None:
        self.names: Mapping[str, Callable[..., Any]] = {
            _TASK: _as_task,
            _READ: _as_read,
            _UNPACK: unpack,
            _REST: as_rest,
            _EACH: each,
            _LOOSE: self._loose,
            _NOW: self._now,
            _BODY: _with_plain_tasks,
        }
        self.ran: dict[str, str] = {}
        self._seen: list[tuple[ref[Lazy], str, int]] = []

    def untold(self) -> list[str]:
        """What is to be said of calls that nothing keeps, once the cell is over."""
        told = []
        if self.ran:
            names = "; ".join(f"`{name}`: {reason}" for name, reason in self.ran.items())
            told.append(
                f"Ran at once, as a function like `_{next(iter(self.ran))}` would. {names}. What "
                "is to run later gets a name for its call."
            )
        dead = {(label, line) for lazy, label, line in self._seen if lazy() is None}
        by_label: dict[str, list[int]] = {}
        for label, line in sorted(dead, key=lambda one: one[1]):
            by_label.setdefault(label, []).append(line)
        for label, lines in by_label.items():
            where = ", ".join(map(str, lines))
            told.append(
                f"Nothing keeps the value of `{label}` (line {where}), so it does not run: give "
                f"the call a name and run that, or name the function `_{label}` to have it run "
                "at once."
            )
        return told

    def _loose(self, value: Any, line: int, called: str) -> Any:
        """The value of an expression that is a statement."""
        for lazy in value if type(value) is list else (value,):
            if not isinstance(lazy, Lazy):
                continue
            if lazy is value and _is_free(lazy, called) and _gives_nothing(lazy.task.fn):
                self.ran.setdefault(called, f"it returns nothing, and has no name, line {line}")
                return _made_now(lazy)
            self._seen.append((ref(lazy), lazy.label, line))
        return value

    def _now(self, value: Any, line: int, called: str) -> Any:
        """The value of a call that is used at once."""
        if isinstance(value, Lazy) and _is_free(value, called):
            self.ran.setdefault(called, f"its value is used at once, line {line}")
            return _made_now(value)
        return value


def rewritten(
    tree: ast.Module,
    plain: Iterable[str] = (),
    at_once: Mapping[ast.Call, str] = NO_CALLS,
    bodies: Collection[ast.Call] = (),
) -> ast.Module:
    """`tree` with what `Helpers` does put in; no line moves.

    Args:
        plain: the functions that are no tasks.
        at_once: calls whose value has to be there, with the names of what is called.
        bodies: calls in which tasks are plain functions.
    """
    if at_once or bodies:
        tree = _Calls(at_once, bodies).visit(tree)
    changed: ast.Module = ast.fix_missing_locations(_TopLevel(frozenset(plain)).visit(tree))
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


class _Calls(ast.NodeTransformer):
    """Calls of tasks that cannot wait, and of plain functions."""

    def __init__(self, at_once: Mapping[ast.Call, str], bodies: Collection[ast.Call]) -> None:
        self._at_once = at_once
        self._bodies = bodies

    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        if node in self._bodies:
            node.func = _call(_BODY, node.func)
        if node not in self._at_once:
            return node
        return _call(_NOW, node, ast.Constant(node.lineno), ast.Constant(self._at_once[node]))


class _TopLevel(ast.NodeTransformer):
    """What stands at the top level, in whatever `if`, `for`, `with` or `try`."""

    def __init__(self, plain: frozenset[str]) -> None:
        self._plain = plain

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        return self._function(node)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> ast.AST:
        return self._function(node)

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        return node

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
            node.iter = _call(_EACH, node.iter, _constant(shape))
        self.generic_visit(node)
        return node

    def visit_Expr(self, node: ast.Expr) -> ast.AST:
        if isinstance(node.value, (ast.Call, ast.ListComp)):
            call = node.value.func if isinstance(node.value, ast.Call) else None
            called = call.id if isinstance(call, ast.Name) else ""
            node.value = _call(_LOOSE, node.value, ast.Constant(node.lineno), ast.Constant(called))
        return node

    def _function(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> ast.AST:
        if not node.name.startswith("_") and node.name not in self._plain:
            # On the line where the function begins anyway: that is its first line for `inspect`.
            first = node.decorator_list[0] if node.decorator_list else node
            node.decorator_list.insert(0, _name(_TASK, first))
        return node

    def _unpacked(self, node: ast.Assign) -> ast.stmt | list[ast.stmt]:
        """An assignment to several names, of whose value each takes its part."""
        target = node.targets[0]
        shape = shape_of(target)
        written_out = isinstance(node.value, (ast.Tuple, ast.List))
        if shape is None or (written_out and not any(shape[1])):
            return node
        node.value = _call(_UNPACK, node.value, _constant(shape))
        assert isinstance(target, (ast.Tuple, ast.List))
        starred = target.elts[shape[0]] if shape[0] >= 0 else None
        if not isinstance(starred, ast.Starred):
            return node
        rest = _id(starred.value)
        taken = _call(_REST, _name(rest, node))
        return [node, ast.copy_location(ast.Assign([ast.Name(rest, ast.Store())], taken), node)]


def _read(place: ast.expr | ast.stmt, source: str, target: ast.expr) -> ast.expr:
    """An expression that gives what `source` names, for another name to be bound to."""
    value = _name(source, place)
    if source == _id(target):
        return value
    return ast.copy_location(_call(_READ, value), place)


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


def _as_task(made: Any) -> Any:
    """What a `def` at the top level is bound to: a task, unless its own decorators made it one, or
    something that is no function.
    """
    if isinstance(made, Lazy):
        raise TaskDefinitionError(
            f"the decorator `{made.label}` is a task, whose call gives no function; a function "
            "whose name begins with '_' stays plain and can decorate"
        )
    if isinstance(made, (Task, type)) or not callable(made):
        return made
    try:
        return Task(made)
    except TaskDefinitionError as error:
        advice = "; a name that begins with '_' stays a plain function"
        raise TaskDefinitionError(f"{error}{advice}") from None


def _as_read(value: Any) -> Any:
    return standing_for(value) if isinstance(value, Lazy) else value


def _made_now(lazy: LazyResult[Any]) -> Any:
    """What the call gives."""
    return _with_plain_tasks(lazy.task.fn)(*lazy.args, **lazy.kwargs)


def _with_plain_tasks(function: Any) -> Any:
    """`function`, in which tasks are plain functions, as in the body of a task."""
    if not isinstance(function, FunctionType):
        return function
    context = copy_context()
    context.run(enter_body)
    return partial(context.run, function)


def _is_free(lazy: Lazy, called: str) -> TypeGuard[LazyResult[Any]]:
    """Whether a call of the task `called` can be made now: all that it needs is there."""
    if not isinstance(lazy, LazyResult):
        return False
    task = lazy.task
    return (
        getattr(task, "__name__", None) == called
        and task.executor != "async"
        and not lazy.inputs
        and not lazy.nested
        and lazy.options is task.options
    )


def _gives_nothing(function: Any) -> bool:
    """Whether a function returns nothing but None."""
    if not isinstance(function, FunctionType):
        return False
    before = None
    for step in dis.get_instructions(function):
        if step.opname == "RETURN_CONST" and step.argval is not None:
            return False
        if step.opname == "RETURN_VALUE" and (
            before is None or before.opname != "LOAD_CONST" or before.argval is not None
        ):
            return False
        before = step
    return True
