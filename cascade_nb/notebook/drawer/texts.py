"""Makes text of anybody's fit for a message to the page: bounded, and without commands."""

from __future__ import annotations

from typing import Any, Final

from cascade_nb.text import readable
from cascade_nb.view.picture.labels import clean

#: Characters of a name in a line, of one text, and of a short text.
NAME: Final = 120
LONG: Final = 20_000
SHORT: Final = 400

Json = dict[str, Any]


def line(text: str, limit: int = NAME) -> str:
    """A text in one line, as it may stand in a sentence."""
    return clean(text, limit)


def plain(text: str, limit: int = LONG) -> str:
    """A text of several lines; what is too long says how much of it is left out."""
    if len(text) <= limit:
        return readable(text)
    return f"{readable(text[:limit])}\n… {len(text) - limit:,} more characters"
