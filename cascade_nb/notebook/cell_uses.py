"""How the top level of a cell uses the functions that it defines."""

from __future__ import annotations

import ast
import builtins
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any, Final, NamedTuple

from cascade_nb.model.task import PartialTask, Task

Function = ast.FunctionDef | ast.AsyncFunctionDef
_FUNCTIONS: Final = (ast.FunctionDef, ast.AsyncFunctionDef)

# Methods of a task and of a lazy value; who writes one wants a task.
_OF_TASKS: Final = {"map", "partial", "lazy", "fn", "options", "signature", "executor"}
_OF_LAZIES: Final = {"named", "tagged", "after", "run_if", "map", "value"} | {
    f"with_{word}" for word in ("retry", "timeout", "cache", "constraints")
}
# What does not ask a lazy value, or a task, for anything; methods of containers among it.
_TAKE_ANYTHING: Final = (
    {"type", "isinstance", "issubclass", "repr", "id", "callable", "display", "help", "vars"}
    | {"getattr", "hasattr", "setattr", "super", "property", "staticmethod", "classmethod"}
    | {"append", "add", "insert", "setdefault", "update", "extend", "appendleft"}
    | {"partial", "chain", "deque", "namedtuple", "defaultdict", "OrderedDict", "deepcopy", "copy"}
)
# What is content with a container of lazy values, though not with a lazy value.
_TAKE_CONTAINERS: Final = {
    "len",
    "list",
    "tuple",
    "set",
    "dict",
    "frozenset",
    "iter",
    "next",
    "enumerate",
} | {"zip", "map", "filter", "reversed"}

_USED: Final = "its value is used at once"
_CAUGHT: Final = "its errors are caught where it is called"
_NEEDED: Final = {_USED, _CAUGHT}


class Written:
    """The top level of a cell.

    Attributes:
        functions: those that it defines, by name.
        classes: those that it defines.
        parents: what each node of the top level stands in.
        look: what a name means before the cell runs.
    """

    def __init__(self, tree: ast.Module, look: Callable[[str], Any]) -> None:
        self.functions: dict[str, Function] = {}
        self.classes: list[ast.ClassDef] = []
        self.parents: dict[ast.AST, ast.AST] = {}
        self.look = look
        self._imported: dict[str, str] = {}
        todo: list[ast.AST] = [tree]
        while todo:
            node = todo.pop()
            if isinstance(node, _FUNCTIONS):
                if not isinstance(self.parents.get(node), ast.ClassDef):
                    self.functions[node.name] = node
                inside: list[ast.AST] = [*node.decorator_list, *node.args.defaults]
                inside += [default for default in node.args.kw_defaults if default is not None]
            else:
                inside = list(ast.iter_child_nodes(node))
            if isinstance(node, ast.ClassDef):
                self.classes.append(node)
            elif isinstance(node, (ast.Import, ast.ImportFrom)):
                self._note_import(node)
            self.parents.update(dict.fromkeys(inside, node))
            todo.extend(inside)

    def _note_import(self, node: ast.Import | ast.ImportFrom) -> None:
        for alias in node.names:
            module = alias.name if isinstance(node, ast.Import) else node.module or ""
            self._imported[(alias.asname or alias.name).partition(".")[0]] = module

    def above(self, node: ast.AST) -> Iterator[ast.AST]:
        """What a node stands in, from the inside out."""
        while node in self.parents:
            node = self.parents[node]
            yield node

    def is_of_tasks(self, callee: ast.expr) -> bool:
        """Whether it is a task that is called, or something of this package."""
        names = {node.id for node in ast.walk(callee) if isinstance(node, ast.Name)}
        return any(
            self._imported.get(name, "").partition(".")[0] == "cascade_nb"
            or isinstance(self.look(name), (Task, PartialTask))
            or str(getattr(self.look(name), "__module__", "")).startswith("cascade_nb.")
            or getattr(self.look(name), "__name__", "") == "cascade_nb"
            for name in names
        )

    def is_outside(self, callee: ast.expr) -> bool:
        """Whether what is called is somebody else's: a builtin, or of an imported module."""
        name = root_name(callee)
        if name is None:
            return isinstance(callee, ast.Attribute) and isinstance(callee.value, ast.Constant)
        if isinstance(callee, ast.Name):
            return name in self._imported or (hasattr(builtins, name) and self.look(name) is None)
        return name in self._imported or isinstance(self.look(name), ModuleType)


