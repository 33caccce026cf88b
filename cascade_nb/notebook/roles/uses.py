"""Finds how the top level of a cell uses the functions that it defines."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Iterator, MutableMapping
from typing import Final

from cascade_nb.model.lazy.calls import LazyResult
from cascade_nb.model.tasks.task import Task
from cascade_nb.notebook.roles.top_level import FUNCTIONS, Site, Written, call_sites, root_name

# Methods of a task and of a lazy value; who writes one wants a task.
_OF_TASKS: Final = {"map", "partial", "lazy", "fn", "options", "signature", "executor"}
_OF_LAZIES: Final = {"map", "value"} | {
    name
    for name in dir(LazyResult)
    if not name.startswith("_") and callable(getattr(LazyResult, name))
}
# What does not ask a lazy value, or a task, for anything; methods of containers among it.
_TAKE_ANYTHING: Final = (
    {"type", "isinstance", "issubclass", "repr", "id", "callable", "display", "help", "vars"}
    | {"getattr", "hasattr", "setattr", "super", "property", "staticmethod", "classmethod"}
    | {"append", "add", "insert", "setdefault", "appendleft"}
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

# Methods of a container that give another one, or one of its parts.
_OF_CONTAINERS: Final = {"items", "values", "copy", "get", "pop", "popleft", "popitem"}

AWAITED: Final = "it is awaited"
_USED: Final = "its value is used at once"
_IN_LAMBDA: Final = "it is called in a lambda"
_CAUGHT: Final = "its errors are caught where it is called"


def is_of_a_node(above: Iterable[ast.AST], is_of_package: Callable[[ast.expr], bool]) -> bool:
    """Whether a name that stands in all this, from the inside out, is treated as a node's, which
    may be returned, given to this package, and asked for what only a node has.
    """
    for outer in above:
        if isinstance(outer, ast.Return):
            return True
        if isinstance(outer, ast.Attribute):
            return outer.attr in _OF_LAZIES
        if isinstance(outer, ast.Call):
            method = outer.func.attr if isinstance(outer.func, ast.Attribute) else ""
            return method in _OF_TASKS | _OF_LAZIES or is_of_package(outer.func)
        if not isinstance(outer, (ast.List, ast.Tuple, ast.Dict, ast.Starred, ast.keyword)):
            return False
    return False


class Uses:
    """What a cell does at its top level with the functions that it defines.

    Attributes:
        as_tasks: those that are used in a way that only a task can be.
        given: tasks of other cells that a function of the user's is given to call, and to whom.
        called_back: where somebody else is given a task of another cell to call, and to whom.
        bare: where the function of a task is taken.
        lambdas: those that call tasks and are given to somebody else to call.
        asked: what is asked about at once, as `type` and `is None` do, and how.
        at_once: calls whose value has to be there, with the reason; of tasks of
            other cells too.
    """

    def __init__(self, written: Written, functions: set[str]) -> None:
        self._written = written
        self._functions = functions
        self.at_once: dict[ast.Call, str] = {}
        self.given: dict[str, str] = {}
        self.called_back: dict[ast.Name, str] = {}
        self.asked: dict[ast.expr, str] = dict(_asked(written))
        self.bare: set[ast.Attribute] = set()
        self.lambdas: set[ast.Lambda] = set()
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

    def used(self, node: ast.expr, in_container: bool) -> str | None:
        """Why the value of an expression, or what is inside of it, has to be there."""
        if self._is_put_off(node):
            return None
        reason = self._of_expression(node, in_container)
        return None if reason in {_IN_LAMBDA, _CAUGHT} else reason

    def is_kept(self, node: ast.Name) -> bool:
        """Whether a name is treated as a node's where it stands: given to this package, or asked
        for what only a node has.
        """
        return is_of_a_node(self._written.above(node), self._written.is_of_package)

    def _look_at(self, node: ast.Name) -> None:
        parent = self._written.parents[node]
        if isinstance(parent, ast.Call) and parent.func is node:
            reason = self._of_call(parent)
            if reason == _IN_LAMBDA:
                above = self._written.above(parent)
                self.lambdas.update(node for node in above if isinstance(node, ast.Lambda))
            elif reason is not None and not self._is_put_off(parent):
                self.at_once[parent] = reason
        elif isinstance(parent, ast.Attribute):
            reason = None
            if parent.attr == "fn":
                self.bare.add(parent)
            if parent.attr in _OF_TASKS:
                self.as_tasks.add(node.id)
        else:
            reason = self._of_value(node)
            if reason is not None and node.id not in self._functions:
                self._note_given(node, f"{reason}, line {node.lineno}")
        if reason is not None and node.id in self._functions:
            self._reasons.setdefault(node.id, f"{reason}, line {node.lineno}")

    def _note_given(self, node: ast.Name, reason: str) -> None:
        taker = self._written.parents[node]
        while isinstance(taker, (ast.keyword, ast.Starred)):
            taker = self._written.parents[taker]
        if not isinstance(taker, ast.Call) or self._written.is_outside(taker.func):
            self.called_back[node] = reason
        else:
            self.given.setdefault(node.id, reason)

    def _is_put_off(self, call: ast.expr) -> bool:
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
            if isinstance(outer, (*FUNCTIONS, ast.ClassDef)):
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
            return name != "defaultdict"  # which calls it, when a key is missing
        return root_name(callee) in self._functions

    def _of_call(self, call: ast.Call) -> str | None:
        """Why what it gives has to be there at once, where it is called."""
        return self._of_expression(call, in_container=False)

    def _of_expression(self, call: ast.expr, in_container: bool) -> str | None:
        inner: ast.AST = call
        found: str | None = None
        decided = False
        for outer in self._written.above(call):
            if isinstance(outer, (*FUNCTIONS, ast.ClassDef)):
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
        self, inner: ast.AST, outer: ast.AST, call: ast.expr, in_container: bool
    ) -> tuple[str | None, bool, bool]:
        """One level up: the reason, whether that is all there is to see, and whether the value is
        inside a container now.
        """
        used = _USED
        match outer:
            case ast.Await():
                return AWAITED, True, in_container
            case ast.Compare():
                asks = (ast.Eq, ast.NotEq, ast.In, ast.NotIn)
                if any(isinstance(op, asks) for op in outer.ops):
                    return used, True, in_container
                return None, all(isinstance(op, (ast.Is, ast.IsNot)) for op in outer.ops), False
            case ast.UnaryOp(op=ast.Not()) | ast.BoolOp() | ast.FormattedValue():
                return used, True, in_container
            case ast.BinOp(
                op=ast.Mod(), left=ast.Constant(value=str() | bytes()) | ast.JoinedStr()
            ):
                return used, True, in_container
            case ast.If() | ast.While() | ast.Assert() | ast.IfExp() if inner is outer.test:
                return used, True, in_container
            case ast.Match() if inner is outer.subject:
                return used, True, in_container
            case ast.match_case() if inner is outer.guard:
                return used, True, in_container
            case ast.For() | ast.AsyncFor() | ast.comprehension() if inner is outer.iter:
                return (None if in_container else used), True, in_container
            case ast.comprehension() | ast.withitem() | ast.Raise():
                return used, True, in_container
            case ast.Subscript() if inner is outer.slice:
                return used, True, in_container
            case ast.Attribute():
                if not in_container and outer.attr in _OF_LAZIES:
                    if isinstance(call, ast.Call):
                        self.as_tasks.add(root_name(call.func) or "")
                    return None, True, False
                is_part = in_container and outer.attr in _OF_CONTAINERS
                return (None if in_container else used), not is_part, in_container
            case ast.Call() if inner is outer.func:
                return (None if in_container else used), not in_container, in_container
            case ast.Lambda():
                given = self._written.parents.get(outer)
                known = not isinstance(given, (ast.Call, ast.keyword)) or any(
                    isinstance(above, ast.Call) and self._written.is_of_tasks(above.func)
                    for above in self._written.above(outer)
                )
                return (None if known else _IN_LAMBDA), True, in_container
            case ast.Call(func=ast.Attribute(attr="extend" | "update")):
                is_item = in_container or (isinstance(inner, ast.keyword) and inner.arg)
                return (None if is_item else used), True, in_container
            case ast.Call():
                return self._as_argument(outer, in_container)
            case ast.List() | ast.Tuple() | ast.Set() | ast.Dict() | ast.ListComp() | ast.SetComp():
                return None, False, True
            case ast.DictComp() | ast.GeneratorExp():
                return None, False, True
            case ast.Starred():
                return (None if in_container else used), not in_container, in_container
            case ast.Assign() if any(map(self._takes_values, outer.targets)):
                return used, True, in_container
            case ast.stmt():
                return None, True, in_container
        return None, False, in_container

    def _takes_values(self, target: ast.expr) -> bool:
        """Whether what is put there is looked at at once, as by an array or a table."""
        if isinstance(target, (ast.Tuple, ast.List)):
            return any(map(self._takes_values, target.elts))
        if not isinstance(target, ast.Subscript):
            return False
        name = root_name(target.value)
        if name is None or isinstance(self._written.look(name), (MutableMapping, list)):
            return False
        made = self._written.made_by(name)
        maker = made.attr if isinstance(made, ast.Attribute) else root_name(made) if made else None
        if maker in _TAKE_ANYTHING | _TAKE_CONTAINERS:
            return False  # a container of Python's own
        return self._written.is_outside(ast.Attribute(target.value, "", ast.Load()))

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


def _asked(written: Written) -> Iterator[tuple[ast.expr, str]]:
    """What code of the top level asks about without needing its value, so that it is answered of a
    call that has not run.
    """
    for node in written.parents:
        match node:
            case ast.Call(func=ast.Name(id=("type" | "callable") as name), args=[about]):
                yield about, f"{name}(…)"
            case ast.Match(subject=about):
                yield about, "match"
            case ast.Call(func=ast.Name(id=("isinstance" | "hasattr") as name), args=[about, _]):
                if "Lazy" not in ast.unparse(node.args[1]):
                    yield about, f"{name}(…)"
            case ast.Call(func=ast.Name(id="getattr"), args=[about, _, _]):
                yield about, "getattr(…)"
            case ast.Compare(
                left=about,
                ops=[ast.Is() | ast.IsNot()],
                comparators=[ast.Constant(value=None | True | False as other)],
            ):
                yield about, f"is {other}"
            case ast.Compare(left=about, ops=[ast.Is() | ast.IsNot()], comparators=[compared]):
                if ast.dump(about) != ast.dump(compared):
                    yield about, "is"
                    yield compared, "is"
