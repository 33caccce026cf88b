"""Begins anew in a forked child process what cannot be shared with the parent: threads, locks and
sockets.
"""

from __future__ import annotations

import os
import weakref
from typing import Final, Protocol


class Forked(Protocol):
    """What has something to forget when it finds itself in a child process."""

    def forget(self) -> None:
        """Begin anew: threads, locks and queued work are the parent's."""


_alive: Final[weakref.WeakSet[Forked]] = weakref.WeakSet()


def forget_after_fork(thing: Forked) -> None:
    """Have `thing.forget()` called in every child process that is forked while it lives."""
    _alive.add(thing)


def _forget_all() -> None:
    for thing in list(_alive):
        thing.forget()


if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_forget_all)
