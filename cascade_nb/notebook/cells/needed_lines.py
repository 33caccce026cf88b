"""Finds the lines of a notebook's plain cells that its `%%cascade` cells need: what binds the names
that they read, and what binds those that this reads.

Nothing else is kept, so that a notebook can be read for what it defines without anything of it
being run, drawn or waited for.
"""

from __future__ import annotations

import ast
import re
import symtable
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from cascade_nb.concurrency.safe_parse import parse, safely

_LINE_END: Final = re.compile("\r\n|\r|\n")


class SourceCell(NamedTuple):
    """A cell.

    Attributes:
        number: its place among the code cells, from 1.
        text: what is run.
        python: the same without IPython's syntax.
        defines: whether it is a `%%cascade` cell, all of which is kept.
    """

    number: int
    text: str
    python: str
    defines: bool


def needed_cells(cells: Sequence[SourceCell], wanted: Iterable[str]) -> list[SourceCell]:
    """The cells that define nodes, and of the others the lines that these need, in order.

    Args:
        cells: all of them, in order.
        wanted: names that are needed anyhow.
    """
    needed, defined = set(wanted), set[str]()
    for cell in cells:
        if cell.defines:
            needed |= reads_of(cell.python)
            defined.update(*map(bound_by, parsed(cell.python).body))
    needed -= defined
    statements = {cell: parsed(cell.python).body for cell in cells if not cell.defines}
    chosen: set[ast.stmt] = set()
    while more := [  # what is bound further down may be needed further up, inside of a function
        statement
        for body in statements.values()
        for statement in body
        if statement not in chosen and not runs_a_magic(statement) and bound_by(statement) & needed
    ]:
        chosen.update(more)
        needed.update(*(reads_of(ast.unparse(statement)) - defined for statement in more))
    kept = []
    for cell in cells:
        mine = [statement for statement in statements.get(cell, ()) if statement in chosen]
        if cell.defines:
            kept.append(cell)
        elif mine:
            kept.append(cell._replace(text=_only(cell.python, statements[cell], mine)))
    return kept


def parsed(text: str) -> ast.Module:
    """A cell as Python; empty where it is none, which its own run will say."""
    try:
        found: ast.Module = parse(text)
    except (SyntaxError, ValueError, RecursionError):
        return ast.Module([], [])
    return found


def python_lines(text: str) -> list[str]:
    """The lines that Python counts: to `str.splitlines` a form feed or a U+2028 ends one, too."""
    *lines, last = _LINE_END.split(text)
    return [*lines, last] if last else lines


def reads_of(python: str) -> set[str]:
    """The names that some Python looks up outside of its functions."""
    try:
        left = [safely(lambda: symtable.symtable(python, "cell", "exec"))]
    except (SyntaxError, ValueError, RecursionError):
        return set()
    found: set[str] = set()
    top = left[0]
    while left:
        table = left.pop()
        found.update(
            symbol.get_name()
            for symbol in table.get_symbols()
            if symbol.is_referenced() and (table is top or symbol.is_global())
        )
        left += table.get_children()
    return found


def bound_by(statement: ast.stmt) -> set[str]:
    """The names that a statement binds, or of whose values it sets an item or an attribute."""
    found: set[str] = set()
    nodes = list(outside_functions(statement))
    # The variables of a comprehension are nobody else's.
    inner_names = {
        id(name)
        for node in nodes
        if isinstance(node, ast.comprehension)
        for name in ast.walk(node.target)
    }
    for node in nodes:
        if id(node) in inner_names:
            continue
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            found.add(node.name)
        elif isinstance(node, ast.alias):
            found.add((node.asname or node.name).partition(".")[0])
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found.add(node.id)
        elif isinstance(node, (ast.MatchAs, ast.MatchStar, ast.MatchMapping)):
            captured = node.rest if isinstance(node, ast.MatchMapping) else node.name
            found |= {captured} if captured is not None else set()
        elif isinstance(node, (ast.Subscript, ast.Attribute)) and isinstance(node.ctx, ast.Store):
            inner: ast.expr = node
            while isinstance(inner, (ast.Subscript, ast.Attribute)):
                inner = inner.value
            found |= {inner.id} if isinstance(inner, ast.Name) else set()
    return found


def outside_functions(statement: ast.stmt) -> Iterable[ast.AST]:
    """What stands in a statement, but for the bodies of functions and classes in it."""
    left: list[ast.AST] = [statement]
    while left:
        node = left.pop()
        yield node
        if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)):
            left.extend(ast.iter_child_nodes(node))


def runs_a_magic(statement: ast.stmt) -> bool:
    """Whether there is a call of IPython's in a statement, as its own syntax becomes one."""
    return any(
        isinstance(node, ast.Attribute)
        and node.attr in ("run_line_magic", "run_cell_magic", "system", "getoutput")
        for node in ast.walk(statement)
    )


def _only(text: str, body: Sequence[ast.stmt], chosen: Sequence[ast.stmt]) -> str:
    """The lines of some statements, each at its place; what shares a line with others is written
    anew.
    """
    mine = {line for statement in chosen for line in _lines(statement)}
    others = {line for statement in body if statement not in chosen for line in _lines(statement)}
    if mine & others:
        return ast.unparse(ast.Module(list(chosen), []))
    lines = python_lines(text)
    return "\n".join(line if n in mine else "" for n, line in enumerate(lines, 1))


def _lines(statement: ast.stmt) -> range:
    first = min([statement.lineno, *(d.lineno for d in getattr(statement, "decorator_list", ()))])
    return range(first, (statement.end_lineno or first) + 1)
