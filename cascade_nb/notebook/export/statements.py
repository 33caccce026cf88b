"""Takes the cells of a notebook apart into statements: what each binds, what each reads."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, NamedTuple

from cascade_nb.notebook.cells.needed_lines import (
    bound_by,
    outside_functions,
    parsed,
    python_lines,
    reads_of,
    runs_a_magic,
)

FUNCTIONS: Final = (ast.FunctionDef, ast.AsyncFunctionDef)
IMPORTS: Final = (ast.Import, ast.ImportFrom)
_CHANGES: Final = frozenset(
    {"append", "add", "insert", "extend", "update", "setdefault", "appendleft", "sort", "remove"}
    | {"pop", "clear", "discard", "reverse"}
)
#: What is called for what it does, where a line is nothing but the call: ``random.seed(3)``,
#: ``pd.set_option(…)``, ``warnings.simplefilter(…)``.
_SETS: Final = re.compile(
    r"(?:set|seed|manual_seed|register|enable|disable|configure)\w*|use(?:_\w*)?"
    r"|simplefilter|filterwarnings|basicConfig"
)


class RunCell(NamedTuple):
    """A cell as it was run.

    Attributes:
        label: how messages call it, such as ``In[3]``.
        python: its text without IPython's syntax, each line at its place.
        defines: whether it is a `%%cascade` cell.
        key: what the frontend calls it, each time that it is run; empty where it does not say.
    """

    label: str
    python: str
    defines: bool
    key: str = ""


@dataclass(frozen=True, eq=False)
class Statement:
    """A statement of the top level of a cell.

    Attributes:
        cell: where it stands.
        order: which cell that is, and which statement of it.
        node: it.
        text: its lines as they were written, with the comments right above.
        binds: the names that it binds.
        changes: the names of whose values it changes something.
        reads: the names that it, or a function in it, looks up.
    """

    cell: RunCell
    order: tuple[int, int]
    node: ast.stmt
    text: str
    binds: frozenset[str]
    changes: frozenset[str]
    reads: frozenset[str]

    @property
    def place(self) -> str:
        """Where it stands, in words."""
        return f"{self.cell.label}, line {_first_line(self.node)}"

    @property
    def is_import(self) -> bool:
        """Whether it does nothing but import."""
        return isinstance(self.node, IMPORTS)

    @property
    def is_definition(self) -> bool:
        """Whether what it reads it reads later, when it is called."""
        return isinstance(self.node, (*FUNCTIONS, ast.ClassDef))

    @property
    def is_magic(self) -> bool:
        """Whether there is something of IPython's in it."""
        return runs_a_magic(self.node)

    @property
    def awaits(self) -> bool:
        """Whether it awaits at the top level."""
        waiting = (ast.Await, ast.AsyncFor, ast.AsyncWith)
        return any(
            isinstance(one, waiting) or (isinstance(one, ast.comprehension) and one.is_async)
            for one in outside_functions(self.node)
            if not isinstance(one, FUNCTIONS)
        )

    def functions(self) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
        """Those that it defines at the top level, in whatever `if`, `for` or `with`."""
        for node in outside_functions(self.node):
            if isinstance(node, FUNCTIONS):
                yield node

    def first_line_of(self, function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
        """Where in its text a function begins, from 0."""
        begins = len(python_lines(self.text)) - (_last_line(self.node) - _first_line(self.node)) - 1
        return begins + _first_line(function) - _first_line(self.node)


def statements_of(cells: Sequence[RunCell]) -> list[Statement]:
    """The statements of all cells, in the order in which they were run; an import of several names
    is as many statements.
    """
    found: list[Statement] = []
    effects: dict[str, frozenset[str]] = {}
    modules: dict[str, str] = {}
    for number, cell in enumerate(cells):
        body = parsed(cell.python).body
        lines = python_lines(cell.python)
        for place, node in enumerate(body):
            alone = not _shares_a_line(body, place)
            text = _text(lines, body, place) if alone else ast.unparse(node)
            if isinstance(node, FUNCTIONS):
                effects[node.name] = frozenset(_changed_when_called(node))
            whole = Statement(
                cell,
                (number, place),
                node,
                text,
                frozenset(bound_by(node)),
                frozenset(_changed(node)) | _of_calls(node, effects) | _set_in(node, modules),
                frozenset(reads_of(ast.unparse(node))),
            )
            _note_imports(node, modules)
            found += _one_by_one(whole) if whole.is_import else [whole]
    return found


def _one_by_one(whole: Statement) -> Iterator[Statement]:
    node = whole.node
    assert isinstance(node, IMPORTS)
    for alias in node.names:
        one: ast.stmt
        if isinstance(node, ast.Import):
            one = ast.Import([alias])
        else:
            one = ast.ImportFrom(node.module, [alias], node.level)
        ast.copy_location(one, node)
        yield replace(whole, node=one, text=ast.unparse(one), binds=frozenset(bound_by(one)))


def _changed(statement: ast.stmt) -> Iterator[str]:
    """The names of whose values a statement changes something: ``xs.append(…)``, ``d[k] = …``."""
    for node in (*outside_functions(statement), *_call_for_its_effect(statement)):
        inner: ast.AST | None = None
        match node:
            case ast.Call(func=ast.Attribute(attr=name, value=of)) if name in _CHANGES:
                inner = of
            case ast.Call(func=ast.Attribute(attr="shuffle"), args=[inner]):
                pass
            case ast.AugAssign(target=inner):
                pass
            case (
                ast.Subscript(ctx=ast.Store() | ast.Del())
                | ast.Attribute(ctx=ast.Store() | ast.Del())
            ):
                inner = node
        if (root := _root(inner)) is not None:
            yield root


def _call_for_its_effect(statement: ast.stmt) -> Iterator[ast.AST]:
    """What a line sets that is nothing but a call which sets something."""
    match statement:
        case ast.Expr(ast.Call(func=ast.Attribute(attr=name) as called)) if _SETS.fullmatch(name):
            yield ast.Attribute(called, "", ast.Store())


def _changed_when_called(function: ast.FunctionDef | ast.AsyncFunctionDef) -> set[str]:
    """The global names that a function binds, or of whose values it changes something."""
    given, local, found = set[str](), set[str](), set[str]()
    for node in ast.walk(function):
        if isinstance(node, ast.arg):
            given.add(node.arg)
        elif isinstance(node, ast.Global):
            found.update(node.names)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            local.add(node.id)
    changed = {name for inner in function.body for name in _changed(inner)}
    return found | (changed - given - local)


def _of_calls(node: ast.stmt, effects: Mapping[str, frozenset[str]]) -> frozenset[str]:
    """What a line changes that is nothing but a call of a function of a cell."""
    match node:
        case ast.Expr(ast.Call(func=ast.Name(name))):
            return effects.get(name, frozenset())
    return frozenset()


def _note_imports(node: ast.stmt, modules: dict[str, str]) -> None:
    """Note from which modules the names are that a statement imports; others it may bind anew."""
    for name in bound_by(node):
        modules.pop(name, None)
    if isinstance(node, ast.Import):
        modules.update((one.asname or one.name.partition(".")[0], one.name) for one in node.names)
    elif isinstance(node, ast.ImportFrom) and node.module is not None:
        modules.update((one.asname or one.name, node.module) for one in node.names)


def _set_in(node: ast.stmt, modules: Mapping[str, str]) -> frozenset[str]:
    """Whose module a line sets that is nothing but ``seed(3)``, after ``from random import seed``:
    all names that are that module, or of it.
    """
    match node:
        case ast.Expr(ast.Call(func=ast.Name(called))) if _SETS.fullmatch(called):
            module = modules.get(called)
            return frozenset(one for one, of in modules.items() if of == module)
    return frozenset()


def _root(node: ast.AST | None) -> str | None:
    """The name that an expression begins with, as that of ``decimal.getcontext().prec``."""
    while isinstance(node, (ast.Subscript, ast.Attribute, ast.Call)):
        if isinstance(node, ast.Call) and not isinstance(node.func, ast.Attribute):
            return None
        node = node.func if isinstance(node, ast.Call) else node.value
    return node.id if isinstance(node, ast.Name) else None


def _shares_a_line(body: Sequence[ast.stmt], place: int) -> bool:
    node = body[place]
    before = place > 0 and _last_line(body[place - 1]) == _first_line(node)
    behind = place + 1 < len(body) and _first_line(body[place + 1]) == _last_line(node)
    return before or behind


def _text(lines: Sequence[str], body: Sequence[ast.stmt], place: int) -> str:
    """The lines of a statement, and the comments right above it."""
    node = body[place]
    first, least = _first_line(node), _last_line(body[place - 1]) + 1 if place else 1
    while first > least and lines[first - 2].lstrip().startswith("#"):
        first -= 1
    return "\n".join(lines[first - 1 : _last_line(node)]).rstrip().removesuffix(";")


def _first_line(node: ast.stmt) -> int:
    decorators: list[ast.expr] = getattr(node, "decorator_list", [])
    return min([node.lineno, *(one.lineno for one in decorators)])


def _last_line(node: ast.stmt) -> int:
    return node.end_lineno or node.lineno
