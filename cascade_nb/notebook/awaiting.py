"""Lets magics be awaited, which IPython does not do by itself.

Before a cell is compiled, the calls that IPython made of its magics get an `await` where they have
something to wait for. It is done on the text, because a cell is compiled as one that can await only
where it has an `await` in it.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from typing import Final

from cascade_nb.notebook.cells import awaits, would_await
from cascade_nb.notebook.shell import Shell, Transformer

AWAITED: Final = "--awaited"

_TEXT: Final = r"""('(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")"""
_CELL: Final = re.compile(
    rf"(?<!await )get_ipython\(\)\.run_cell_magic\('cascade', {_TEXT}, {_TEXT}\)"
)
_LINE: Final = re.compile(rf"(?<!await )get_ipython\(\)\.run_line_magic\('cascade', {_TEXT}\)")


def transformer(shell: Shell, waits: Callable[[str], bool]) -> Transformer:
    """What to append to `input_transformers_post`.

    Args:
        waits: whether `%cascade` with these arguments waits for something.
    """

    def transform(lines: list[str]) -> list[str]:
        text = "".join(lines)
        if "'cascade'" not in text or not shell.autoawait:
            return lines
        changed = _LINE.sub(lambda found: _line(found, waits), text)
        changed = _CELL.sub(lambda found: _cell(found, shell, waits), changed)
        return changed.splitlines(keepends=True) if _is_python(changed) else lines

    return transform


def _line(found: re.Match[str], waits: Callable[[str], bool]) -> str:
    arguments = ast.literal_eval(found[1])
    if not waits(arguments):
        return found[0]
    given = f"{AWAITED} {arguments}"
    return f"await get_ipython().run_line_magic('cascade', {given!r})"


def _cell(found: re.Match[str], shell: Shell, waits: Callable[[str], bool]) -> str:
    line, body = ast.literal_eval(found[1]), ast.literal_eval(found[2])
    # IPython refuses an empty body with words that are not ours, and `%%cascade -h` has none.
    body = body or "\n"
    call = f"get_ipython().run_cell_magic('cascade', {line!r}, {body!r})"
    if not would_await(shell, body) and not waits(f"run {line}"):
        return call
    given = f"{AWAITED} {line}"
    return f"await get_ipython().run_cell_magic('cascade', {given!r}, {body!r})"


def _is_python(text: str) -> bool:
    """Whether every `await` in `text` stands where one may: not inside a plain function."""
    try:
        awaits(text)
    except SyntaxError:
        return False
    return True
