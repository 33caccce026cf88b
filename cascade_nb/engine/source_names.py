"""Names the place of a line of code as a person would.

A kernel compiles each cell under the name of a file that nobody has seen; only the notebook knows
which cell it was. It says so here, since the engine knows of no notebook.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

Namer = Callable[[str], str | None]

_namers: Final[list[Namer]] = []


def name_files_by(namer: Namer) -> Callable[[], None]:
    """Ask `namer` what a file of code is called; None means that it does not know.

    Returns:
        what ends that.
    """
    _namers.append(namer)
    return lambda: _namers.remove(namer)


def known_place(filename: str) -> str | None:
    """What somebody said that this file of code is called, such as ``cell [4]``."""
    return next((place for namer in _namers if (place := namer(filename)) is not None), None)


def place_of(filename: str) -> str:
    """What to call this file of code; its own name where nobody knows better."""
    return known_place(filename) or Path(filename).name
