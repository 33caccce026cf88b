"""Writes what a command says: text that no terminal obeys, or JSON."""

from __future__ import annotations

import contextlib
import io
import json
import os
import sys
from collections.abc import Iterable, Iterator
from typing import Any, Final, TextIO

from cascade_nb.control.words import count_text
from cascade_nb.door.asked import Answer, Asked, who
from cascade_nb.door.discovery import Silent
from cascade_nb.text import readable

DONE: Final = 0
FAILED: Final = 1  # a run failed, or what was asked was refused
WRONG: Final = 2  # the command line cannot mean anything
NOBODY: Final = 3  # nobody answered, or nothing is running
CANCELLED: Final = 4  # a run was cancelled
INTERRUPTED: Final = 130  # by Ctrl-C
TOLD_TO_END: Final = 143  # by SIGTERM

_NOBODY: Final = "nobody answered: no kernel with %load_ext cascade_nb and no script of yours runs"
_SILENT: Final = "nobody answered; ask again when those who are there can listen"
_UNKNOWN: Final = "\ufffd"
_kept: Final[list[TextIO]] = []  # the standard output, while what others print does not go there


class UnwrittenError(Exception):
    """The standard output takes nothing, as where a disk is full."""


def line_of(text: object) -> str:
    """A text of others as one line that says what it says: what commands a terminal, turns the
    direction of writing or begins a line is replaced.
    """
    said = readable(str(text))
    if said.isprintable():
        return said
    return "".join(c if c.isprintable() else " " if c in "\t\n\r" else _UNKNOWN for c in said)


def say(*lines: object) -> None:
    """Write lines to the standard output.

    Raises:
        BrokenPipeError: who read it has gone.
        UnwrittenError: it takes nothing.
    """
    try:
        _write(_kept[-1] if _kept else sys.stdout, lines)
    except BrokenPipeError:
        raise
    except OSError as error:
        why = error.strerror or type(error).__name__
        raise UnwrittenError(f"what was to be said cannot be written: {why}") from None


def complain(*lines: object) -> None:
    """Write lines to the standard error stream; where it takes none, nobody is left to tell."""
    with contextlib.suppress(OSError):
        _write(sys.stderr, lines)


def no_more_output() -> None:
    """Have nothing written to the standard output any more, not even what waits in its buffer: it
    takes nothing, and Python would complain of that at its end.
    """
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def say_json(content: Any) -> None:
    """Write one line of JSON, all of it ASCII."""
    say(json.dumps(content, ensure_ascii=True, default=str))


def tell(asked: Asked, as_json: bool, lines: list[str], nobody: str = "") -> int:
    """Say what came of a question.

    Args:
        asked: that.
        as_json: whether as JSON.
        lines: the same for people, without what was refused and who was skipped.
        nobody: what to say where nobody was asked though some answer.

    Returns:
        the exit code.
    """
    code = DONE if asked.good else FAILED if asked.refused else NOBODY
    if any(isinstance(one, Silent) for one in asked.skipped):
        nobody = _SILENT
    if as_json:
        answers = [answer for _, answer in asked.answers]
        said: Answer = {"ok": code == DONE, "answers": answers, "skipped": asked.skipped}
        if code == NOBODY:
            said["error"] = nobody or _NOBODY
        say_json({**said, "exit": code})
        return code
    say(*lines)
    complain(*(f"{who(it)} refused: {it.get('error')}" for it in asked.refused))
    complain(*(f"skipped: {why}" for why in asked.skipped))
    if code == NOBODY:
        complain(nobody or _NOBODY)
    return code


def some(number: int) -> str:
    """How many answered."""
    return count_text(number, "process")


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
    if stream is None:  # it was closed before this process began
        return
    stream.write("".join(f"{line_of(line)}\n" for line in lines))
    stream.flush()
