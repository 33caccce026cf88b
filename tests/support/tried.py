"""What random programs have tried before. It lives in a module that only function bodies name, so
that it is no part of any key.
"""

from __future__ import annotations

from collections.abc import Hashable

_seen: set[Hashable] = set()


def first(what: Hashable) -> bool:
    """Whether this is asked for the first time."""
    if what in _seen:
        return False
    _seen.add(what)
    return True


def forget() -> None:
    """Everything is a first time again."""
    _seen.clear()
