"""Finds the files of SQLite databases that a task opens, and whether it may change them."""

from __future__ import annotations

import os
import re
import types
from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from cascade_nb.graph.code.origin import is_followed
from cascade_nb.graph.effects.database_writes import may_change_database
from cascade_nb.graph.effects.unseen import texts_of_code

_DEEPEST: Final = 50  # frames that are looked at
_ATTACHED: Final = re.compile(r"\battach\s+(?:database\s+)?(['\"])(.+?)\1", re.IGNORECASE)


def file_of(database: Any) -> str | None:
    """The file of what `sqlite3.connect` was given; None for a database in memory."""
    name = os.fsdecode(database)
    if name.startswith("file:"):
        said = urlsplit(name)
        name = unquote(said.path)
        if "mode=memory" in said.query.split("&"):
            return None
    return None if not name or name.startswith(":memory:") else name


def said_by(frame: types.FrameType | None) -> tuple[bool, list[str]]:
    """Whether the code that opens a database, or any that called it, may change it, and what else
    that code attaches to it.

    It is told by the code's texts and names: who opens a database only to read has no word in it of
    what writes one.
    """
    changes, attached = False, []
    for code in _codes(frame):
        changes = changes or may_change_database(code)
        for text in texts_of_code(code):
            attached += [found[2] for found in _ATTACHED.finditer(text)]
    return changes, attached


def _codes(frame: types.FrameType | None) -> Iterator[types.CodeType]:
    for _ in range(_DEEPEST):
        if frame is None:
            return
        if is_followed(frame.f_globals):
            yield frame.f_code
        frame = frame.f_back
