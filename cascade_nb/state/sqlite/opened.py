"""Tracks the database files that this process has open, and those of a fork's parent."""

from __future__ import annotations

import os
import threading
from collections import Counter
from typing import Final, TypeAlias

from cascade_nb.errors import StateError

Identity: TypeAlias = tuple[int, int]  # device and inode of a file

# Who closes any descriptor of a file loses all locks that the process has on it, those of SQLite
# too. So while one thread makes a file, no other connects to it; nor is there a fork meanwhile.
making_a_file: Final = threading.Lock()
_open: Final[Counter[Identity]] = Counter()
_inherited: Final[set[Identity]] = set()


def enter(identity: Identity, shown: str) -> None:
    """Note that this process is about to open a file.

    SQLite notes it as well, and in a child process goes on believing in locks that its parent has:
    neither the parent's connections may be used there nor new ones be opened beside them.

    Raises:
        StateError: this is such a child process.
    """
    with making_a_file:
        if identity in _inherited:
            raise StateError(
                f"{shown} was open in the process that this one was forked from, which SQLite does "
                "not bear; start processes by 'spawn' or 'forkserver', see multiprocessing"
            )
        _open[identity] += 1


def leave(identity: Identity) -> None:
    """Note that a connection is closed."""
    with making_a_file:
        _open[identity] -= 1


def _in_child() -> None:
    _inherited.update(+_open)
    _open.clear()
    making_a_file.release()


if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(
        before=making_a_file.acquire,
        after_in_parent=making_a_file.release,
        after_in_child=_in_child,
    )
