"""The body of a `%%cascade` cell: compiled and run like any cell, with its functions made tasks.

Two things are changed in its syntax tree, neither of which moves a line. A `def` at the top level
gets a decorator that makes it a task, and ``y = x`` makes `y` a node of its own that reads `x`, so
that either name can be bound anew without the other.
"""

from __future__ import annotations

import ast
import inspect
import warnings
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import nullcontext
from types import CodeType
from typing import Any, Final, NamedTuple

from cascade_nb.errors import TaskDefinitionError
from cascade_nb.model.lazy import Lazy
from cascade_nb.model.task import Task
from cascade_nb.notebook.layers import standing_for
from cascade_nb.notebook.recorded_names import Names
from cascade_nb.notebook.shell import Running, Shell

_AWAIT: Final = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
# No identifiers, so that no name of the user's can be one of them.
_TASK: Final = "<task>"
_READ: Final = "<read>"


class Body:
    """A cell's body, ready to run.

    Args:
        shell: where it will run.
        text: the body, without the line of the magic.
        running: the cell that it belongs to.
        finish: what is still to be done to the body after IPython has transformed it.

    Attributes:
        cell: which cell that is.
        is_empty: whether there is nothing in it.
        awaits: whether it has a top-level `await`.
        may_bind: names that it may bind past the mapping that it runs in.
        error: what came out of one of its lines.

    Raises:
        SyntaxError: it is no Python; lines are counted as in the whole cell.
    """

    def __init__(
        self, shell: Shell, text: str, running: Running, finish: Callable[[str], str] = str
    ) -> None:
        self._shell = shell
        self.cell = running.cell
        source = _Source.of(text, running.text, finish(shell.transform_cell(text)))
        name = shell.compile.cache(source.shown, running.number, raw_code=running.text or None)
        tree = shell.transform_ast(shell.compile.ast_parse(source.padded, filename=name))
        self.may_bind = bound_past(tree)
        tree = rewritten(tree)
        self._codes = self._compiled(tree.body, name, source.padded)
        self.is_empty = not self._codes
        self.error: BaseException | None = None
        self.awaits = any(code.co_flags & inspect.CO_COROUTINE for code in self._codes)

    def _compiled(self, nodes: list[ast.stmt], name: str, source: str) -> list[CodeType]:
        """One piece for each statement, as IPython does it, so that each awaits for itself."""
        compiler = self._shell.compile
        silent = self._shell.displayhook.semicolon_at_end_of_expression(source)
        shown = [] if silent else _displayed(nodes, self._shell.ast_node_interactivity)
        codes = []
        flags = compiler.extra_flags(_AWAIT) if self._shell.autoawait else nullcontext()
        with flags:
            for node in nodes:
                if node in shown:
                    codes.append(compiler(ast.Interactive([node]), name, "single"))
                else:
                    codes.append(compiler(ast.Module([node], []), name, "exec"))
        return codes

    async def run(self, names: Names) -> None:
        """Run it with `names` as its namespace.

        What it raises comes out as it is.
        """
        __tracebackhide__ = "__ipython_bottom__"
        try:
            for code in self._codes:
                awaitable = eval(code, self._shell.user_ns, names)  # noqa: S307
                if code.co_flags & inspect.CO_COROUTINE:
                    await awaitable
        except Exception as error:
            self.error = error
            raise


def drive(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """What comes of a coroutine that awaits nothing, at once."""
    __tracebackhide__ = True
    try:
        coroutine.send(None)
    except StopIteration as end:
        return end.value
    coroutine.close()
    raise RuntimeError("a body without a top-level await has awaited something")


def would_await(shell: Shell, text: str) -> bool:
    """Whether the body `text` has a top-level `await`.

    Raises:
        SyntaxError: it is no Python; lines are counted as in the whole cell.
    """
    source = _Source.of(text, "", shell.transform_cell(text))
    try:
        return awaits(source.padded)
    except SyntaxError as error:
        error.filename = shell.compile.cache(source.shown, shell.execution_count)
        raise


def rewritten(tree: ast.Module) -> ast.Module:
    """`tree` with its functions made tasks and its second names made nodes, by `HELPERS`.

    No line moves.
    """
    changed: ast.Module = ast.fix_missing_locations(_TopLevel().visit(tree))
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


def awaits(source: str) -> bool:
    """Whether the Python in `source` has a top-level `await`.

    Raises:
        SyntaxError: it is no Python.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # they come when it is compiled to be run
        code = compile(source, "<cell>", "exec", _AWAIT, dont_inherit=True)
    return bool(code.co_flags & inspect.CO_COROUTINE)


class _Source(NamedTuple):
    """A body in its place in the cell.

    Attributes:
        shown: the whole cell for tracebacks and `inspect`, the magic's own line as it was typed.
        padded: the same with nothing but line ends above the body.
    """

    shown: str
    padded: str

    @classmethod
    def of(cls, text: str, cell: str, body: str) -> _Source:
        """The body `text` of `cell`, which IPython has transformed to `body`."""
        above, found, _ = cell.rpartition(text)
        head = above if found and above else "%%cascade\n"
        blank = next((i for i, line in enumerate(text.splitlines()) if line.strip()), 0)
        head += "\n" * blank  # IPython's transformers take empty lines away at the beginning
        return cls(head + body, "\n" * head.count("\n") + body)


class _TopLevel(ast.NodeTransformer):
    """What stands at the top level, in whatever `if`, `for`, `with` or `try`."""

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        return self._function(node)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> ast.AST:
        return self._function(node)

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        return node

    def visit_Lambda(self, node: ast.Lambda) -> ast.AST:
        return node

    def visit_Assign(self, node: ast.Assign) -> Any:
        targets = node.targets
        if not all(isinstance(target, ast.Name) for target in targets):
            return node
        if isinstance(node.value, ast.Name):
            node.value = _read(node.value, node.value.id, targets[0])
        # x = y = f() is x = f() and then y = x
        more = [
            ast.copy_location(ast.Assign([target], _read(node, _id(targets[0]), target)), node)
            for target in targets[1:]
        ]
        node.targets = targets[:1]
        return [node, *more]

    def _function(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> ast.AST:
        if not node.name.startswith("_"):
            # On the line where the function begins anyway: that is its first line for `inspect`.
            first = node.decorator_list[0] if node.decorator_list else node
            node.decorator_list.insert(0, _name(_TASK, first))
        return node


def _displayed(nodes: Sequence[ast.stmt], interactivity: str) -> Sequence[ast.stmt]:
    """Those statements whose value is shown, by IPython's setting."""
    if interactivity == "all":
        return nodes
    last = nodes[-1:]
    if not last:
        return []
    if interactivity == "last" or (interactivity != "none" and isinstance(last[0], ast.Expr)):
        return last
    return []


def _read(place: ast.expr | ast.stmt, source: str, target: ast.expr) -> ast.expr:
    """An expression that gives what `source` names, for another name to be bound to."""
    value = _name(source, place)
    if source == _id(target):
        return value
    call = ast.Call(_name(_READ, place), [value], [])
    return ast.copy_location(call, value)


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
    if isinstance(made, (Task, Lazy, type)) or not callable(made):
        return made
    try:
        return Task(made)
    except TaskDefinitionError as error:
        advice = "; a name that begins with '_' stays a plain function"
        raise TaskDefinitionError(f"{error}{advice}") from None


def _as_read(value: Any) -> Any:
    return standing_for(value) if isinstance(value, Lazy) else value


HELPERS: Final[Mapping[str, Callable[[Any], Any]]] = {_TASK: _as_task, _READ: _as_read}
