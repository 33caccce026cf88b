"""`%cascade import flow.py`: a module of tasks as the workspace, as if it stood in a cell."""

from __future__ import annotations

import ast
import sys
from argparse import Namespace
from pathlib import Path
from typing import Final, NamedTuple

from cascade_nb.concurrency.safe_parse import parse
from cascade_nb.errors import CascadeError, UsageError
from cascade_nb.notebook.cells.needed_lines import python_lines
from cascade_nb.notebook.cells.recording import recording
from cascade_nb.notebook.export.cells import note_import
from cascade_nb.notebook.export.module_text import PACKAGE
from cascade_nb.notebook.panel.drawing import show_graph, whole_graph
from cascade_nb.notebook.session import Session
from cascade_nb.notebook.shell import note_source, remark, running_cell, say
from cascade_nb.notebook.tracebacks import as_in_a_cell
from cascade_nb.notebook.workspace.layers import Cell

_MOST: Final = 10_000_000  # bytes of a module


class _Module(NamedTuple):
    """A module that was read: its text without what it does as a program."""

    path: Path
    text: str


def bring_in(session: Session, given: Namespace, _awaited: bool) -> None:
    """Run the lines of a module as a cell of their own, which is the same each time."""
    __tracebackhide__ = True
    module = _read(Path(given.file).expanduser())
    folder = str(module.path.parent)
    if folder not in sys.path:  # it finds its neighbours, as when Python runs it
        sys.path.insert(0, folder)
    shell, number = session.shell, running_cell(session.shell).number
    cell = Cell(("import", str(module.path)), module.path.name)
    name = note_source(shell, module.text, number)
    code = compile(module.text, name, "exec", dont_inherit=True)
    told: dict[str, None] = {}
    try:
        with recording(session.workspace, cell, {"__file__": str(module.path)}) as names:
            told = names.told
            exec(code, shell.user_ns, names)  # noqa: S102 - the user asks for it
    except CascadeError:
        raise
    except Exception as error:
        raise as_in_a_cell(shell, error) from error.__cause__
    finally:
        note_import(session, number, module.path.name, module.text)
        if told:
            remark("\n".join(told))
    here, latest = session.workspace, session.workspace.latest
    if latest.cell is not cell:
        raise UsageError(f"{module.path.name} has no task and no node: nothing of it can be run")
    say(f"From {module.path.name}: {', '.join([*latest.nodes, *latest.tasks])}.")
    if not given.quiet:
        show_graph(session, *whole_graph(here))


def _read(path: Path) -> _Module:
    """A module, with empty lines in the place of what it does as a program.

    Raises:
        UsageError: there is none, it is no Python, or nothing of a workflow.
    """
    try:
        if path.exists() and not path.is_file():  # of a pipe nobody knows when it ends
            raise UsageError(f"{path} is no file")
        if path.stat().st_size > _MOST:
            raise UsageError(f"{path} is too large to be a module of tasks")
        text = path.read_text(encoding="utf-8-sig")
        tree: ast.Module = parse(text)
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror or error}") from None
    except (SyntaxError, ValueError, RecursionError) as error:
        raise UsageError(f"{path} is no file of Python: {error}") from None
    imports = [one for one in ast.walk(tree) if isinstance(one, (ast.Import, ast.ImportFrom))]
    if any(isinstance(one, ast.ImportFrom) and one.level for one in imports):
        raise UsageError(f"{path.name} imports from its package, so that it is no module by itself")
    if not any(_is_of_package(one) for one in imports):
        raise UsageError(f"{path.name} does not import {PACKAGE}, so that it has no tasks")
    lines = python_lines(text)
    for node in tree.body:
        if isinstance(node, ast.If) and "__name__" in ast.unparse(node.test):
            last = node.end_lineno or node.lineno
            lines[node.lineno - 1 : last] = [""] * (last - node.lineno + 1)
    return _Module(path.resolve(), "\n".join(lines) + "\n")


def _is_of_package(node: ast.Import | ast.ImportFrom) -> bool:
    names = [one.name for one in node.names] if isinstance(node, ast.Import) else [node.module]
    return any(name is not None and name.partition(".")[0] == PACKAGE for name in names)
