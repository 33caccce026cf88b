"""Finds the files that a text may mean: an argument, a constant of a body, the command of a
process.

Where nobody is told of what is opened, what was mentioned is the best guess: it may count a file
that was never read, which costs a run that was not needed.
"""

from __future__ import annotations

import glob
import os
import re
import shlex
from collections.abc import Iterable, Iterator
from typing import Final

from cascade_nb.file_stamps import PATTERN

_BELOW: Final = 1_000  # files and folders that are looked at below one
_LONGEST: Final = 1_024  # characters of a path
_VARIABLE: Final = re.compile(r"\$\{?([A-Za-z_]\w*)")
_NOT_MEANT: Final = frozenset({"", ".", "..", "/", "~", os.sep})


def paths_at(text: str, below: bool) -> Iterator[str]:
    """The paths that a text may mean.

    Args:
        text: any.
        below: whether a folder means all that is in it, and a pattern all that it leads to. That a
            folder's names count is said by a separator at its end, that a pattern's do by `PATTERN`
            before it.
    """
    if text in _NOT_MEANT or len(text) > _LONGEST or "\n" in text or "\0" in text:
        return
    path = os.path.expanduser(text)  # noqa: PTH111 - it stays as it is written
    if below and glob.has_magic(path):
        found = sorted(glob.glob(path, recursive=True))[:_BELOW]  # noqa: PTH207 - as above
        if found:
            yield PATTERN + path
            yield from found
    yield path
    if below and os.path.isdir(path):  # noqa: PTH112 - as above
        yield os.path.join(path, "")  # noqa: PTH118 - as above
        yield from (os.path.join(path, name) for name in files_below(path))  # noqa: PTH118


def words_of(command: Iterable[str | bytes | os.PathLike[str]]) -> Iterator[str]:
    """The words of a command, those of a shell's in one text too, and what follows ``--name=``."""
    for part in command:
        said = os.fsdecode(part)
        try:
            words = {said, *shlex.split(said)}
        except ValueError:  # a quote that is not closed
            words = {said, *said.split()}
        for word in words:
            yield word
            if "=" in word:
                yield word.partition("=")[2]


def variables_in(word: str) -> list[str]:
    """The environment variables that a shell would put into a word of its command."""
    return _VARIABLE.findall(word)


def files_below(folder: str) -> Iterator[str]:
    """The files below a folder, by their paths from there; the first few of very many."""
    left = _BELOW
    for root, inner, names in os.walk(folder):
        inner.sort()
        for name in sorted(names)[:left]:
            yield os.path.relpath(os.path.join(root, name), folder)  # noqa: PTH118 - as above
        left -= len(names) + len(inner)
        if left <= 0:
            return