class Site(NamedTuple):
    """A call of a function at the top level.

    Attributes:
        call: the call.
        statement: what it stands in.
        is_statement: whether it is all of the statement, so that nothing keeps its value.
        receiver: the name of the function that is given its value, if it is.
    """

    call: ast.Call
    statement: ast.stmt
    is_statement: bool
    receiver: str | None


class Uses:
    """What a cell does at its top level with the functions that it defines.

    Attributes:
        as_tasks: those that are used in a way that only a task can be.
        given: tasks of other cells that somebody else is given to call, and to whom.
        at_once: calls whose value has to be there, with the names of what is called; of tasks of
            other cells too.
    """

    def __init__(self, written: Written, functions: set[str]) -> None:
        self._written = written
        self._functions = functions
        self.at_once: dict[ast.Call, str] = {}
        self.given: dict[str, str] = {}
        self._reasons: dict[str, str] = {}
        self._names = [node for node in written.parents if isinstance(node, ast.Name)]
        self.as_tasks: set[str] = set()
        for node in sorted(self._names, key=lambda node: (node.lineno, node.col_offset)):
            if not isinstance(node.ctx, ast.Load):
                continue
            if node.id in functions or isinstance(written.look(node.id), Task):
                self._look_at(node)

    def reason(self, name: str) -> str | None:
        """Why a task could not do what the cell does with it."""
        return self._reasons.get(name)

    def sites(self, name: str) -> list[Site]:
        """Where it is called."""
        return call_sites(self._written, name)

    def read_after(self, name: str, statement: ast.stmt) -> int:
        """The line of the first use of a name behind a statement; 0 if there is none."""
        end = statement.end_lineno or statement.lineno
        lines = [
            node.lineno
            for node in self._names
            if node.id == name and isinstance(node.ctx, ast.Load) and node.lineno > end
        ]
        return min(lines, default=0)

    def _look_at(self, node: ast.Name) -> None:
        parent = self._written.parents[node]
        if isinstance(parent, ast.Call) and parent.func is node:
            reason = self._of_call(parent)
            if reason in _NEEDED and not self._is_put_off(parent):
                self.at_once[parent] = node.id
        elif isinstance(parent, ast.Attribute):
            reason = None
            if parent.attr in _OF_TASKS:
                self.as_tasks.add(node.id)
        else:
            reason = self._of_value(node)
            if reason is not None and node.id not in self._functions:
                self.given.setdefault(node.id, f"{reason}, line {node.lineno}")
        if reason is not None and node.id in self._functions:
            self._reasons.setdefault(node.id, f"{reason}, line {node.lineno}")

    def _is_put_off(self, call: ast.Call) -> bool:
        """Whether it may be made in another cell, when what it stands in is gone through."""
        above = self._written.above
        return any(
            isinstance(node, ast.Lambda)
            or (
                isinstance(node, ast.GeneratorExp)
                and not isinstance(self._written.parents[node], ast.Call)
            )
            for node in above(call)
        )

    def _of_value(self, node: ast.Name) -> str | None:
        """Why it cannot be a task, where it is named without being called."""
        inner: ast.AST = node
        for outer in self._written.above(node):
            if isinstance(outer, (*_FUNCTIONS, ast.ClassDef)):
                return f"it decorates `{outer.name}`" if inner in outer.decorator_list else None
            if isinstance(outer, ast.Call) and inner is not outer.func:
                known = self._is_known(outer.func)
                return None if known else f"it is given to `{ast.unparse(outer.func)}`"
            if not isinstance(outer, (ast.keyword, ast.Starred)):
                return None
            inner = outer
        return None

    def _is_known(self, callee: ast.expr) -> bool:
        """Whether what is called can be given a task."""
        name = callee.attr if isinstance(callee, ast.Attribute) else root_name(callee)
        if name in _TAKE_ANYTHING or name == "print" or self._written.is_of_tasks(callee):
            return True
        return root_name(callee) in self._functions

    def _of_call(self, call: ast.Call) -> str | None:
        """Why what it gives has to be there at once, where it is called."""
        inner: ast.AST = call
        in_container = False
        found: str | None = None
        decided = False
        for outer in self._written.above(call):
            if isinstance(outer, (*_FUNCTIONS, ast.ClassDef)):
                return f"it decorates `{outer.name}`" if inner in outer.decorator_list else found
            if isinstance(outer, ast.Try) and inner in outer.body and outer.handlers:
                return found or _CAUGHT
            if isinstance(outer, ast.stmt) and found is not None:
                return found
            if not decided:
                found, decided, in_container = self._step(inner, outer, call, in_container)
            inner = outer
        return found

    def _step(
        self, inner: ast.AST, outer: ast.AST, call: ast.Call, in_container: bool
    ) -> tuple[str | None, bool, bool]:
        """One level up: the reason, whether that is all there is to see, and whether the value is
        inside a container now.
        """
        used = _USED
        match outer:
            case ast.Await():
                return "it is awaited", True, in_container
            case ast.Compare():
                asks = (ast.Eq, ast.NotEq, ast.In, ast.NotIn)
                if any(isinstance(op, asks) for op in outer.ops):
                    return used, True, in_container
                return None, all(isinstance(op, (ast.Is, ast.IsNot)) for op in outer.ops), False
            case ast.UnaryOp(op=ast.Not()) | ast.BoolOp() | ast.FormattedValue():
                return used, True, in_container
            case ast.If() | ast.While() | ast.Assert() | ast.IfExp() if inner is outer.test:
                return used, True, in_container
            case ast.For() | ast.AsyncFor() | ast.comprehension() if inner is outer.iter:
                return (None if in_container else used), True, in_container
            case ast.comprehension() | ast.withitem() | ast.Raise():
                return used, True, in_container
            case ast.Subscript() if inner is outer.slice:
                return used, True, in_container
            case ast.Attribute():
                if not in_container and outer.attr in _OF_LAZIES:
                    self.as_tasks.add(root_name(call.func) or "")
                    return None, True, False
                return (None if in_container else used), True, in_container
            case ast.Lambda():
                given = self._written.parents.get(outer)
                known = not isinstance(given, (ast.Call, ast.keyword)) or any(
                    isinstance(above, ast.Call) and self._written.is_of_tasks(above.func)
                    for above in self._written.above(outer)
                )
                return (None if known else "it is called in a lambda"), True, in_container
            case ast.Call():
                return self._as_argument(outer, in_container)
            case ast.List() | ast.Tuple() | ast.Set() | ast.Dict() | ast.ListComp() | ast.SetComp():
                return None, False, True
            case ast.DictComp() | ast.GeneratorExp():
                return None, False, True
            case ast.Starred():
                return (None if in_container else used), not in_container, in_container
            case ast.stmt():
                return None, True, in_container
        return None, False, in_container

    def _as_argument(self, outer: ast.Call, in_container: bool) -> tuple[str | None, bool, bool]:
        callee = outer.func
        name = callee.attr if isinstance(callee, ast.Attribute) else root_name(callee)
        if name == "sum" and in_container and isinstance(callee, ast.Name):
            return None, False, False  # adding up makes a node
        if name in _TAKE_ANYTHING or self._written.is_of_tasks(callee):
            return None, True, in_container
        if in_container and isinstance(callee, ast.Name) and name in _TAKE_CONTAINERS:
            return None, False, True
        if root_name(callee) in self._functions or not self._written.is_outside(callee):
            return None, True, in_container
        return _USED, True, in_container


