"""Reads `%cascade` where IPython alone does not: below a comment, and with a `?` behind a word."""

from __future__ import annotations

import re
from typing import Final

#: IPython looks for the last word alone, as for an object of that name.
_ASKED: Final = re.compile(r"\s*(%cascade(?:[ \t]+[\w-]+)+)[ \t]*\?{1,2}\s*")


def question_as_help(lines: list[str]) -> list[str]:
    """A cell such as ``%cascade pause?`` as one that asks that command for its help; other cells as
    they are.
    """
    asked = _ASKED.fullmatch("".join(lines))
    return lines if asked is None else [f"{asked[1]} -h\n"]


def without_comments_above(lines: list[str]) -> list[str]:
    """The lines of a cell without the comments above its `%%cascade`; other cells as they are."""
    for number, line in enumerate(lines):
        bare = line.strip()
        if bare.startswith("%%cascade") and number:
            return lines[number:]
        if bare and not bare.startswith("#"):
            break
    return lines


def without_comment_behind(line: str) -> str:
    """What stands behind `%%cascade` without a comment: its arguments."""
    words = line.split()
    first = next((i for i, word in enumerate(words) if word.startswith("#")), None)
    return line if first is None else " ".join(words[:first])
