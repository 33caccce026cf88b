"""Finds calls of tasks in plain cells that do not do what they would do as functions."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from typing import Any, Final

from cascade_nb.concurrency.safe_parse import parse
from cascade_nb.model.tasks.task import Task

_TIMED: Final = re.compile(
    r"^\s*(?P<magic>%%?time(?:it)?)\b(?P<options>(?:\s+-\w+(?:\s*\d+)?)*)(?P<code>[^\n]*)(?P<rest>.*)",
    re.MULTILINE | re.DOTALL,
)
_WORD: Final = re.compile(r"\w+")


def remarks_on(text: str, look: Callable[[str], Any]) -> list[str]:
    """What to say below a cell about its calls of tasks.

    Args:
        text: the cell.
        look: what a name means.
    """
    if text.lstrip().startswith("%%") or _TIMED.search(text):
        return []
    tasks = _tasks_in(text, look)
    return _of_statements(text, tasks) if tasks else []


def remarks_on_timing(text: str, look: Callable[[str], Any]) -> list[str]:
    """What to say above what a cell is about to time, where that is the call of a task: the number
    that comes is no time of any work.

    Args:
        text, look: as for `remarks_on`.
    """
    timed = _TIMED.search(text)
    tasks = _tasks_in(text, look) if timed is not None else set()
    if timed is None or not tasks:
        return []
    magic = timed["magic"]
    code = timed["rest"] if magic.startswith("%%") else timed["code"]
    for statement in _parsed(code.strip()):
        value = getattr(statement, "value", None)
        name = _called(value)
        if name in tasks:
            told = f"{magic} times the making of a call of `{name}`, which runs later. "
            way = f"{magic.replace('%%', '%')} cs.run({name}(…))"
            return [f"{told}`{way}` times the work, after `import cascade_nb as cs`."]
    return []


def _tasks_in(text: str, look: Callable[[str], Any]) -> set[str]:
    return {word for word in _WORD.findall(text) if isinstance(look(word), Task)}


def _of_statements(text: str, tasks: set[str]) -> list[str]:
    tree = _parsed(text)
    shown = tree[-1:] if not text.rstrip().endswith(";") else []
    lines: dict[str, list[int]] = {}
    for statement in _statements(tree):
        if isinstance(statement, ast.Expr) and statement not in shown:
            name = _called(statement.value)
            if name in tasks:
                lines.setdefault(name, []).append(statement.lineno)
    told = "Nothing keeps the value of `{name}` (line {where}), so it does not run: give the call "
    told += "a name and run that, or call `{name}.fn(…)`, which runs at once."
    return [
        told.format(name=name, where=", ".join(map(str, where))) for name, where in lines.items()
    ]


def _statements(block: list[ast.stmt]) -> Iterator[ast.stmt]:
    """Those of a block and of the blocks in it, without functions and classes."""
    for statement in block:
        yield statement
        if not isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            for part in ("body", "orelse", "finalbody"):
                yield from _statements(getattr(statement, part, []))


def _called(value: ast.expr | None) -> str:
    is_call = isinstance(value, ast.Call) and isinstance(value.func, ast.Name)
    return value.func.id if is_call else ""  # type: ignore[union-attr]


def _parsed(text: str) -> list[ast.stmt]:
    try:
        body: list[ast.stmt] = parse(text).body
    except (SyntaxError, ValueError, RecursionError):
        return []  # IPython's own syntax, or none; the cell has said so itself
    return body
