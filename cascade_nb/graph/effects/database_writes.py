"""Tells by a body's texts and names whether it may change an SQLite database."""

from __future__ import annotations

import re
import types
from typing import Final

from cascade_nb.graph.effects.unseen import texts_of_code

_CHANGES: Final = re.compile(
    r"\b(?:insert|update|delete|replace|create|drop|alter|vacuum|reindex)\b", re.IGNORECASE
)
_CHANGING: Final = frozenset({"commit", "to_sql", "executescript", "blobopen", "deserialize"})
_CONNECTS: Final = frozenset({"sqlite3.connect", "_sqlite3.connect", "sqlite3.dbapi2.connect"})
_ENGINES: Final = ("sqlalchemy.create_engine", "sqlalchemy.engine.create.create_engine")
_IN_MEMORY: Final = ":memory:"


def may_change_database(code: types.CodeType) -> bool:
    """Whether a body, or one inside it, may change a database: who only reads has no word in it of
    what writes one.
    """
    names, inner = code.co_names, code.co_consts
    if not _CHANGING.isdisjoint(names) or any(map(says_change, texts_of_code(code))):
        return True
    return any(may_change_database(one) for one in inner if isinstance(one, types.CodeType))


def says_change(text: str) -> bool:
    """Whether a text has a word of SQL that changes something."""
    return _CHANGES.search(text) is not None


def connects(name: str, code: types.CodeType) -> bool:
    """Whether a body opens a database in a file through what has this full name."""
    if name in _CONNECTS:
        return _IN_MEMORY not in texts_of_code(code)
    return name in _ENGINES and any(text.startswith("sqlite:///") for text in texts_of_code(code))
