"""Writes what a command says: text that no terminal obeys, or JSON."""

from __future__ import annotations

import contextlib
import io
import json
import sys
from collections.abc import Iterable, Iterator
from typing import Any, Final, TextIO

from cascade_nb.text import readable

DONE: Final = 0
FAILED: Final = 1  # a run failed, or what was asked was refused
WRONG: Final = 2  # the command line cannot mean anything
NOBODY: Final = 3  # nobody answered, or nothing is running
CANCELLED: Final = 4  # a run was cancelled
INTERRUPTED: Final = 130  # by Ctrl-C
TOLD_TO_END: Final = 143  # by SIGTERM

_UNKNOWN: Final = "\ufffd"
_kept: Final[list[TextIO]] = []  # the standard output, while what others print does not go there


def line_of(text: object) -> str:
    """A text of others as one line that says what it says: what commands a terminal, turns the
    direction of writing or begins a line is replaced.
    """
    said = readable(str(text))
    if said.isprintable():
        return said
    return "".join(c if c.isprintable() else " " if c in "\t\n\r" else _UNKNOWN for c in said)


def say(*lines: object) -> None:
    """Write lines to the standard output."""
    _write(_kept[-1] if _kept else sys.stdout, lines)


def complain(*lines: object) -> None:
    """Write lines to the standard error stream."""
    _write(sys.stderr, lines)


def say_json(content: Any) -> None:
    """Write one line of JSON, all of it ASCII."""
    say(json.dumps(content, ensure_ascii=True, default=str))


@contextlib.contextmanager
def prints_of_others_aside(aside: bool) -> Iterator[None]:
    """What modules and tasks print goes to the standard error stream, and ours alone to the
    standard output.

    Args:
        aside: whether; otherwise all goes where it goes.
    """
    if not aside:
        yield
        return
    _kept.append(sys.stdout)
    try:
        with contextlib.redirect_stdout(sys.stderr):
            yield
    finally:
        _kept.pop()


def write_what_can_be() -> None:
    """Have characters that the terminal's encoding lacks replaced, rather than fail."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _write(stream: Any, lines: Iterable[object]) -> None:
    stream.write("".join(f"{line_of(line)}\n" for line in lines))
    stream.flush()
