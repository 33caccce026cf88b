"""Writes statements as a module: imports, parameters, definitions, the lines of the graph, and a
line that makes a program of it.
"""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import count
from typing import Final, NamedTuple

from cascade_nb.notebook.cells.needed_lines import parsed, python_lines
from cascade_nb.notebook.export.statements import FUNCTIONS, Statement
from cascade_nb.notebook.roles.top_level import is_explicit

PACKAGE: Final = "cascade_nb"
_SHORT: Final = "cs"


class ModuleText(NamedTuple):
    """A module.

    Attributes:
        text: of it.
        body: its text without the lines that make a program of it.
        places: by number of a line, the statement that it is of.
    """

    text: str
    body: str
    places: Mapping[int, Statement]

    def at(self, line: int) -> Statement | None:
        """The statement of a line."""
        return self.places.get(line)


def rank_of(one: Statement, params: Collection[str], nodes: Collection[str]) -> int:
    """Where in a module a statement stands that need not stand before another: parameters, then
    what defines something, then the lines of the graph.
    """
    if one.is_import:
        return 0
    if one.binds & set(params):
        return 1
    return 3 if (one.binds | one.changes) & set(nodes) else 2


def module_text(
    title: str,
    statements: Sequence[Statement],
    tasks: Collection[str],
    ends: Sequence[str],
    future: bool,
    called: Mapping[Statement, str],
) -> ModuleText:
    """The text of a module.

    Args:
        title: what it is, in a sentence.
        statements: its own, in order.
        tasks: the names of functions that are tasks.
        ends: the nodes that no other reads.
        future: whether its annotations are texts.
        called: of statements that bind one node, what this is called where that counts.
    """
    body = [one for one in statements if not one.is_import]
    imports = list(dict.fromkeys(one.text for one in statements if one.is_import))
    package, needed = _package(statements)
    imports = [*(["from __future__ import annotations"] if future else []), *imports]
    if needed is not None:
        imports.append(needed)
    lines = [f'"""{title}"""', "", *_sorted_imports(imports), ""]
    places: dict[int, Statement] = {}
    for one in body:
        if isinstance(one.node, (*FUNCTIONS, ast.ClassDef)):
            lines += ["", ""]
        said = _decorated(one, tasks, package)
        text = python_lines(_named(said, called[one]) if one in called else said)
        places.update(dict.fromkeys(range(len(lines) + 1, len(lines) + len(text) + 1), one))
        lines += text
        if isinstance(one.node, (*FUNCTIONS, ast.ClassDef)):
            lines += ["", ""]
    default = f", {ends[0]!r}" if len(ends) == 1 else ""
    body_text = "\n".join([*lines, ""])
    lines += ["", "", 'if __name__ == "__main__":', f"    {package}.main(__file__{default})", ""]
    return ModuleText("\n".join(lines), body_text, places)


def _package(statements: Iterable[Statement]) -> tuple[str, str | None]:
    """How the module calls this package, and the import that this needs: no name that a line of it
    gives to anything else.
    """
    taken: set[str] = set()
    imported: list[str] = []
    for one in statements:
        if isinstance(one.node, ast.Import) and one.node.names[0].name == PACKAGE:
            imported.append(one.node.names[0].asname or PACKAGE)
        else:
            taken |= one.binds
    for name in imported:
        if name not in taken:
            return name, None
    short = next(name for name in _calls_of_package() if name not in {*taken, *imported})
    return short, f"import {PACKAGE}" + (f" as {short}" if short != PACKAGE else "")


def _calls_of_package() -> Iterator[str]:
    yield from (_SHORT, PACKAGE, "cascade")
    yield from (f"cascade_{number}" for number in count(2))


def _decorated(one: Statement, tasks: Collection[str], package: str) -> str:
    """A statement, in which the functions that a notebook makes tasks say so."""
    if not one.cell.defines:
        return one.text
    lines = python_lines(one.text)
    marked = [it for it in one.functions() if it.name in tasks and not is_explicit(it)]
    for function in sorted(marked, key=one.first_line_of, reverse=True):
        first = one.first_line_of(function)
        indent = lines[first][: len(lines[first]) - len(lines[first].lstrip())]
        lines.insert(first, f"{indent}@{package}.task")
    return "\n".join(lines)


def _named(text: str, name: str) -> str:
    """An assignment to one name, whose value says what it is called."""
    value = next((getattr(one, "value", None) for one in parsed(text).body), None)
    if not isinstance(value, ast.Call) or value.end_lineno is None:
        return text
    lines = python_lines(text)
    last = lines[value.end_lineno - 1].encode()
    before, after = last[: value.end_col_offset], last[value.end_col_offset :]
    lines[value.end_lineno - 1] = f"{before.decode()}.named({name!r}){after.decode()}"
    return "\n".join(lines)


def _sorted_imports(imports: Iterable[str]) -> list[str]:
    """As they were, but what comes from the future first."""
    return sorted(dict.fromkeys(imports), key=lambda one: not one.startswith("from __future__"))
