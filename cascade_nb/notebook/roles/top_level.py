"""Reads the top level of a cell as it is written: what stands there, and in what."""

from __future__ import annotations

import ast
import builtins
from collections.abc import Callable, Iterator
from types import BuiltinFunctionType, ModuleType
from typing import Any, Final, NamedTuple

from cascade_nb.model.lazy.lazy import Lazy
from cascade_nb.model.tasks.partial import PartialTask
from cascade_nb.model.tasks.task import Task

Function = ast.FunctionDef | ast.AsyncFunctionDef
FUNCTIONS: Final = (ast.FunctionDef, ast.AsyncFunctionDef)


class Written:
    """The top level of a cell.

    Attributes:
        functions: those that it defines, by name.
        classes: those that it defines.
        parents: what each node of the top level stands in.
        look: what a name means before the cell runs.
        from_calls: names that it binds to what a call gives, or to a generator.
    """

    def __init__(self, tree: ast.Module, look: Callable[[str], Any]) -> None:
        self.functions: dict[str, Function] = {}
        self.classes: list[ast.ClassDef] = []
        self.parents: dict[ast.AST, ast.AST] = {}
        self.look = look
        self._imported: dict[str, str] = {}
        self.from_calls: set[str] = set()
        self._made: dict[str, ast.expr] = {}
        todo: list[ast.AST] = [tree]
        while todo:
            node = todo.pop()
            if isinstance(node, FUNCTIONS):
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
            elif isinstance(node, (ast.Assign, ast.withitem)):
                self._note_made(node)
            elif isinstance(node, (ast.For, ast.AsyncFor)):
                self._note_made(ast.Assign([node.target], ast.Subscript(node.iter, node.iter)))
            self.parents.update(dict.fromkeys(inside, node))
            todo.extend(inside)

    def _note_import(self, node: ast.Import | ast.ImportFrom) -> None:
        for alias in node.names:
            module = alias.name if isinstance(node, ast.Import) else node.module or ""
            self._imported[(alias.asname or alias.name).partition(".")[0]] = module

    def _note_made(self, node: ast.Assign | ast.withitem) -> None:
        value = node.value if isinstance(node, ast.Assign) else node.context_expr
        targets = node.targets if isinstance(node, ast.Assign) else [node.optional_vars]
        whole = value
        while isinstance(value, ast.Subscript):
            value = value.value
        # What is taken out of something, or is another name of it, is whose that is.
        made = value.func if isinstance(value, ast.Call) else ast.Attribute(value, "", ast.Load())
        stored = (n for target in targets if target is not None for n in ast.walk(target))
        names = [n.id for n in stored if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)]
        if isinstance(made, (ast.Name, ast.Attribute)):
            self._made.update(dict.fromkeys(names, made))
        if isinstance(whole, (ast.Call, ast.GeneratorExp)):
            self.from_calls.update(names)

    def above(self, node: ast.AST) -> Iterator[ast.AST]:
        """What a node stands in, from the inside out."""
        while node in self.parents:
            node = self.parents[node]
            yield node

    def made_by(self, name: str) -> ast.expr | None:
        """What is called to make what a name of the cell means, if that is a call."""
        return self._made.get(name)

    def is_of_tasks(self, callee: ast.expr) -> bool:
        """Whether it is a task that is called, or something of this package."""
        names = {node.id for node in ast.walk(callee) if isinstance(node, ast.Name)}
        return self.is_of_package(callee) or any(
            isinstance(self.look(name), (Lazy, Task, PartialTask)) for name in names
        )

    def is_of_package(self, callee: ast.expr) -> bool:
        """Whether it is something of this package that is called, and no task of the user's."""
        names = {node.id for node in ast.walk(callee) if isinstance(node, ast.Name)}
        return any(
            self._imported.get(name, "").partition(".")[0] == "cascade_nb"
            or getattr(known := self.look(name), "__name__", "") == "cascade_nb"
            or (
                not isinstance(known, (Lazy, Task, PartialTask))
                and str(getattr(known, "__module__", "")).startswith("cascade_nb.")
            )
            for name in names
        )

    def is_outside(self, callee: ast.expr) -> bool:
        """Whether what is called is somebody else's: a builtin, of an imported module, or a method
        of an object that is.
        """
        name = root_name(callee)
        if name is None:
            return isinstance(callee, ast.Attribute) and isinstance(callee.value, ast.Constant)
        if name in self._imported:
            return True
        if name in self._made:
            made = self._made.pop(name)  # not asked of itself again: `x = x.f()`
            try:
                return self.is_outside(made)
            finally:
                self._made[name] = made
        known = self.look(name)
        if known is None:
            return isinstance(callee, ast.Name) and hasattr(builtins, name)
        if isinstance(known, (ModuleType, BuiltinFunctionType)):  # `"".join` is of no module
            return True
        if name in self.functions or isinstance(known, (Lazy, Task, PartialTask)):
            return False
        kind = known if isinstance(callee, ast.Name) else type(known)
        return str(getattr(kind, "__module__", None) or "__main__") != "__main__"


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


def names_read(function: Function) -> set[str]:
    """The names of the top level that a function reads, if they are not its own."""
    own = {arg.arg for arg in ast.walk(function.args) if isinstance(arg, ast.arg)}
    for node in ast.walk(function):
        if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
            own.add(node.id)
    return names_loaded(function) - own


def binds_globals(function: ast.AST) -> bool:
    """Whether it may be what makes a cell's nodes: what it calls is left as it is."""
    return any(isinstance(node, ast.Global) for node in ast.walk(function))


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
