"""Lets magics be awaited, which IPython does not do by itself.

Before a cell is compiled, the calls that IPython made of its magics get an `await` where they have
something to wait for, and are told so. It is done on the text, because a cell is compiled as one
that can await only where it has an `await` in it.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from typing import Final

from IPython.core.interactiveshell import InteractiveShell

from cascade_nb.concurrency.safe_parse import literal
from cascade_nb.notebook.cells.cell_body import awaits, would_await
from cascade_nb.notebook.shell import Shell, Transformer

AWAITED: Final = "--awaited"

Waits = Callable[[str], bool]

_RUNS_A_CELL: Final = InteractiveShell.run_code.__code__
_TEXT: Final = r"""('(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")"""
_AWAIT: Final = r"(?:await )?get_ipython\(\)\."
_CELL: Final = re.compile(rf"{_AWAIT}run_cell_magic\('cascade', {_TEXT}, {_TEXT}\)")
_LINE: Final = re.compile(rf"{_AWAIT}run_line_magic\('cascade', {_TEXT}\)")


def transformer(shell: Shell, waits: Waits) -> Transformer:
    """What to append to `input_transformers_post`.

    Args:
        waits: whether `%cascade` with these arguments waits for something.
    """

    def transform(lines: list[str]) -> list[str]:
        # Inside a running cell it is another magic that asks, such as %%time, and few of them could
        # run what awaits.
        if _in_a_cell() or not shell.autoawait:
            return lines
        return with_awaits("".join(lines), shell, waits).splitlines(keepends=True)

    return transform


def _in_a_cell() -> bool:
    """Whether who asks runs inside a cell, however deep: `%run` runs a whole notebook there."""
    frame = sys._getframe(1)
    while frame is not None:
        if frame.f_code is _RUNS_A_CELL:
            return True
        frame = frame.f_back  # type: ignore[assignment]
    return False


def with_awaits(text: str, shell: Shell, waits: Waits) -> str:
    """`text`, a cell that IPython has transformed, with an `await` before each magic that waits."""
    if "'cascade'" not in text:
        return text
    changed = _LINE.sub(lambda found: _line(found, waits), text)
    changed = _CELL.sub(lambda found: _cell(found, shell, waits), changed)
    return changed if changed == text or _is_python(changed) else text


def _line(found: re.Match[str], waits: Waits) -> str:
    line = literal(found[1])
    if line.startswith(AWAITED) or not waits(line):
        return found[0]
    return f"await get_ipython().run_line_magic('cascade', {f'{AWAITED} {line}'!r})"


def _cell(found: re.Match[str], shell: Shell, waits: Waits) -> str:
    line, body = literal(found[1]), literal(found[2])
    # IPython refuses an empty body with words that are not ours, and `%%cascade -h` has none.
    body = body or "\n"
    if line.startswith(AWAITED) or not (would_await(shell, body) or waits(line)):
        return f"get_ipython().run_cell_magic('cascade', {line!r}, {body!r})"
    given = f"{AWAITED} {line}"
    return f"await get_ipython().run_cell_magic('cascade', {given!r}, {body!r})"


def _is_python(text: str) -> bool:
    """Whether every `await` in `text` stands where one may: not inside a plain function."""
    try:
        awaits(text)
    except SyntaxError:
        return False
    return True
