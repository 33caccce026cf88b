"""Parses the words of a command, or refuses it in one sentence with the nearest word."""

from __future__ import annotations

import argparse
import re
import shlex
from collections.abc import Sequence
from typing import Final, NoReturn

from cascade_nb.errors import UsageError, nearest


class HelpAskedError(Exception):
    """`-h` was among the arguments; the text is the help."""


class Arguments(argparse.ArgumentParser):
    """A parser that neither prints nor exits.

    Args:
        name: what is typed before the arguments, such as ``%cascade run``.
        summary: one sentence that says what it does.
        examples: lines with their meaning, shown below the options.
    """

    def __init__(self, name: str, summary: str, examples: Sequence[tuple[str, str]] = ()) -> None:
        width = max((len(line) for line, _ in examples), default=0)
        lines = [f"  {line:{width}}  {meaning}" for line, meaning in examples]
        super().__init__(
            prog=name,
            description=summary,
            epilog="\n".join(["examples:", *lines]) if lines else None,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            add_help=False,
            allow_abbrev=False,
        )
        self.add_argument("-h", "--help", action="store_true", help="say this")
        # What begins with a number is a value, to be refused as such: -5/m, -3d.
        self._negative_number_matcher = re.compile(r"-\.?\d\S*")

    @property
    def summary(self) -> str:
        """What it does, in one sentence."""
        return self.description or ""

    @property
    def words(self) -> list[str]:
        """The options that one can type."""
        return [
            option
            for action in self._actions
            if action.help is not argparse.SUPPRESS
            for option in action.option_strings
        ]

    def read(self, text: str) -> argparse.Namespace:
        """`text` taken apart.

        Raises:
            HelpAskedError: it has `-h` in it.
            UsageError: it does not fit; nothing was done.
        """
        return self.read_words(split(text))

    def read_words(self, words: Sequence[str]) -> argparse.Namespace:
        """Words taken apart.

        Raises:
            HelpAskedError: `-h` is among them.
            UsageError: they do not fit; nothing was done.
        """
        if "-h" in words or "--help" in words:
            raise HelpAskedError(self.format_help().rstrip())
        given, extra = self.parse_known_args(words)
        if extra:
            known = self.words if extra[0].startswith("-") else ()
            what = "option" if extra[0].startswith("-") else "argument"
            raise UsageError(
                f"{self.prog} takes no {what} {extra[0]!r}{nearest(extra[0], known)}; "
                f"`{self.prog} -h` says what it takes"
            )
        return given

    def error(self, message: str) -> NoReturn:
        """What argparse calls when something does not fit."""
        for pattern, words in _IN_WORDS:
            found = re.fullmatch(pattern, message)
            if found is not None:
                message = found.expand(words)
                break
        raise UsageError(f"{self.prog}: {message}; `{self.prog} -h` says what it takes")


# What argparse says, and what a colleague would.
_IN_WORDS: Final = [
    (r"the following arguments are required: (.*)", r"say which \1"),
    (r"argument (?:-\w/)?(\S+): expected one argument", r"\1 needs a value behind it"),
    (r"argument (?:-\w/)?(\S+): ignored explicit argument (.*)", r"\1 takes no value, not \2"),
    (
        r"argument (?:-\w/)?(\S+): invalid choice: (.*) \(choose from (.*)\)",
        r"\1 is one of \3, not \2",
    ),
]


def split(text: str) -> list[str]:
    """Words as a terminal sees them: quotes keep spaces together.

    Raises:
        UsageError: a quote is not closed.
    """
    try:
        return shlex.split(text)
    except ValueError:
        raise UsageError(f"a quote is not closed in: {text}") from None