def call_sites(written: Written, name: str) -> list[Site]:
    """Where the function `name` is called at the top level."""
    sites = []
    for call, parent in written.parents.items():
        if not (isinstance(call, ast.Call) and isinstance(call.func, ast.Name)):
            continue
        if call.func.id != name:
            continue
        above = [node for node in written.above(call) if isinstance(node, ast.stmt)]
        if not above:
            continue
        taker = written.parents[parent] if isinstance(parent, ast.keyword) else parent
        is_given = isinstance(taker, ast.Call) and isinstance(taker.func, ast.Name)
        receiver = taker.func.id if is_given else None  # type: ignore[attr-defined]
        sites.append(Site(call, above[0], isinstance(parent, ast.Expr), receiver))
    return sites


def names_loaded(node: ast.AST) -> set[str]:
    """The names that stand anywhere in it to be read."""
    return {
        inner.id
        for inner in ast.walk(node)
        if isinstance(inner, ast.Name) and isinstance(inner.ctx, ast.Load)
    }


def is_explicit(function: Function) -> bool:
    """Whether its own decorators say what it is: `@cs.task`, `@cs.resource`."""
    words = {"task", "resource"}
    for decorator in function.decorator_list:
        for node in ast.walk(decorator):
            if isinstance(node, ast.Attribute) and node.attr in words:
                return True
            if isinstance(node, ast.Name) and node.id in words:
                return True
    return False


def root_name(node: ast.AST) -> str | None:
    """`a` of `a`, `a.b` and `a.b.c`."""
    while isinstance(node, ast.Attribute):
        node = node.value
    return node.id if isinstance(node, ast.Name) else None
