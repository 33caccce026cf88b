"""Lets `%%cascade` stand below a comment, where IPython knows no cell magic."""

from __future__ import annotations


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
