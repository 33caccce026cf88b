"""Shows the difference between two texts in as few lines or characters as will do."""

from __future__ import annotations

import ast
import difflib
import re
import textwrap
from collections.abc import Iterator
from typing import Final

from cascade_nb.concurrency.safe_parse import parse

#: What is said where two values differ in more than is shown of them.
OTHER_CONTENT: Final = "other content"

_LINES: Final = 14
_SHORT: Final = 60
_AROUND: Final = 24
# Of lists, dicts, sets, deques and arrays.
_MUTATORS: Final = re.compile(
    r"append(left)?|extend(left)?|insert|remove|pop(left|item)?|clear|sort|reverse|update"
    r"|setdefault|add|discard|\w+_update|fill|resize|put"
)


def source_difference(before: str, after: str) -> tuple[str, ...]:
    """The lines of source that went and came, each with the line before and after it.

    At most some fourteen lines; a piece left out is ``…``. Nothing where both say the same.
    """
    old, new = (textwrap.dedent(text).splitlines() for text in (before, after))
    lines = list(difflib.unified_diff(old, new, n=1, lineterm=""))[3:]
    lines = ["…" if line.startswith("@@") else line.rstrip() for line in lines]
    if len(lines) > _LINES:
        left = len(lines) - _LINES
        lines[_LINES:] = [f"… {left} lines more"]
    return tuple(lines)


def changed_line(before: str, after: str) -> int:
    """The first line of `after` that is not as in `before`, or before which one is gone; from 1."""
    old, new = (textwrap.dedent(text).splitlines() for text in (before, after))
    pairs = enumerate(zip(old, new, strict=False), 1)
    same = next((number for number, (a, b) in pairs if a != b), min(len(old), len(new)) + 1)
    return max(1, min(same, len(new)))


def value_difference(before: str, after: str) -> str:
    """``1 → 2``, with only the part that differs where the values are long."""
    if before == after:
        return f"{after} with {OTHER_CONTENT}" if len(after) <= _SHORT else OTHER_CONTENT
    if max(len(before), len(after)) > _SHORT:
        same = next(
            (i for i, (a, b) in enumerate(zip(before, after, strict=False)) if a != b),
            min(len(before), len(after)),
        )
        before, after = (_window(text, same) for text in (before, after))
    return f"{before} → {after}"


def changers(source: str, name: str) -> Iterator[str]:
    """The statements of a function's source that change the object called `name` in place."""
    try:
        tree = parse(textwrap.dedent(source))
    except SyntaxError:  # a lambda cut out of its line
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            changes = _MUTATORS.fullmatch(node.func.attr) is not None and _begins_with(
                node.func.value, name
            )
        elif isinstance(node, (ast.Assign, ast.Delete)):
            changes = any(_item_of(one, name) for one in node.targets)
        elif isinstance(node, ast.AugAssign):
            changes = _item_of(node.target, name) or _begins_with(node.target, name)
        else:
            changes = False
        if changes:
            yield ast.unparse(node)


def _item_of(target: ast.expr, name: str) -> bool:
    return isinstance(target, (ast.Subscript, ast.Attribute)) and _begins_with(target, name)


def _begins_with(node: ast.expr, name: str) -> bool:
    """Whether `node` is `name` itself or something taken out of it: ``name[0].x``."""
    while isinstance(node, (ast.Subscript, ast.Attribute)):
        node = node.value
    return isinstance(node, ast.Name) and node.id == name


def _window(text: str, place: int) -> str:
    start = max(0, place - _AROUND)
    end = min(len(text), place + _AROUND)
    return ("…" if start else "") + text[start:end] + ("…" if end < len(text) else "")
