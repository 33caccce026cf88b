"""Describes what this room uses of IPython's shell, and does the few things that every magic does
with it.
"""

from __future__ import annotations

import io
import linecache
import sys
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

from IPython import get_ipython
from IPython.core.displaypub import CapturingDisplayPublisher
from IPython.display import display

from cascade_nb.notebook.workspace.layers import Cell
from cascade_nb.text import readable

Transformer = Callable[[list[str]], list[str]]


class Shell(Protocol):
    """The part of `IPython.core.interactiveshell.InteractiveShell` that is used here."""

    user_ns: dict[str, Any]
    execution_count: int
    ast_node_interactivity: str
    ast_transformers: list[Any]
    autoawait: bool
    compile: Any
    display_formatter: Any
    display_pub: Any
    displayhook: Any
    events: Any
    input_transformers_post: list[Transformer]
    loop_runner: Any
    magics_manager: Any
    Completer: Any
    InteractiveTB: Any

    @property
    def input_transformers_cleanup(self) -> list[Transformer]:
        """What changes the text of a cell before IPython reads its syntax."""
        ...

    def transform_cell(self, raw_cell: str) -> str:
        """IPython's syntax as Python."""
        ...

    def transform_ast(self, node: Any) -> Any:
        """The user's own transformers, applied."""
        ...

    def register_magics(self, *magics: Any) -> None:
        """Make magics known."""
        ...


class Running(NamedTuple):
    """The cell that runs now.

    Attributes:
        cell: which cell it is.
        number: what the frontend writes beside it.
        text: all of it as it was typed; empty when no cell runs and a magic is called by code.
    """

    cell: Cell
    number: int
    text: str


def running_cell(shell: Shell) -> Running:
    """The cell that runs now in `shell`.

    Where the frontend gives its cells no identity, each execution is a cell of its own.
    """
    result = shell.displayhook.exec_result
    number = (result.execution_count if result is not None else None) or shell.execution_count
    info = result.info if result is not None else None
    key = info.cell_id if info is not None else None
    text = info.raw_cell if info is not None else None
    return Running(Cell(key or object(), f"In[{number}]"), number, text or "")


def note_source(shell: Shell, text: str, number: int, raw: str | None = None) -> str:
    """Have tracebacks and `inspect` find the text of a cell; gives the file name that it goes by.

    Where IPython ends a line at a form feed or a U+2028 in a string, it ends none here, as in
    Python.
    """
    name: str = shell.compile.cache(text, number, raw_code=raw)
    lines = linecache.getlines(name)
    lines[:] = io.StringIO(text if text.endswith("\n") else f"{text}\n", newline=None)
    return name


def remark(text: str) -> None:
    """Say something about the current cell, in its place among what the cell printed."""
    sys.stdout.write(f"{readable(text)}\n")


def is_captured(shell: Shell) -> bool:
    """Whether what is shown now goes to a `%%capture`, and not below the cell."""
    return isinstance(shell.display_pub, CapturingDisplayPublisher)


def at_a_prompt() -> bool:
    """Whether somebody types this at IPython in a terminal; a script that it executes has no prompt
    to come back to, and its end would be the end of what runs.
    """
    interact = getattr(type(get_ipython()), "interact", None)
    if interact is None:
        return False
    frame = sys._getframe(1)
    while frame is not None and frame.f_code is not interact.__code__:
        frame = frame.f_back  # type: ignore[assignment]
    return frame is not None


def say(text: str) -> None:
    """Show text below the current cell."""
    display({"text/plain": readable(text)}, raw=True)  # type: ignore[no-untyped-call]
