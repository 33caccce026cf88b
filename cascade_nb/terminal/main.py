"""Reads the command line of `cascade-nb`, does it, and gives the exit code."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Sequence
from typing import Final, NoReturn

from cascade_nb.engine.dispatch.failures import is_users
from cascade_nb.errors import CascadeError, UnknownNameError, UsageError
from cascade_nb.grammar.arguments import HelpAskedError
from cascade_nb.terminal.commands import COMMANDS, PROGRAM
from cascade_nb.terminal.output import (
    FAILED,
    INTERRUPTED,
    WRONG,
    UnwrittenError,
    complain,
    no_more_output,
    say,
    say_json,
    write_what_can_be,
)
from cascade_nb.terminal.running import help_of
from cascade_nb.terminal.targets import refuse_what_is_being_read

_CODES: Final = """\
exit codes: 0 done; 1 a run failed, or what was asked was refused; 2 the command line is wrong;
3 nobody answered, or nothing is running; 4 a run was cancelled; 130 Ctrl-C, 143 told to end"""


def overview() -> list[str]:
    """What there is, in lines."""
    width = max(map(len, COMMANDS))
    lines = [f"  {PROGRAM} {name:{width}}  {one.takes.summary}" for name, one in COMMANDS.items()]
    return [
        "Looks at and holds the runs of your kernels and scripts on this machine.",
        "",
        *lines,
        "",
        "Each says more with -h, and but for mcp takes --json.",
        *_CODES.splitlines(),
    ]


def main(words: Sequence[str] | None = None) -> int:
    """Do what a command line says.

    Args:
        words: those behind the program's name; default those of this process.

    Returns:
        The exit code: 0 done, 1 failed or refused, 2 a wrong command line, 3 nobody answered, 4
        cancelled, 130 interrupted.

    Example:
        >>> from cascade_nb.terminal.main import main
        >>> main(["status"])  # doctest: +SKIP
        0
    """
    given = list(sys.argv[1:] if words is None else words)
    write_what_can_be()
    as_json = "--json" in given
    try:
        return _do(given)
    except HelpAskedError as asked:
        say(*str(asked).splitlines())
        return 0
    except UsageError as error:
        return _told(error, WRONG, as_json)
    except CascadeError as error:
        return _told(error, FAILED, as_json)
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:  # who read has gone, as `head` does: Python is not to complain either
        no_more_output()
        return FAILED
    except UnwrittenError as error:
        no_more_output()
        return _told(error, FAILED, as_json=False)
    except (
        Exception
    ) as error:  # a module that is to run raises what it likes, in what words it likes
        complain(*"".join(traceback.format_exception(_of_its_own(error))).splitlines())
        return _told(error, FAILED, as_json, words=False)


def run_file(file: str, target: str, words: Sequence[str] | None = None) -> NoReturn:
    """Run what a file of Python defines, and end this process as that ends.

    Args:
        file: it.
        target: what runs where nothing else is named; empty for the only thing there is.
        words: what was typed behind the file; default what was behind this process's.

    Raises:
        UsageError: the file is only being imported.
    """
    refuse_what_is_being_read(file)
    given = list(sys.argv[1:] if words is None else words)
    if given and not given[0].startswith("-"):
        target = given.pop(0)
    raise SystemExit(main(["run", f"{file}:{target}" if target else file, *given]))


def _do(words: list[str]) -> int:
    name, *rest = words or [""]
    if name in ("", "-h", "--help", "help"):
        say(*overview())
        return 0
    if name == "--version":
        from importlib.metadata import version  # noqa: PLC0415 - nobody else needs it

        say(f"{PROGRAM} {version(PROGRAM)}")
        return 0
    if name not in COMMANDS:
        advice = f" (`{PROGRAM} -h` says what there is)"
        raise UnknownNameError("command", name, COMMANDS, advice)
    command = COMMANDS[name]
    try:
        given = command.takes.read_words(rest)
    except HelpAskedError as asked:
        # `run flow.py:report -h` is about that.
        named = [word for word in rest if not word.startswith("-")]
        if name != "run" or not named:
            raise
        raise help_of(named[0], str(asked)) from None
    return command.act(given)


def _of_its_own(error: Exception) -> Exception:
    """An error without the frames that led to the code of the user's, where it is of such."""
    step = error.__traceback__
    while step is not None and not is_users(step.tb_frame.f_code.co_filename):
        step = step.tb_next
    # The error of a file that is no Python has no frame there; its text says where.
    theirs = step is not None or isinstance(error, SyntaxError)
    return error.with_traceback(step) if theirs else error


def _told(error: BaseException, code: int, as_json: bool, *, words: bool = True) -> int:
    if as_json:
        say_json({"ok": False, "kind": type(error).__name__, "error": str(error), "exit": code})
    if words:
        complain(f"{PROGRAM}: {error}")
    return code
